"""Maps that are built while profiles are written: no frequent word misses a profile."""

import random
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import UUID

import orjson
import pytest
from django.db import transaction

from tests.factories.users import ProfileFactory, TenantFactory
from tests.threads import Aside, Crew
from tests.users.profiles import zones_of
from tests.waiting import wait_until
from users.models import (
    SORTS,
    Profile,
    SearchCount,
    SearchMap,
    SearchWord,
    SearchZone,
    Tenant,
)
from users.services import mapping
from users.services.search import mark_profile, search_profiles
from users.sql import search as sql
from users.terms import map_keys, words_in

WRITERS = 4


@pytest.fixture
def tenant(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Tenant:
    monkeypatch.setattr(mapping, "MAPPED_FROM", 1)
    monkeypatch.setattr(mapping, "FREQUENT_FROM", 2)
    monkeypatch.setattr(mapping, "SMALLEST_ZONE", 3)
    made = TenantFactory()
    for number in range(30):
        ProfileFactory(tenant=made, full_name=f"Ann {number}", gender=f"g{number % 7}")
    return made


def found_in_zones(tenant: Tenant, word: SearchWord, sort: str) -> int:
    page = sql.page(
        "walk_zones",
        sql.Order(sort, False),
        {
            "tenant_id": tenant.pk,
            "pictures": "",
            "limit": 100_000,
            "offset": 0,
            "map_id": word.map_id,
            "zones": zones_of(word, sort),
            "patterns": sql.text_array([f"% {word.key}%"]),
        },
    )
    return page.count


def everything_is_found(tenant: Tenant) -> None:
    live = list(Profile.objects.filter(tenant=tenant, deleted_at=None))
    words = SearchWord.objects.filter(map__tenant=tenant, map__is_used=True).select_related("map")
    assert words
    for word in words:
        having = [
            each
            for each in live
            if any(word.key in map_keys(own) for own in words_in(each.search_words))
        ]
        for sort in SORTS:
            assert found_in_zones(tenant, word, sort) == len(having), (word.key, sort)


def until(built: threading.Event) -> Iterator[int]:
    """Numbers of rounds: while maps are built, and three after the last."""
    number = 0
    while not built.is_set():
        yield number
        number += 1
    yield from range(number, number + 3)


def write(tenant: Tenant, seed: int, built: threading.Event) -> None:
    """New profiles, here and there in all orders."""
    draw = random.Random(seed)
    for number in until(built):
        with transaction.atomic():
            name = draw.choice(("Ann", "Bob", "Cy"))
            made = ProfileFactory(
                tenant=tenant,
                full_name=name,
                email=f"{name}{seed}x{number}@mail.example",
                gender=f"g{draw.randrange(30)}",
                city=f"c{draw.randrange(30)}",
            )
            mark_profile(tenant_id=tenant.pk, profile_id=made.pk)
            if draw.random() < 0.2:
                transaction.set_rollback(True)


def load(tenant: Tenant, seed: int, built: threading.Event) -> None:
    """Some new profiles at once, as an import writes them."""
    for number in until(built):
        with transaction.atomic():
            made = [
                ProfileFactory(
                    tenant=tenant,
                    full_name=f"{name} Loaded",
                    email=f"{name}{seed}x{number}@load.example",
                    gender=f"g{number + 10 * place}",
                ).pk
                for place, name in enumerate(("Cy", "Bob", "Ann"))
            ]
            mapping.mark_profiles(tenant_id=tenant.pk, profile_ids=made)


def build(tenant: Tenant, built: threading.Event) -> None:
    try:
        for _ in range(2):
            mapping.map_tenant(tenant_id=tenant.pk)
    finally:
        built.set()


@pytest.mark.parametrize("turns", [2, pytest.param(20, marks=pytest.mark.long)])
def test_a_map_built_while_writers_write_misses_nothing(tenant: Tenant, turns: int) -> None:
    with Crew(WRITERS + 2) as crew:
        for number in range(turns):
            built = threading.Event()
            writers = [partial(write, tenant, number * WRITERS + n, built) for n in range(WRITERS)]
            crew.run(
                [*writers, partial(load, tenant, number, built), partial(build, tenant, built)]
            )
            everything_is_found(tenant)
    assert SearchMap.objects.filter(tenant=tenant, is_used=True).count() == 1


def test_a_map_waits_for_a_write_that_is_not_committed(tenant: Tenant) -> None:
    aside = None
    try:
        with transaction.atomic():
            made = ProfileFactory(tenant=tenant, full_name="Ann Late", gender="zz")
            mark_profile(tenant_id=tenant.pk, profile_id=made.pk)
            aside = Aside(partial(mapping.map_tenant, tenant_id=tenant.pk))
            with pytest.raises(TimeoutError):
                aside._future.result(0.7)
        aside.result()
    finally:
        if aside is not None:
            aside.__exit__()
    everything_is_found(tenant)
    page = search_profiles(tenant_id=tenant.pk, query="ann", sort_by="gender DESC", limit=1)
    assert orjson.loads(page.profiles)[0]["profile_id"] == str(made.pk)


def test_a_map_that_a_load_gives_up_meanwhile_is_not_used(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping.map_tenant(tenant_id=tenant.pk)
    real = mapping.sql.each_live

    def loaded_meanwhile(tenant_id: object) -> object:
        mapping.forget_map(tenant_id=tenant.pk)
        ProfileFactory(tenant=tenant, full_name="Ann Loaded")
        return real(tenant.pk)

    monkeypatch.setattr(mapping.sql, "each_live", loaded_meanwhile)
    with pytest.raises(mapping.Busy):
        mapping.map_tenant(tenant_id=tenant.pk)
    assert not SearchMap.objects.filter(is_kept=True).exists()
    page = search_profiles(tenant_id=tenant.pk, query="loaded", limit=1)
    assert page.count == 1


def test_a_tenant_that_became_small_loses_its_map(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mapping.map_tenants() == 1
    monkeypatch.setattr(mapping, "MAPPED_FROM", 1000)
    assert mapping.map_tenants() == 0
    assert not SearchMap.objects.filter(is_kept=True).exists()


@pytest.mark.parametrize("builds", [1, 2, 3])
@pytest.mark.parametrize("is_loaded", [False, True])
def test_a_search_that_has_read_a_map_still_finds_its_zones(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, builds: int, is_loaded: bool
) -> None:
    """Whatever gives it up before the zones are walked, and however often."""
    mapping.map_tenant(tenant_id=tenant.pk)
    real = sql.known

    def replaced_behind(*asked: Any) -> sql.Known | None:
        found = real(*asked)
        if is_loaded:
            mapping.forget_map(tenant_id=tenant.pk)
        for _ in range(builds):
            mapping.map_tenant(tenant_id=tenant.pk)
        return found

    monkeypatch.setattr(sql, "known", replaced_behind)
    assert search_profiles(tenant_id=tenant.pk, query="ann", limit=100).count == 30


def test_what_no_search_walks_any_more_is_removed(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        mapping.map_tenant(tenant_id=tenant.pk)
    assert SearchMap.objects.filter(tenant=tenant).count() == 3
    monkeypatch.setattr(mapping, "IDLE_SECONDS", 0)
    mapping.map_tenant(tenant_id=tenant.pk)
    used = SearchMap.objects.get(tenant=tenant)
    assert used.is_used
    for model in (SearchWord, SearchCount, SearchZone):
        assert set(model.objects.values_list("map", flat=True)) <= {used.pk}


def test_of_two_builds_one_waits_for_the_other(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapping.sql, "LOCK_SECONDS", 0.05)
    real = mapping.sql.each_live
    under_way: list[UUID] = []
    said: list[str] = []

    def alone(tenant_id: UUID) -> Any:
        under_way.append(tenant_id)
        wait_until(lambda: any("waiting" in line for line in said), "the build that waits")
        assert len(under_way) == 1
        yield from real(tenant_id)
        under_way.clear()

    monkeypatch.setattr(mapping.sql, "each_live", alone)
    build = partial(mapping.map_tenant, tenant_id=tenant.pk, say=said.append)
    with Crew(2) as crew:
        assert crew.run([build] * 2) == [True, True]
    assert any("waiting" in line for line in said)
    everything_is_found(tenant)
    assert SearchMap.objects.filter(tenant=tenant, is_kept=True).count() == 1
