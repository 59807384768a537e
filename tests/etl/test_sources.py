"""Where files may come from, and how they may be stored."""

import gzip
import io
import sys
import uuid
from collections.abc import Iterator

import boto3
import pytest
import s3fs
from moto.server import ThreadedMotoServer

from etl.models import ImportReject
from products.models import Product, Sku
from tests.etl.conftest import table_contents


def test_compressed_files_are_read(import_command, dataset):
    dataset.write()
    for path in list(dataset.folder.iterdir()):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    outcome = import_command("import_all", dataset.folder)
    assert outcome.code == 0, outcome.stderr
    assert outcome.counts("skus") == (4, 0, 0, 0, 0)
    assert outcome.report("skus").encoding == "utf-8, gzip"


def test_file_that_ends_early_leaves_the_tables_as_they_were(import_command, dataset):
    dataset.write("product")
    whole = gzip.compress(b"".join(b'%d,"a","b","c","d",1\n' % n for n in range(1, 50_000)))
    header = gzip.compress(dataset.header("product").encode() + b"\n")
    dataset.path("product").with_name("product.csv.gz").write_bytes(header + whole[:-5000])
    dataset.path("product").unlink()
    outcome = import_command("import_products", dataset.folder)
    assert outcome.code in {1, 2}
    assert "cannot be read" in outcome.stderr
    assert not Product.objects.exists()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig", "utf-32", "cp1252"])
def test_other_encodings_are_read(import_command, dataset, encoding):
    dataset.rows["product"][1] = '2,"Sun Hüt","Stay cool","Wide","Accessories",69.50'
    mark = "﻿" if encoding == "utf-16-be" else ""
    text = mark + "\n".join([dataset.header("product"), *dataset.rows["product"]])
    dataset.write_bytes("product", text.encode(encoding))
    options = {"encoding": "cp1252"} if encoding == "cp1252" else {}
    outcome = import_command("import_products", dataset.folder, **options)
    assert outcome.code == 0, outcome.stderr
    assert Product.objects.get(pk=2).name == "Sun Hüt"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_a_mark_is_believed_more_than_the_option(import_command, dataset, encoding):
    dataset.rows["product"][0] = '1,"Größe","s","d","Jackets",140'
    text = "\n".join([dataset.header("product"), *dataset.rows["product"]])
    dataset.write()
    dataset.write_bytes("product", text.encode(encoding))
    assert import_command("import_products", dataset.folder, encoding="cp1252").code == 0
    assert Product.objects.get(pk=1).name == "Größe"


def test_what_is_no_text_in_another_encoding_is_rejected_line_by_line(import_command, dataset):
    lines = [dataset.header("product"), *dataset.rows["product"]]
    content = "\n".join(lines).encode("utf-16-le")
    broken = content.replace("Sun".encode("utf-16-le"), b"\x00\xd8S\x00u\x00")
    dataset.write_bytes("product", b"\xff\xfe" + broken)
    outcome = import_command("import_products", dataset.folder)
    assert outcome.counts("product") == (2, 0, 0, 0, 1)
    assert outcome.report("product").rejects == {"invalid_utf8": 1}
    (line,) = ImportReject.objects.all()
    assert bytes(line.original).startswith(b'2,"\xff<00d8>Su Hat","Stay cool"')


def test_bytes_that_an_encoding_does_not_know_are_kept_with_their_line(import_command, dataset):
    lines = [dataset.header("product"), *dataset.rows["product"]]
    content = "\n".join(lines).encode("cp1252").replace(b"Sun", b"S\x81n\xfc")
    dataset.write_bytes("product", content)
    outcome = import_command("import_products", dataset.folder, encoding="cp1252")
    assert outcome.counts("product") == (2, 0, 0, 0, 1)
    (line,) = ImportReject.objects.all()
    assert bytes(line.original).startswith(b'2,"S\xff<81>n\xc3\xbc Hat"')


def test_standard_input_is_known_by_its_header(import_command, dataset, monkeypatch):
    import_command("import_products", dataset.write())
    content = 'id,styleId,size,quantity\n77,1,"S",5\n'
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    outcome = import_command("import_products", "-")
    assert outcome.code == 0, outcome.stderr
    assert Sku.objects.get(pk=77).quantity == 5
    assert outcome.report("skus").path == "-"


def test_file_of_another_name_is_known_by_its_header(import_command, dataset):
    dataset.write("product")
    dataset.path("product").rename(dataset.folder / "delivery.csv")
    assert import_command("import_products", dataset.folder / "delivery.csv").code == 0
    assert Product.objects.count() == 3
    assert import_command("import_products", dataset.folder).code == 2


@pytest.mark.parametrize(
    ("name", "content", "release"),
    [
        ("skus", "id,styleId,size,quantity\n1,1,null,1\n", "2021"),
        ("skus", "id, styleId, size, quantity\n1,1,null,1\n", "2020"),
        ("related", "id,current_product_id,related_product_id\n1,1,2\n", ""),
    ],
)
def test_release_is_recognised(import_command, dataset, name, content, release):
    dataset.write("product", "styles")
    dataset.write_bytes(name, content.encode())
    outcome = import_command("import_products", dataset.folder)
    assert outcome.report(name).release == release


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    # It keeps the connection to the server of an earlier test.
    s3fs.S3FileSystem.clear_instance_cache()
    host, port = server.get_host_and_port()
    for name, value in (
        ("AWS_ENDPOINT_URL", f"http://{host}:{port}"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_DEFAULT_REGION", "eu-central-1"),
    ):
        monkeypatch.setenv(name, value)
    bucket = boto3.resource("s3").Bucket(f"deliveries-{uuid.uuid4()}")
    bucket.create(CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    yield bucket
    server.stop()


def test_files_in_an_object_store_are_read(import_command, dataset, bucket):
    import_command("import_all", dataset.write())
    before = table_contents()
    dataset.rows["skus"][0] = '1,1,"XS",9'
    dataset.rows["skus"].append("9,99,null,1")
    dataset.write()
    for path in dataset.folder.iterdir():
        bucket.put_object(Key=f"2026/{path.name}.gz", Body=gzip.compress(path.read_bytes()))
    outcome = import_command("import_all", f"s3://{bucket.name}/2026/")
    assert outcome.code == 3, outcome.stderr
    assert outcome.counts("skus") == (0, 1, 3, 0, 1)
    assert Sku.objects.get(pk=1).quantity == 9
    assert table_contents() != before
    single = import_command("import_products", f"s3://{bucket.name}/2026/skus.csv.gz")
    assert single.counts("skus") == (0, 0, 4, 0, 1)
    missing = import_command("import_products", f"s3://{bucket.name}/2026/none.csv")
    assert missing.code == 2
    assert "cannot be read" in missing.stderr


def test_files_in_an_object_store_are_resumed(import_command, dataset, bucket):
    dataset.rows["skus"].append("9,99,null,1")
    dataset.write()
    for path in dataset.folder.iterdir():
        bucket.put_object(Key=path.name, Body=path.read_bytes())
    assert import_command("import_products", f"s3://{bucket.name}", max_errors="0").code == 1
    resumed = import_command("import_products", f"s3://{bucket.name}", resume=True)
    assert resumed.code == 3, resumed.stderr
    assert ImportReject.objects.count() == 1


def test_rejects_tell_the_original_bytes(import_command, dataset):
    dataset.write_bytes(
        "product",
        (dataset.header("product") + '\r\n1,"a","b","c","d",free\r\n').encode() + b'2,"\xff"\r\n',
    )
    outcome = import_command("import_products", dataset.folder)
    originals = [bytes(each) for each in ImportReject.objects.values_list("original", flat=True)]
    assert originals == [b'1,"a","b","c","d",free\r', b'2,"\xff"\r']
    assert [row["value"] for row in outcome.rejects] == ["free", ""]
