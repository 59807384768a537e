"""Search over profiles, against a naive filter and sort, with and without a map."""

import base64
import random
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atelier.core.publishing import EPOCH, publish
from tests.factories.users import ProfileFactory, TenantFactory
from tests.users.profiles import zones_of
from users.identities import canonical_email, canonical_mobile
from users.models import SORTS, Profile, SearchCount, SearchMap, SearchWord, Tenant
from users.services import mapping, search
from users.services.search import (
    MOST_LIMIT,
    InvalidCursor,
    InvalidSort,
    escaped,
    mark_profile,
    search_profiles,
)
from users.sql import search as sql
from users.terms import BAR, INDEXED, SHORT, query_words, search_columns, words_in

pytestmark = pytest.mark.django_db

MORNING = datetime(2026, 3, 1, 8, 30, 0, 123456, tzinfo=UTC)
KEYS: dict[str, Callable[[Profile], Any]] = {
    "full_name": lambda profile: profile.name_key,
    "email_id": lambda profile: profile.email_key,
    "mobile": lambda profile: profile.mobile_key or "",
    "gender": lambda profile: profile.gender[:100],
    "birth_date": lambda profile: profile.birth_date or date.min,
    "city_id": lambda profile: profile.city[:100],
    "country_id": lambda profile: profile.country[:100],
    "created_at": lambda profile: profile.created_at,
    "updated_at": lambda profile: profile.updated_at,
}
NAMES = ("Ann", "Anna-Lee", "José", "李 雷", "O'Hara", "Åsa", "x%y_z\\", "Christopher", "christo")
CITIES = ("", "Cape Town", "Ålesund", "cape", "C" * 300)
COUNTRIES = ("", "ZA", "DE", "de")
PEOPLE = st.fixed_dictionaries(
    {
        "full_name": st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(" ".join),
        "email": st.builds(
            "{}{}@{}.example".format,
            st.sampled_from(("ann", "jose.", "christophe", "zoé")),
            st.integers(0, 999),
            st.sampled_from(("mail", "post")),
        ),
        "mobile": st.one_of(st.just(""), st.integers(10**6, 10**7 - 1).map("+2782{}".format)),
        "gender": st.sampled_from(("", "female", "male")),
        "birth_date": st.one_of(st.none(), st.dates(date(1990, 1, 1), date(1990, 1, 9))),
        "city": st.sampled_from(CITIES),
        "country": st.sampled_from(COUNTRIES),
        "created_at": st.integers(0, 5).map(lambda days: MORNING + timedelta(days=days)),
        "updated_at": st.integers(0, 5).map(lambda days: MORNING + timedelta(days=days)),
    }
)
WORDS = st.one_of(
    st.sampled_from(
        (*NAMES, *CITIES, *COUNTRIES, "+2782", "christophe", "zoe", "'", "%", "nobody")
    ),
    st.text(alphabet="anjoscelr@.2781", min_size=1, max_size=12),
)


@pytest.fixture
def tenant(monkeypatch: pytest.MonkeyPatch) -> Tenant:
    """One whose few profiles are mapped as millions are."""
    monkeypatch.setattr(mapping, "MAPPED_FROM", 1)
    monkeypatch.setattr(mapping, "FREQUENT_FROM", 2)
    monkeypatch.setattr(mapping, "SMALLEST_ZONE", 2)
    return TenantFactory()


def person(tenant: Tenant, **columns: Any) -> Profile:
    made = ProfileFactory(tenant=tenant, **columns)
    mark_profile(tenant_id=tenant.pk, profile_id=made.pk)
    made.refresh_from_db()
    return made


def ids(tenant: Tenant, query: str = "", **asked: Any) -> list[UUID]:
    page = search_profiles(tenant_id=tenant.pk, query=query, **{"limit": 100, **asked})
    found = [UUID(row["profile_id"]) for row in orjson.loads(page.profiles)]
    assert page.count == len(found)
    return found


def naively(profiles: Sequence[Profile], query: str, sort_by: str) -> list[UUID]:
    words = query_words(query)
    sort, direction = sort_by.split()
    found = [
        profile
        for profile in profiles
        if all(
            any(word.startswith(asked) for word in words_in(profile.search_words))
            for asked in words
        )
        and (words or not query.split())
    ]
    found.sort(key=lambda each: (KEYS[sort](each), each.pk), reverse=direction == "DESC")
    return [profile.pk for profile in found]


def unlike(people: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those whose address and number nobody before has."""
    taken: set[str | None] = set()
    kept = []
    for each in people:
        keys = {
            canonical_email(each["email"]),
            canonical_mobile(each["mobile"], each["country"]),
        } - {None}
        if not keys & taken:
            kept.append(each)
            taken |= keys
    return kept


@settings(
    max_examples=120,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    people=st.lists(PEOPLE, min_size=1, max_size=24).map(unlike),
    words=st.lists(WORDS, max_size=3),
    sort=st.sampled_from(sorted(SORTS)),
    direction=st.sampled_from(("ASC", "DESC")),
    limit=st.integers(1, 6),
    offset=st.integers(0, 8),
    mapped_after=st.integers(1, 30),
    most_walked=st.sampled_from((0, 2, 5_000)),
    anywhere=st.sampled_from((0, 1_000)),
    listed=st.sampled_from((0, 1_000)),
    counted=st.sampled_from((1, 8)),
)
def test_search_is_a_filter_and_a_sort(
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
    people: list[dict[str, Any]],
    words: list[str],
    sort: str,
    direction: str,
    limit: int,
    offset: int,
    mapped_after: int,
    most_walked: int,
    anywhere: int,
    listed: int,
    counted: int,
) -> None:
    # What is tried before what, and how much the map knows.
    monkeypatch.setattr(search, "MOST_WALKED", most_walked)
    monkeypatch.setattr(search, "ANYWHERE", anywhere)
    monkeypatch.setattr(search, "LISTED", listed)
    monkeypatch.setattr(mapping, "COUNTED", counted)
    SearchMap.objects.all().delete()
    with publish(EPOCH):
        Profile.objects.all().delete()
    profiles = []
    for number, columns in enumerate(people):
        if number == mapped_after:
            mapping.map_tenant(tenant_id=tenant.pk)
        profiles.append(person(tenant, **columns))
    query, sort_by = " ".join(words), f"{sort} {direction}"
    expected = naively(profiles, query, sort_by)

    assert (
        ids(tenant, query, sort_by=sort_by, limit=limit, offset=offset)
        == (expected[offset : offset + limit])
    )
    read: list[UUID] = []
    after = None
    while True:
        page = search_profiles(
            tenant_id=tenant.pk, query=query, sort_by=sort_by, limit=limit, after=after
        )
        read += [UUID(row["profile_id"]) for row in orjson.loads(page.profiles)]
        after = page.next
        if after is None:
            break
    assert read == expected
    found_in_zones(tenant, profiles)


def found_in_zones(tenant: Tenant, profiles: Sequence[Profile]) -> None:
    """For each frequent beginning of a word, and each order: zones miss nobody."""
    made = SearchMap.objects.filter(tenant=tenant, is_used=True).first()
    if made is None:
        return
    for word in SearchWord.objects.filter(map=made).order_by("id")[:5]:
        for sort in SORTS:
            for is_descending in (False, True):
                order = sql.Order(sort, is_descending)
                found = sql.page(
                    "walk_zones",
                    order,
                    {
                        "tenant_id": tenant.pk,
                        "pictures": "",
                        "limit": 10_000,
                        "offset": 0,
                        "map_id": made.pk,
                        "zones": zones_of(word, sort),
                        "patterns": sql.text_array([f"% {escaped(word.key)}%"]),
                    },
                )
                expected = [
                    profile
                    for profile in profiles
                    if any(each.startswith(word.key) for each in words_in(profile.search_words))
                ]
                assert found.count == len(expected)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ways of finding that are taken, as they are."""
    ways: list[str] = []
    real = sql.page

    def noted(kind: str, *args: Any, **options: Any) -> sql.Found:
        ways.append(kind)
        return real(kind, *args, **options)

    monkeypatch.setattr(sql, "page", noted)
    return ways


def test_every_way_of_finding_is_taken(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, taken: list[str]
) -> None:
    """Frequent words by zones, rare ones by what they begin with, all without a word."""
    monkeypatch.setattr(mapping, "FREQUENT_FROM", 5)
    for number in range(20):
        person(tenant, full_name="Ann Lee", city=f"Town{number}", email=f"annlee{number}@x.example")
    ids(tenant, "ann", limit=3)
    ids(tenant, "ann")
    mapping.map_tenant(tenant_id=tenant.pk)
    for query, limit in (
        ("", 3),
        ("ann", 3),
        ("ann town", 3),
        ("town7", 3),
        ("annlee7@x", 3),
        ("ann", 100),
    ):
        ids(tenant, query, limit=limit)
    ids(tenant, limit=MOST_LIMIT, offset=1)
    assert taken == [
        *("walk", "walk", "gather_keys"),
        *("all", "walk_zones", "walk_zones", "gather_keys", "gather_word", "walk_zones"),
        "all_deep",
    ]


@pytest.mark.django_db(transaction=True)
def test_searches_are_planned_once_a_connection(
    monkeypatch: pytest.MonkeyPatch, taken: list[str]
) -> None:
    """PostgreSQL makes five plans before it keeps one; planning costs more than most searches."""
    for name, value in {"MAPPED_FROM": 1, "FREQUENT_FROM": 20, "SMALLEST_ZONE": 3}.items():
        monkeypatch.setattr(mapping, name, value)
    tenant = TenantFactory()
    for number in range(30):
        person(tenant, full_name="Ann Lee", city=f"Town{number}", email=f"annlee{number}@x.example")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE users_profile")
    mapping.map_tenant(tenant_id=tenant.pk)
    connection.close()
    try:
        with connection.cursor() as cursor:
            # What planning is thought to cost follows from this. Among millions it is nothing.
            cursor.execute("SET cpu_operator_cost = 0.00001")
        for query in ("", "ann", "town7", "annlee7@x"):
            for _ in range(7):
                ids(tenant, query, limit=3)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT generic_plans > 0, custom_plans FROM pg_prepared_statements"
                " WHERE starts_with(name, 'atelier')"
            )
            # One for each, and that of the map.
            assert cursor.fetchall() == [(True, 5)] * 5
    finally:
        connection.close()
    assert set(taken) == {"all", "walk_zones", "gather_keys", "gather_word"}


@pytest.mark.parametrize(
    ("words", "counts", "chosen"),
    [
        # A rare name, of which one in thirty has that other word too.
        (["segoli", "alice"], {"alice": 300_000, "segoli": 3_000}, ["segoli", "alice"]),
        # Nearly all have it, which spares nothing.
        (["segoli", "us"], {"us": 9_000_000, "segoli": 3_000}, ["segoli"]),
        # A list of millions takes longer to read than the few rows that it spares.
        (["segoli", "us"], {"us": 4_000_000, "segoli": 1_000}, ["segoli"]),
        # A long word has fewer than its first letters, by which others are listed.
        (
            ["lindqvist", "alicia", "ze"],
            {"alicia": 300_000, "lindqvist": 3_000, "lindqv": 400_000, "ze": 5_000_000},
            ["lindqvist", "alicia"],
        ),
    ],
)
def test_further_words_are_looked_up_where_that_spares_rows(
    words: list[str], counts: dict[str, int], chosen: list[str]
) -> None:
    known = sql.Known(id=1, profiles=10_000_000, zones=20_000, words=counts, masks=[], begin=None)
    cost, found = search._gathering(words, known, by_word=True)
    assert found == chosen
    assert cost <= search.ANYWHERE * counts[chosen[0]]


def test_words_that_are_counted_say_how_many_profiles_have_them(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapping, "FREQUENT_FROM", 24)
    for number in range(24):
        person(
            tenant, full_name="Ann Lee" if number < 3 else "Ann Moe", email=f"{number}@x.example"
        )
    mapping.map_tenant(tenant_id=tenant.pk)
    counts = SearchCount.objects.filter(map__tenant=tenant, map__is_used=True)
    known = sql.known(
        ["ann", "lee"], ["rare"], sql.Order("email_id", False), {"tenant_id": tenant.pk}
    )
    assert known is not None
    assert known.words == {"ann": 24, "lee": 3}
    assert not known.masks
    assert dict(counts.filter(key__startswith="l").values_list("key", "profiles")) == dict.fromkeys(
        ("l", "le", "lee"), 3
    )
    monkeypatch.setattr(mapping, "IDLE_SECONDS", 0)
    mapping.map_tenant(tenant_id=tenant.pk)
    assert SearchCount.objects.filter(key="lee").count() == 1, "an earlier map's are removed"


@pytest.mark.parametrize(
    ("profiles", "least"),
    [(50_000, 547), (200_000, 1_095), (1_000_000, 2_449), (10_000_000, 5_000)],
)
def test_in_smaller_tenants_fewer_are_frequent(profiles: int, least: int) -> None:
    """With an order walked to ten of them, about as many rows are read as there are of them."""
    assert mapping.frequent_from(profiles) == least


@pytest.mark.parametrize("zones", [1, 7, 8, 20])
def test_words_have_in_common_the_zones_of_each_mask(zones: int) -> None:
    draw = random.Random(zones)
    size = -(-len(SORTS) * zones // 8)
    masks = [draw.randbytes(size) for _ in range(2)]
    known = sql.Known(id=1, profiles=1, zones=zones, words={}, masks=masks, begin=None)
    for number in range(len(SORTS)):
        for zone in range(zones):
            bit = number * zones + zone
            is_common = all(mask[bit // 8] >> bit % 8 & 1 for mask in masks)
            assert known.common(number) >> zone & 1 == is_common
        assert known.common(number) < 1 << zones


def test_frequent_words_that_are_never_together_cost_no_reading(
    tenant: Tenant, taken: list[str]
) -> None:
    """In the order by city they share no zone."""
    for _ in range(40):
        person(tenant, full_name="Ann", city="Berlin", country="DE")
        person(tenant, full_name="Bob", city="Lyon", country="FR")
    mapping.map_tenant(tenant_id=tenant.pk)
    for sort in SORTS:
        assert ids(tenant, "fr berlin", sort_by=sort) == []
    assert taken == []
    late = person(tenant, full_name="Cy", city="Berlin", country="FR")
    assert ids(tenant, "fr berlin") == [late.pk]


def test_words_that_are_close_in_another_order_are_looked_for_there(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, taken: list[str]
) -> None:
    monkeypatch.setattr(search, "MOST_WALKED", 2)
    for number in range(60):
        first, city = ("Ann", "Berlin") if number % 2 else ("Bob", "Lyon")
        last = "Lee" if number % 3 else "Moe"
        person(tenant, full_name=f"{first} {last}", city=city)
    mixed = [person(tenant, full_name=f"Bob L{number}", city="Berlin").pk for number in range(2)]
    mapping.map_tenant(tenant_id=tenant.pk)
    assert ids(tenant, "bob berlin", sort_by="created_at DESC") == mixed[::-1]
    assert ids(tenant, "bob berlin", sort_by="created_at ASC", limit=1) == mixed[:1]
    assert ids(tenant, "bob berlin", sort_by="gender DESC", limit=1, offset=1) == mixed[:1]
    assert taken == ["gather_zones"] * 3


def test_a_profile_is_found_as_soon_as_it_is_there_and_no_longer_than_that(tenant: Tenant) -> None:
    for number in range(6):
        person(tenant, full_name=f"Bob {number}")
    mapping.map_tenant(tenant_id=tenant.pk)
    made = person(tenant, full_name="Zelda Bob", gender="zz")
    assert ids(tenant, "zelda") == [made.pk]
    assert ids(tenant, "bob", sort_by="gender DESC", limit=1) == [made.pk]
    with publish(EPOCH):
        Profile.objects.filter(pk=made.pk).update(
            **search_columns(full_name="Eve", email_key=made.email_key), full_name="Eve"
        )
    mark_profile(tenant_id=tenant.pk, profile_id=made.pk)
    assert ids(tenant, "zelda bob") == []
    assert ids(tenant, "eve") == [made.pk]
    with publish(EPOCH):
        Profile.objects.filter(pk=made.pk).update(deleted_at=MORNING, deleted_by="tests")
    assert ids(tenant, "eve") == []
    assert made.pk not in ids(tenant)


def test_a_profile_that_moves_within_an_order_is_found_where_it_went(tenant: Tenant) -> None:
    for number in range(12):
        name = "Ann" if number < 4 else "Bob"
        person(tenant, full_name=name, gender=f"g{number:02}")
    mapping.map_tenant(tenant_id=tenant.pk)
    moved = Profile.objects.get(gender="g00")
    with publish(EPOCH):
        Profile.objects.filter(pk=moved.pk).update(gender="g99")
    mark_profile(tenant_id=tenant.pk, profile_id=moved.pk)
    assert ids(tenant, "ann", sort_by="gender DESC", limit=1) == [moved.pk]


def test_other_tenants_are_never_found_whoever_shares_their_first_letters(tenant: Tenant) -> None:
    other = Tenant.objects.create(id=UUID(int=tenant.pk.int ^ 1), name="the-neighbour")
    mine = [person(tenant, full_name="Ann Christopher").pk for _ in range(8)]
    theirs = [person(other, full_name="Ann Christopher").pk for _ in range(8)]
    for query in ("", "ann", "christopher", "ann christ", "example", "ann@", "ann1"):
        for sort in SORTS:
            assert not set(ids(tenant, query, sort_by=sort)) & set(theirs)
    mapping.map_tenant(tenant_id=tenant.pk)
    assert set(ids(tenant, "ann")) == set(mine)
    assert set(ids(other, "ann")) == set(theirs)


@pytest.mark.parametrize(
    "query",
    [
        "' OR 1=1 --",
        "%",
        "_",
        "\\",
        "x') OR true --",
        '"}',
        "{a,b}",
        "%%",
        "\0ann",
        "\ud800",
        "|",
        "*",
    ],
)
def test_f13_queries_are_words_and_nothing_else(tenant: Tenant, query: str) -> None:
    for number in range(4):
        person(tenant, full_name=f"Ann {number}")
    mapping.map_tenant(tenant_id=tenant.pk)
    assert len(ids(tenant, query)) == (4 if query == "\0ann" else 0)


@pytest.mark.parametrize(
    "sort_by",
    [
        "",
        "id",
        "password",
        "gender; DROP TABLE users_profile",
        "gender,id",
        "gender DESC NULLS",
        "1",
    ],
)
def test_f13_other_orders_are_refused(tenant: Tenant, sort_by: str) -> None:
    with pytest.raises(InvalidSort):
        ids(tenant, sort_by=sort_by)


@pytest.mark.parametrize("after", ["", "x", "é", "bnVsbA", "W10", "WyJnZW5kZXIiLGZhbHNlLDEsMl0"])
def test_forged_places_are_refused(tenant: Tenant, after: str) -> None:
    with pytest.raises(InvalidCursor):
        ids(tenant, sort_by="gender ASC", after=after)


@pytest.mark.parametrize(
    ("sort", "key"),
    [("birth_date", "2026-W09-1"), ("created_at", "2026-03-01"), ("created_at", "x")],
)
def test_places_that_postgresql_could_not_read_are_refused(
    tenant: Tenant, sort: str, key: str
) -> None:
    place = orjson.dumps([sort, False, key, str(tenant.pk)])
    with pytest.raises(InvalidCursor):
        ids(tenant, sort_by=sort, after=base64.urlsafe_b64encode(place).decode())


def test_a_place_whose_key_is_no_text_is_refused(tenant: Tenant) -> None:
    place = orjson.dumps(["full_name", False, ["ann"], str(tenant.pk)])
    with pytest.raises(InvalidCursor):
        ids(tenant, sort_by="full_name", after=base64.urlsafe_b64encode(place).decode())


def test_a_place_leads_on_in_its_own_order_only(tenant: Tenant) -> None:
    for number in range(3):
        person(tenant, full_name=f"Ann {number}")
    page = search_profiles(tenant_id=tenant.pk, query="", sort_by="full_name ASC", limit=2)
    assert page.next
    assert len(ids(tenant, sort_by="full_name ASC", after=page.next)) == 1
    for sort_by in ("full_name DESC", "email_id ASC", "created_at ASC"):
        with pytest.raises(InvalidCursor):
            ids(tenant, sort_by=sort_by, after=page.next)


def test_pages_of_everybody_end_where_they_are_asked_to(tenant: Tenant) -> None:
    everybody = [person(tenant).pk for _ in range(MOST_LIMIT + 2)][::-1]
    for limit, offset in ((MOST_LIMIT, 0), (MOST_LIMIT, 1), (1, MOST_LIMIT - 1), (1, MOST_LIMIT)):
        assert ids(tenant, limit=limit, offset=offset) == everybody[offset : offset + limit]


def test_limits_are_held(tenant: Tenant) -> None:
    person(tenant)
    assert ids(tenant, limit=0) == []
    assert ids(tenant, limit=-1, offset=-5) == []
    assert len(ids(tenant, limit=10**30, offset=0)) == 1
    assert ids(tenant, limit=MOST_LIMIT, offset=10**30) == []


def test_long_values_are_stored_sorted_and_found(tenant: Tenant) -> None:
    made = person(tenant, full_name="Ann " + "Z" * 6000, city="Y" * 6000, gender="x" * 6000)
    assert ids(tenant, "z" * 5000) == [made.pk]
    assert ids(tenant, "z" * 6001) == []
    for sort in SORTS:
        assert ids(tenant, "yyyyyyy", sort_by=sort) == [made.pk]


def test_the_migration_s_function_has_what_terms_say(tenant: Tenant) -> None:
    made = person(
        tenant, full_name="Ann Christopherson-Li", email="christophers@x.example", city="Rā"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT users_search_keys(tenant_id, search_words) FROM users_profile WHERE id = %s",
            [made.pk],
        )
        keys = set(cursor.fetchone()[0])
    before, _, behind = made.search_words.partition(f" {BAR}")
    prefix = str(tenant.pk)[:4]
    expected = {
        prefix + word[:size] for word in before.split() for size in INDEXED if size <= len(word)
    } | {prefix + word[:size] for word in behind.split() for size in range(1, SHORT + 1)}
    assert keys == expected
