"""Files as bad as they come, and imports that are killed, cut off or out of room (rows F6, F7 and
F8 of the fault catalogue)."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from etl import building, importing, runs
from etl.dataset import generate
from etl.models import ImportRun
from etl.staging import create_successor
from products.models import Product
from reviews import services
from stack.accounts import service_account
from stack.postgres import SUPERUSER
from tests.etl.conftest import table_contents
from tests.etl.test_exporting import empty_tables
from tests.etl.test_fingerprints import spoil
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


def test_f6_killed_refresh_leaves_the_tables_as_they_were(import_command, dataset, tmp_path):
    import_command("import_all", dataset.write())
    before = table_contents()
    big = tmp_path / "big"
    generate(big, products=300, seed=3)
    kill_at_its_steps("import_all", big, before, times=3)
    assert run_import("import_all", big).returncode == 3
    assert Product.objects.count() > 250
    assert set(ImportRun.objects.values_list("status", flat=True)) == {
        "done",
        "abandoned",
        "rejects",
    }


def kill_at_its_steps(command: str, source: Path, before: dict, *, times: int) -> None:
    """Kill the import when it has done one of its steps, and within the final transaction.

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
        wait_for_the_server()
        assert table_contents() == before


@pytest.mark.parametrize(
    ("products", "times"), [(300, 4), pytest.param(5000, 50, marks=pytest.mark.long)]
)
def test_f6_killed_at_random_points_and_resumed_it_ends_as_if_undisturbed(
    transactional_db, tmp_path, products, times
):
    generate(tmp_path / "first", products=products, seed=3)
    generate(tmp_path / "second", products=products, seed=3)
    spoil(tmp_path / "second", 1)
    states = [table_contents()]
    seconds = []
    for folder in ("first", "second"):
        began = time.monotonic()
        assert run_import("import_all", tmp_path / folder).returncode == 3
        seconds.append(time.monotonic() - began)
        states.append(table_contents())
    empty_tables()
    dice = random.Random(times)
    for stage, folder in enumerate(("first", "second")):
        for attempt in range(times // 2):
            options = ["--resume"] if attempt % 3 and can_be_resumed() else []
            process = start_import("import_all", tmp_path / folder, *options)
            time.sleep(dice.random() * seconds[stage])
            process.kill()
            process.communicate()
            wait_for_the_server()
            assert table_contents() in states[stage : stage + 2]
        options = ["--resume"] if can_be_resumed() else []
        ended = run_import("import_all", tmp_path / folder, *options)
        assert ended.returncode == 3, ended.stderr
        assert table_contents() == states[stage + 1]
    assert services.rebuild_review_meta(batch=100, progress=lambda last: None) == 0
    assert leftovers() == 0


def test_f6_a_foreign_key_that_was_not_checked_is_checked_by_the_next_attempt(transactional_db):
    (key,) = building.foreign_keys("products_feature")
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA IF NOT EXISTS etl")
        create_successor(cursor, "products_feature")
        cursor.execute(
            f"ALTER TABLE etl.products_feature ADD CONSTRAINT {key.name}"
            " FOREIGN KEY (product_id) REFERENCES products_product (id) NOT VALID"
        )
        building.constrain("products_feature", key, key.parent)
        building.constrain("products_feature", key, key.parent)
        cursor.execute(
            "SELECT conname, convalidated FROM pg_constraint WHERE contype = 'f'"
            " AND conrelid = 'etl.products_feature'::regclass"
        )
        assert cursor.fetchall() == [(key.name, True)]
    importing.drop_leftovers()


def can_be_resumed() -> bool:
    run = ImportRun.objects.order_by("-id").first()
    return run is not None and run.status in {"running", "failed", "abandoned"}


def leftovers() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'etl'")
        return cursor.fetchone()[0]


@pytest.mark.parametrize("whose", ["a lane's", "everybody's"])
def test_lost_connection_ends_it_cleanly(transactional_db, tmp_path, whose):
    generate(tmp_path / "set", products=300, seed=3)
    before = table_contents()
    with second_connection() as other, other.transaction():
        # It cannot end before it is cut off.
        other.execute("LOCK TABLE products_relatedproduct IN SHARE MODE")
        process = start_import("import_all", tmp_path / "set")
        assert any("read product" in line for line in process.stderr)
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND backend_type = 'client backend'"
            " AND pid <> ALL(%s)"
            " AND (%s OR pid = (SELECT pid FROM pg_locks WHERE locktype = 'advisory'"
            " AND mode = 'ShareLock' LIMIT 1))",
            [[other.info.backend_pid, own_session()], whose == "everybody's"],
        )
        _, told = process.communicate()
    assert process.returncode == 1, told
    assert "Traceback" not in told
    assert "Nothing was changed." in told
    assert table_contents() == before
    assert run_import("import_all", tmp_path / "set", "--resume").returncode == 3
    assert Product.objects.count() == 300


def own_session() -> int:
    connection.ensure_connection()
    return connection.connection.info.backend_pid


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 4 MB that PostgreSQL can write to: in a mount namespace of its own account,
    reached through /proc."""
    account = service_account()
    user = ["setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]
    holder = subprocess.Popen(
        [
            *(user if account.switched else []),
            *("unshare", "-Urm", "sh", "-c"),
            "mount -t tmpfs -o size=4m none /mnt && mkdir -m 700 /mnt/space && echo && cat",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout.readline() == b"\n", "user namespaces are needed here"
    yield Path("/proc") / str(holder.pid) / "root" / "mnt" / "space"
    holder.stdin.close()
    holder.wait()


def test_f7_full_disk_ends_it_cleanly_and_a_resumed_one_completes(
    transactional_db, tmp_path, small_disk
):
    generate(tmp_path / "set", products=600, seed=3)
    before = table_contents()
    name = connection.settings_dict["NAME"]
    with superuser() as root:
        root.execute(f"CREATE TABLESPACE small LOCATION '{small_disk}'")
        root.execute("GRANT CREATE ON TABLESPACE small TO PUBLIC")
        root.execute(f"ALTER DATABASE {name} SET default_tablespace = small")
        try:
            failed = run_import("import_all", tmp_path / "set")
            assert failed.returncode == 1, failed.stderr
            assert "No space left on device" in failed.stderr
            assert "Nothing was changed." in failed.stderr
            assert table_contents() == before
        finally:
            root.execute(f"ALTER DATABASE {name} RESET default_tablespace")
        resumed = run_import("import_all", tmp_path / "set", "--resume")
        assert resumed.returncode == 3, resumed.stderr
        assert Product.objects.count() == 600
        for table in tables_in(root, "small"):
            root.execute(f"ALTER TABLE {table} SET TABLESPACE pg_default")
        for index in tables_in(root, "small", "i"):
            root.execute(f"ALTER INDEX {index} SET TABLESPACE pg_default")
        root.execute("DROP TABLESPACE small")


def tables_in(root: psycopg.Connection, tablespace: str, sort: str = "r") -> list[str]:
    rows = root.execute(
        "SELECT pg_class.oid::regclass::text FROM pg_class"
        " JOIN pg_tablespace space ON space.oid = reltablespace"
        " WHERE spcname = %s AND relkind = %s",
        [tablespace, sort],
    )
    return [row[0] for row in rows]


def superuser() -> psycopg.Connection:
    settings_ = connection.settings_dict
    return psycopg.connect(
        dbname=settings_["NAME"], host=settings_["HOST"], user=SUPERUSER, autocommit=True
    )


def wait_for_the_server() -> None:
    wait_until(lambda: not import_sessions(), "the server to notice the killed import")


def import_sessions() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        return cursor.fetchone()[0]


def start_import(command: str, source: Path, *options: str) -> subprocess.Popen[str]:
    """The command as a process of its own, against the test database. It reads the larger files by
    processes of their own, and the smaller ones itself."""
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
            *options,
        ],
        env={
            **os.environ,
            "DATABASE_URL": url.rpartition("/")[0] + f"/{name}",
            "IMPORT_APART_BYTES": "300000",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Tests that a shell runs in the background would hand on that they ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def run_import(command: str, source: Path, *options: str) -> subprocess.CompletedProcess[str]:
    process = start_import(command, source, *options)
    stdout, stderr = process.communicate()
    return subprocess.CompletedProcess([], process.returncode, stdout, stderr)


def test_an_interrupt_after_the_commit_is_told_as_done(import_command, dataset, monkeypatch):
    done = runs._done

    def commit_then_interrupt(*args, **options):
        done(*args, **options)
        connection.on_commit(interrupt)

    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "_done", commit_then_interrupt)
    outcome = import_command("import_all", dataset.write())
    assert outcome.code == 0
    assert "every line is accounted for" in outcome.stdout
    assert outcome.run.status == ImportRun.Status.DONE
    assert Product.objects.count() == 3
