"""Files as bad as they come, and imports that are killed (rows F6 and F8 of the fault catalogue).

F6 stands here at a small size: a killed import leaves the tables as they were.
"""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from etl.dataset import generate
from etl.models import ImportRun
from products.models import Product
from tests.etl.conftest import table_contents
from tests.waiting import second_connection, wait_for_blocked, wait_until


def test_f8_every_line_of_a_dirty_file_is_accounted_for(import_command, dataset):
    header = dataset.header("product").encode()
    records = [
        b'1,"A","s","d","c",1\r\n',
        b'2,"B","s","first\nsecond, ""third""\r\nlast","c",1\n',
        b'3,"C\0","s","d","c",1\n',
        b'4,"D\xff\xfe","s","d","c",1\n',
        b'5,"E","d","c",1\n',
        b'6,"F","s","d","c",1,extra\n',
        b"\n",
        b'7,"G","s","never closed\n',
        b'8,"H","s","d","c",1\n',
        header + b"\n",
        b'9,"I","s","d","c","""\n',
        b",,,,,\n",
        b'"\n',
        b'10,"J","s","d","c",1\n',
        b'1,"A","s","d","c",1\n',
        b"   \n",
        b'11,"K","s","d","c",1',
    ]
    dataset.write_bytes("product", b"\xef\xbb\xbf" + header + b"\r\n" + b"".join(records))
    outcome = import_command("import_products", dataset.folder)
    report = outcome.report("product")
    assert report.lines == 1 + sum(record.count(b"\n") for record in records) + 1
    assert (report.blank, report.continued) == (2, 2)
    assert (report.read, report.loaded, report.duplicate, report.rejected) == (15, 5, 1, 9)
    assert report.rejects == {
        "nul_byte": 1,
        "invalid_utf8": 1,
        "wrong_column_count": 2,
        "unclosed_quote": 3,
        "repeated_header": 1,
        "bad_number": 1,
    }
    assert report.repairs == {"bom": 1, "crlf": 1, "newline_in_field": 1}
    assert sorted(Product.objects.values_list("id", flat=True)) == [1, 2, 8, 10, 11]
    assert Product.objects.get(pk=2).description == 'first\nsecond, "third"\nlast'


def test_f8_original_bytes_of_a_reject_are_kept(import_command, dataset, tmp_path):
    bad = b'4,"D\xff, ""x\0\xfe","s","d","c",1'
    dataset.write_bytes("product", dataset.header("product").encode() + b"\n" + bad + b"\n")
    import_command("import_products", dataset.folder)
    written = (tmp_path / "rejects-import_products.csv").read_bytes()
    assert b'"product.csv",2,,nul_byte,"","' + bad.replace(b'"', b'""') + b'"\n' in written


def test_f8_a_field_of_100_megabytes_costs_no_memory(transactional_db, dataset):
    path = dataset.path("product")
    with path.open("wb") as stream:
        stream.write(dataset.header("product").encode() + b'\n1,"A","s","')
        for _ in range(100):
            stream.write(b"y" * 1_000_000)
        stream.write(b'","c",1\n2,"B","s","d","c",1\n')
    finished = run_import("import_products", dataset.folder)
    assert finished.returncode == 3, finished.stderr
    assert "line_too_long 1" in finished.stdout
    assert list(Product.objects.values_list("id", flat=True)) == [2]
    assert ImportRun.objects.get().peak_bytes < 200_000_000


@pytest.mark.parametrize("products", [50, 300])
def test_f8_generated_dirt_is_accounted_for_exactly(import_command, tmp_path, products):
    manifest = generate(tmp_path / "set", products=products, seed=products)
    for command in ("import_products", "import_reviews"):
        outcome = import_command(command, tmp_path / "set")
        assert outcome.code == 3
        for report in ImportRun.objects.latest("id").files.all():
            expected = manifest.as_dict()["files"][f"{report.name}.csv"]
            assert {
                "lines": report.lines,
                "blank": report.blank,
                "continuation": report.continued,
                "records": report.read,
                "loaded": report.loaded,
                "duplicate": report.duplicate,
                "rejected": dict(sorted(report.rejects.items())),
                "repaired": dict(sorted(report.repairs.items())),
            } == {
                key: dict(sorted(value.items())) if isinstance(value, dict) else value
                for key, value in expected.items()
            }


def test_f6_killed_import_leaves_the_tables_as_they_were(import_command, dataset, tmp_path):
    import_command("import_products", dataset.write())
    import_command("import_reviews", dataset.folder)
    before = table_contents()
    big = tmp_path / "big"
    generate(big, products=1500, seed=3)
    kill_at_random_points("import_products", big, before, times=4)
    assert run_import("import_products", big).returncode == 3
    assert Product.objects.count() > 1000
    assert set(ImportRun.objects.values_list("status", flat=True)) == {
        "done",
        "abandoned",
        "rejects",
    }


def test_f6_killed_first_import_leaves_the_tables_empty(transactional_db, dataset, tmp_path):
    before = table_contents()
    big = tmp_path / "big"
    generate(big, products=1500, seed=3)
    kill_at_random_points("import_products", big, before, times=4)
    assert run_import("import_products", big).returncode == 3
    assert Product.objects.count() == 1500


@pytest.mark.long
def test_f6_killed_at_fifty_points_and_begun_again(transactional_db, tmp_path):
    before = table_contents()
    big = tmp_path / "big"
    generate(big, products=5000, seed=4)
    kill_at_random_points("import_products", big, before, times=50)
    assert run_import("import_products", big).returncode == 3
    assert Product.objects.count() == 5000


def kill_at_random_points(command: str, source: Path, before: dict, *, times: int) -> None:
    """Kill the import as it begins one of its steps, and within the final transaction.

    A lock on the table that is written last keeps it from committing before it is killed.
    """
    steps = ["read product", "read styles", "read skus", "read related", "publish"]
    for step in [*random.Random(times).choices(steps, k=times - 1), "publish"]:
        with second_connection() as holder, holder.transaction():
            holder.execute("LOCK TABLE products_relatedproduct IN SHARE MODE")
            process = start_import(command, source)
            assert any(step in line for line in process.stderr)
            if step == "publish":
                wait_for_blocked()
            process.kill()
            process.communicate()
            assert process.returncode == -signal.SIGKILL
        wait_until(lambda: not import_sessions(), "the server to notice the killed import")
        assert table_contents() == before


def import_sessions() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        return cursor.fetchone()[0]


def start_import(command: str, source: Path) -> subprocess.Popen[str]:
    """The command as a process of its own, against the test database."""
    name = connection.settings_dict["NAME"]
    url = os.environ["DATABASE_URL"]
    return subprocess.Popen(
        [
            sys.executable,
            settings.BASE_DIR / "manage.py",
            command,
            source,
            "--rejects",
            source / "rejected.txt",
        ],
        env={**os.environ, "DATABASE_URL": url.rpartition("/")[0] + f"/{name}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_import(command: str, source: Path) -> subprocess.CompletedProcess[str]:
    process = start_import(command, source)
    stdout, stderr = process.communicate()
    return subprocess.CompletedProcess([], process.returncode, stdout, stderr)
