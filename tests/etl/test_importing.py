"""Imports by the real commands into real tables."""

import random
import uuid
from collections import Counter
from pathlib import Path

import orjson
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from atelier.core.models import CacheScope
from atelier.core.publishing import EPOCH, publish
from etl import importing, reading, runs, staging
from etl.building import NotEmpty
from etl.dataset import generate
from etl.files import PRODUCT_FILES, REVIEW_FILES, FileKind
from etl.importing import Options
from etl.models import Fingerprint, ImportReject, ImportRun
from etl.progress import Progress
from etl.sources import find_sources
from products.models import Photo, Product, RelatedProduct, Sku, Style
from reviews import services
from reviews.models import Moderation, Review, ReviewMeta
from tests.etl.conftest import table_contents
from tests.factories.etl import ImportRunFactory
from tests.factories.reviews import ReviewFactory
from tests.threads import Aside


def epoch() -> str | None:
    return CacheScope.objects.filter(key="epoch").values_list("tag", flat=True).first()


def test_imported_rows_are_served(import_all, client):
    import_all()
    styles = orjson.loads(client.get("/products/1/styles").content)
    assert [style["style_id"] for style in styles["results"]] == [1, 2]
    assert styles["results"][0]["skus"]["3"] == {"quantity": 4, "size": "XL"}
    assert orjson.loads(client.get("/products/1/related").content) == [2, 3]
    meta = orjson.loads(client.get("/reviews/meta?product_id=1").content)
    assert meta["ratings"] == {"3": "1", "5": "1"}
    assert meta["characteristics"]["Fit"] == {"id": 1, "value": "4.5000000000000000"}
    listed = orjson.loads(client.get("/reviews?product_id=2").content)
    assert listed["results"] == []  # its one review came reported
    assert orjson.loads(client.get("/reviews/meta?product_id=2").content)["ratings"] == {"4": "1"}


def test_same_import_twice_changes_nothing(import_all, import_command, dataset):
    import_all()
    before, tag = table_contents(), epoch()
    updated_at = list(Product.objects.order_by("id").values_list("updated_at", flat=True))
    for command, kinds in (("import_products", PRODUCT_FILES), ("import_reviews", REVIEW_FILES)):
        outcome = import_command(command, dataset.folder)
        assert outcome.code == 0
        for kind in kinds:
            rows = len(dataset.rows[kind.name])
            assert outcome.counts(kind.name) == (0, 0, rows, 0, 0)
    assert table_contents() == before
    assert list(Product.objects.order_by("id").values_list("updated_at", flat=True)) == updated_at
    assert epoch() == tag


def test_a_table_that_grew_has_its_statistics_from_the_commit_on(
    import_all, import_command, tmp_path
):
    import_all()
    generate(tmp_path / "more", products=200, seed=3)
    assert import_command("import_all", tmp_path / "more").code in {0, 3}
    with connection.cursor() as cursor:
        for table in ("products_product", "reviews_review"):
            cursor.execute(
                f"SELECT reltuples = (SELECT count(*) FROM {table}) AND reltuples >= 200"
                " FROM pg_class WHERE oid = %s::regclass",
                [table],
            )
            assert cursor.fetchone()[0], table


def test_only_changed_lines_change(import_all, import_command, dataset):
    import_all()
    untouched = Product.objects.get(pk=2).updated_at
    tag = epoch()
    dataset.rows["product"][0] = '1,"Camo Vest II","Be seen","Warm, and ""light""","Jackets",150'
    dataset.rows["product"].append('4,"Scarf","","Long","Accessories",12')
    dataset.rows["skus"][0] = '1,1,"XS",0'
    dataset.write("product", "skus")
    outcome = import_command("import_products", dataset.folder)
    assert outcome.counts("product") == (1, 1, 2, 0, 0)
    assert outcome.counts("skus") == (0, 1, 3, 0, 0)
    changed = Product.objects.get(pk=1)
    assert (changed.name, str(changed.default_price)) == ("Camo Vest II", "150.00")
    assert changed.updated_at > untouched
    assert Product.objects.get(pk=2).updated_at == untouched
    assert Sku.objects.get(pk=1).quantity == 0
    assert epoch() != tag


def test_rows_that_a_file_does_not_hold_stay(import_all, import_command, dataset):
    import_all()
    dataset.rows["product"] = dataset.rows["product"][:1]
    dataset.write("product")
    assert import_command("import_products", dataset.path("product")).counts("product") == (
        (0, 0, 1, 0, 0)
    )
    assert Product.objects.count() == 3


def test_refresh_keeps_what_visitors_and_moderators_did(import_all, import_command, dataset):
    import_all()
    visitor = uuid.uuid4()
    services.mark_helpful(review_id=1, visitor=visitor)
    services.report_review(review_id=1, visitor=visitor)
    services.moderate_review(review_id=2, moderation=Moderation.REJECTED)
    services.moderate_review(review_id=3, moderation=Moderation.APPROVED)
    services.respond_to_review(review_id=2, response="Sorry to hear.")
    own = services.create_review(
        product_id=1,
        rating=1,
        summary="",
        body="No.",
        recommend=False,
        reviewer_name="dee",
        reviewer_email="d",
        characteristics={1: 1},
    )
    assert own.pk >= 1_000_000_000
    dataset.rows["reviews"][0] = dataset.rows["reviews"][0].replace(",8", ",20")
    dataset.rows["reviews"][1] = '2,1,2,1610178433963,"Poor","x",true,false,"bob","a",null,3'
    dataset.write("reviews")
    outcome = import_command("import_reviews", dataset.folder)
    assert outcome.counts("reviews") == (0, 2, 1, 0, 0)
    first, second, third = Review.objects.filter(pk__lt=10).order_by("id")
    assert (first.helpfulness, first.report_count, first.is_listed) == (21, 1, False)
    assert (second.rating, second.moderation) == (2, Moderation.REJECTED)
    assert second.staff_response == "Sorry to hear."
    assert (third.moderation, third.is_listed) == (Moderation.APPROVED, True)
    assert Review.objects.filter(pk=own.pk).exists()
    meta = ReviewMeta.objects.get(pk=1)
    assert (meta.rating_5, meta.rating_3, meta.rating_2, meta.rating_1) == (1, 0, 0, 1)


def test_aggregates_after_a_refresh_equal_a_recount(import_all, import_command, dataset):
    import_all()
    dataset.rows["reviews"][0] = dataset.rows["reviews"][0].replace("1,1,5", "1,2,1", 1)
    dataset.rows["characteristics"][1] = '2,2,"Length"'
    dataset.rows["characteristic_reviews"][0] = "1,3,1,1"
    dataset.rows["characteristic_reviews"].append("5,2,2,2")
    dataset.write()
    assert import_command("import_reviews", dataset.folder).code == 0
    assert services.rebuild_review_meta(batch=100, progress=lambda last: None) == 0
    assert ReviewMeta.objects.get(pk=2).rating_1 == 1


def test_files_may_come_one_by_one(import_command, dataset):
    dataset.write()
    for command, kinds in (("import_products", PRODUCT_FILES), ("import_reviews", REVIEW_FILES)):
        for kind in kinds:
            assert import_command(command, dataset.path(kind.name)).code == 0
    separate = table_contents()
    assert len(separate["reviews_reviewmeta"]) == 2
    assert services.rebuild_review_meta(batch=100, progress=lambda last: None) == 0


# name of the file, line, and what is told of it: column, reason, value
REJECTED = [
    ("product", '1,"Other","","","",1', "id", "conflicting_id", "1"),
    ("product", '1000000000,"Other","","","",1', "id", "reserved_id", "1000000000"),
    ("product", "id,name,slogan,description,category,default_price", "", "repeated_header", ""),
    ("features", '9,99,"a","b"', "product_id", "missing_parent", "99"),
    ("styles", '9,99,"a",null,1,0', "product_id", "missing_parent", "99"),
    ("photos", '9,99,"https://a","https://b"', "style_id", "missing_parent", "99"),
    ("skus", '9,99,"S",1', "style_id", "missing_parent", "99"),
    ("related", "9,99,1", "current_product_id", "missing_parent", "99"),
    ("related", "9,1,99", "related_product_id", "missing_parent", "99"),
    ("related", "9,1,0", "related_product_id", "zero_reference", "0"),
    ("related", "9,1,1", "related_product_id", "self_relation", "1"),
    ("related", "9,1,2", "related_product_id", "repeated_pair", "2"),
]


@pytest.mark.parametrize("filled", [False, True], ids=["empty", "filled"])
def test_reject_names_file_line_column_and_reason(import_command, dataset, filled):
    if filled:
        assert import_command("import_products", dataset.write()).code == 0
    rows = {kind.name: len(dataset.rows[kind.name]) for kind in PRODUCT_FILES}
    expected = []
    for name, line, column, reason, value in REJECTED:
        number = len(dataset.rows[name]) - rows[name] + 4
        dataset.rows[name].insert(number - 2, line)
        expected.append((f"{name}.csv", str(number), column, reason, value, line))
    outcome = import_command("import_products", dataset.write())
    assert outcome.code == 3
    found = [tuple(reject.values()) for reject in outcome.rejects]
    assert sorted(found) == sorted(expected)
    assert list(outcome.rejects[0]) == ["file", "line", "column", "reason", "value", "original"]
    for name, count in rows.items():
        reasons = [reject[3] for reject in REJECTED if reject[0] == name]
        kept = (0, 0, count) if filled else (count, 0, 0)
        assert outcome.counts(name) == (*kept, 0, len(reasons))
        assert outcome.report(name).rejects == Counter(reasons)


def test_original_of_a_windows_line_is_the_line(import_command, dataset):
    dataset.rows["related"] = ["9,99,1\r", "08,99,1\r", "7,99,1\r", "6,99,1\r", "5,1,2"]
    outcome = import_command("import_products", dataset.write())
    assert [row["original"] for row in outcome.rejects] == dataset.rows["related"][:4]


def test_children_of_a_rejected_parent_are_rejected(import_command, dataset):
    dataset.rows["product"][1] = '2,"Sun Hat","Stay cool","Wide","Accessories",free'
    outcome = import_command("import_products", dataset.write())
    assert outcome.counts("product") == (2, 0, 0, 0, 1)
    assert outcome.counts("styles") == (2, 0, 0, 0, 1)
    assert [row["reason"] for row in outcome.rejects if row["file"] == "related.csv"] == [
        "missing_parent"
    ] * 3


@pytest.mark.parametrize("block_bytes", [1, 60, 1 << 19])
def test_the_first_row_of_an_id_or_a_pair_is_kept(
    import_command, dataset, monkeypatch, block_bytes
):
    monkeypatch.setattr(reading, "BLOCK_BYTES", block_bytes)
    dice = random.Random(block_bytes)
    for _ in range(4):
        rows = [
            (dice.randrange(1, 40), *dice.sample((1, 2, 3), 2))
            for _ in range(dice.choice([10, 30]))
        ]
        dataset.rows["related"] = [f"{row},{one},{other}" for row, one, other in rows]
        kept: dict[int, tuple[int, int]] = {}
        reasons = []
        for row, one, other in rows:
            if row in kept:
                reasons += [] if kept[row] == (one, other) else [(str(row), "conflicting_id")]
            elif (one, other) in kept.values():
                reasons.append((str(other), "repeated_pair"))
            else:
                kept[row] = (one, other)
        with publish(EPOCH):
            RelatedProduct.objects.all().delete()
        outcome = import_command("import_products", dataset.write("product", "related"))
        rejects = [(row["value"], row["reason"]) for row in outcome.rejects]
        assert sorted(rejects) == sorted(reasons)
        stored = RelatedProduct.objects.values_list("id", "product_id", "related_product_id")
        assert {row: (one, other) for row, one, other in stored} == kept


def test_a_row_that_repeats_a_pair_is_taken_when_the_first_has_another(import_command, dataset):
    dataset.rows["related"].append("9,1,2")
    assert (
        import_command("import_products", dataset.write("product", "related")).rejects[0]["line"]
        == "6"
    )
    dataset.rows["related"][0] = "1,3,2"
    outcome = import_command("import_products", dataset.write("product", "related"))
    assert outcome.counts("related") == (1, 1, 3, 0, 0)
    assert import_command("import_products", dataset.write("product", "related")).counts(
        "related"
    ) == (0, 0, 5, 0, 0)


@pytest.mark.parametrize("has_fingerprints", [True, False])
@pytest.mark.parametrize(
    ("lines", "options", "rejected", "stored"),
    [
        # The row that has the pair is not in the file, and stays.
        (["9,1,2"], {}, [2], {1: (1, 2)}),
        (["9,1,2", "9,1,2"], {}, [2, 3], {1: (1, 2)}),
        (["9,1,2", "9,2,1"], {}, [2], {1: (1, 2), 9: (2, 1)}),
        (["9,1,2"], {"delete_absent": True}, [], {9: (1, 2)}),
        (["9,1,2", "1,0,5"], {"delete_absent": True}, [2, 3], {1: (1, 2)}),
        # It is in the file, with another pair, or the same.
        (["9,1,2", "1,3,2"], {}, [], {1: (3, 2), 9: (1, 2)}),
        (["1,3,2", "9,1,2"], {}, [], {1: (3, 2), 9: (1, 2)}),
        (["9,1,2", "8,1,2", "1,3,2"], {}, [3], {1: (3, 2), 9: (1, 2)}),
        (["9,1,2", "1,1,2"], {}, [2], {1: (1, 2)}),
        (["9,1,2", "1,3,2"], {"on_conflict": "skip"}, [2], {1: (1, 2)}),
        (["9,1,2", "1,3,2", "9,1,2"], {}, [], {1: (3, 2), 9: (1, 2)}),
        # Of rows with one id the first that can be accepted is.
        (["9,1,2", "9,2,3"], {"delete_absent": True}, [3], {9: (1, 2)}),
        (["9,1,2", "9,2,3", "9,2,3"], {}, [2], {1: (1, 2), 9: (2, 3)}),
        (["9,1,2", "9,2,3", "1,3,2"], {}, [3], {1: (3, 2), 9: (1, 2)}),
        (["1,2,1", "1,1,2"], {}, [3], {1: (2, 1)}),
        # The row that has it waits itself.
        (["9,1,2", "1,2,3", "2,3,1"], {}, [], {1: (2, 3), 2: (3, 1), 9: (1, 2)}),
        (["1,2,3", "2,1,2"], {}, [2, 3], {1: (1, 2), 2: (2, 3)}),
    ],
)
def test_a_pair_that_another_row_of_the_table_keeps_is_rejected(
    import_command, dataset, has_fingerprints, lines, options, rejected, stored
):
    dataset.rows["related"] = ["1,1,2", *(["2,2,3"] if 2 in stored else [])]
    assert import_command("import_products", dataset.write("product", "related")).code == 0
    if not has_fingerprints:
        Fingerprint.objects.all().delete()
    dataset.rows["related"] = lines
    for _ in range(2):
        outcome = import_command("import_products", dataset.write("product", "related"), **options)
        found = {(int(row["line"]), row["original"]) for row in outcome.rejects}
        assert found == {(line, lines[line - 2]) for line in rejected}
        rows = RelatedProduct.objects.values_list("id", "product_id", "related_product_id")
        assert {row: (one, other) for row, one, other in rows} == stored


@pytest.mark.parametrize("seed", [1, 5])
def test_refreshes_leave_every_pair_once_and_lose_none(import_command, dataset, seed):
    dice = random.Random(seed)
    for turn in range(6):
        rows = [(dice.randrange(1, 12), *dice.sample((1, 2, 3), 2)) for _ in range(6)]
        dataset.rows["related"] = [f"{row},{one},{other}" for row, one, other in rows]
        if turn % 3 == 0:
            Fingerprint.objects.all().delete()
        dataset.write("product", "related")
        outcome = import_command("import_products", dataset.folder, delete_absent=turn % 2 == 1)
        found = RelatedProduct.objects.values_list("product_id", "related_product_id")
        stored = list(found)
        assert len(stored) == len(set(stored))
        again = import_command("import_products", dataset.folder, delete_absent=turn % 2 == 1)
        assert again.counts("related")[:2] == (0, 0)
        assert list(found) == stored
        for line in ImportReject.objects.filter(file__run=outcome.run, reason="repeated_pair"):
            assert tuple(map(int, bytes(line.original).split(b",")[1:])) in stored


def test_repeated_line_is_a_duplicate_and_no_reject(import_command, dataset):
    dataset.rows["skus"] += [dataset.rows["skus"][0], '01,1,"XS",8']
    outcome = import_command("import_products", dataset.write())
    assert outcome.code == 0
    assert outcome.counts("skus") == (4, 0, 0, 2, 0)


def test_repaired_lines_are_counted_by_kind(import_command, dataset):
    dataset.rows["photos"][0] = '1,1,"https://img.example/1,"uhttps://img.example/2"'
    dataset.rows["product"][2] = '3,"Morning Runners","Up early","Soft","Kicks",$40'
    outcome = import_command("import_products", dataset.write())
    assert outcome.code == 0
    assert outcome.report("photos").repairs == {"missing_quote": 1, "url_form": 1}
    assert outcome.report("product").repairs == {"price_form": 1}
    assert Photo.objects.get(pk=1).thumbnail_url == "https://img.example/2"


def test_release_of_2020_is_read(import_command, dataset):
    dataset.write()
    import_command("import_products", dataset.folder)
    dataset.path("characteristic_reviews").rename(dataset.folder / "characteristics_reviews.csv")
    dataset.write_bytes(
        "reviews",
        b"id, product_id, rating, date, summary, body, recommend, reported, reviewer_name,"
        b" reviewer_email, response, helpfulness\n"
        b'1,1,5,"2019-01-01","Great","x",1,false,"ann","a",,8\n'
        b'2,1,5,"2019-01-01","Great","x",true,0,"ann","a",null,8\n'
        b'3,2,5,"2019-01-01","Great","x",TRUE,0,"ann","a","",8',
    )
    outcome = import_command("import_reviews", dataset.folder)
    assert outcome.code == 0
    assert outcome.counts("reviews") == (3, 0, 0, 0, 0)
    assert outcome.report("reviews").repairs == {
        "boolean_form": 3,
        "date_form": 3,
        "null_form": 2,
    }
    assert Review.objects.get(pk=1).created_at.isoformat() == "2019-01-01T00:00:00+00:00"


def test_columns_may_come_in_any_order_and_spelling(import_command, dataset):
    dataset.write("product", "styles")
    dataset.write_bytes("skus", b'Quantity,"size", styleId,ID\n8,"XS",1,7\n')
    assert import_command("import_products", dataset.folder).code == 0
    sku = Sku.objects.get(pk=7)
    assert (sku.style_id, sku.size, sku.quantity) == (1, "XS", 8)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"id,styleId,size\n1,1,2\n", "missing: quantity"),
        (b"id,styleId,size,quantity,colour\n", "unknown: colour"),
        (b'1,1,"XS",8\n', "missing: id, style_id, size, quantity"),
        (b"id,styleId,size,quantity,ID\n", "more than once: id"),
        (b"", "is empty"),
    ],
)
def test_wrong_header_is_told_before_anything_is_touched(import_command, dataset, content, says):
    dataset.write("product", "styles")
    dataset.write_bytes("skus", content)
    outcome = import_command("import_products", dataset.folder)
    assert outcome.code == 2
    assert says in outcome.stderr
    assert not Product.objects.exists()
    assert not ImportRun.objects.exists()


def test_files_of_other_commands_are_named_and_left(import_command, dataset):
    dataset.write()
    for name in ("cart", "questions", "answers", "answers_photos", "notes"):
        dataset.write_bytes("../data/" + name, b"anything")
    outcome = import_command("import_products", dataset.folder)
    assert outcome.code == 0
    for name in ("cart", "questions", "answers", "answers_photos"):
        assert f"{name}.csv: left for another command (cart and Q&A)" in outcome.stderr
    assert "reviews.csv: left for import_reviews" in outcome.stderr
    assert "notes.csv: not known to import_products; left alone" in outcome.stderr


def test_nothing_to_import_is_a_clear_error(import_command, tmp_path, dataset):
    assert import_command("import_products", tmp_path / "absent").code == 2
    assert "does not exist" in import_command("import_products", tmp_path / "absent").stderr
    assert "nothing to import" in import_command("import_products", dataset.folder).stderr
    other = dataset.write_bytes("stock", b"id\n1\n")
    assert "neither its name nor its header is known" in (
        import_command("import_products", other).stderr
    )


def test_rejects_file_never_takes_the_place_of_another_file(transactional_db, dataset, tmp_path):
    source = dataset.write() / "product.csv"
    before = source.read_bytes()
    for other in (source, tmp_path, Path("/dev/null")):
        with pytest.raises(CommandError, match="is there already and is no rejects file") as told:
            call_command("import_products", str(dataset.folder), rejects=other)
        assert told.value.returncode == 2
    assert source.read_bytes() == before
    assert Path("/dev/null").is_char_device()
    assert not Product.objects.exists()
    assert not ImportRun.objects.exists()


def test_rejects_file_of_an_earlier_run_is_replaced_by_rejects_only(
    import_command, dataset, tmp_path
):
    kept = tmp_path / "rejects-import_products.csv"
    dataset.rows["skus"].append("9,99,null,1")
    import_command("import_products", dataset.write())
    first = kept.read_bytes()
    dataset.rows["skus"][-1] = "9,98,null,1"
    import_command("import_products", dataset.write())
    second = kept.read_bytes()
    assert b"9,98," in second
    assert first != second
    dataset.rows["skus"].pop()
    import_command("import_products", dataset.write())
    assert kept.read_bytes() == second
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def prepared(folder: Path, wanted: tuple[FileKind, ...]) -> importing.Import:
    """An import with everything done but its final transaction."""
    files = staging.open_files(find_sources([str(folder)], wanted, "a test"), wanted)
    run = ImportRunFactory(status="running")
    current = importing.Import(run.pk, files, runs.new_file(run, files), Options(), Progress())
    current.prepare()
    return current


def test_run_is_recorded_in_the_transaction_that_shows_its_rows(transactional_db, dataset):
    def fail() -> None:
        assert Product.objects.count() == 3
        raise OSError("no room for the record")

    current = prepared(dataset.write(), PRODUCT_FILES)
    with pytest.raises(OSError, match="no room"):
        current.publish(fail)
    assert not Product.objects.exists()


def test_reviews_of_visitors_make_the_rest_a_comparison(import_command, dataset):
    import_command("import_products", dataset.write())
    ReviewFactory(id=1_000_000_000, product_id=1, rating=2)
    outcome = import_command("import_reviews", dataset.folder)
    assert outcome.code == 0
    assert "build" not in outcome.stderr
    assert services.rebuild_review_meta(batch=100, progress=lambda last: None) == 0
    assert ReviewMeta.objects.get(pk=1).rating_2 == 1


@pytest.mark.parametrize("name", ["skus.csv.zip", "photos.csv"])
def test_what_looks_like_a_file_and_is_none_is_named(import_command, dataset, name):
    dataset.write("product", "styles")
    (dataset.folder / name).mkdir()
    outcome = import_command("import_products", dataset.folder)
    assert outcome.code == 0
    assert f"{name}: no CSV file; left alone" in outcome.stderr


def test_ending_of_a_file_may_be_in_capitals(import_command, dataset):
    dataset.write("product")
    dataset.path("product").rename(dataset.folder / "PRODUCT.CSV")
    assert import_command("import_products", dataset.folder).counts("product") == (3, 0, 0, 0, 0)


def test_line_too_long_takes_no_other_line_along(import_command, dataset):
    dataset.rows["product"] = [
        *(f'{number},"{"n" * 1000}","s","d","c",1' for number in range(10, 500)),
        '2,"B","s","never closed',
        f'10,"{"m" * 1_700_000}","s","d","c",1',
        '3,"C","s","d","c",1',
        '3,"D","s","d","c",1',
    ]
    outcome = import_command("import_products", dataset.write("product"))
    assert outcome.report("product").rejects == {
        "unclosed_quote": 1,
        "line_too_long": 1,
        "conflicting_id": 1,
    }
    assert [row["line"] for row in outcome.rejects] == ["492", "493", "495"]


def test_table_that_fills_while_it_is_built_is_not_overwritten(import_command, dataset):
    import_command("import_products", dataset.write())
    current = prepared(dataset.folder, REVIEW_FILES)
    with Aside(lambda: ReviewFactory(product_id=1, id=77)) as writer:
        writer.result()
    with pytest.raises(NotEmpty, match="reviews_review was empty when the import began"):
        current.publish(lambda: None)
    assert list(Review.objects.values_list("id", flat=True)) == [77]
    outcome = import_command("import_reviews", dataset.folder)
    assert outcome.code == 0, outcome.stderr
    assert outcome.counts("reviews") == (3, 0, 0, 0, 0)
    assert Review.objects.count() == 4


def test_own_ids_continue_after_tables_were_built(import_command, dataset):
    with publish("catalogue"):
        own = Product.objects.create(name="Own", default_price=1).pk
        Product.objects.all().delete()
    import_command("import_products", dataset.write())
    with publish("catalogue"):
        assert Product.objects.create(name="Own", default_price=1).pk == own + 1


CATALOG = """
SELECT 'index', indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'constraint', conrelid::regclass || ' ' || conname || ' '
    || pg_get_constraintdef(oid) || convalidated
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'trigger', pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'column', table_name || ' ' || ordinal_position || ' ' || column_name || ' '
    || data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '') || ' '
    || is_identity || ' ' || coalesce(identity_start, '') || ' '
    || coalesce(generation_expression, '')
    FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT 'storage', relname || ' ' || reloptions::text
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND reloptions IS NOT NULL
UNION ALL SELECT 'sequence', sequencename || ' ' || start_value || ' ' || increment_by
    FROM pg_sequences WHERE schemaname = 'public'
UNION ALL SELECT 'grant', table_name || ' ' || grantee || ' ' || privilege_type
    FROM information_schema.table_privileges WHERE table_schema = 'public'
UNION ALL SELECT 'sequence grant', object_name || ' ' || grantee || ' ' || privilege_type
    FROM information_schema.usage_privileges WHERE object_schema = 'public'
ORDER BY 1, 2
"""


def catalog() -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(CATALOG)
        return cursor.fetchall()


def test_built_tables_have_all_that_the_migrations_made(import_all):
    with connection.cursor() as cursor:
        cursor.execute("GRANT SELECT ON products_sku, reviews_review TO PUBLIC")
        cursor.execute("GRANT USAGE ON SEQUENCE products_sku_id_seq TO PUBLIC")
    before = catalog()
    import_all()
    after = catalog()
    with connection.cursor() as cursor:
        cursor.execute("REVOKE ALL ON products_sku, reviews_review FROM PUBLIC")
        cursor.execute("REVOKE ALL ON SEQUENCE products_sku_id_seq FROM PUBLIC")
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'etl'")
        assert cursor.fetchone() == (0,)
    assert [row for row in after if row not in before] == []
    assert [row for row in before if row not in after] == []
    assert RelatedProduct.objects.count() == 4
    assert Style.objects.count() == 3


def test_run_is_recorded_with_the_account_of_each_file(import_command, dataset):
    dataset.rows["skus"].append('5,1,"L",many')
    outcome = import_command("import_products", dataset.write())
    run = ImportRun.objects.get()
    assert (run.command, run.status) == ("import_products", "rejects")
    assert run.finished_at >= run.started_at
    assert run.files.count() == 6
    assert str(dataset.path("skus").resolve()) in run.sources
    assert run.rejects_path.endswith("rejects-import_products.csv")
    skus = outcome.report("skus")
    assert (skus.lines, skus.read, skus.loaded, skus.rejected) == (6, 5, 4, 1)


def test_run_that_was_killed_is_recorded_as_abandoned(import_command, dataset):
    killed = ImportRun.objects.create(command="import_products")
    import_command("import_products", dataset.write())
    killed.refresh_from_db()
    assert killed.status == "abandoned"
    assert killed.finished_at is not None
