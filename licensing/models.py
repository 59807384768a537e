"""Regions, networks and licences as they are kept.

PostgreSQL refuses a write of a licence that does not go through the write door. Regions, their
groups and networks need none: no answer that depends on a visitor's region is ever stored.
"""

import ipaddress
from collections.abc import Collection
from typing import Any

from django import forms
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import BigIntegerRangeField, DateTimeRangeField, RangeOperators
from django.contrib.postgres.indexes import GistIndex
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import ExpressionWrapper, F, Func, GeneratedField, Q, Value
from django.db.models.functions import Coalesce, Now
from simple_history.models import HistoricalRecords

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class NetworkField(models.Field):
    """A network of IPv4 or IPv6, `cidr` in PostgreSQL and a network of `ipaddress` in Python."""

    description = "Network"

    def db_type(self, connection: Any) -> str:
        return "cidr"

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Network | None:
        return None if value is None else ipaddress.ip_network(value)

    def to_python(self, value: Any) -> Network | None:
        if value is None:
            return None
        try:
            network = ipaddress.ip_network(str(value).strip())
        except ValueError as error:
            raise ValidationError(f"{value} is no network: {error}.") from error
        if "%" in str(network):
            raise ValidationError(f"{value} names a zone, which is another one on each machine.")
        mapped = isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped
        if mapped and network.prefixlen >= 96:
            return ipaddress.ip_network((mapped, network.prefixlen - 96))
        return network

    def get_prep_value(self, value: Any) -> str | None:
        network = self.to_python(super().get_prep_value(value))
        return None if network is None else str(network)

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"form_class": forms.CharField, **kwargs})


class Region(models.Model):
    """A country of ISO 3166-1, or Kosovo under its usual code. The id is the numeric code."""

    id = models.IntegerField(primary_key=True)
    code = models.TextField()
    name = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["code"], name="region_code_once"),
            models.CheckConstraint(condition=Q(code__regex="^[A-Z]{2}$"), name="region_code_form"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.code})"


class RegionGroup(models.Model):
    """Regions that a licence may name together, such as EU."""

    id = models.AutoField(primary_key=True)
    code = models.TextField()
    name = models.TextField()
    members = models.ManyToManyField(Region, related_name="groups")

    history = HistoricalRecords(m2m_fields=[members])

    class Meta:
        verbose_name = "group of regions"
        verbose_name_plural = "groups of regions"
        constraints = [
            models.UniqueConstraint(fields=["code"], name="region_group_code_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.code})"


class NetworkOverride(models.Model):
    """What the operator knows better than every other source; the most specific network wins."""

    id = models.BigAutoField(primary_key=True)
    network = NetworkField()
    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="+", db_index=False)
    note = models.TextField(blank=True, default="")
    changed_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["network"], name="override_network_once"),
        ]
        indexes = [
            GistIndex(fields=["network"], opclasses=["inet_ops"], name="override_by_network"),
        ]

    def __str__(self) -> str:
        return str(self.network)


class RangeSource(models.Model):
    """The ranges of one source, as one import brought them: the next import makes a new row.

    Sources with lower precedence are asked first. `lines` counts what the files held, `rejected`
    and `unplaced` those that were bad or name no country, `ranges` what is left after overlaps
    were flattened and neighbours joined.
    """

    id = models.BigAutoField(primary_key=True)
    name = models.TextField()
    precedence = models.SmallIntegerField(default=100)
    layout = models.TextField()
    files = models.TextField()
    lines = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)
    unplaced = models.BigIntegerField(default=0)
    ranges = models.BigIntegerField(default=0)
    loaded_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = "address table"
        constraints = [
            models.UniqueConstraint(fields=["name"], name="range_source_name_once"),
        ]

    def __str__(self) -> str:
        return self.name


class IpRange(models.Model):
    """Addresses of one region. Ranges of one source never overlap, so the one with the greatest
    first address up to an address is the only one that can hold it.
    """

    pk = models.CompositePrimaryKey("source_id", "first_address")
    # Without a constraint: it would be checked for each of half a million rows, which only one
    # service writes and deletes.
    source = models.ForeignKey(
        RangeSource,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    first_address = models.GenericIPAddressField()
    last_address = models.GenericIPAddressField()
    region = models.ForeignKey(
        Region, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )

    def __str__(self) -> str:
        return f"{self.first_address} to {self.last_address}"


class Effect(models.TextChoices):
    ALLOW = "allow", "may be shown"
    DENY = "deny", "may not be shown"


def _alone(number: str) -> Func:
    """A number as the range that holds it alone: so exclusion needs no extension."""
    return Func(
        F(number), F(number), Value("[]"), function="int8range", output_field=BigIntegerRangeField()
    )


class ProductLicence(models.Model):
    """Whether a product may be shown in a territory, from a moment to another or for good.

    A territory is a region or a group. Windows of one product and territory never overlap.
    """

    id = models.BigAutoField(primary_key=True)
    product = models.ForeignKey(
        "products.Product", on_delete=models.CASCADE, related_name="licences", db_index=False
    )
    region = models.ForeignKey(
        Region, on_delete=models.PROTECT, related_name="+", null=True, blank=True, db_index=False
    )
    group = models.ForeignKey(
        RegionGroup,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        db_index=False,
    )
    # Regions count up from 1 and groups down from -1.
    territory = GeneratedField(
        expression=Coalesce(
            F("region"),
            ExpressionWrapper(F("group") * -1, output_field=models.IntegerField()),
            output_field=models.IntegerField(),
        ),
        output_field=models.IntegerField(),
        db_persist=True,
    )
    effect = models.TextField(choices=Effect.choices, default=Effect.ALLOW)
    valid_from = models.DateTimeField(db_default=Now())
    valid_until = models.DateTimeField(null=True, blank=True)
    note = models.TextField(blank=True, default="")

    history = HistoricalRecords(excluded_fields=["territory"])

    class Meta:
        verbose_name = "licence"
        constraints = [
            models.CheckConstraint(
                condition=Q(region=None, group__isnull=False) | Q(region__isnull=False, group=None),
                name="licence_names_region_or_group",
            ),
            models.CheckConstraint(
                condition=Q(effect__in=Effect.values), name="licence_effect_known"
            ),
            models.CheckConstraint(
                condition=Q(valid_until=None) | Q(valid_until__gt=F("valid_from")),
                name="licence_ends_after_it_begins",
            ),
            ExclusionConstraint(
                name="licence_windows_apart",
                expressions=[
                    (_alone("product"), RangeOperators.OVERLAPS),
                    (_alone("territory"), RangeOperators.OVERLAPS),
                    (
                        Func(
                            F("valid_from"),
                            F("valid_until"),
                            function="tstzrange",
                            output_field=DateTimeRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
            ),
        ]
        indexes = [models.Index(fields=["product", "id"], name="licence_by_product")]

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """Left to PostgreSQL and the services: a form would tell the constraint's name."""

    def __str__(self) -> str:
        return f"{self.effect} product {self.product_id}"
