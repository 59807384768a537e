"""The reads of profiles and preferences that PostgreSQL answers as JSON, one statement each.

Not the ORM: these are busy routes, and the server builds the bytes. `row_to_json` keeps the key
order of the select list and writes no white space. Each statement names the tenant, whose rows
alone it sees, and `pictures`, the address below which pictures lie.
"""

from uuid import UUID

from atelier.core.database import fetch_json

# How many rows one page of the list looks at, whatever its filters leave of them.
MOST_WALKED = 10_000
FIRST = UUID(int=0)


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
