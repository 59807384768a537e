"""Search over profiles, against a naive filter and sort, with and without a map."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories.users import ProfileFactory, TenantFactory
from users.identities import canonical_email, canonical_mobile
from users.models import SORTS, Profile, SearchMap, SearchWord, Tenant
from users.services import mapping
from users.services.search import (
    MOST_LIMIT,
    InvalidCursor,
    InvalidSort,
    escaped,
    mark_profile,
    search_profiles,
)
from users.sql import search as sql
from users.terms import query_words, search_columns, words_in

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
    deadline=None,
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
)
def test_search_is_a_filter_and_a_sort(
    tenant: Tenant,
    people: list[dict[str, Any]],
    words: list[str],
    sort: str,
    direction: str,
    limit: int,
    offset: int,
    mapped_after: int,
) -> None:
    SearchMap.objects.all().delete()
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
    for word in SearchWord.objects.filter(map=made).order_by("bit")[:5]:
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
                        "most": 10**9,
                        "map_id": made.pk,
                        "wanted": sql.mask([word.bit], made.bits),
                        "patterns": sql.text_array([f"% {escaped(word.key)}%"]),
                    },
                )
                expected = [
                    profile
                    for profile in profiles
                    if any(each.startswith(word.key) for each in words_in(profile.search_words))
                ]
                assert found.count == len(expected)
