"""Imports of ranges: every line accounted for, and a source replaced at once or not at all."""

import gzip
import os
import subprocess
import sys
import time
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from licensing import importing, sql
from licensing.models import IpRange, RangeSource
from licensing.services import region_of
from tests.factories.licensing import fill_regions
from tests.threads import Aside

pytestmark = pytest.mark.django_db(transaction=True)

TABLE = """\
# A table
16777216,16777471,AU
16777472,16778239,CN
16778240,16779263,AU
16778300,16778400,FR
3221225984,3221226239,??
"""


@pytest.fixture(autouse=True)
def regions(db):
    fill_regions()


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "geoip"
    path.write_text(TABLE)
    return path


def run(*arguments):
    """Exit code, summary and complaints of the command."""
    out, err = StringIO(), StringIO()
    try:
        call_command("import_ip_ranges", *map(str, arguments), stdout=out, stderr=err)
    except SystemExit as ended:
        return ended.code, out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def aside(work):
    """Its answer, found on another connection."""
    with Aside(work) as done:
        return done.result()


def code_of(address):
    region = region_of(address).region
    return region and region.code


def test_a_clean_table_ends_with_0_and_is_flattened(table):
    code, out, err = run("--source", "geoip", table)
    assert (code, err) == (0, "")
    assert out == (
        "geoip: 6 lines = 4 placed + 1 of no one country + 0 rejected + 1 without data; 5 ranges\n"
    )
    assert [code_of(f"1.0.{last}") for last in ("0.9", "1.9", "4.60", "4.200", "8.1")] == [
        *("AU", "CN", "FR", "AU"),
        None,
    ]
    assert region_of("1.0.4.60").network == "1.0.4.60 - 1.0.4.160"
    source = RangeSource.objects.get()
    assert (source.lines, source.ranges, source.unplaced, source.rejected) == (6, 5, 1, 0)


def test_bad_lines_are_named_and_counted_and_end_with_3(table):
    table.write_text(TABLE + "x,2,US\n5,6,QQ\n5,6,QR\n")
    code, out, err = run("--source", "geoip", table)
    assert code == 3
    assert err.splitlines() == [
        f"{table}:7: bad_address: 'x,2,US'",
        f"{table}:8: unknown_region: '5,6,QQ'",
        f"{table}:9: unknown_region: '5,6,QR'",
    ]
    assert "3 rejected" in out
    assert out.endswith("  rejected, bad_address: 1\n  rejected, unknown_region: 2\n")


@pytest.mark.parametrize(
    ("most", "fails"), [("1", True), ("2", False), ("20%", True), ("30%", False)]
)
def test_too_many_bad_lines_leave_all_as_it_was(table, most, fails):
    run("--source", "geoip", table)
    table.write_text(TABLE.replace("AU", "NZ") + "x,2,US\ny,2,US\n")
    if fails:
        with pytest.raises(CommandError) as failed:
            run("--source", "geoip", table, "--max-errors", most)
        assert failed.value.returncode == 1
        assert code_of("1.0.0.9") == "AU"
    else:
        assert run("--source", "geoip", table, "--max-errors", most)[0] == 3
        assert code_of("1.0.0.9") == "NZ"


@pytest.mark.parametrize("content", ["", "# nothing\n", "product,name\n1,Coat\n"])
def test_what_is_no_table_leaves_all_as_it_was(table, content):
    run("--source", "geoip", table)
    table.write_text(content)
    with pytest.raises(CommandError) as failed:
        run("--source", "geoip", table)
    assert failed.value.returncode == 1
    assert code_of("1.0.0.9") == "AU"


def test_a_missing_file_fails_with_1_and_bad_usage_with_2(tmp_path):
    with pytest.raises(CommandError) as failed:
        run("--source", "geoip", tmp_path / "none")
    assert failed.value.returncode == 1
    for arguments in (["x"], ["--source", "a", "--max-errors", "-1", "x"]):
        with pytest.raises(CommandError, match=r"^Error: "):
            run(*arguments)
    done = subprocess.run(
        [sys.executable, "manage.py", "import_ip_ranges", "--source", "a"],
        cwd=settings.BASE_DIR,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2


def test_packed_tables_are_read_as_others(tmp_path):
    packed = tmp_path / "table.csv.gz"
    packed.write_bytes(gzip.compress(TABLE.encode()))
    code, out, err = run("--source", "geoip", packed)
    assert (code, err) == (0, "")
    assert out.startswith("geoip: 6 lines = 4 placed")
    assert code_of("1.0.4.60") == "FR"


def test_maxminds_files_may_be_packed(tmp_path):
    blocks, places = tmp_path / "blocks.csv.gz", tmp_path / "locations.csv.gz"
    blocks.write_bytes(gzip.compress(b"network,geoname_id,registered\n192.0.2.0/24,6251999,\n"))
    places.write_bytes(gzip.compress(b"geoname_id,country_iso_code\n6251999,CA\n"))
    assert run("--source", "m", "--format", "maxmind", blocks, places)[0] == 0
    assert code_of("192.0.2.1") == "CA"


@pytest.mark.parametrize("layout", ["geoip", "maxmind"])
@pytest.mark.parametrize("kept", [5, 40, -6])
def test_a_broken_package_leaves_all_as_it_was(table, tmp_path, kept, layout):
    run("--source", "geoip", table)
    packed = tmp_path / "table.gz"
    head = "geoname_id,country_iso_code\n" if layout == "maxmind" else ""
    packed.write_bytes(gzip.compress((head + TABLE).encode())[:kept])
    with pytest.raises(CommandError, match=r"table\.gz cannot be unpacked: .*Nothing was changed"):
        run("--source", "geoip", "--format", layout, packed)
    assert code_of("1.0.0.9") == "AU"


def test_a_folder_is_no_table(table):
    with pytest.raises(CommandError) as failed:
        run("--source", "geoip", table.parent)
    told = f"{table.parent} is a folder. Name the files in it. Nothing was changed."
    assert (str(failed.value), failed.value.returncode) == (told, 1)


def test_a_source_is_removed_and_others_stay(table):
    run("--source", "a", "--precedence", "1", table)
    run("--source", "b", "--format", "own", table.parent / own(table))
    out = StringIO()
    call_command("remove_ip_ranges", "a", stdout=out)
    assert out.getvalue() == "a: 5 ranges removed.\n"
    assert (code_of("1.0.0.9"), code_of("1.0.1.9")) == ("DE", None)
    assert set(IpRange.objects.values_list("source__name", flat=True)) == {"b"}
    with pytest.raises(CommandError, match=r"no source a, but b\. Nothing was changed") as failed:
        call_command("remove_ip_ranges", "a")
    assert failed.value.returncode == 1


def test_look_ups_go_on_while_a_source_is_removed(table, monkeypatch):
    """Until the commit they see all of it."""
    run("--source", "geoip", table)
    seen = []
    real = sql.delete_ranges

    def look_meanwhile(source_id):
        real(source_id)
        seen.append(aside(lambda: code_of("1.0.0.9")))

    monkeypatch.setattr(sql, "delete_ranges", look_meanwhile)
    importing.remove_source(name="geoip")
    assert seen == ["AU"]
    assert code_of("1.0.0.9") is None


def test_a_source_that_is_being_imported_is_not_removed(table):
    run("--source", "geoip", table)
    with transaction.atomic():
        assert sql.lock_source("geoip", holder="somebody") is None
        with pytest.raises(CommandError, match=r"somebody.*Nothing was changed"):
            aside(lambda: call_command("remove_ip_ranges", "geoip"))
    assert code_of("1.0.0.9") == "AU"


def test_a_source_is_replaced_whole_and_keeps_its_precedence(table):
    run("--source", "geoip", "--precedence", "7", table)
    first = RangeSource.objects.get()
    table.write_text("1.0.1.0,1.0.1.255,JP\n")
    run("--source", "geoip", table)
    second = RangeSource.objects.get()
    assert second.pk != first.pk
    assert second.precedence == 7
    assert (code_of("1.0.0.9"), code_of("1.0.1.9")) == (None, "JP")
    assert set(IpRange.objects.values_list("source_id", flat=True)) == {second.pk}


def test_other_sources_stay(table):
    run("--source", "a", table)
    run("--source", "b", "--precedence", "1", "--format", "own", table.parent / own(table))
    assert code_of("1.0.0.9") == "DE"
    assert code_of("1.0.1.9") == "CN"


def own(table):
    (table.parent / "own.csv").write_text("1.0.0.0/24,DE\n")
    return "own.csv"


def test_maxminds_files_come_in_any_order(tmp_path):
    blocks, places = tmp_path / "blocks.csv", tmp_path / "locations.csv"
    blocks.write_text(
        "network,geoname_id,registered_country_geoname_id,represented_country_geoname_id\n"
        "192.0.2.0/24,6251999,,\n2001:db8::/32,,6251999,\n"
    )
    places.write_text("geoname_id,locale_code,country_iso_code\n6251999,en,CA\n")
    for files in ((blocks, places), (places, blocks)):
        assert run("--source", "m", "--format", "maxmind", *files)[0] == 0
        assert (code_of("192.0.2.1"), code_of("2001:db8::1")) == ("CA", "CA")
    with pytest.raises(CommandError):
        run("--source", "m", "--format", "maxmind", blocks)


def test_look_ups_go_on_while_a_source_is_replaced(table, monkeypatch):
    """Until the commit they see what was there before."""
    run("--source", "geoip", table)
    table.write_text("1.0.0.0,1.0.0.255,JP\n")
    seen = []
    real = sql.delete_ranges

    def look_meanwhile(source_id):
        real(source_id)
        seen.append(aside(lambda: code_of("1.0.0.9")))

    monkeypatch.setattr(sql, "delete_ranges", look_meanwhile)
    run("--source", "geoip", table)
    assert seen == ["AU"]
    assert code_of("1.0.0.9") == "JP"


def test_a_killed_import_leaves_what_was_there(table, tmp_path):
    run("--source", "geoip", table)
    child = subprocess.Popen(
        [sys.executable, "manage.py", "import_ip_ranges", "--source", "geoip", "-"],
        cwd=settings.BASE_DIR,
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
    )
    try:
        child.stdin.write(b"1.0.0.0,1.0.0.255,JP\n" * 20_000)
        child.stdin.flush()
        await_lock()
        # The second one is told who holds the lock.
        with pytest.raises(CommandError, match=f"process {child.pid} on .*, since 20") as failed:
            run("--source", "geoip", table)
        assert failed.value.returncode == 1
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
    assert code_of("1.0.0.9") == "AU"
    await_lock(held=False)
    assert run("--source", "geoip", table)[0] == 0


def environment():
    name = connection.settings_dict["NAME"]
    url = os.environ["DATABASE_URL"]
    return {**os.environ, "DATABASE_URL": url.rsplit("/", 1)[0] + f"/{name}"}


def await_lock(held=True):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with transaction.atomic():
            holder = sql.lock_source("geoip", holder="a look")
        if (holder is not None) is held:
            return
        time.sleep(0.05)
    raise AssertionError("the lock did not change hands")


def test_sources_of_other_names_are_imported_at_the_same_time(table):
    with transaction.atomic():
        assert sql.lock_source("geoip", holder="somebody") is None
        assert aside(lambda: run("--source", "other", table)[0]) == 0
        with pytest.raises(CommandError, match="somebody"):
            aside(lambda: run("--source", "geoip", table))


def test_the_command_tells_where_an_address_is(table):
    run("--source", "geoip", table)
    out = StringIO()
    call_command("whereis", "1.0.0.9", "::1", stdout=out)
    assert out.getvalue() == "1.0.0.9\tAU Australia\tranges geoip 1.0.0.0/24\n::1\tunknown\tnone\n"
    with pytest.raises(CommandError, match="x: This is no IP address"):
        call_command("whereis", "x", "1.0.0.9", stdout=out)
    assert out.getvalue().count("1.0.0.9\tAU Australia") == 2


def test_an_account_that_is_written_adds_up(table):
    table.write_text(TABLE + "x\n\n\xff\n")
    bad = []
    account = importing.import_ranges(
        name="geoip", layout="geoip", paths=[str(table)], reject=lambda *what: bad.append(what)
    )
    rejected = account.rejected.total()
    assert account.lines == (account.placed + account.unplaced + rejected + account.without_data)
    assert len(bad) == rejected == 2
