"""The reads of preferences that PostgreSQL answers as JSON."""

from uuid import UUID

from atelier.core.database import fetch_json

# Indexes: the primary key of profiles, one_preference_a_key. A profile has few.
_ALL = """
SELECT coalesce((
    SELECT jsonb_object_agg(key, value) FROM users_preference WHERE profile_id = profile.id
), '{}')::text
FROM users_profile profile
WHERE id = %(profile_id)s AND tenant_id = %(tenant_id)s AND deleted_at IS NULL
"""

_ONE = """
SELECT preference.value::text
FROM users_profile profile JOIN users_preference preference ON preference.profile_id = profile.id
WHERE profile.id = %(profile_id)s AND tenant_id = %(tenant_id)s AND deleted_at IS NULL
    AND preference.key = %(key)s
"""


def preferences(*, profile_id: UUID, tenant_id: UUID) -> bytes | None:
    """Key to value; None where the tenant has no such live profile."""
    return fetch_json(_ALL, {"profile_id": profile_id, "tenant_id": tenant_id})


def preference(*, profile_id: UUID, tenant_id: UUID, key: str) -> bytes | None:
    """The value of a key; None where there is none."""
    return fetch_json(_ONE, {"profile_id": profile_id, "tenant_id": tenant_id, "key": key})
