"""Every write on profiles, and the read of one.

Each names the tenant, whose profiles alone it sees. That two live profiles share no address, number
or type is PostgreSQL's to say: a write is tried, and the constraint that refuses it is named.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from atelier.core.control import Tags
from atelier.core.database import violated_constraint
from atelier.core.errors import Conflict, Invalid, NotFound
from atelier.core.lookups import LOOKUP_SECONDS, Lookup, look_up
from atelier.core.publishing import publish
from users.identities import canonical_email, canonical_mobile
from users.models import DEFAULT_PROFILE_TYPE, Profile, ProfileQuerySet, profile_scope
from users.services.search import mark_profile
from users.sql import profiles as sql
from users.terms import search_columns


class UnknownProfile(NotFound):
    code = "unknown_profile"

    def __init__(self) -> None:
        super().__init__("There is no such profile.")


class EmailTaken(Conflict):
    code = "email_taken"

    def __init__(self) -> None:
        super().__init__("Another profile has this e-mail address.")


class MobileTaken(Conflict):
    code = "mobile_taken"

    def __init__(self) -> None:
        super().__init__("Another profile has this mobile number.")


class ProfileTypeTaken(Conflict):
    code = "profile_type_taken"

    def __init__(self) -> None:
        super().__init__("The account has a profile of this type already.")


class NoSuchAccount(Invalid):
    code = "unknown_account"

    def __init__(self) -> None:
        super().__init__("There is no account of this userid.")


TAKEN: dict[str, type[EmailTaken | MobileTaken | ProfileTypeTaken]] = {
    "one_live_profile_an_email": EmailTaken,
    "one_live_profile_a_mobile": MobileTaken,
    "one_live_profile_a_type": ProfileTypeTaken,
}
# From these the canonical columns follow, and those that search reads.
LEADING = frozenset({"full_name", "email", "mobile", "city", "country"})
# Django names the foreign key itself, with a digest behind this.
ACCOUNT_KEY = "users_profile_account_id"


def create_profile(
    *,
    tenant_id: UUID,
    by: str,
    full_name: str,
    email: str,
    mobile: str = "",
    gender: str = "",
    birth_date: date | None = None,
    address: str = "",
    city: str = "",
    country: str = "",
    latitude: float | None = None,
    longitude: float | None = None,
    account: int | None = None,
    profile_type: str = DEFAULT_PROFILE_TYPE,
) -> UUID:
    """Add a profile of the tenant; its id.

    Waits for whoever is writing the same address, number or type. Raises InvalidEmail,
    InvalidMobile, EmailTaken, MobileTaken, ProfileTypeTaken and NoSuchAccount.
    """
    profile = Profile(
        tenant_id=tenant_id,
        account_id=account,
        profile_type=profile_type,
        full_name=full_name,
        email=email,
        mobile=mobile,
        gender=gender,
        birth_date=birth_date,
        address=address,
        city=city,
        country=country,
        latitude=latitude,
        longitude=longitude,
        created_by=by,
    )
    for name, value in _following({name: getattr(profile, name) for name in LEADING}).items():
        setattr(profile, name, value)
    with _writing(has_account=account is not None):
        profile.save(force_insert=True)
        mark_profile(tenant_id=tenant_id, profile_id=profile.pk)
    return profile.pk


def update_profile(
    *, tenant_id: UUID, profile_id: UUID, changes: Mapping[str, Any], by: str
) -> None:
    """Set the named columns of a live profile, and no others; `account` is a userid or None.

    Without changes nothing is written. The keys follow from what identifies. Locks the row. Raises
    UnknownProfile, and whatever `create_profile` raises.
    """
    if not changes and not _live(tenant_id, profile_id).exists():
        raise UnknownProfile
    if not changes:
        return
    columns = dict(changes)
    account = columns.pop("account", None)
    if "account" in changes:
        columns["account_id"] = account
    with _writing(profile_id, has_account=account is not None):
        if LEADING & changes.keys():
            columns |= _following(_kept(tenant_id, profile_id), changes)
        updated = _live(tenant_id, profile_id).update(**columns, updated_by=by, updated_at=Now())
        if not updated:
            raise UnknownProfile
        mark_profile(tenant_id=tenant_id, profile_id=profile_id)


def delete_profile(*, tenant_id: UUID, profile_id: UUID, by: str) -> None:
    """Delete softly: nobody but staff sees it, and its address and number are free again.

    Locks the row. Raises UnknownProfile, for a deleted one too.
    """
    with publish(profile_scope(profile_id)):
        if not _live(tenant_id, profile_id).update(deleted_by=by, deleted_at=Now()):
            raise UnknownProfile


def restore_profile(*, tenant_id: UUID, profile_id: UUID, by: str) -> None:
    """Undo a deletion; a live profile stays as it is. Locks the row.

    Raises UnknownProfile, and EmailTaken, MobileTaken or ProfileTypeTaken where another profile
    has taken its place.
    """
    profiles = Profile.objects.of_tenant(tenant_id).filter(pk=profile_id)
    with _writing(profile_id, has_account=False):
        restored = profiles.filter(deleted_at__isnull=False).update(
            deleted_by="", deleted_at=None, updated_by=by, updated_at=Now()
        )
        if not restored and not profiles.live().exists():
            raise UnknownProfile
        mark_profile(tenant_id=tenant_id, profile_id=profile_id)


def find_profile(
    *, tenant_id: UUID, tenant: str, profile_id: UUID, noted: Tags | None = None
) -> Lookup:
    """The live profile as `GET /profiles/:id` shows it, as JSON text, out of the cache or
    PostgreSQL.

    Never older than the last write that was answered; `noted` as `look_up` takes it. `tenant` is
    the tenant's name. Raises UnknownProfile.
    """

    def read() -> str | None:
        found = sql.profile(
            profile_id=profile_id, tenant_id=tenant_id, tenant=tenant, pictures=settings.MEDIA_URL
        )
        return None if found is None else found.decode()

    found = look_up(
        profile_scope(profile_id),
        read,
        seconds=LOOKUP_SECONDS,
        noted=noted,
        reader=reader_of(tenant_id, tenant),
    )
    if found.value is None:
        raise UnknownProfile
    return found


def reader_of(tenant_id: UUID, tenant: str) -> str:
    """Who may be shown what was looked up: a tenant, under the name that the answer holds."""
    return f"{tenant_id}:{tenant}"


def list_profiles(
    *,
    tenant_id: UUID,
    tenant: str,
    filters: Mapping[str, Any],
    after: tuple[str, UUID] | None,
    limit: int,
) -> bytes:
    """Live profiles after a time and an id, by age, as `GET /profiles` shows them, as JSON.

    `filters` are what `users.filters` reads: email and mobile in any spelling, the rest exactly. A
    number without `+` is one of the country that is asked for, if any. One query, which looks at
    ten thousand profiles at most. Raises InvalidEmail and InvalidMobile.
    """
    columns = dict(filters)
    if "account" in columns:
        columns["account"] = int(columns["account"])
    if "email" in columns:
        columns["email_key"] = canonical_email(columns.pop("email"))
    if "mobile" in columns:
        country = columns.get("country", "")
        columns["mobile_key"] = canonical_mobile(columns.pop("mobile"), country)
    return sql.profile_page(
        tenant_id=tenant_id,
        tenant=tenant,
        filters=columns,
        after=after or sql.FIRST,
        limit=limit,
        pictures=settings.MEDIA_URL,
    )


def _live(tenant_id: UUID, profile_id: UUID) -> ProfileQuerySet:
    return Profile.objects.live().of_tenant(tenant_id).filter(pk=profile_id)


def _kept(tenant_id: UUID, profile_id: UUID) -> dict[str, Any]:
    """What other columns follow from, and the keys that they have, under a lock."""
    rows = _live(tenant_id, profile_id).select_for_update()
    kept = rows.values(*LEADING, "email_key", "mobile_key").first()
    if kept is None:
        raise UnknownProfile
    return dict(kept)


def _following(kept: Mapping[str, Any], changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The canonical columns, and those that search reads, of a row and what changes in it.

    All is new without changes; with them a key stays unless what it follows from changes: a number
    belongs to its country. Raises InvalidEmail and InvalidMobile.
    """
    now = {**kept, **(changes or {})}
    changed = LEADING if changes is None else changes.keys()
    if "email" in changed:
        now["email_key"] = canonical_email(now["email"])
    if {"mobile", "country"} & set(changed):
        now["mobile_key"] = canonical_mobile(now["mobile"], now["country"])
    keys = {name: now[name] for name in ("email_key", "mobile_key")}
    words = {name: now[name] for name in ("full_name", "mobile", "city", "country")}
    return {**keys, **search_columns(**words, **keys)}


@contextmanager
def _writing(profile_id: UUID | None = None, *, has_account: bool) -> Iterator[None]:
    """A transaction whose refused writes are named, through the write door for a profile that was
    there before: nothing is cached of a new one. A foreign key is looked at when it commits, or
    before the end of the block where an account is given."""
    door = transaction.atomic() if profile_id is None else publish(profile_scope(profile_id))
    try:
        with door:
            yield
            if has_account:
                connection.check_constraints()
    except IntegrityError as error:
        constraint = violated_constraint(error)
        if constraint in TAKEN:
            raise TAKEN[constraint] from error
        if constraint.startswith(ACCOUNT_KEY):
            raise NoSuchAccount from error
        raise
