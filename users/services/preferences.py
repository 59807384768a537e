"""Preferences of a profile: any JSON value under a key. A profile that is deleted shows none."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import JSONField, Value
from django.db.models.functions import Now

from atelier.core.errors import Conflict, NotFound
from users.models import Preference, Profile
from users.services.profiles import UnknownProfile
from users.sql import preferences as sql

# All of a profile's are answered at once.
MOST_PREFERENCES = 100


class UnknownPreference(NotFound):
    code = "unknown_preference"

    def __init__(self) -> None:
        super().__init__("The profile has no such preference.")


class TooManyPreferences(Conflict):
    code = "too_many_preferences"

    def __init__(self) -> None:
        super().__init__(f"A profile has {MOST_PREFERENCES} preferences at most.")


def set_preference(*, tenant_id: UUID, profile_id: UUID, key: str, value: Any) -> None:
    """Store the value under the key, instead of the one it had.

    Locks the profile's row, so that there are never too many. Raises UnknownProfile and
    TooManyPreferences.
    """
    # Plain None would be SQL's null.
    stored = Value(value, JSONField())
    with transaction.atomic():
        _lock(tenant_id, profile_id)
        kept = Preference.objects.filter(profile=profile_id)
        if kept.filter(key=key).update(value=stored, updated_at=Now()):
            return
        if kept.count() >= MOST_PREFERENCES:
            raise TooManyPreferences
        Preference.objects.create(profile_id=profile_id, key=key, value=stored)


def remove_preference(*, tenant_id: UUID, profile_id: UUID, key: str) -> None:
    """Locks the profile's row. Raises UnknownProfile and UnknownPreference."""
    with transaction.atomic():
        _lock(tenant_id, profile_id)
        if not Preference.objects.filter(profile=profile_id, key=key).delete()[0]:
            raise UnknownPreference


def read_preferences(*, tenant_id: UUID, profile_id: UUID) -> bytes:
    """All of a profile's as one JSON object. Raises UnknownProfile. Costs a query."""
    found = sql.preferences(profile_id=profile_id, tenant_id=tenant_id)
    if found is None:
        raise UnknownProfile
    return found


def read_preference(*, tenant_id: UUID, profile_id: UUID, key: str) -> bytes:
    """The value of a key, as JSON. Raises UnknownPreference. Costs a query."""
    found = sql.preference(profile_id=profile_id, tenant_id=tenant_id, key=key)
    if found is None:
        raise UnknownPreference
    return found


def _lock(tenant_id: UUID, profile_id: UUID) -> None:
    profiles = Profile.objects.live().of_tenant(tenant_id).filter(pk=profile_id)
    if profiles.select_for_update(no_key=True).values("pk").first() is None:
        raise UnknownProfile
