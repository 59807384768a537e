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

from atelier.core.database import violated_constraint
from atelier.core.errors import Conflict, Invalid, NotFound
from users.identities import canonical_email, canonical_mobile
from users.models import DEFAULT_PROFILE_TYPE, Profile, ProfileQuerySet
from users.sql import profiles as sql


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
        email_key=canonical_email(email),
        mobile=mobile,
        mobile_key=canonical_mobile(mobile, country),
        gender=gender,
        birth_date=birth_date,
        address=address,
        city=city,
        country=country,
        latitude=latitude,
        longitude=longitude,
        created_by=by,
    )
    with _writing(has_account=account is not None):
        profile.save(force_insert=True)
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
    with _writing(has_account=account is not None):
        columns |= _keys(tenant_id, profile_id, changes)
        updated = _live(tenant_id, profile_id).update(**columns, updated_by=by, updated_at=Now())
        if not updated:
            raise UnknownProfile


def delete_profile(*, tenant_id: UUID, profile_id: UUID, by: str) -> None:
    """Delete softly: nobody but staff sees it, and its address and number are free again.

    Locks the row. Raises UnknownProfile, for a deleted one too.
    """
    if not _live(tenant_id, profile_id).update(deleted_by=by, deleted_at=Now()):
        raise UnknownProfile


def restore_profile(*, tenant_id: UUID, profile_id: UUID, by: str) -> None:
    """Undo a deletion; a live profile stays as it is. Locks the row.

    Raises UnknownProfile, and EmailTaken, MobileTaken or ProfileTypeTaken where another profile
    has taken its place.
    """
    profiles = Profile.objects.of_tenant(tenant_id).filter(pk=profile_id)
    with _writing(has_account=False):
        restored = profiles.filter(deleted_at__isnull=False).update(
            deleted_by="", deleted_at=None, updated_by=by, updated_at=Now()
        )
        if not restored and not profiles.live().exists():
            raise UnknownProfile


def find_profile(*, tenant_id: UUID, tenant: str, profile_id: UUID) -> bytes:
    """The live profile as `GET /profiles/:id` shows it, as JSON. One query by the primary key.

    `tenant` is the tenant's name. Raises UnknownProfile.
    """
    found = sql.profile(
        profile_id=profile_id, tenant_id=tenant_id, tenant=tenant, pictures=settings.MEDIA_URL
    )
    if found is None:
        raise UnknownProfile
    return found


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


def _keys(tenant_id: UUID, profile_id: UUID, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The canonical columns that the changes touch. A number belongs to its country, so that either
    is read, under a lock, where the other changes."""
    keys: dict[str, Any] = {}
    if "email" in changes:
        keys["email_key"] = canonical_email(changes["email"])
    if not {"mobile", "country"} & changes.keys():
        return keys
    kept = _live(tenant_id, profile_id).select_for_update().values("mobile", "country").first()
    if kept is None:
        raise UnknownProfile
    now = {**kept, **changes}
    keys["mobile_key"] = canonical_mobile(now["mobile"], now["country"])
    return keys


@contextmanager
def _writing(*, has_account: bool) -> Iterator[None]:
    """A transaction whose refused writes are named. A foreign key is looked at when it commits, or
    before the end of the block where an account is given."""
    try:
        with transaction.atomic():
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
