"""What tests of the profile routes share: two profiles as the golden files have them, requests."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import orjson

from tests.factories.users import AccountFactory, ProfileFactory, TenantFactory
from users.models import Profile, SearchWord, SearchZone, Tenant

ANN = UUID("018f0000-0000-7000-8000-000000000001")
BO = UUID("018f0000-0000-7000-8000-000000000002")
NOBODY = UUID("018f0000-0000-7000-8000-000000000009")
TENANT = UUID("018f0000-0000-7000-8000-0000000000aa")


def the_tenant() -> Tenant:
    """`default`, under the id of the golden files."""
    Tenant.objects.filter(name="default").delete()
    return TenantFactory(id=TENANT)


def ann_and_bo() -> tuple[Profile, Profile]:
    tenant = the_tenant()
    at = datetime(2026, 1, 2, 3, 4, 5, 600700, tzinfo=UTC)
    ann = ProfileFactory(
        id=ANN,
        tenant=tenant,
        account=AccountFactory(userid=1),
        full_name="Ann Lee",
        email="Ann@Example.com",
        mobile="+49 151 23456789",
        gender="female",
        birth_date=date(1990, 12, 31),
        address="Main Street 1",
        city="Berlin",
        country="DE",
        latitude=52.52,
        longitude=13.405,
        image="profiles/a.jpg",
        created_at=at,
        updated_at=at,
    )
    early = at.replace(microsecond=0)
    bo = ProfileFactory(
        id=BO,
        tenant=tenant,
        full_name="Bo",
        email="bo@example.com",
        is_active=False,
        created_at=early,
        updated_at=early,
    )
    return ann, bo


def send(client: Any, method: str, path: str, body: Any = None, **headers: str) -> Any:
    """The answer to a JSON body, or to bytes as they are."""
    data = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
    return client.generic(method, path, data, "application/json", headers=headers)


def zones_of(word: SearchWord, sort: str) -> list[int]:
    """Numbers of the zones of an order that a map has for the beginning of a word."""
    zones = SearchZone.objects.filter(map=word.map_id, sort=sort).order_by("number")
    numbers = zones.values_list("number", flat=True)
    return [number for number in numbers if word.zones[number // 8] >> number % 8 & 1]
