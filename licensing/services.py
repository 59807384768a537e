"""Where an address is, whether a product may be shown there, and every write of this app.

Licences are public data: they commit through the write door, under the scopes of all answers that
the product takes part in.
"""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import orjson
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError
from django.db.models import QuerySet
from django.db.models.functions import Now

from atelier.core.database import violated_constraint
from atelier.core.errors import Conflict, Invalid, NotFound, Withheld
from atelier.core.publishing import Publication, ScopeError, publish
from licensing import mmdb, sql
from licensing.deciding import Decision, Term, decide
from licensing.models import Effect, Network, NetworkOverride, ProductLicence, Region

Rows = TypeVar("Rows", bound="QuerySet[Any]")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class InvalidAddress(Invalid):
    code = "invalid_address"


class UnknownRegion(Invalid):
    code = "unknown_region"


class UnknownProduct(NotFound):
    code = "unknown_product"


class InvalidLicence(Invalid):
    code = "invalid_licence"


class AmbiguousTerritory(InvalidLicence):
    pass


class EndsTooEarly(InvalidLicence):
    pass


class LicenceOverlaps(Conflict):
    code = "licence_overlaps"


class LicenceChanged(Conflict):
    code = "licence_changed"


class OverrideExists(Conflict):
    code = "override_exists"


class NotLicensed(Withheld):
    """The product may not be shown in the visitor's region."""

    code = "not_licensed"

    def __init__(self, product_id: int) -> None:
        super().__init__(
            "Error: this product is not available in your region",
            blocked_by=f"/licensing/products/{product_id}",
        )


@dataclass(frozen=True, slots=True)
class Place:
    """A region as a look-up names it: alpha-2 code and English name."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Found:
    """The region of an address, and why.

    `source` is `override`, `mmdb`, `ranges NAME`, `policy` (UNKNOWN_REGION) or `none`; `network`
    is the network or the range of addresses that the source has, empty for the last two.
    """

    address: str
    region: Place | None
    region_id: int | None
    source: str
    network: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A decision about a product in a region, which is None where it is unknown."""

    product_id: int
    region: str | None
    decision: Decision


def region_of(address: str) -> Found:
    """The region of an IP address; an IPv4-mapped IPv6 address counts as IPv4.

    Raises InvalidAddress. One statement, and a look into the MMDB file where one is configured.
    """
    parsed = _parsed(address)
    row = sql.region_of(
        str(parsed), mmdb=mmdb.find(parsed), unknown_code=settings.UNKNOWN_REGION or ""
    )
    source, network, region_id, code, name = orjson.loads(row)
    place = None if region_id is None else Place(code, name)
    return Found(str(parsed), place, region_id, source, _as_network(network))


def region_expression(address: str, *, mmdb_code: str | None = None) -> str:
    """An SQL expression for statements of the apps above: the id of the region of an address, an
    SQL expression of type inet, as `region_of` answers; null where no source knows it.

    mmdb_code: an SQL expression of what `country_in_file` says of it. Costs some index probes.
    """
    code = settings.UNKNOWN_REGION or ""
    is_code = code.isascii() and code.isalpha()
    return sql.region_expression(
        address,
        mmdb_code=mmdb_code or "NULL",
        unknown_code=f"'{code}'" if is_code else "NULL",
    )


def has_country_file() -> bool:
    """Whether the operator has an MMDB file, which only a process can ask."""
    return bool(settings.GEOIP_MMDB)


def country_in_file(address: str) -> str | None:
    """The code of the country that the file has for an address. Raises InvalidAddress."""
    found = mmdb.find(_parsed(address))
    return None if found is None else found[0]


def region_of_visitor(address: str) -> Found | None:
    """The same for the address of a visitor, None where nobody says it."""
    try:
        return region_of(address)
    except InvalidAddress:
        return None


def visitors_region(address: str) -> int | None:
    """The id of the region of a visitor's address; None where address or region is unknown."""
    found = region_of_visitor(address)
    return None if found is None else found.region_id


def region_named(code: str) -> Region:
    """Raises UnknownRegion."""
    wanted = code.strip().upper()
    if wanted.isascii() and wanted.isalpha():
        region = Region.objects.filter(code=wanted).first()
        if region is not None:
            return region
    raise UnknownRegion("No region has this ISO 3166-1 alpha-2 code.")


def licence_answer(*, product_id: int, region_id: int | None, code: str | None) -> Answer:
    """May the product be shown in the region now, and until when.

    Raises UnknownProduct. One statement, which takes the database's clock.
    """
    is_known, decision = _decision(product_id, region_id)
    if not is_known:
        raise UnknownProduct("There is no such product.")
    return Answer(product_id, code, decision)


def require_licence(*, product_id: int, address: str) -> int | None:
    """For a product that has licences: the id of the visitor's region, None where it is unknown.

    Raises NotLicensed where the product may not be shown there. Two statements.
    """
    region_id = visitors_region(address)
    if not _decision(product_id, region_id)[1].is_allowed:
        raise NotLicensed(product_id)
    return region_id


def restriction(product: str) -> str:
    """An SQL condition for statements of the apps above: the product with this id, an SQL
    expression, has licences. Costs the probe of an index.
    """
    return sql.is_restricted(product)


def first_restricted() -> str:
    """An SQL query for statements of the apps above: the lowest id of a product with licences."""
    return sql.FIRST_RESTRICTED


def permission(product: str, region: str) -> str:
    """An SQL condition for statements of the apps above: the product may now be shown in a region.

    Both are SQL expressions of ids, the region's null where it is unknown.
    """
    return sql.may_be_shown(product, region)


def only_shown(products: Rows, *, region_id: int | None) -> Rows:
    """The products of a queryset that may be shown now in the region."""
    return products.filter(sql.shown_in(region_id))


def create_licence(
    *,
    product_id: int,
    effect: str,
    region_id: int | None = None,
    group_id: int | None = None,
    valid_from: datetime | None = None,
    valid_until: datetime | None = None,
    note: str = "",
    changed_by: AbstractBaseUser | None = None,
) -> ProductLicence:
    """Add a licence, from now on where no moment is given.

    Raises UnknownProduct, InvalidLicence, LicenceOverlaps, and LicenceChanged where another product
    has begun to show this one meanwhile. Locks the product.
    """
    licence = ProductLicence(
        product_id=product_id,
        region_id=region_id,
        group_id=group_id,
        effect=effect,
        valid_until=valid_until,
        note=note,
    )
    if valid_from is not None:
        licence.valid_from = valid_from
    _change(product_id, lambda: _save(licence, changed_by))
    return licence


def update_licence(
    *, licence_id: int, changes: dict[str, Any], changed_by: AbstractBaseUser | None = None
) -> None:
    """Change columns of a licence, the product's apart. Raises as create_licence does, and
    ProductLicence.DoesNotExist.
    """
    product_id = ProductLicence.objects.values_list("product_id", flat=True).get(pk=licence_id)

    def change() -> None:
        licence = ProductLicence.objects.get(pk=licence_id)
        for name, value in changes.items():
            setattr(licence, name, value)
        _save(licence, changed_by)

    _change(product_id, change)


def delete_licence(*, licence_id: int, changed_by: AbstractBaseUser | None = None) -> None:
    """Take a licence away; the last one makes the product free everywhere.

    Raises ProductLicence.DoesNotExist and LicenceChanged.
    """
    product_id = ProductLicence.objects.values_list("product_id", flat=True).get(pk=licence_id)

    def change() -> None:
        licence = ProductLicence.objects.get(pk=licence_id)
        licence._history_user = changed_by  # type: ignore[attr-defined]
        licence.delete()

    _change(product_id, change)


def own_scopes(product_id: int) -> list[str]:
    """The cache scopes of answers about the product alone, as products.models and reviews.models
    name them; this app stands below those.
    """
    return [f"product:{product_id}", f"reviews:{product_id}", f"reviews_meta:{product_id}"]


def licence_scopes(product_id: int) -> list[str]:
    """What a door must hold to change a product's licences: lists, the product's own answers, and
    every product that shows it as related.
    """
    showing = (f"product:{other}" for other in sql.products_showing(product_id))
    return sorted({"catalogue", *own_scopes(product_id), *showing})


def set_override(
    *, network: Network | str, region_id: int, note: str = "", override_id: int | None = None
) -> NetworkOverride:
    """Add an override, or change the one with this id.

    Raises InvalidAddress, OverrideExists and NetworkOverride.DoesNotExist.
    """
    try:
        parsed = ipaddress.ip_network(str(network))
    except ValueError as error:
        raise InvalidAddress(f"{network} is no network: {error}.") from error
    fields: dict[str, Any] = {"network": parsed, "region_id": region_id, "note": note}
    try:
        if override_id is None:
            return NetworkOverride.objects.create(**fields)
        changed = NetworkOverride.objects.filter(pk=override_id)
        if not changed.update(**fields, changed_at=Now()):
            raise NetworkOverride.DoesNotExist
        return changed.get()
    except IntegrityError as error:
        if violated_constraint(error) == "override_network_once":
            raise OverrideExists(f"{parsed} has an override already.") from error
        raise


def delete_overrides(*, override_ids: list[int]) -> int:
    """Take overrides away; the number taken."""
    return NetworkOverride.objects.filter(pk__in=override_ids).delete()[0]


def _parsed(address: str) -> Address:
    try:
        parsed = ipaddress.ip_address(address.strip())
    except ValueError as error:
        raise InvalidAddress("This is no IP address.") from error
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.scope_id is not None:
            raise InvalidAddress("An address with a zone belongs to one machine only.")
        return parsed.ipv4_mapped or parsed
    return parsed


def _as_network(text: str) -> str:
    """A range of addresses as a network where it is one."""
    first, dash, last = text.partition(" - ")
    if not dash:
        return text
    begin, end = ipaddress.ip_address(first), ipaddress.ip_address(last)
    bits = (int(begin) ^ int(end)).bit_length()
    network = ipaddress.ip_network((begin, begin.max_prefixlen - bits), strict=False)
    return str(network) if (network[0], network[-1]) == (begin, end) else text


def _decision(product_id: int, region_id: int | None) -> tuple[bool, Decision]:
    found = orjson.loads(sql.terms_of(product_id, region_id=region_id))
    terms = [
        Term(region, group, effect, datetime.fromisoformat(begins), _moment(ends))
        for region, group, effect, begins, ends in found["terms"]
    ]
    now = datetime.fromisoformat(found["now"])
    return found["is_known"], decide(terms, region_id=region_id, group_ids=found["groups"], at=now)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _save(licence: ProductLicence, changed_by: AbstractBaseUser | None) -> None:
    licence._history_user = changed_by  # type: ignore[attr-defined]
    licence.save()


def _change(product_id: int, change: Callable[[], None]) -> None:
    """Carry out a change of the product's licences, and mark its scopes if it has any now."""
    try:
        with publish(*licence_scopes(product_id)) as publication:
            # Nobody can begin to show a locked product as related, so what is read now stays so.
            if not sql.lock_product(product_id):
                raise UnknownProduct("There is no such product.")
            _require_all(publication, product_id)
            change()
            is_restricted = ProductLicence.objects.filter(product_id=product_id).exists()
            publication.restrict(*own_scopes(product_id), is_restricted=is_restricted)
    except IntegrityError as error:
        constraint = violated_constraint(error)
        if constraint == "licence_windows_apart":
            raise LicenceOverlaps(
                "Another licence of this product and territory holds at the same time."
            ) from error
        if constraint in _COMPLAINTS:
            refusal, message = _COMPLAINTS[constraint]
            raise refusal(message) from error
        raise


_COMPLAINTS: dict[str, tuple[type[InvalidLicence], str]] = {
    "licence_names_region_or_group": (
        AmbiguousTerritory,
        "A licence names either a region or a group.",
    ),
    "licence_effect_known": (
        InvalidLicence,
        f"The effect is one of {', '.join(Effect.values)}.",
    ),
    "licence_ends_after_it_begins": (EndsTooEarly, "A licence ends after it begins."),
}


def _require_all(publication: Publication, product_id: int) -> None:
    try:
        publication.require(*licence_scopes(product_id))
    except ScopeError as error:
        raise LicenceChanged(
            "Another product has begun to show it as related. Try again."
        ) from error
