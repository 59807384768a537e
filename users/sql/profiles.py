"""The reads of profiles and preferences that PostgreSQL answers as JSON, one statement each.

Not the ORM: these are busy routes, and the server builds the bytes. `row_to_json` keeps the key
order of the select list and writes no white space. Each statement names the tenant, whose rows
alone it sees, and `pictures`, the address below which pictures lie.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any
from uuid import UUID

from atelier.core.database import fetch_json

# How many rows one page of the list looks at, whatever its filters leave of them.
MOST_WALKED = 10_000
# Before the first profile.
FIRST = ("-infinity", UUID(int=0))


def _instant(column: str) -> str:
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


_PICTURE = "%(pictures)s::text || nullif(profile.image, '')"
_BIRTH_DATE = "to_char(profile.birth_date, 'YYYY-MM-DD')"

# A row `profile` in the spelling of the legacy API (contract 4), which knew no absent values.
LEGACY_COLUMNS = f"""
    profile.tenant_id, profile.id AS profile_id, profile.full_name, profile.gender AS "Gender",
    profile.email AS email_id, profile.mobile, coalesce({_BIRTH_DATE}, '') AS "BirthDate",
    profile.city AS "CityID", profile.country AS "CountryID", profile.address AS "Address",
    coalesce(profile.latitude, 0) AS "Latitude", coalesce(profile.longitude, 0) AS "Longitude",
    coalesce({_PICTURE}, '') AS "ProfileImageURL", profile.is_active::text AS "Active",
    profile.created_by AS "CreatedBy", {_instant("profile.created_at")} AS "CreatedAt",
    profile.updated_by AS "UpdatedBy", {_instant("profile.updated_at")} AS "UpdatedAt",
    profile.deleted_by AS "DeletedBy", {_instant("profile.deleted_at")} AS "DeletedAt"
"""

_COLUMNS = f"""
    profile.id, %(tenant)s::text AS tenant, profile.account_id AS account, profile.profile_type,
    profile.full_name, profile.email, profile.mobile, profile.gender,
    {_BIRTH_DATE} AS birth_date, profile.address, profile.city, profile.country,
    profile.latitude, profile.longitude, {_PICTURE} AS image_url, profile.is_active,
    profile.created_by, {_instant("profile.created_at")} AS created_at,
    profile.updated_by, {_instant("profile.updated_at")} AS updated_at
"""

# Indexes: the primary key.
_PROFILE = f"""
SELECT row_to_json(answer)::text FROM (
    SELECT {_COLUMNS} FROM users_profile profile
    WHERE profile.id = %(profile_id)s AND profile.tenant_id = %(tenant_id)s
        AND profile.deleted_at IS NULL
) answer
"""  # noqa: S608 - constants only

# Each walk goes by age and stops after MOST_WALKED rows. Indexes, by what is asked for first: the
# partial unique ones of e-mail and mobile, either of the two that begin with the account;
# profile_by_created_at. In the order of ids alone, the primary key would be walked through other
# tenants' rows.
_WALK = """
SELECT {columns} FROM users_profile
WHERE tenant_id = %(tenant_id)s AND deleted_at IS NULL
    AND (created_at, id) > (%(after)s::timestamptz, %(after_id)s::uuid){condition}
ORDER BY created_at, id
"""
_SELECTIVE = {
    "email_key": " AND email_key = %(email_key)s",
    "mobile_key": " AND mobile_key = %(mobile_key)s",
    "account": " AND account_id = %(account)s",
}
_PLACE = f"{_instant('created_at')} || '_' || id"
# The last row of a full page leads on, or else the last that was walked, if there may be more.
_LIST = f"""
WITH page AS MATERIALIZED (
    SELECT * FROM ({{rows}} LIMIT {MOST_WALKED}) walked
    WHERE (%(email_key)s::text IS NULL OR email_key = %(email_key)s)
        AND (%(mobile_key)s::text IS NULL OR mobile_key = %(mobile_key)s)
        AND (%(account)s::bigint IS NULL OR account_id = %(account)s)
        AND (%(profile_type)s::text IS NULL OR profile_type = %(profile_type)s)
        AND (%(gender)s::text IS NULL OR gender = %(gender)s)
        AND (%(country)s::text IS NULL OR country = %(country)s)
        AND (%(city)s::text IS NULL OR city = %(city)s)
        AND (%(is_active)s::boolean IS NULL OR is_active = %(is_active)s)
    ORDER BY created_at, id LIMIT %(limit)s
)
SELECT row_to_json(answer)::text FROM (
    SELECT array_to_json(ARRAY(
        SELECT row_to_json(entry) FROM (
            SELECT {_COLUMNS} FROM page profile ORDER BY profile.created_at, profile.id
        ) entry
    )) AS results,
    CASE WHEN (SELECT count(*) FROM page) = %(limit)s
        THEN (SELECT {_PLACE} FROM page ORDER BY created_at DESC, id DESC LIMIT 1)
        ELSE (SELECT {_PLACE} FROM ({{places}} OFFSET {MOST_WALKED - 1} LIMIT 1) last_walked)
    END AS next
) answer
"""  # noqa: S608 - constants only


def profile(*, profile_id: UUID, tenant_id: UUID, tenant: str, pictures: str) -> bytes | None:
    """The live profile as `GET /profiles/:id` shows it; None where the tenant has none such."""
    return fetch_json(
        _PROFILE,
        {
            "profile_id": profile_id,
            "tenant_id": tenant_id,
            "tenant": tenant,
            "pictures": pictures,
        },
    )


def profile_page(
    *,
    tenant_id: UUID,
    tenant: str,
    filters: Mapping[str, Any],
    after: tuple[str, UUID],
    limit: int,
    pictures: str,
) -> bytes:
    """The page of live profiles after a time and an id, as `GET /profiles` shows it.

    `filters` are columns and the values that they have, of email_key, mobile_key, account,
    profile_type, gender, country, city and is_active. Costs at most two walks of MOST_WALKED rows.
    """
    chosen = next((name for name in _SELECTIVE if name in filters), "")
    asked = {name: filters.get(name) for name in _FILTERS}
    params = {
        **asked,
        "tenant_id": tenant_id,
        "tenant": tenant,
        "after": after[0],
        "after_id": after[1],
        "limit": limit,
        "pictures": pictures,
    }
    return fetch_json(_list(chosen), params) or b""


_FILTERS = (*_SELECTIVE, "profile_type", "gender", "country", "city", "is_active")


@cache
def _list(chosen: str) -> str:
    condition = _SELECTIVE.get(chosen, "")
    return _LIST.format(
        rows=_WALK.format(columns="*", condition=condition),
        places=_WALK.format(columns="created_at, id", condition=condition),
    )
