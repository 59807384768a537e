"""Exports that import to the same tables."""

import gzip
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from atelier.core.publishing import EPOCH, publish
from etl.dataset import generate
from etl.files import KINDS
from products.models import Feature, Photo, Product
from reviews import services
from reviews.models import Review
from tests.etl.conftest import table_contents
from tests.factories.products import ProductFactory


def empty_tables() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE products_product, reviews_review CASCADE")


@pytest.mark.parametrize("options", [[], ["--gzip"]], ids=["plain", "gzip"])
def test_export_imports_to_the_same_tables_without_a_repair(import_command, tmp_path, options):
    generate(tmp_path / "set", products=60, seed=11)
    import_command("import_all", tmp_path / "set")
    before = table_contents()
    call_command("export_dataset", str(tmp_path / "out"), *options)

    again = import_command("import_all", tmp_path / "out")
    assert again.code == 0, again.stderr
    assert all(file.unchanged == file.read for file in again.run.files.all())
    empty_tables()
    anew = import_command("import_all", tmp_path / "out")

    assert anew.code == 0, anew.stderr
    assert all(file.loaded == file.read for file in anew.run.files.all())
    # A text of several lines is counted wherever it is read.
    repairs = {kind for file in anew.run.files.all() for kind in file.repairs}
    assert repairs <= {"newline_in_field"}
    assert table_contents() == before


def test_files_have_the_legacy_shape(import_all, dataset, tmp_path):
    import_all()
    call_command("export_dataset", str(tmp_path / "out"))
    for name, rows in dataset.rows.items():
        text = (tmp_path / "out" / f"{name}.csv").read_text()
        assert text.splitlines() == [dataset.header(name), *rows]
    assert (tmp_path / "out" / "reviews.csv").stat().st_mode & 0o007 == 0


def test_the_shops_own_rows_are_left_out_and_counted(import_all, tmp_path, capsys):
    import_all()
    ProductFactory(id=1_000_000_000)
    services.create_review(
        product_id=1,
        rating=5,
        summary="",
        body="Mine.",
        recommend=True,
        reviewer_name="eve",
        reviewer_email="e",
        photo_urls=["https://a.example/1"],
        characteristics={1: 5},
    )
    capsys.readouterr()
    call_command("export_dataset", str(tmp_path / "out"), "--gzip")
    assert "4 rows of the shop's own were left out" in capsys.readouterr().out
    for kind in KINDS:
        text = gzip.decompress((tmp_path / "out" / f"{kind}.csv.gz").read_bytes())
        assert b"\n1000000000," not in text


def test_files_that_are_there_are_not_replaced_unasked(import_all, tmp_path):
    import_all()
    (tmp_path / "product.csv").write_text("precious")
    with pytest.raises(CommandError, match="holds CSV files already") as refused:
        call_command("export_dataset", str(tmp_path))
    assert refused.value.returncode == 2
    assert (tmp_path / "product.csv").read_text() == "precious"
    call_command("export_dataset", str(tmp_path), "--force")
    assert (tmp_path / "product.csv").read_text().startswith("id,name")
    assert Product.objects.count() == 3


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (Product, {"description": "two\r\nlines"}),
        (Product, {"description": "\n".join("x" * 102)}),
        (Product, {"slogan": "one\n\\.\nthree"}),
        (Product, {"slogan": "x" * (1 << 20)}),
        (Feature, {"value": ""}),
        (Feature, {"value": "null"}),
        (Photo, {"url": "ftp://a.example/1"}),
        (Photo, {"url": "https://a.example/a b"}),
        (Review, {"created_at": datetime(2020, 1, 1, 0, 0, 0, 1, UTC)}),
        (Review, {"created_at": datetime(1971, 1, 1, tzinfo=UTC)}),
        (Review, {"response": "NULL"}),
    ],
)
def test_rows_that_no_file_can_bring_back_are_named(
    import_all, import_command, tmp_path, capsys, model, values
):
    import_all()
    with publish(EPOCH):
        model.objects.filter(pk=2).update(**values)
    before = table_contents()
    capsys.readouterr()
    with pytest.raises(SystemExit) as ending:
        call_command("export_dataset", str(tmp_path / "out"))
    assert ending.value.code == 3
    told = capsys.readouterr().err
    assert "1 rows hold what no file can bring back as it is (ids 2)" in told
    assert told.count("no file") == 1
    empty_tables()
    import_command("import_all", tmp_path / "out")
    assert table_contents() != before


def test_texts_of_any_other_kind_come_back(import_all, import_command, tmp_path):
    import_all()
    with publish(EPOCH):
        for model, number, values in (
            (Product, 2, {"description": "two\nlines", "slogan": 'say "no", or\rnot'}),
            (Product, 3, {"slogan": " null", "name": ""}),
            (Feature, 2, {"value": 'a\n,"b"\n'}),
            (Feature, 3, {"value": None}),
            (Review, 2, {"response": " ", "body": "\n"}),
        ):
            assert model.objects.filter(pk=number).update(**values) == 1
    before = table_contents()
    call_command("export_dataset", str(tmp_path / "out"))
    empty_tables()
    assert import_command("import_all", tmp_path / "out").code == 0
    assert table_contents() == before
