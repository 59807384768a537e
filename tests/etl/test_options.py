"""What the options of an import do."""

import json
import threading
import uuid
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from atelier.core.models import CacheScope
from atelier.core.publishing import EPOCH, publish
from etl import importing, runs, staging
from etl.files import PRODUCT_FILES, REVIEW_FILES
from etl.models import Fingerprint, ImportReject, ImportRun
from etl.progress import Progress
from etl.sources import find_sources
from products.models import Feature, Product, Sku
from reviews import services
from reviews.models import Moderation, Review, ReviewMeta
from tests.etl.conftest import table_contents
from tests.factories.etl import ImportRejectFactory, ImportRunFactory
from tests.factories.products import ProductFactory


def epoch() -> str | None:
    return CacheScope.objects.filter(key="epoch").values_list("tag", flat=True).first()


def staging_tables() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'etl' ORDER BY 1")
        return [row[0] for row in cursor.fetchall()]


@pytest.mark.parametrize("filled", [False, True], ids=["empty", "filled"])
def test_dry_run_reports_the_same_and_changes_nothing(import_command, dataset, filled):
    dataset.rows["skus"].append("9,99,null,1")
    if filled:
        import_command("import_all", dataset.write())
        dataset.rows["product"][0] = dataset.rows["product"][0].replace("Vest", "Coat")
        dataset.rows["reviews"][0] = dataset.rows["reviews"][0].replace("1,1,5", "1,1,4", 1)
        dataset.rows["styles"].append('4,3,"New",null,9,1')
    dataset.write()
    before, tag = table_contents(), epoch()

    tried = import_command("import_all", dataset.folder, dry_run=True)

    assert tried.code == 3
    assert table_contents() == before
    assert epoch() == tag
    assert staging_tables() == []
    run = ImportRun.objects.latest("id")
    assert run.status == ImportRun.Status.DRY_RUN
    told = {file.name: tried.counts(file.name) for file in run.files.all()}
    assert sum(counts[0] + counts[1] for counts in told.values()) > 0
    done = import_command("import_all", dataset.folder)
    assert {name: done.counts(name) for name in told} == told
    assert table_contents() != before


@pytest.mark.parametrize(
    ("allowed", "code"), [("1", 1), ("2", 3), ("49%", 1), ("50%", 3), ("0", 1), ("100%", 3)]
)
def test_more_rejects_than_allowed_end_it_with_the_tables_as_they_were(
    import_command, dataset, allowed, code
):
    dataset.rows = {"product": dataset.rows["product"][:2]}
    dataset.rows["product"] += ['0,"a","b","c","d",1', '8,"a","b","c","d",free']
    outcome = import_command("import_products", dataset.write(), max_errors=allowed)
    assert outcome.code == code
    assert len(outcome.rejects) == 2
    if code == 1:
        assert f"--max-errors allows {allowed}." in outcome.stderr
        assert "Nothing was changed." in outcome.stderr
        assert not Product.objects.exists()
        assert ImportRun.objects.latest("id").status == ImportRun.Status.FAILED
    else:
        assert Product.objects.count() == 2


@pytest.mark.parametrize("wrong", ["x", "-1", "101%", "1.5", "%"])
def test_a_limit_that_is_none_is_refused(wrong):
    with pytest.raises(Exception, match="neither a number nor a percentage"):
        call_command("import_products", "x", f"--max-errors={wrong}")


def test_conflicting_rows_are_skipped_if_told_so(import_all, import_command, dataset):
    import_all()
    dataset.rows["skus"][0] = '1,1,"XS",99'
    dataset.rows["skus"].append('9,2,"XS",3')
    dataset.write()
    for loaded in (1, 0):
        outcome = import_command("import_products", dataset.folder, on_conflict="skip")
        assert outcome.counts("skus") == (loaded, 0, 4 - loaded, 0, 0)
        assert outcome.report("skus").skipped == 1
        assert Sku.objects.get(pk=1).quantity == 8
    # Skipping is no agreement: whoever updates next time still sees the difference.
    assert import_command("import_products", dataset.folder).counts("skus") == (0, 1, 4, 0, 0)
    assert Sku.objects.get(pk=1).quantity == 99


def test_conflicting_rows_end_it_if_told_so(import_all, import_command, dataset):
    import_all()
    before = table_contents()
    dataset.rows["skus"][0] = '1,1,"XS",99'
    dataset.rows["features"].append('7,1,"a","b"')
    outcome = import_command("import_products", dataset.write(), on_conflict="fail")
    assert outcome.code == 1
    assert "skus.csv: 1 rows are there already and differ (ids 1)." in outcome.stderr
    assert table_contents() == before
    dataset.rows["skus"][0] = '1,1,"XS",8'
    outcome = import_command("import_products", dataset.write(), on_conflict="fail")
    assert outcome.counts("features") == (1, 0, 3, 0, 0)


def test_rows_that_a_file_does_not_hold_are_counted_as_absent(import_all, import_command, dataset):
    import_all()
    dataset.rows["skus"] = dataset.rows["skus"][1:]
    outcome = import_command("import_products", dataset.write())
    assert outcome.report("skus").absent == 1
    assert outcome.report("product").absent == 0
    assert Sku.objects.count() == 4


def test_absent_rows_are_counted_right_whoever_deletes_some(import_all, import_command, dataset):
    import_all()
    dataset.rows["skus"] = dataset.rows["skus"][2:]
    written = dataset.write()

    def absent(**options) -> list[int]:
        return [
            import_command("import_products", written, **options).report("skus").absent
            for _ in range(2)
        ]

    assert absent() == [2, 2]
    assert absent(dry_run=True) == [2, 2]
    with publish(EPOCH):
        Sku.objects.filter(pk=1).delete()
    assert absent() == [1, 1]
    assert absent(delete_absent=True) == [1, 0]
    assert absent() == [0, 0]


def test_absent_rows_go_if_told_so_unless_somebody_needs_them(import_all, import_command, dataset):
    import_all()
    own = services.create_review(
        product_id=3,
        rating=5,
        summary="",
        body="Mine.",
        recommend=True,
        reviewer_name="eve",
        reviewer_email="e",
        characteristics={},
    )
    ProductFactory(id=1_000_000_000)
    services.mark_helpful(review_id=3, visitor=uuid.uuid4())
    for name in dataset.rows:
        dataset.rows[name] = dataset.rows[name][:1]
    outcome = import_command("import_all", dataset.write(), delete_absent=True)
    assert outcome.code == 0, outcome.stderr
    counts = {file.name: (file.absent, file.deleted) for file in outcome.run.files.all()}
    assert counts["skus"] == (3, 3)
    # Review 3 has a vote, and product 2 its review; product 3 a review of the shop's own.
    assert counts["reviews"] == (2, 1)
    assert counts["product"] == (2, 0)
    assert set(Review.objects.values_list("id", flat=True)) == {1, 3, own.pk}
    assert services.rebuild_review_meta(batch=100, progress=lambda last: None) == 0
    assert ReviewMeta.objects.get(pk=1).rating_3 == 0
    # What was deleted comes back when a file holds it again.
    dataset.rows["skus"].append('2,1,"XL",15')
    assert import_command("import_all", dataset.write()).counts("skus") == (1, 0, 1, 0, 0)
    assert Sku.objects.filter(pk=2).exists()


def test_rows_whose_lines_were_rejected_do_not_go(import_all, import_command, dataset):
    import_all()
    dataset.rows["skus"] = ['2,1,"XL",many', "3,99,null,1", '"4",2,null', "5,1,null,1"]
    outcome = import_command("import_products", dataset.write("skus"), delete_absent=True)
    assert outcome.report("skus").deleted == 1
    assert list(Sku.objects.order_by("id").values_list("id", flat=True)) == [2, 3, 4, 5]


def test_absent_children_go_before_their_parents_whichever_was_compared_first(import_all, dataset):
    import_all()
    for name in dataset.rows:
        dataset.rows[name] = dataset.rows[name][:1]
    dataset.rows["related"] = []
    for name in ("reviews", "reviews_photos", "characteristics", "characteristic_reviews"):
        dataset.rows[name] = []
    wanted = PRODUCT_FILES + REVIEW_FILES
    files = staging.open_files(find_sources([str(dataset.write())], wanted, "a test"), wanted)
    run = ImportRunFactory(status="running")
    options = importing.Options(deletes_absent=True)
    current = importing.Import(run.pk, files, runs.new_file(run, files), options, Progress())
    current.prepare()
    current.changes = dict(sorted(current.changes.items(), reverse=True))
    current.publish(lambda: None)
    assert list(Product.objects.values_list("id", flat=True)) == [1]
    assert not Review.objects.exists()


def test_report_is_json_if_told_so(import_command, dataset):
    dataset.rows["skus"].append("9,99,null,1")
    outcome = import_command("import_products", dataset.write(), format="json")
    report = json.loads(outcome.stdout)
    assert (report["status"], report["command"]) == ("rejects", "import_products")
    [skus] = [file for file in report["files"] if file["file"] == "skus"]
    assert (skus["read"], skus["loaded"], skus["rejected"]) == (5, 4, 1)
    assert skus["rejects"] == {"missing_parent": 1}
    assert report["peak_bytes"] > 1_000_000
    assert {"phase": "read", "about": "skus.csv", "rows": 4}.items() <= next(
        step for step in report["steps"] if step["about"] == "skus.csv"
    ).items()


def test_everything_is_imported_at_once(import_command, dataset):
    before = epoch()
    outcome = import_command("import_all", dataset.write())
    assert outcome.code == 0, outcome.stderr
    assert len(outcome.run.files.all()) == 10
    assert Review.objects.count() == 3
    assert epoch() != before
    assert services.rebuild_review_meta(batch=100, progress=lambda last: None) == 0
    again = import_command("import_all", dataset.folder)
    assert all(file.unchanged == file.read for file in again.run.files.all())


def test_whoever_holds_the_lock_is_named_and_can_be_waited_for(import_command, dataset):
    dataset.write("product")
    held, leave = threading.Event(), threading.Event()
    ImportRun.objects.create(command="import_all", process="process 7 on elsewhere")

    def hold() -> None:
        assert importing.take_lock()
        held.set()
        leave.wait(30)
        importing.release_lock()
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert held.wait(30)
        refused = import_command("import_products", dataset.folder)
        assert refused.code == 2
        assert "import_all, since" in refused.stderr
        assert "process 7 on elsewhere" in refused.stderr
        timer = threading.Timer(1.5, leave.set)
        timer.start()
        assert import_command("import_products", dataset.folder, wait=True).code == 0
    finally:
        leave.set()
        holder.join()
    assert Product.objects.count() == 3
    assert ImportRun.objects.order_by("id").first().status == ImportRun.Status.ABANDONED


def test_staff_changes_and_deletions_are_undone_although_the_file_is_the_same(
    import_all, import_command, dataset
):
    import_all()
    before = table_contents()
    assert Fingerprint.objects.filter(table_name="products_sku", run=None).count() == 1
    with services.publish("epoch"):
        Sku.objects.filter(pk=1).update(quantity=77)
        Sku.objects.filter(pk=2).delete()
        Product.objects.filter(pk=1).update(name="Renamed")
    for expected in ((1, 1, 2), (0, 0, 4)):
        outcome = import_command("import_all", dataset.folder)
        assert outcome.counts("skus")[:3] == expected
        assert table_contents() == before


def test_a_truncated_table_is_loaded_again(import_all, import_command, dataset):
    import_all()
    before = table_contents()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE products_sku")
        cursor.execute("SELECT set_config('atelier.scopes', 'epoch', false)")
        cursor.execute(
            "INSERT INTO products_sku (id, style_id, size, quantity) VALUES (3, 1, 'XL', 4)"
        )
        cursor.execute("SELECT set_config('atelier.scopes', '', false)")
    assert import_command("import_all", dataset.folder).counts("skus") == (3, 0, 1, 0, 0)
    assert table_contents() == before


def test_a_vote_or_a_decision_touches_no_row(import_all):
    import_all()
    services.mark_helpful(review_id=1, visitor=uuid.uuid4())
    services.moderate_review(review_id=2, moderation=Moderation.REJECTED)
    services.respond_to_review(review_id=1, response="Thanks.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM etl_touchedrow")
        assert cursor.fetchone() == (0,)


def test_run_that_ended_early_is_resumed_with_what_it_had_read(import_command, dataset):
    dataset.rows["skus"] += ["9,99,null,1", "10,99,null,1"]
    dataset.write()
    failed = import_command("import_all", dataset.folder, max_errors="1")
    assert failed.code == 1
    run = ImportRun.objects.latest("id")
    read = set(run.files.values_list("name", flat=True))
    assert "product" in read
    # But for the file that was given up, of which the rejected lines are kept.
    marks = dict(run.files.filter(rejected=0).values_list("name", "id"))

    resumed = import_command("import_all", dataset.folder, resume=True)

    assert resumed.code == 3, resumed.stderr
    run.refresh_from_db()
    assert (run.status, run.attempts) == (ImportRun.Status.REJECTS, 2)
    now = dict(run.files.values_list("name", "id"))
    assert {name: now[name] for name in marks} == marks
    assert len(now) == 10
    assert Product.objects.count() == 3
    assert len(resumed.rejects) == 2
    assert staging_tables() == []
    assert services.rebuild_review_meta(batch=100, progress=lambda last: None) == 0


def test_resumed_run_may_treat_conflicts_otherwise(import_all, import_command, dataset):
    import_all()
    dataset.rows["skus"][0] = '1,1,"XS",99'
    dataset.write()
    assert import_command("import_all", dataset.folder, on_conflict="fail").code == 1
    skipped = import_command("import_all", dataset.folder, on_conflict="skip", resume=True)
    assert skipped.code == 0, skipped.stderr
    assert skipped.report("skus").skipped == 1
    assert import_command("import_all", dataset.folder).report("skus").updated == 1


def test_changed_files_are_read_again_when_a_run_is_resumed(import_command, dataset):
    dataset.rows["skus"] += ["9,99,null,1"]
    dataset.write()
    assert import_command("import_products", dataset.folder, max_errors="0").code == 1
    dataset.rows["product"].append('4,"Scarf","","Long","Accessories",12')
    dataset.rows["skus"].pop()
    dataset.write("product", "skus")
    resumed = import_command("import_products", dataset.folder, resume=True)
    assert resumed.code == 0, resumed.stderr
    assert resumed.counts("product") == (4, 0, 0, 0, 0)
    assert ImportReject.objects.count() == 0
    assert Product.objects.filter(pk=4).exists()


def test_a_run_that_was_killed_is_resumed_before_another_finds_out(import_command, dataset):
    dataset.rows["product"].append('0,"a","b","c","d",1')
    import_command("import_products", dataset.write(), max_errors="0")
    run = ImportRun.objects.latest("id")
    ImportRun.objects.filter(pk=run.pk).update(
        status=ImportRun.Status.RUNNING,
        finished_at=None,
        options={**run.options, "max_errors": ""},
    )
    with pytest.raises(SystemExit, match="3"):
        call_command("import_runs", "resume", str(run.pk))
    assert Product.objects.count() == 3


def test_nothing_to_resume_is_told(import_command, dataset):
    dataset.write()
    outcome = import_command("import_products", dataset.folder, resume=True)
    assert (outcome.code, "nothing to resume" in outcome.stderr) == (2, True)
    dataset.rows["product"].append("0,,,,,1")
    assert import_command("import_products", dataset.write(), max_errors="0").code == 1
    outcome = import_command("import_all", dataset.folder, resume=True)
    assert outcome.code == 2
    assert "was import_products of other files" in outcome.stderr
    assert import_command("import_products", dataset.folder).code == 3


def test_runs_are_listed_shown_and_resumed(import_command, dataset, capsys, tmp_path):
    dataset.rows["product"].append('0,"a","b","c","d",1')
    dataset.write()
    import_command("import_all", dataset.folder, max_errors="0")
    run = ImportRun.objects.latest("id")
    call_command("import_runs", "list")
    assert f"{run.pk}  " in (listed := capsys.readouterr().out)
    assert "failed; nothing was changed" in listed
    call_command("import_runs", "show", str(run.pk))
    shown = capsys.readouterr().out
    assert "TooManyRejects" in shown
    assert "product: rejected: out_of_range 1" in shown
    assert "It keeps --max-errors 0" in shown
    assert f"import_runs resume {run.pk}" in shown
    ImportRun.objects.filter(pk=run.pk).update(options={**run.options, "max_errors": ""})
    with pytest.raises(SystemExit, match="3"):
        call_command("import_runs", "resume", str(run.pk))
    assert Product.objects.count() == 3
    call_command(
        "import_runs", "show", str(run.pk), "--rejects", str(tmp_path / "r.csv"), "--format=json"
    )
    assert json.loads(capsys.readouterr().out.rpartition("\n{")[2].join(["{", ""]))["run"] == run.pk
    assert b'"product.csv",5,id,out_of_range,"0",' in (tmp_path / "r.csv").read_bytes()
    with pytest.raises(CommandError, match="cannot be resumed"):
        call_command("import_runs", "resume", str(run.pk))


def test_old_runs_are_forgotten_with_their_rejected_lines(db, capsys):
    running, *old, fourth, fifth = (ImportRejectFactory() for _ in range(5))
    ImportRun.objects.filter(pk=running.file.run_id).update(status=ImportRun.Status.RUNNING)
    call_command("import_runs", "prune", "--keep", "2")
    assert capsys.readouterr().out == "2 runs forgotten, and 2 rejected lines.\n"
    assert list(ImportReject.objects.order_by("id")) == [running, fourth, fifth]
    assert not ImportRun.objects.filter(pk__in=[each.file.run_id for each in old]).exists()
    with pytest.raises(CommandError, match="from 1"):
        call_command("import_runs", "prune", "--keep", "0")


def test_rejects_that_cannot_be_written_end_it_before_anything_is_read(import_command, dataset):
    outcome = import_command(
        "import_products", dataset.write(), rejects=Path("/proc/none/rejects.csv")
    )
    assert outcome.code == 2
    assert "cannot be written" in outcome.stderr
    assert not ImportRun.objects.exists()


@pytest.mark.parametrize(
    "order", [["id", "product_id", "feature"], ["feature", "id", "product_id"]]
)
def test_rows_whose_lines_were_rejected_stay_wherever_the_id_stands(import_command, dataset, order):
    dataset.rows["features"] = [f'{number},1,"Cut","Wide"' for number in (1, 2, 3, 4)]
    assert import_command("import_products", dataset.write()).code == 0
    values = {
        1: {"id": "1", "product_id": "0", "feature": '"Cut"'},
        2: {"id": "2", "product_id": "1", "feature": '"Cu"t, wide"'},
        3: {"id": "3", "product_id": "99", "feature": '"Cut"'},
    }
    lines = [",".join([*(row[name] for name in order), '"Wide"']) for row in values.values()]
    header = ",".join([*order, "value"])
    dataset.write_bytes("features", "\n".join([header, *lines]).encode())
    outcome = import_command("import_products", dataset.path("features"), delete_absent=True)
    assert outcome.code == 3, outcome.stderr
    assert set(Feature.objects.values_list("id", flat=True)) == {1, 2, 3}


def test_a_file_is_read_again_where_others_touched_its_rows_before_it_was_resumed(
    import_command, dataset
):
    assert import_command("import_products", dataset.write()).code == 0
    dataset.rows["skus"].append('9,1,"M",x')
    failed = import_command("import_products", dataset.write(), max_errors="0%")
    assert failed.code == 1
    with publish(EPOCH):
        Product.objects.filter(pk=1).update(name="Edited")
        Feature.objects.filter(pk=3).delete()
    outcome = import_command("import_products", dataset.folder, resume=True)
    assert outcome.code == 3, outcome.stderr
    assert Product.objects.get(pk=1).name == "Camo Vest"
    assert Feature.objects.filter(pk=3).exists()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_an_encoding_that_a_mark_must_complete_is_named(import_command, dataset, encoding):
    outcome = import_command("import_products", dataset.write(), encoding=encoding)
    assert outcome.code == 2
    assert "has no byte-order mark" in outcome.stderr
