"""Files that are read by processes of their own."""

import os
import signal

import pytest
from django.db import connection

from etl import readers
from etl.dataset import generate
from etl.models import ImportReject, ImportRun
from products.models import Product
from stack.probes import children, is_alive
from tests.etl.conftest import table_contents
from tests.etl.test_exporting import empty_tables
from tests.etl.test_faults import start_import, wait_for_the_server
from tests.etl.test_fingerprints import spoil
from tests.waiting import second_connection, wait_until

SMALL, ALL = 1 << 40, 0


@pytest.fixture
def apart(settings, monkeypatch):
    settings.IMPORT_APART_BYTES = ALL
    monkeypatch.setattr(readers.Readers, "has_ready", True)


def accounts():
    fields = ("name", "lines", "read", "loaded", "updated", "unchanged", "rejects", "repairs")
    return list(ImportRun.objects.latest("id").files.order_by("position").values_list(*fields))


def rejects():
    fields = ("file__name", "line", "reason", "original")
    return sorted(
        (name, line, reason, bytes(original))
        for name, line, reason, original in ImportReject.objects.filter(
            file__run=ImportRun.objects.latest("id")
        ).values_list(*fields)
    )


@pytest.mark.usefixtures("apart")
def test_accounts_rejects_and_rows_are_those_of_one_process(import_command, tmp_path, settings):
    generate(tmp_path / "first", products=300, seed=5)
    generate(tmp_path / "second", products=300, seed=5)
    spoil(tmp_path / "second", 1)
    seen = {}
    for size in (SMALL, ALL):
        settings.IMPORT_APART_BYTES = size
        empty_tables()
        seen[size] = []
        for folder in ("first", "second"):
            assert import_command("import_all", tmp_path / folder).code == 3
            seen[size].append((accounts(), rejects(), table_contents()))
    assert seen[SMALL] == seen[ALL]


@pytest.mark.usefixtures("apart")
def test_the_lines_that_were_too_many_are_kept(import_command, tmp_path):
    generate(tmp_path, products=300, seed=5)
    path = tmp_path / "rejects.csv"
    outcome = import_command("import_products", tmp_path, max_errors="1", rejects=path)
    assert outcome.code == 1, outcome.stderr
    assert "--max-errors allows 1." in outcome.stderr
    assert len(rejects()) > 1
    # Some originals go over several lines.
    assert path.read_bytes().count(b'.csv",') == len(rejects())
    assert not Product.objects.exists()


@pytest.mark.usefixtures("apart")
def test_absent_rows_are_deleted_but_not_those_of_rejected_lines(import_command, dataset):
    import_command("import_all", dataset.write())
    first = dataset.rows["product"][0]
    for rows in dataset.rows.values():
        rows.clear()
    dataset.rows["product"] += [first, '2,"Sun Hat","Stay cool"']
    outcome = import_command("import_all", dataset.write(), "--delete-absent")
    assert outcome.code == 3
    assert sorted(Product.objects.values_list("id", flat=True)) == [1, 2]


@pytest.mark.usefixtures("apart")
def test_its_errors_are_those_of_the_command(import_command, dataset):
    dataset.rows["product"] += ["4,x"] * 5
    outcome = import_command("import_all", dataset.write(), "--max-errors", "3")
    assert outcome.code == 1
    assert "5 lines were rejected, and --max-errors allows 3." in outcome.stderr
    assert "Nothing was changed." in outcome.stderr
    assert not Product.objects.exists()


@pytest.mark.usefixtures("apart")
def test_one_that_is_killed_ends_the_import_and_changes_nothing(
    import_command, dataset, monkeypatch
):
    import_command("import_all", dataset.write())
    before = table_contents()
    wait = readers.Readers._wait

    def kill_then_wait(reader, *args):
        os.kill(reader.pid, signal.SIGKILL)
        return wait(reader, *args)

    dataset.rows["product"][0] = '1,"Other","Be seen","Warm","Jackets",140'
    with monkeypatch.context() as patch:
        patch.setattr(readers.Readers, "_wait", staticmethod(kill_then_wait))
        outcome = import_command("import_all", dataset.write())
    assert outcome.code == 1
    assert "product.csv was ended by signal 9 (SIGKILL). Import again" in outcome.stderr
    assert table_contents() == before
    assert import_command("import_all", dataset.folder).code == 0
    assert Product.objects.get(pk=1).name == "Other"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_none_outlives_an_import_that_is_ended(transactional_db, tmp_path, number):
    generate(tmp_path / "set", products=1500, seed=3)
    with second_connection() as holder, holder.transaction():
        # So that it does not commit before.
        holder.execute("LOCK TABLE products_relatedproduct IN SHARE MODE")
        process = start_import("import_all", tmp_path / "set")
        wait_until(lambda: len(children(process.pid)) > 1, "its readers to start")
        readers_of_it = children(process.pid)
        process.send_signal(number)
        process.communicate(timeout=60)
    wait_until(lambda: not any(map(is_alive, readers_of_it)), "its readers to end")
    wait_for_the_server()
    assert not Product.objects.exists()


def test_what_was_rejected_before_an_interrupt_is_kept(transactional_db, tmp_path):
    generate(tmp_path / "set", products=3000, seed=3)
    path = tmp_path / "rejects.csv"
    process = start_import("import_all", tmp_path / "set", "--rejects", str(path))
    wait_until(lambda: reading() > 0, "a reader to be at work")
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 1
    assert path.read_bytes().count(b'.csv",') == len(rejects()) > 0
    assert not Product.objects.exists()


def reading() -> int:
    """Sessions of others that fill a table of the reviews, which the largest file is of."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE state = 'active' AND query LIKE 'COPY etl.reviews_characteristicreview%'"
        )
        return cursor.fetchone()[0]
