"""Imports of accounts and profiles: what becomes of each line."""

import gzip
import io
import re
import sys
from datetime import date
from uuid import UUID

import orjson
import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from procrastinate.contrib.django.models import ProcrastinateJob

from atelier.core.publishing import EPOCH, publish
from atelier.core.text import is_blank, refuse_hidden_in_lines
from etl.importing import drop_leftovers
from etl.models import ImportReject, ImportRun
from etl.people import applying, importing
from etl.people.columns import NAME, NULL_LINE, NULL_LINES, NULL_NAME
from licensing.models import NetworkOverride, Region
from tests.etl.people import (
    ACCOUNT_ROWS,
    ACCOUNTS,
    ANN,
    BEN,
    PROFILE_ROWS,
    PROFILES,
    people_contents,
    write,
    write_people,
)
from tests.factories.licensing import fill_regions
from tests.factories.users import AccountFactory, ProfileFactory, TenantFactory
from tests.licensing import mmdb
from tests.users.conftest import redis  # noqa: F401 - a fixture
from tests.users.profiles import zones_of
from tests.waiting import second_connection
from users.models import Account, Profile, SearchMap, SearchWord, SearchZone, user_scope
from users.services import mapping
from users.services.accounts import find_account, log_in
from users.services.search import search_profiles
from users.terms import search_columns


@pytest.fixture
def import_users(import_command, transactional_db):
    TenantFactory()

    def run(*sources, **options):
        return import_command("import_users", *sources, **options)

    yield run
    # What a failed one leaves refers to tables that are emptied after each test.
    drop_leftovers()


@pytest.fixture
def folder(tmp_path):
    return write_people(tmp_path / "people")


def short_profile(email, *, tenant="default", mobile="", userid="", profile_type="", given=""):
    return f"{given},{tenant},{userid},{profile_type},Someone,{email},{mobile},,,,,,,"


def test_new_accounts_and_profiles_are_loaded(import_users, folder):
    outcome = import_users(folder)
    assert outcome.code == 0, outcome
    assert outcome.counts("accounts") == (3, 0, 0, 0, 0)
    assert outcome.counts("profiles") == (3, 0, 0, 0, 0)
    assert outcome.run.status == ImportRun.Status.DONE
    account = Account.objects.get(pk=3)
    assert (account.ip, account.subscription_status) == ("2001:db8::1", "Expired")
    assert account.last_login_at is None
    ann = Profile.objects.get(pk=ANN)
    assert (ann.full_name, ann.email, ann.email_key) == (
        "Lee, Ann",
        "ann@example.com",
        "ann@example.com",
    )
    assert (ann.mobile, ann.mobile_key) == ("+447911123456", "+447911123456")
    assert (ann.account_id, ann.profile_type, ann.gender) == (1, "personal", "F")
    assert (ann.birth_date, ann.city, ann.country) == (date(1990, 2, 3), "Ely", "GB")
    assert (ann.latitude, ann.longitude) == (51.5, -0.1)
    assert (ann.created_by, ann.updated_by, ann.deleted_by, ann.image) == ("import", "", "", "")
    ben = Profile.objects.get(pk=BEN)
    assert (ben.email, ben.email_key, ben.mobile_key) == (
        "Ben@Example.com",
        "ben@example.com",
        None,
    )
    assert (ben.profile_type, ben.gender, ben.birth_date) == ("personal", "", None)


def test_a_profile_without_an_id_gets_one_that_sorts_by_its_time(import_users, folder):
    import_users(folder)
    given = Profile.objects.get(email="cy@example.com").pk
    later = ProfileFactory().pk
    assert (given.version, given.variant) == (7, UUID(ANN).variant)
    assert abs((later.int >> 80) - (given.int >> 80)) < 120_000


def test_the_next_account_gets_a_userid_of_its_own(import_users, folder):
    write(folder, "accounts", ACCOUNTS, [*ACCOUNT_ROWS, "70,192.0.2.1,None"])
    import_users(folder)
    assert log_in(userid=None, ip="192.0.2.1", subscription_status="None").userid > 70


def test_the_same_files_twice_change_nothing(import_users, folder):
    import_users(folder)
    before = people_contents()
    scopes = tagged()
    outcome = import_users(folder)
    assert outcome.counts("accounts") == (0, 0, 3, 0, 0)
    assert outcome.counts("profiles") == (0, 0, 3, 0, 0)
    assert people_contents() == before
    assert tagged() == scopes


def tagged():
    with connection.cursor() as cursor:
        cursor.execute("SELECT key, tag FROM core_cachescope ORDER BY key")
        return cursor.fetchall()


def test_rows_of_the_same_key_are_brought_to_what_the_file_says(import_users, folder):
    import_users(folder)
    write(folder, "accounts", ACCOUNTS, ["1,192.0.2.7,Expired", ACCOUNT_ROWS[1]])
    rows = [
        PROFILE_ROWS[0].replace("Ely", "Leeds").replace("ann@", "ann.lee@"),
        PROFILE_ROWS[1],
        PROFILE_ROWS[2].replace("Cy,", "Cy Coe,"),
    ]
    write(folder, "profiles", PROFILES, rows)
    outcome = import_users(folder)
    assert outcome.code == 0, outcome
    assert outcome.counts("accounts") == (0, 1, 1, 0, 0)
    assert outcome.counts("profiles") == (0, 2, 1, 0, 0)
    assert outcome.report("accounts").absent == 1
    ann = Profile.objects.get(pk=ANN)
    assert (ann.city, ann.email_key, ann.updated_by) == ("Leeds", "ann.lee@example.com", "import")
    assert Profile.objects.get(email_key="cy@example.com").full_name == "Cy Coe"
    assert Profile.objects.get(pk=BEN).updated_by == ""
    for profile in Profile.objects.all():
        assert_found_by_its_words(profile)
    assert Account.objects.get(pk=1).subscription_status == "Expired"


def test_columns_that_a_file_has_not_stay_as_they_are(import_users, folder, tmp_path):
    import_users(folder)
    path = write(tmp_path, "profiles", "tenant,email_id,full_name", ["default,ANN@example.com,Ann"])
    outcome = import_users(path)
    assert outcome.counts("profiles") == (0, 1, 0, 0, 0)
    ann = Profile.objects.get(pk=ANN)
    assert (ann.full_name, ann.email, ann.city, ann.mobile_key, ann.account_id) == (
        "Ann",
        "ANN@example.com",
        "Ely",
        "+447911123456",
        1,
    )
    assert_found_by_its_words(ann)
    assert import_users(path).counts("profiles") == (0, 0, 1, 0, 0)


def assert_found_by_its_words(profile):
    expected = search_columns(
        full_name=profile.full_name,
        email_key=profile.email_key,
        mobile=profile.mobile,
        mobile_key=profile.mobile_key,
        city=profile.city,
        country=profile.country,
    )
    assert expected == {"name_key": profile.name_key, "search_words": profile.search_words}


def test_skip_leaves_rows_and_fail_names_them(import_users, folder):
    import_users(folder)
    before = people_contents()
    write(folder, "accounts", ACCOUNTS, ["1,192.0.2.7,Expired", "9,192.0.2.9,None"])
    failed = import_users(folder, on_conflict="fail")
    assert failed.code == 1
    assert "1 rows are there already and differ (ids 1)" in failed.stderr
    assert people_contents() == before
    skipped = import_users(folder, on_conflict="skip")
    assert skipped.code == 0
    report = skipped.report("accounts")
    assert (report.loaded, report.skipped, report.updated) == (1, 1, 0)
    assert Account.objects.get(pk=1).subscription_status == "Subscribed"
    assert Account.objects.filter(pk=9).exists()


def test_dry_run_changes_nothing_and_gives_the_same_report(import_users, folder):
    outcome = import_users(folder, dry_run=True)
    assert outcome.code == 0
    assert outcome.counts("profiles") == (3, 0, 0, 0, 0)
    assert outcome.run.status == ImportRun.Status.DRY_RUN
    assert people_contents() == {"users_account": [], "users_profile": []}


def test_too_many_rejects_end_it(import_users, folder):
    write(folder, "accounts", ACCOUNTS, ["1,nowhere,None", "2,192.0.2.1,None"])
    outcome = import_users(folder, max_errors="0")
    assert outcome.code == 1
    assert "--max-errors allows 0" in outcome.stderr
    assert not Account.objects.exists()


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ("0,192.0.2.1,None", "userid", "out_of_range"),
        ("1a,192.0.2.1,None", "userid", "bad_number"),
        (",192.0.2.1,None", "userid", "missing_value"),
        ("1,192.0.2.256,None", "ip", "bad_ip"),
        ("1,fe80::1%eth0,None", "ip", "bad_ip"),
        ("1,192.0.2.1,Gold", "subscriptionstatus", "bad_status"),
        ("1,192.0.2.1", "", "wrong_column_count"),
        ('1,"192.0.2.1,None', "", "unclosed_quote"),
        (ACCOUNTS, "", "repeated_header"),
        ("1,192.0.2.1,No\0ne", "", "nul_byte"),
    ],
)
def test_bad_accounts_are_rejected_with_column_and_reason(
    import_users, folder, row, column, reason
):
    write(folder, "accounts", ACCOUNTS, ["7,192.0.2.7,None", row])
    outcome = import_users(folder / "accounts.csv")
    assert outcome.code == 3
    assert outcome.report("accounts").rejects == {reason: 1}
    reject = ImportReject.objects.get()
    assert (reject.line, reject.column, bytes(reject.original).decode()) == (3, column, row)
    assert list(Account.objects.values_list("pk", flat=True)) == [7]
    assert [rejected["reason"] for rejected in outcome.rejects] == [reason]


@pytest.mark.parametrize(
    ("row", "column", "reason", "value"),
    [
        (short_profile("no-address"), "email_id", "bad_email", "no-address"),
        (short_profile(""), "email_id", "missing_value", ""),
        (short_profile("a@b.com", mobile="12"), "mobile", "bad_mobile", "12"),
        (short_profile("a@b.com", tenant="nobody"), "tenant", "unknown_tenant", "nobody"),
        (short_profile("a@b.com", userid="99"), "userid", "missing_parent", "99"),
        (short_profile("a@b.com", given="7"), "profile_id", "bad_uuid", "7"),
        (
            ",default,,, ,a@b.com,,,,,,,,",
            "full_name",
            "missing_value",
            " ",
        ),
        (",default,,,A,a@b.com,,,1990-02-30,,,,,", "birth_date", "bad_date", "1990-02-30"),
        (",default,,,A,a@b.com,,,,,,,91,", "latitude", "out_of_range", "91"),
        (",default,,,A,a@b.com,,,,,,,,east", "longitude", "bad_number", "east"),
    ],
)
def test_bad_profiles_are_rejected_with_what_was_refused(
    import_users, folder, row, column, reason, value
):
    write(folder, "profiles", PROFILES, [*PROFILE_ROWS, row])
    outcome = import_users(folder)
    assert outcome.code == 3
    assert outcome.report("profiles").rejects == {reason: 1}
    reject = ImportReject.objects.get()
    assert (reject.line, reject.column, reject.value) == (5, column, value)
    assert bytes(reject.original).decode() == row
    assert Profile.objects.count() == 3


REFUSED = [
    ("full_name", "\u200b", "missing_value"),
    ("full_name", "\u0301", "missing_value"),
    ("full_name", "\u3164 \ufeff", "missing_value"),
    ("full_name", "Ann\uffff", "hidden_character"),
    ("full_name", "Ann\u202eeeL", "hidden_character"),
    ("full_name", "Ann\x1b", "hidden_character"),
    ("full_name", "Ann\tLee", "hidden_character"),
    ("profile_type", "\u200b", "missing_value"),
    ("profile_type", "work\u2066", "hidden_character"),
    ("mobile", "+4915123456789\u202e", "hidden_character"),
    ("gender", "f\x85", "hidden_character"),
    ("address", "1 Road\U0001ffff", "hidden_character"),
    ("city_id", "Ber\u2067lin", "hidden_character"),
    ("country_id", "D\x7fE", "hidden_character"),
]


def test_what_the_api_refuses_of_texts_is_rejected(import_users, folder):
    fields = dict.fromkeys(PROFILES.split(","), "") | {"full_name": "Zoë “O’Hara” 👩\u200d🚀"}
    rows, expected = [",".join((fields | {"email_id": "z@x.org"}).values())], []
    for column, text, reason in REFUSED:
        for written in (text, f'"{text}"'):
            address = f"a{len(rows)}@x.org"
            rows.append(",".join((fields | {"email_id": address, column: written}).values()))
            expected.append((len(rows) + 1, column, text, reason))
    outcome = import_users(write(folder, "profiles", PROFILES, rows))
    assert outcome.code == 3
    found = ImportReject.objects.values_list("line", "column", "value", "reason")
    assert list(found.order_by("line")) == expected
    assert Profile.objects.get().full_name == fields["full_name"]


def test_an_address_may_have_lines_and_tabs(import_users, folder):
    row = ',default,,,Ann,a@x.org,,,,"1 Road\r\n\tBerlin",,,,'
    assert import_users(write(folder, "profiles", PROFILES, [row])).code == 0
    assert Profile.objects.get().address == "1 Road\n\tBerlin"


def test_nothing_that_is_refused_is_taken_unread():
    lines, names = (NULL_LINE, NULL_LINES, NAME, NULL_NAME), (NAME, NULL_NAME)
    chars = [chr(number) for number in range(0x20000) if not 0xD800 <= number <= 0xDFFF]
    blank = [(names, char) for char in chars if is_blank(char)]
    hidden = [(lines, f"A{char}") for char in chars if is_hidden(char)]
    assert len(blank) > 1_000
    assert len(hidden) > 90
    for kinds, text in blank + hidden:
        for kind in kinds:
            for written in (text, f'"{text}"'):
                assert not re.fullmatch(kind.fast, written.encode()), ascii(text)


def is_hidden(char):
    try:
        refuse_hidden_in_lines(char)
    except ValidationError:
        return True
    return False


def test_of_twins_in_the_file_the_first_is_kept(import_users, folder):
    rows = [
        short_profile("ann@example.com", mobile="+447911123456"),
        short_profile("ＡＮＮ@example.com"),
        short_profile("ben@example.com", mobile="+44 7911 123456"),
        short_profile("ann@example.com", mobile="+447911123456"),
        short_profile("ben@example.com"),
        short_profile("ann@example.com", tenant="other"),
    ]
    TenantFactory(name="other")
    outcome = import_users(write(folder, "profiles", PROFILES, rows))
    report = outcome.report("profiles")
    assert (report.loaded, report.duplicate) == (3, 1)
    assert report.rejects == {"repeated_email": 1, "repeated_mobile": 1}
    assert [(row["line"], row["reason"], row["value"]) for row in outcome.rejects] == [
        ("3", "repeated_email", "ann@example.com"),
        ("4", "repeated_mobile", "+447911123456"),
    ]
    # The third was rejected for its number, so its address was free for the fifth.
    assert Profile.objects.filter(email_key="ben@example.com", mobile_key=None).count() == 1
    assert Profile.objects.filter(email_key="ann@example.com").count() == 2


def test_one_userid_with_other_content_is_rejected_and_the_same_line_a_duplicate(
    import_users, folder
):
    rows = ["5,192.0.2.5,None", "5,192.0.2.6,None", '5,"192.0.2.5","None"']
    outcome = import_users(write(folder, "accounts", ACCOUNTS, rows))
    report = outcome.report("accounts")
    assert (report.loaded, report.duplicate, report.rejects) == (1, 1, {"conflicting_id": 1})
    assert outcome.rejects[0]["original"] == rows[1]
    assert Account.objects.get().ip == "192.0.2.5"


def test_one_account_has_one_profile_of_a_type_in_a_tenant(import_users, folder):
    rows = [
        short_profile("a@example.com", userid="1"),
        short_profile("b@example.com", userid="1", profile_type="personal"),
        short_profile("c@example.com", userid="1", profile_type="work"),
    ]
    write(folder, "profiles", PROFILES, rows)
    outcome = import_users(folder)
    assert outcome.report("profiles").rejects == {"repeated_type": 1}
    assert outcome.rejects[0]["value"] == "1 personal"
    assert Profile.objects.filter(account=1).count() == 2


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        (short_profile("LIVE@example.com", given=BEN), "email_id", "email_taken"),
        (short_profile("x@example.com", mobile="+447911123456"), "mobile", "mobile_taken"),
        (short_profile("x@example.com", userid="1"), "profile_type", "type_taken"),
    ],
)
def test_what_a_live_profile_of_another_id_has_is_taken(import_users, folder, row, column, reason):
    account = AccountFactory(userid=1)
    live = ProfileFactory(email="live@example.com", mobile="+447911123456", account=account)
    outcome = import_users(write(folder, "profiles", PROFILES, [row]))
    assert outcome.report("profiles").rejects == {reason: 1}
    rejected = outcome.rejects[0]
    assert (rejected["column"], rejected["value"]) == (column, str(live.pk))
    assert Profile.objects.get().pk == live.pk


def test_a_deleted_profile_and_one_of_another_tenant_are_no_bodys_to_change(import_users, folder):
    other = ProfileFactory(id=ANN, tenant=TenantFactory(name="other"))
    gone = ProfileFactory(id=BEN, email="gone@example.com")
    with publish(EPOCH):
        Profile.objects.filter(pk=BEN).update(deleted_by="x", deleted_at="2026-01-01T00:00:00Z")
    rows = [
        short_profile("a@example.com", given=ANN),
        short_profile("b@example.com", given=BEN),
        short_profile("gone@example.com"),
    ]
    outcome = import_users(write(folder, "profiles", PROFILES, rows))
    assert outcome.report("profiles").rejects == {"other_tenant": 1, "deleted_profile": 1}
    assert outcome.report("profiles").loaded == 1
    other.refresh_from_db()
    assert other.email != "a@example.com"
    assert Profile.objects.filter(email_key="gone@example.com").count() == 2
    assert Profile.objects.get(pk=gone.pk).deleted_by == "x"


def test_the_region_is_that_of_the_address(import_users, folder):
    france = Region.objects.create(id=250, code="FR", name="France")
    japan = Region.objects.create(id=392, code="JP", name="Japan")
    NetworkOverride.objects.create(network="192.0.2.0/24", region=france)
    NetworkOverride.objects.create(network="192.0.2.7/32", region=japan)
    rows = [
        "1,192.0.2.7,None",
        "2,192.0.2.8,None",
        "3,198.51.100.1,None",
        "4,::ffff:192.0.2.8,None",
    ]
    import_users(write(folder, "accounts", ACCOUNTS, rows))
    regions = dict(Account.objects.values_list("userid", "region__code"))
    assert regions == {1: "JP", 2: "FR", 3: None, 4: "FR"}
    for userid, code in regions.items():
        assert login_region(userid) == code
    import_users(write(folder, "accounts", ACCOUNTS, ["1,192.0.2.8,None"]))
    assert Account.objects.get(pk=1).region_id == france.pk


def test_the_region_may_come_from_the_operators_file(import_users, folder, settings):
    fill_regions()
    path = folder / "countries.mmdb"
    mmdb.write(path, {"192.0.2.0/24": "DE", "2001:db8::/32": "FR"})
    settings.GEOIP_MMDB = str(path)
    import_users(folder)
    regions = dict(Account.objects.values_list("userid", "region__code"))
    assert regions == {1: "DE", 2: None, 3: "FR"}
    import_users(write(folder, "accounts", ACCOUNTS, ["2,192.0.2.9,None"]))
    assert Account.objects.get(pk=2).region.code == "DE"


def login_region(userid):
    account = Account.objects.get(pk=userid)
    log_in(userid=userid, ip=account.ip, subscription_status="None")
    return Account.objects.get(pk=userid).region and Account.objects.get(pk=userid).region.code


def test_a_cached_account_is_never_older_than_an_import(import_users, folder, redis):  # noqa: F811
    import_users(folder)
    find_account(userid=1)
    assert find_account(userid=1).is_cached
    write(folder, "accounts", ACCOUNTS, ["1,192.0.2.7,Expired"])
    import_users(folder)
    found = find_account(userid=1)
    assert not found.is_cached
    assert '"subscriptionstatus":"Expired"' in found.value


def test_new_profiles_retag_no_cache_and_changed_ones_do(import_users, folder):
    import_users(folder / "accounts.csv")
    before = tagged()
    assert import_users(folder / "profiles.csv").counts("profiles") == (3, 0, 0, 0, 0)
    assert tagged() == before
    write(folder, "profiles", PROFILES, [PROFILE_ROWS[2].replace("Cy,", "Cy Coe,")])
    assert import_users(folder / "profiles.csv").counts("profiles") == (0, 1, 0, 0, 0)
    assert tagged() != before


def test_gzip_standard_input_and_a_header_in_another_order(import_users, folder, monkeypatch):
    text = b"Subscription_Status,USERID,ip\r\nNone,5,192.0.2.5\r\nNone,5,192.0.2.6\r\nNone,6,::1"
    stream = io.TextIOWrapper(io.BytesIO(gzip.compress(text)))
    monkeypatch.setattr(sys, "stdin", stream)
    outcome = import_users("-")
    assert outcome.code == 3, outcome
    report = outcome.report("accounts")
    assert (report.loaded, report.repairs) == (2, {"crlf": 2})
    assert bytes(ImportReject.objects.get().original) == b"None,5,192.0.2.6\r"
    assert list(Account.objects.values_list("userid", "ip")) == [(5, "192.0.2.5"), (6, "::1")]


def test_a_record_over_several_lines_is_one(import_users, folder):
    rows = [
        ',default,,,Ann,ann@example.com,,,,"1 High St\nLondon",,,,',
        short_profile("ben@example.com"),
        ',default,,,Eve,ben@example.com,,,,"2 High St\nLondon",,,,',
    ]
    outcome = import_users(write(folder, "profiles", PROFILES, rows))
    report = outcome.report("profiles")
    assert (report.lines, report.continued, report.loaded) == (6, 2, 2)
    assert report.repairs == {"newline_in_field": 2}
    assert Profile.objects.get(full_name="Ann").address == "1 High St\nLondon"
    reject = ImportReject.objects.get()
    assert (reject.line, bytes(reject.original).decode()) == (5, rows[2])


def test_files_of_products_are_left_and_other_imports_leave_those_of_people(
    import_users, import_command, folder
):
    (folder / "product.csv").write_text("id,name,slogan,description,category,default_price\n")
    assert "product.csv: left for import_products" in import_users(folder).stderr
    assert "accounts.csv: left for import_users" in import_command("import_all", folder).stderr


def test_a_missing_column_is_named_and_nothing_touched(import_users, folder):
    outcome = import_users(write(folder, "profiles", "tenant,full_name", ["default,Ann"]))
    assert outcome.code == 2
    assert "missing: email_id" in outcome.stderr
    assert not ImportRun.objects.exists()


def test_a_key_taken_while_it_runs_ends_it_and_resuming_compares_anew(
    import_users, folder, monkeypatch
):
    ProfileFactory(email="earlier@example.com")
    avoid_merge_joins = importing.avoid_merge_joins

    def after_somebody_else():
        with second_connection() as other:
            other.execute(
                "INSERT INTO users_profile (id, tenant_id, profile_type, full_name, email,"
                " email_key, mobile, gender, address, city, country, image, created_by,"
                " updated_by, deleted_by) SELECT gen_random_uuid(), tenant_id, 'personal', 'C',"
                " 'c', 'cy@example.com', '', '', '', '', '', '', 'x', '', ''"
                " FROM users_profile LIMIT 1"
            )
        avoid_merge_joins()

    with monkeypatch.context() as patch:
        # The first step of the final transaction.
        patch.setattr(importing, "avoid_merge_joins", after_somebody_else)
        failed = import_users(folder)
    assert failed.code == 1
    assert "one_live_profile_an_email" in failed.stderr
    assert "Nothing was changed." in failed.stderr
    assert not Account.objects.exists()
    resumed = import_users(folder, resume=True)
    assert resumed.run.attempts == 2
    assert resumed.report("profiles").loaded == 2
    assert resumed.report("profiles").updated == 1


def test_a_table_that_grew_has_its_statistics_from_the_commit_on(import_users, folder):
    ProfileFactory(email="earlier@example.com", city="Ghent")
    AccountFactory()
    cities = [f"City {number % 7}" for number in range(100)]
    rows = [
        f",default,,,Someone,p{number}@example.com,,,,,{city},,,"
        for number, city in enumerate(cities)
    ]
    accounts = [f"{number},192.0.2.7,None" for number in range(1000, 1100)]
    import_users(write_people(folder, accounts=accounts, profiles=rows))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT most_common_vals::text::text[] FROM pg_stats"
            " WHERE tablename = 'users_profile' AND attname = 'city'"
        )
        (common,) = cursor.fetchone()
        assert set(common) >= set(cities)
        cursor.execute("SELECT reltuples FROM pg_class WHERE relname = 'users_account'")
        assert cursor.fetchone()[0] == 101


def test_an_update_goes_through_the_write_door_alone(import_users, folder):
    import_users(folder)
    with publish(user_scope(1)), transaction.atomic():
        Account.objects.filter(pk=1).update(subscription_status="None")
    assert import_users(folder).counts("accounts") == (0, 1, 2, 0, 0)


@pytest.fixture
def mapped(import_users, folder, monkeypatch):
    """A tenant with a map of search. Those called Zed have the first addresses."""
    monkeypatch.setattr(mapping, "MAPPED_FROM", 1)
    monkeypatch.setattr(mapping, "FREQUENT_FROM", 2)
    monkeypatch.setattr(mapping, "SMALLEST_ZONE", 3)
    tenant = TenantFactory()
    for number in range(10, 40):
        name = "Zed" if number < 15 else "Bob"
        ProfileFactory(tenant=tenant, full_name=name, email=f"a{number}@example.com")
    assert mapping.map_tenant(tenant_id=tenant.pk)
    return tenant


def import_zeds(import_users, folder):
    """Twelve more, whose addresses come after all others."""
    rows = [short_profile(f"z{number}@example.com") for number in range(12)]
    write_people(folder, [], [row.replace("Someone", "Zed") for row in rows])
    assert import_users(folder).code == 0


def last_has_zeds(tenant):
    """Whether the map says that the last zone of addresses may hold somebody called Zed."""
    word = SearchWord.objects.get(map__tenant=tenant, key="zed")
    last = SearchZone.objects.filter(map=word.map, sort="email_id").latest("number")
    return last.number in zones_of(word, "email_id")


def zeds(tenant):
    found = search_profiles(tenant_id=tenant.pk, query="zed", sort_by="email_id DESC", limit=12)
    return [entry["email_id"][0] for entry in orjson.loads(found.profiles)]


def test_the_map_of_search_knows_of_few_that_were_imported(import_users, folder, mapped):
    assert not last_has_zeds(mapped)
    import_zeds(import_users, folder)
    assert last_has_zeds(mapped)
    assert zeds(mapped) == ["z"] * 12
    assert SearchMap.objects.filter(tenant=mapped, is_used=True).exists()


def test_after_many_were_imported_the_map_is_built_anew(import_users, folder, mapped, monkeypatch):
    monkeypatch.setattr(applying, "MOST_MARKED", 5)
    import_zeds(import_users, folder)
    assert not SearchMap.objects.filter(tenant=mapped, is_used=True).exists()
    assert zeds(mapped) == ["z"] * 12
    assert ProcrastinateJob.objects.filter(task_name="map_profiles", status="todo").exists()
