"""The statements of search (docs/users.md#search): pages of whole profiles as JSON, and the map.

Not the ORM: each statement is made so that it has one plan only. An order is walked along its index
(`walk`), or along those zones of it that can hold the words (`walk_zones`), and stops after so many
rows; or all that has the words is gathered and sorted (`gather`). Each row is compared with the
words themselves, which are patterns of LIKE. Statements are put together from the constants of
`users.models.search`; what callers send travels as parameters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from atelier.core.database import fetch_json
from users.models import SORTS
from users.sql.profiles import LEGACY_COLUMNS

# Of advisory locks: bits are kept up.
LOCK_CLASS = 0x5EA2C4

# A page in one text: how many rows, the last one's place in the order, and the rows.
_PAGE = """
WITH page AS MATERIALIZED (
    {rows} LIMIT %(limit)s::bigint OFFSET %(offset)s::bigint
)
SELECT count(*) || E'\\n' || coalesce((
        SELECT json_build_array({text}, profile.id)
        FROM page JOIN users_profile profile ON profile.id = page.id
        ORDER BY page.key {opposite}, page.id {opposite} LIMIT 1
    )::text, '') || E'\\n[' || coalesce(string_agg(shown.json, ',' ORDER BY page.key {direction},
        page.id {direction}), '') || ']'
FROM page CROSS JOIN LATERAL (
    SELECT row_to_json(entry)::text AS json FROM (
        SELECT {columns} FROM users_profile profile WHERE profile.id = page.id
    ) entry
) shown
"""

_ROWS = """
    SELECT {key} AS key, profile.id, profile.search_words FROM users_profile profile
    WHERE profile.tenant_id = %(tenant_id)s AND profile.deleted_at IS NULL{condition}
"""
_ORDER = "ORDER BY {key} {direction}, profile.id {direction}"
_AFTER = """
        AND ({key}, profile.id) {beyond} (%(after_key)s::{kind}, %(after_id)s::uuid)"""
# No printable character comes later.
_LAST = "chr(1114111)"
_HAS_WORDS = "search_words LIKE ALL (%(patterns)s::text[])"

# Index: that of the order, `profile_by_...`.
_ALL = "{rows} {order}"

# Index: that of the order. The inner limit keeps the condition out of the walk, which it bounds.
_WALK = f"""
    SELECT key, id FROM ({{rows}} {{order}} LIMIT %(most)s::bigint) walked
    WHERE {_HAS_WORDS}
"""  # noqa: S608 - constants only

# Indexes: one_search_zone_a_beginning, and that of the order for each zone. Zones are disjoint and
# come in their order, so that the rows of a nested loop over them come in theirs.
_WALK_ZONES = f"""
    SELECT key, id FROM (
        SELECT walked.* FROM users_searchzone zone
        CROSS JOIN LATERAL (
            {{rows}}
            AND ({{key}}, profile.id) >= (zone.lower_key::{{kind}}, zone.lower_id)
            AND ({{key}}, profile.id) < (zone.upper_key::{{kind}}, zone.upper_id)
            {{order}}
        ) walked
        WHERE zone.map_id = %(map_id)s AND zone.sort = '{{sort}}'
            AND (zone.mask & %(wanted)s::varbit) = %(wanted)s::varbit{{zones_left}}
        ORDER BY zone.lower_key {{direction}}, zone.lower_id {{direction}}
        LIMIT %(most)s::bigint
    ) walked
    WHERE {_HAS_WORDS}
"""  # noqa: S608 - constants only
_ZONES_AFTER = {
    "ASC": " AND (zone.upper_key, zone.upper_id) > (%(after_key)s, %(after_id)s::uuid)",
    "DESC": " AND (zone.lower_key, zone.lower_id) <= (%(after_key)s, %(after_id)s::uuid)",
}

# Gathered before it is sorted, lest the order be walked for it.
_GATHER = f"""
    SELECT key, id FROM (
        WITH gathered AS MATERIALIZED (
            {{rows}}
            AND {{source}}
            AND profile.{_HAS_WORDS}
        )
        SELECT key, id FROM gathered
    ) gathered
    ORDER BY key {{direction}}, id {{direction}}
"""  # noqa: S608 - constants only
# Index: profile_by_search_key.
_BY_KEYS = "users_search_keys(profile.tenant_id, profile.search_words) @> %(index_keys)s::text[]"
# Indexes: profile_by_search_key, profile_by_email_key, profile_by_mobile_key (with and without its
# plus).
_BY_WORD = f"""(
    {_BY_KEYS}
    OR ({SORTS["email_id"].key} >= %(word)s::text
        AND {SORTS["email_id"].key} < %(word)s::text || {_LAST})
    OR ({SORTS["mobile"].key} >= %(word)s::text
        AND {SORTS["mobile"].key} < %(word)s::text || {_LAST})
    OR ({SORTS["mobile"].key} >= '+' || %(word)s::text
        AND {SORTS["mobile"].key} < '+' || %(word)s::text || {_LAST})
)"""


@dataclass(frozen=True, slots=True)
class Found:
    """profiles: a JSON array as the legacy route shows them; last: key and id of the last one."""

    count: int
    last: tuple[str, str] | None
    profiles: bytes


@dataclass(frozen=True, slots=True)
class Order:
    sort: str
    is_descending: bool


@cache
def _statement(kind: str, order: Order, is_after: bool) -> str:
    sort = SORTS[order.sort]
    direction, opposite = ("DESC", "ASC") if order.is_descending else ("ASC", "DESC")
    names = {
        "key": sort.key,
        "kind": sort.kind,
        "sort": order.sort,
        "text": sort.text,
        "direction": direction,
        "opposite": opposite,
        "beyond": "<" if order.is_descending else ">",
        "columns": LEGACY_COLUMNS,
        "zones_left": _ZONES_AFTER[direction] if is_after else "",
    }
    names["condition"] = _AFTER.format(**names) if is_after else ""
    names["rows"] = _ROWS.format(**names)
    names["order"] = _ORDER.format(**names)
    names["rows"] = {
        "all": _ALL,
        "walk": _WALK,
        "walk_zones": _WALK_ZONES,
        "gather_keys": _GATHER.replace("{source}", _BY_KEYS),
        "gather_word": _GATHER.replace("{source}", _BY_WORD),
    }[kind].format(**names)
    return _PAGE.format(**names)


def page(kind: str, order: Order, params: Mapping[str, Any]) -> Found:
    """The page that one of the statements finds: all, walk, walk_zones, gather_keys or
    gather_word.

    `params`: tenant_id, pictures, limit and offset; after_key and after_id, where it begins after a
    place; patterns, for all but `all`; most, of the walks; map_id and wanted; index_keys of both
    gathers, and word.
    """
    text = fetch_json(_statement(kind, order, "after_id" in params), params) or b"0\n\n[]"
    count, last, profiles = text.split(b"\n", 2)
    return Found(int(count), tuple(orjson.loads(last)) if last else None, profiles)


# Indexes: one_search_map_a_tenant, one_search_word_a_key.
_KNOWN = """
SELECT row_to_json(answer)::text FROM (
    SELECT map.id, map.profiles, map.bits, (
        SELECT json_object_agg(word.key, json_build_array(word.bit, word.profiles))
        FROM users_searchword word WHERE word.map_id = map.id AND word.key = ANY (%(keys)s::text[])
    ) AS words
    FROM users_searchmap map WHERE map.tenant_id = %(tenant_id)s AND map.is_used
) answer
"""


def known(tenant_id: UUID, keys: Sequence[str]) -> dict[str, Any] | None:
    """The tenant's map: id, profiles, bits, and words, of those keys that are frequent: bit and how
    many profiles. None without a map."""
    found = fetch_json(_KNOWN, {"tenant_id": tenant_id, "keys": text_array(keys)})
    return None if found is None else orjson.loads(found)


# Indexes: the foreign key of maps, one_search_word_a_key.
_BITS = """
SELECT map.id, map.bits, ARRAY(
    SELECT word.bit FROM users_searchword word
    WHERE word.map_id = map.id AND word.key = ANY (%(keys)s)
)
FROM users_searchmap map WHERE map.tenant_id = %(tenant_id)s AND map.is_kept ORDER BY map.id
"""

# Indexes: one_search_zone_a_beginning, the primary keys. Rows are locked in the order of their ids,
# here and wherever else more than one is, so that nobody waits in a circle.
_SET_BITS = """
UPDATE users_searchzone zone SET mask = zone.mask | %(wanted)s::varbit
FROM (
    SELECT lacking.id FROM users_searchzone lacking
    WHERE lacking.id = ANY (ARRAY(
        SELECT (
            SELECT zone.id FROM users_searchzone zone
            WHERE zone.map_id = %(map_id)s AND zone.sort = place.sort
                AND (zone.lower_key, zone.lower_id) <= (place.key, profile.id)
            ORDER BY zone.lower_key DESC, zone.lower_id DESC LIMIT 1
        )
        FROM users_profile profile CROSS JOIN LATERAL (VALUES {places}) place (sort, key)
        WHERE profile.id = %(profile_id)s
    )) AND (lacking.mask & %(wanted)s::varbit) <> %(wanted)s::varbit
    ORDER BY lacking.id FOR NO KEY UPDATE
) lacking
WHERE zone.id = lacking.id
""".replace("{places}", ", ".join(f"('{name}', {sort.text})" for name, sort in SORTS.items()))


def lock_shared(tenant_id: UUID) -> None:
    """Until the transaction's end no map of the tenant is begun."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock_shared(%(class)s, hashtext(%(tenant_id)s::text))",
            {"class": LOCK_CLASS, "tenant_id": str(tenant_id)},
        )


def try_lock(tenant_id: UUID) -> bool:
    """Whether nobody holds `lock_shared`; nobody gets it then until the transaction's end."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(%(class)s, hashtext(%(tenant_id)s::text))",
            {"class": LOCK_CLASS, "tenant_id": str(tenant_id)},
        )
        return bool(cursor.fetchone()[0])


def words_of(tenant_id: UUID, profile_id: UUID) -> str | None:
    """The search words of a profile, deleted or not, as this transaction sees it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT search_words FROM users_profile WHERE id = %s AND tenant_id = %s",
            [profile_id, tenant_id],
        )
        found = cursor.fetchone()
    return None if found is None else str(found[0])


def bits_of(tenant_id: UUID, keys: Sequence[str]) -> list[tuple[int, str]]:
    """The tenant's maps, used or being built, by their ids, and the mask of those keys that each
    knows."""
    with connection.cursor() as cursor:
        cursor.execute(_BITS, {"tenant_id": tenant_id, "keys": list(keys)})
        return [(map_id, mask(bits, size)) for map_id, size, bits in cursor.fetchall() if bits]


def set_bits(map_id: int, profile_id: UUID, wanted: str) -> None:
    """Set them in those zones where the profile stands in the orders, as far as they are not."""
    with connection.cursor() as cursor:
        cursor.execute(_SET_BITS, {"map_id": map_id, "profile_id": profile_id, "wanted": wanted})


def mask(bits: Sequence[int], size: int) -> str:
    """A bit mask as PostgreSQL reads it; `size` is a multiple of eight."""
    octets = bytearray(size // 8)
    for bit in bits:
        octets[bit >> 3] |= 128 >> (bit & 7)
    return f"x{octets.hex()}"


def text_array(texts: Sequence[str]) -> str:
    """A text[] as PostgreSQL reads it."""
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in quoted) + "}"
