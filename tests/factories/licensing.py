"""Regions as the migration makes them, overrides, ranges and licences.

Tests whose transactions are real empty every table, the regions' too; `fill_regions` brings them
back, with the ids of groups that the first group of a fresh table has.
"""

import ipaddress
from importlib import import_module
from typing import Any

import factory
from django.apps import apps
from factory.django import DjangoModelFactory

from licensing import models, services

COUNTRIES = "licensing.migrations.0002_countries"


def fill_regions() -> None:
    """Harmless where they are there."""
    if not models.Region.objects.exists():
        import_module(COUNTRIES).fill(apps, None)


def region(code: str) -> models.Region:
    return models.Region.objects.get(code=code)


def group(code: str) -> models.RegionGroup:
    return models.RegionGroup.objects.get(code=code)


class NetworkOverrideFactory(DjangoModelFactory):
    class Meta:
        model = models.NetworkOverride

    network = factory.Sequence(lambda number: ipaddress.ip_network((10 << 24) + (number << 8)))
    region = factory.LazyFunction(lambda: region("CA"))
    note = "An office"


class RangeSourceFactory(DjangoModelFactory):
    class Meta:
        model = models.RangeSource

    name = factory.Sequence(lambda number: f"source-{number}")
    layout = "own"
    files = "ranges.csv"


class IpRangeFactory(DjangoModelFactory):
    class Meta:
        model = models.IpRange

    source = factory.SubFactory(RangeSourceFactory)
    first_address = "192.0.2.0"
    last_address = "192.0.2.255"
    region = factory.LazyFunction(lambda: region("CA"))


def licence(product_id: int, territory: str, effect: str = "allow", **fields: Any) -> Any:
    """A licence by the service, so that caches learn of it; the territory is a code."""
    named = models.RegionGroup.objects.filter(code=territory).first()
    place = {"group_id": named.pk} if named else {"region_id": region(territory).pk}
    return services.create_licence(product_id=product_id, effect=effect, **place, **fields)
