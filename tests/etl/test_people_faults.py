"""Dirty files of people, accounted for to the line; imports of them that are killed, and resumed
(rows F6 and F8 of the fault catalogue)."""

import io
import random
import time
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection

from etl.dataset import generate
from etl.importing import drop_leftovers
from etl.models import ImportReject, ImportRun
from tests.etl.people import ANN, PROFILES, people_contents, write, write_people
from tests.etl.test_faults import (
    can_be_resumed,
    leftovers,
    run_import,
    start_import,
    wait_for_the_server,
)
from tests.factories.users import ProfileFactory, TenantFactory
from tests.waiting import second_connection, wait_for_blocked
from users.models import Account, Profile

COMMAND = "import_users"


@pytest.fixture
def tables(transactional_db):
    """Empty ones, and nothing left behind that refers to them."""
    TenantFactory()
    yield
    drop_leftovers()


def assert_as_the_manifest_says(manifest):
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
        } == expected


@pytest.mark.parametrize("people", [60, 600])
def test_f8_generated_dirt_is_accounted_for_exactly(tables, import_command, tmp_path, people):
    manifest = generate(tmp_path / "set", accounts=people, profiles=people, seed=people)
    assert import_command(COMMAND, tmp_path / "set").code == 3
    assert_as_the_manifest_says(manifest)
    assert (Account.objects.count(), Profile.objects.count()) == (people, people)
    before = people_contents()
    again = import_command(COMMAND, tmp_path / "set")
    assert [file.unchanged for file in again.run.files.order_by("position")] == [people, people]
    assert people_contents() == before


def test_f8_every_reject_is_there_with_its_line(tables, import_command, tmp_path):
    folder = tmp_path / "set"
    generate(folder, accounts=300, profiles=300, seed=4)
    outcome = import_command(COMMAND, folder)
    for report in outcome.run.files.all():
        lines = (folder / f"{report.name}.csv").read_bytes().split(b"\n")
        rejects = list(ImportReject.objects.filter(file=report))
        assert len(rejects) == report.rejected > 0
        for reject in rejects:
            assert bytes(reject.original) == lines[reject.line - 1]


def test_clean_files_have_no_rejects(tables, import_command, tmp_path):
    generate(tmp_path / "set", accounts=400, profiles=500, seed=1, dirt=False)
    outcome = import_command(COMMAND, tmp_path / "set")
    assert outcome.code == 0, outcome
    assert outcome.counts("profiles") == (500, 0, 0, 0, 0)
    with_accounts = Profile.objects.filter(account__isnull=False)
    assert 300 < with_accounts.count() <= 400
    assert not with_accounts.exclude(account__lte=400).exists()


def changed_set(folder: Path, of: Path) -> Path:
    """The same people: some otherwise, and some new."""
    folder.mkdir()
    accounts = (of / "accounts.csv").read_bytes().replace(b",Expired", b",Subscribed")
    (folder / "accounts.csv").write_bytes(accounts + b"\n7000001,192.0.2.1,None")
    profiles = (of / "profiles.csv").read_bytes().replace(b",London", b",Londres")
    new = b"\n,default,7000001,work,New One,new.one@example.com,,,,,,,,"
    (folder / "profiles.csv").write_bytes(profiles.replace(b'"London"', b'"Londres"') + new)
    return folder


@pytest.mark.parametrize(
    ("people", "times"), [(800, 4), pytest.param(4000, 50, marks=pytest.mark.long)]
)
def test_f6_killed_at_random_points_and_resumed_it_ends_as_if_undisturbed(
    tables, tmp_path, people, times
):
    first = tmp_path / "first"
    generate(first, accounts=people, profiles=people, seed=3)
    second = changed_set(tmp_path / "second", first)
    states = [people_contents(with_ids=False)]
    seconds = []
    for folder in (first, second):
        began = time.monotonic()
        ended = run_import(COMMAND, folder)
        assert ended.returncode == 3, ended.stderr
        seconds.append(time.monotonic() - began)
        states.append(people_contents(with_ids=False))
    assert len({str(state) for state in states}) == 3
    empty_people()
    dice = random.Random(times)
    for stage, folder in enumerate((first, second)):
        for attempt in range(times // 2):
            options = ["--resume"] if attempt % 3 and can_be_resumed() else []
            process = start_import(COMMAND, folder, *options)
            time.sleep(dice.random() * seconds[stage])
            process.kill()
            process.communicate()
            wait_for_the_server()
            assert people_contents(with_ids=False) in states[stage : stage + 2]
        options = ["--resume"] if can_be_resumed() else []
        ended = run_import(COMMAND, folder, *options)
        assert ended.returncode == 3, ended.stderr
        assert people_contents(with_ids=False) == states[stage + 1]
    assert leftovers() == 0


def empty_people():
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE users_account, users_profile, users_preference")


def test_f6_killed_within_the_final_transaction_it_leaves_nothing_and_resumes_without_reading(
    tables, tmp_path
):
    folder = write_people(tmp_path / "people")
    with second_connection() as holder, holder.transaction():
        holder.execute("LOCK TABLE users_account IN SHARE MODE")
        process = start_import(COMMAND, folder)
        assert any("publish" in line for line in process.stderr)
        wait_for_blocked()
        process.kill()
        process.communicate()
    wait_for_the_server()
    assert people_contents() == {"users_account": [], "users_profile": []}
    ended = run_import(COMMAND, folder, "--resume")
    assert ended.returncode == 0, ended.stderr
    run = ImportRun.objects.get()
    assert (run.attempts, run.status) == (2, ImportRun.Status.DONE)
    steps = {(step["phase"], step["about"]): step["rows"] for step in run.steps}
    assert steps["read", "accounts.csv"] == steps["read", "profiles.csv"] == 3
    assert (Account.objects.count(), Profile.objects.count()) == (3, 3)


def test_profiles_that_are_there_can_be_read_while_the_first_accounts_are_imported(
    tables, tmp_path
):
    """A reader's transaction holds a lock that only a table's own replacement would wait for."""
    profile = ProfileFactory()
    folder = write_people(tmp_path / "people")
    with second_connection() as reader, reader.transaction():
        reader.execute("SELECT FROM users_account")
        assert reader.execute("SELECT count(*) FROM users_profile").fetchone() == (1,)
        process = start_import(COMMAND, folder)
        _, told = process.communicate(timeout=60)
        assert process.returncode == 0, told
    assert Account.objects.count() == 3
    assert Profile.objects.count() == 4
    assert Profile.objects.get(pk=profile.pk).account_id is None


def test_the_first_profiles_take_their_place_after_all_else_was_written(tables, tmp_path):
    folder = write_people(tmp_path / "people")
    write(folder, "profiles", PROFILES, [])
    assert run_import(COMMAND, folder).returncode == 0
    write_people(folder, accounts=["1,192.0.2.8,Subscribed", "2,198.51.100.9,None", "9,::9,None"])
    write(folder, "profiles", PROFILES, [f"{ANN},default,9,,Ann,ann@example.com,,,,,,,,"])
    with second_connection() as writer:
        with writer.transaction():
            writer.execute("SELECT FROM users_account WHERE userid = 1 FOR UPDATE")
            process = start_import(COMMAND, folder)
            assert any("publish" in line for line in process.stderr)
            wait_for_blocked()
            writer.execute("SET LOCAL lock_timeout = '5s'")
            assert writer.execute("SELECT count(*) FROM users_profile").fetchone() == (0,)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert Profile.objects.get().account_id == 9
    assert Account.objects.get(userid=1).ip == "192.0.2.8"


def test_a_resumed_run_settles_again_what_it_had_settled(tables, import_command, tmp_path):
    twins = [f",default,{userid},,Ann,{email},,,,,,,," for userid, email in (
        ("", "ann@example.com"), ("", "ANN@example.com"), ("8", "ben@example.com"),
    )]  # fmt: skip
    path = write(tmp_path, "profiles", PROFILES, twins)
    failed = import_command(COMMAND, path, max_errors="50%")
    assert failed.code == 1
    assert failed.report("profiles").rejects == {"repeated_email": 1, "missing_parent": 1}
    Account.objects.create(userid=8, ip="192.0.2.1", subscription_status="None")
    with pytest.raises(SystemExit) as resumed:
        call_command("import_runs", "resume", failed.run.pk, stdout=io.StringIO(), stderr=None)
    assert resumed.value.code == 3
    report = failed.report("profiles")
    assert (report.read, report.loaded, report.rejects) == (3, 2, {"repeated_email": 1})
    assert ImportReject.objects.filter(file=report).count() == 1
