"""The statements of search (docs/users.md#search): pages of whole profiles as JSON, and the map.

Not the ORM: each statement is made so that it has one plan only. An order is walked along its index
(`walk`), or along some of its zones (`walk_zones`), and left when the page is full; or all that has
the words is gathered, and sorted (`gather`). Each row is compared with the words themselves, which
are patterns of LIKE. Statements are put together from the constants of `users.models.search`; what
callers send travels as parameters.

PostgreSQL plans a prepared statement anew each time, half a millisecond, for as long as plans that
know their parameters look cheaper than one that does not. So most statements hide theirs from it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from operator import and_
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from atelier.core.database import fetch_json
from users.models import SORTS
from users.sql.profiles import LEGACY_COLUMNS

# Of advisory locks: bits are kept up.
LOCK_CLASS = 0x5EA2C4

MOST_LIMIT = 100

_GIVEN = re.compile(r"%\(\w+\)s::([a-z]+(?:\[\])?)")
_HIDDEN = r"(SELECT \g<0>)::\1"

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
    SELECT {key} AS key, profile.id, profile.search_words FROM {live}
"""
_LIVE = "users_profile profile WHERE {tenant} AND profile.deleted_at IS NULL{condition}"
_OF_TENANT = "profile.tenant_id = %(tenant_id)s::uuid"
# The same, for which no index is looked up.
_ALSO_OF_TENANT = f"({_OF_TENANT}) IS TRUE"
_ORDER = "ORDER BY {key} {direction}, profile.id {direction}"
_AFTER = """
        AND ({key}, profile.id) {beyond} (%(after_key)s::{kind}, %(after_id)s::uuid)"""
# No printable character comes later.
_LAST = "chr(1114111)"
_HAS_WORDS = "search_words LIKE ALL (%(patterns)s::text[])"

# Index: that of the order, `profile_by_...`. A first page has no more, which its plan has to know;
# `all_deep` may need a hundred times as many.
_ALL = "SELECT key, id FROM ({rows} {order} LIMIT {most_limit}) walked"
_ALL_DEEP = "{rows} {order}"

# Index: that of the order. The inner limit keeps the condition out of the walk, which it bounds.
_WALK = f"""
    SELECT key, id FROM ({{rows}} {{order}} LIMIT %(most)s::bigint) walked
    WHERE {_HAS_WORDS}
"""  # noqa: S608 - constants only

# The rows of a zone, which the order's index has.
_IN_ZONE = """
            AND ({key}, profile.id) >= (zone.lower_key::{kind}, zone.lower_id)
            AND ({key}, profile.id) < (zone.upper_key::{kind}, zone.upper_id)"""

# Indexes: one_search_zone_a_number, and that of the order for each zone. Zones are disjoint and
# come in their order, so that the rows of a nested loop over them come in theirs.
_WALK_ZONES = f"""
    SELECT walked.key, walked.id FROM (
        SELECT * FROM users_searchzone zone
        WHERE zone.map_id = %(map_id)s::bigint AND zone.number = ANY (%(zones)s::integer[])
        ORDER BY zone.number {{direction}}
    ) zone CROSS JOIN LATERAL (
        {{rows}}{{in_zone}}
            AND profile.{_HAS_WORDS}
        ORDER BY {{zone_key}} {{direction}}, profile.id {{direction}}
    ) walked
"""  # noqa: S608 - constants only

# Gathered before it is sorted, lest the order be walked for it.
_GATHER = """
    SELECT key, id FROM (
        WITH gathered AS MATERIALIZED ({gathered})
        SELECT key, id FROM gathered
    ) gathered
    ORDER BY key {direction}, id {direction}
"""
_GATHERED = """
    SELECT {key} AS key, profile.id FROM {live} AND {source} AND profile.{has_words}
""".replace("{has_words}", _HAS_WORDS)
# Index: profile_by_search_key, whose keys have the tenant in them.
_BY_KEYS = _GATHERED.replace("{live}", "{live_by_keys}").replace(
    "{source}",
    "users_search_keys(profile.tenant_id, profile.search_words) @> %(index_keys)s::text[]",
)


def _beginning(key: str, word: str) -> str:
    source = f"{key} >= {word} AND {key} < {word} || {_LAST}"
    return _GATHERED.replace("{source}", source)


# Indexes: profile_by_search_key, profile_by_email_key, profile_by_mobile_key (with and without its
# plus).
_BY_WORD = " UNION ".join(
    [
        _BY_KEYS,
        _beginning(SORTS["email_id"].key, "%(word)s::text"),
        _beginning(SORTS["mobile"].key, "%(word)s::text"),
        _beginning(SORTS["mobile"].key, "('+' || %(word)s::text)"),
    ]
)

_KINDS = {
    "all": _ALL,
    "all_deep": _ALL_DEEP,
    "walk": _WALK,
    "walk_zones": _WALK_ZONES,
    # Indexes: as above.
    "gather_zones": _GATHER.replace("{gathered}", _WALK_ZONES),
    "gather_keys": _GATHER.replace("{gathered}", _BY_KEYS),
    "gather_word": _GATHER.replace("{gathered}", _BY_WORD),
}
# How many rows they should expect is among the parameters.
_PLANNED_ANEW = {"all_deep", "walk"}


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
def _statement(kind: str, order: Order, zones_of: str, is_after: bool) -> str:
    sort = SORTS[order.sort]
    direction, opposite = ("DESC", "ASC") if order.is_descending else ("ASC", "DESC")
    names = {
        "key": sort.key,
        "kind": sort.kind,
        "text": sort.text,
        "direction": direction,
        "opposite": opposite,
        "beyond": "<" if order.is_descending else ">",
        "columns": LEGACY_COLUMNS,
        "most_limit": MOST_LIMIT,
        "zone_key": SORTS[zones_of].key,
        "in_zone": _IN_ZONE.format(key=SORTS[zones_of].key, kind=SORTS[zones_of].kind),
    }
    names["condition"] = _AFTER.format(**names) if is_after else ""
    names["live"] = _LIVE.format(tenant=_OF_TENANT, **names)
    names["live_by_keys"] = _LIVE.format(tenant=_ALSO_OF_TENANT, **names)
    names["rows"] = _ROWS.format(**names)
    names["order"] = _ORDER.format(**names)
    names["rows"] = _KINDS[kind].format(**names)
    statement = _PAGE.format(**names)
    return statement if kind in _PLANNED_ANEW else _GIVEN.sub(_HIDDEN, statement)


def page(kind: str, order: Order, params: Mapping[str, Any], *, zones_of: str = "") -> Found:
    """The page that one of the statements finds: all, all_deep, walk, walk_zones, gather_zones,
    gather_keys or gather_word. `all` finds no more than the first MOST_LIMIT.

    `params`: tenant_id, pictures, limit and offset; after_key and after_id, where it begins after a
    place; patterns, for all but `all`; most, of `walk`; map_id and zones, their numbers, which are
    of this order for `walk_zones`, and of `zones_of` for `gather_zones`; index_keys of the other
    gathers, and word.
    """
    statement = _statement(kind, order, zones_of or order.sort, "after_id" in params)
    text = fetch_json(statement, params) or b"0\n\n[]"
    count, last, profiles = text.split(b"\n", 2)
    return Found(int(count), tuple(orjson.loads(last)) if last else None, profiles)


@dataclass(frozen=True, slots=True)
class Known:
    """What a tenant's map knows of words: its id, how many profiles and zones an order it was made
    for, and how many profiles have which beginnings, unless they are rare. masks: the zones of each
    of the words, if all are frequent; else none. begin: the number of the zone where the page
    begins, if not at an end."""

    id: int
    profiles: int
    zones: int
    words: dict[str, int]
    masks: list[bytes]
    begin: int | None

    def common(self, number: int) -> int:
        """The zones of an order, the first of SORTS is 0, where all the words may be, as bits."""
        first = number * self.zones
        start, stop = first // 8, -(-(first + self.zones) // 8)
        masks = (int.from_bytes(mask[start:stop], "little") for mask in self.masks)
        return reduce(and_, masks) >> first % 8 & (1 << self.zones) - 1


# A line of JSON, and the masks as they are. Indexes: one_search_map_a_tenant,
# one_search_word_a_key, one_search_count_a_key, one_search_zone_a_beginning.
_KNOWN = _GIVEN.sub(
    _HIDDEN,
    """
SELECT convert_to(json_build_array(map.id, map.profiles, map.zones, (
        SELECT json_object_agg(word.key, word.profiles) FROM (
            SELECT key, profiles FROM users_searchword
            WHERE map_id = map.id AND key = ANY (%(beginnings)s::text[])
            UNION ALL SELECT key, profiles FROM users_searchcount
            WHERE map_id = map.id AND key = ANY (%(beginnings)s::text[])
        ) word
    ), (
        SELECT zone.number FROM users_searchzone zone
        WHERE zone.map_id = map.id AND zone.sort = %(sort)s::text
            AND (zone.lower_key, zone.lower_id) <= (%(after_key)s::text, %(after_id)s::uuid)
        ORDER BY zone.lower_key DESC, zone.lower_id DESC LIMIT 1
    ))::text || E'\\n', 'UTF8') || coalesce((
        SELECT CASE WHEN count(*) = cardinality(%(words)s::text[])
            THEN string_agg(word.zones, ''::bytea) END
        FROM users_searchword word WHERE word.map_id = map.id AND word.key = ANY (%(words)s::text[])
    ), ''::bytea)
FROM users_searchmap map WHERE map.tenant_id = %(tenant_id)s::uuid AND map.is_used
""",
)


def known(
    words: Sequence[str], lists: Sequence[str], order: Order, params: Mapping[str, Any]
) -> Known | None:
    """What the tenant's map knows of these words and lists, by their beginnings, and of the place
    after which a page of `params` begins; None without a map."""
    asked = {
        "after_key": None,
        "after_id": None,
        **params,
        "sort": order.sort,
        "words": text_array(words),
        "beginnings": text_array([*words, *lists]),
    }
    found = fetch_json(_KNOWN, asked)
    if found is None:
        return None
    head, _, masks = found.partition(b"\n")
    map_id, profiles, zones, counts, begin = orjson.loads(head)
    size = len(masks) // len(words)
    return Known(
        map_id,
        profiles,
        zones,
        counts or {},
        [masks[start : start + size] for start in range(0, len(masks), size or 1)],
        begin,
    )


# Indexes: the primary key, the foreign key of maps, one_search_zone_a_beginning.
_STANDING = """
SELECT map.id, profile.search_words, ARRAY(
    SELECT (
        SELECT zone.number FROM users_searchzone zone
        WHERE zone.map_id = map.id AND zone.sort = place.sort
            AND (zone.lower_key, zone.lower_id) <= (place.key, profile.id)
        ORDER BY zone.lower_key DESC, zone.lower_id DESC LIMIT 1
    )
    FROM (VALUES {places}) place (sort, key)
)
FROM users_profile profile JOIN users_searchmap map ON map.tenant_id = profile.tenant_id
WHERE profile.id = ANY (%(profile_ids)s) AND profile.tenant_id = %(tenant_id)s AND map.is_kept
ORDER BY map.id
""".replace("{places}", ", ".join(f"('{name}', {sort.text})" for name, sort in SORTS.items()))

# Indexes: one_search_word_a_key, the primary key. Rows are locked in the order of their ids, here
# and wherever else more than one is, so that nobody waits in a circle. A mask is read once, and not
# for each of its bits.
_SET_BITS = """
UPDATE users_searchword word SET zones = {set}
FROM (
    SELECT lacking.id FROM users_searchword lacking CROSS JOIN LATERAL (
        SELECT lacking.zones || ''::bytea AS zones OFFSET 0
    ) read
    WHERE lacking.map_id = %(map_id)s AND lacking.key = ANY (%(keys)s)
        AND EXISTS (
            SELECT FROM unnest(%(zones)s::integer[]) zone WHERE get_bit(read.zones, zone) = 0
        )
    ORDER BY lacking.id FOR NO KEY UPDATE OF lacking
) lacking
WHERE word.id = lacking.id
"""


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


def standing(tenant_id: UUID, profile_ids: Sequence[UUID]) -> list[tuple[int, str, list[int]]]:
    """For each profile and each of the tenant's maps, used or being built, by their ids: the map,
    the profile's search words, and the zones where it stands."""
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, {"tenant_id": tenant_id, "profile_ids": list(profile_ids)})
        return cursor.fetchall()


def set_bits(map_id: int, keys: Sequence[str], zones: Sequence[int]) -> None:
    """Set the bits of these zones for these beginnings, as far as they are not and the map has
    them."""
    changed = "word.zones"
    for zone in zones:
        changed = f"set_bit({changed}, {int(zone)}, 1)"
    with connection.cursor() as cursor:
        cursor.execute(
            _SET_BITS.replace("{set}", changed),
            {"map_id": map_id, "keys": list(keys), "zones": list(zones)},
        )


def text_array(texts: Sequence[str]) -> str:
    """A text[] as PostgreSQL reads it."""
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in quoted) + "}"
