"""Search over a tenant's profiles: free text, nine orders, pages.

How a page is found follows from how frequent its words are; what is found does not. docs/users.md
tells the ways and what each costs.
"""

import base64
from dataclasses import dataclass
from math import prod
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings

from atelier.core.errors import Invalid
from users.models import SORTS
from users.sql import search as sql
from users.terms import SHORT, index_key, map_key, map_keys, query_words, words_in

DEFAULT_SORT = "created_at DESC"
MOST_LIMIT = 100
MOST_OFFSET = 10_000
# A walk without a map looks at so many rows. Some milliseconds.
MOST_WALKED = 5_000
# What it takes to merge the lists of words, against reading a row.
LIST_SHARE = 0.03


class InvalidSort(Invalid):
    code = "invalid_sort"


class InvalidCursor(Invalid):
    code = "invalid_cursor"


@dataclass(frozen=True, slots=True)
class SearchPage:
    """profiles: a JSON array as `POST /profiles/_search` answers it; next: `after` of the next
    page, None after the last."""

    profiles: bytes
    count: int
    next: str | None


def search_profiles(
    *,
    tenant_id: UUID,
    query: str,
    sort_by: str = DEFAULT_SORT,
    limit: int,
    offset: int = 0,
    after: str | None = None,
) -> SearchPage:
    """Live profiles that have all words of the query (`users.terms`), in the order of `sort_by`.

    An empty query means all. `sort_by` is a name of `users.models.SORTS`, with ASC or DESC behind;
    ties go by the id. At most MOST_LIMIT rows, at most MOST_OFFSET are skipped; `after`, from the
    page before, leads on from there at no more cost. Raises InvalidSort and InvalidCursor. From two
    to four queries; nothing is locked.
    """
    order = read_order(sort_by)
    words = query_words(query)
    params: dict[str, Any] = {
        "tenant_id": tenant_id,
        "pictures": settings.MEDIA_URL,
        "limit": max(0, min(limit, MOST_LIMIT)),
        "offset": max(0, min(offset, MOST_OFFSET)),
    }
    if after is not None:
        params |= _read_cursor(after, order)
    found = (
        _found(order, words, params) if words or not query.split() else sql.Found(0, None, b"[]")
    )
    full = found.last is not None and found.count == params["limit"]
    return SearchPage(
        found.profiles, found.count, _cursor(order, found.last) if full and found.last else None
    )


def read_order(sort_by: str) -> sql.Order:
    """`gender DESC` as an order; ascending unless it says so. Raises InvalidSort."""
    name, _, direction = sort_by.strip().partition(" ")
    if name not in SORTS or direction.strip().upper() not in {"", "ASC", "DESC"}:
        raise InvalidSort(f"sort_by is one of {', '.join(SORTS)}, with ASC or DESC.")
    return sql.Order(name, direction.strip().upper() == "DESC")


def mark_profile(*, tenant_id: UUID, profile_id: UUID) -> None:
    """Let search know of a profile that the same transaction wrote.

    Every write of a live profile ends with it; without it, a frequent word may miss the profile.
    Holds a lock that keeps new maps away until the transaction ends. Three short queries, rarely a
    fourth.
    """
    sql.lock_shared(tenant_id)
    words = sql.words_of(tenant_id, profile_id)
    keys = {key for word in words_in(words or "") for key in map_keys(word)}
    for map_id, wanted in sql.bits_of(tenant_id, sorted(keys)):
        sql.set_bits(map_id, profile_id, wanted)


def _found(order: sql.Order, words: list[str], params: dict[str, Any]) -> sql.Found:
    """By the way that costs least, as far as the map knows; another one where that gives up."""
    if not words:
        return sql.page("all", order, params)
    params["patterns"] = sql.text_array([f"% {_escaped(word)}%" for word in words])
    keys = {word: map_key(word) for word in words}
    known = sql.known(params["tenant_id"], list(set(keys.values())))
    if known is None:
        walking = {**params, "most": MOST_WALKED}
        walked = sql.page("walk", order, walking)
        if walked.count == params["limit"]:
            return walked
        return _gathered(order, words, params, are_rare=True)
    frequent = known["words"] or {}
    rare = [word for word in words if keys[word] not in frequent]
    if rare:
        return _gathered(order, rare, params, are_rare=True)
    plan = _Plan.of(known["profiles"], [profiles for _, profiles in frequent.values()])
    if (params["limit"] + params["offset"]) <= plan.gathered * plan.share:
        bits = [bit for bit, _ in frequent.values()]
        walking = {
            **params,
            "map_id": known["id"],
            "wanted": sql.mask(bits, known["bits"]),
            "most": max(MOST_WALKED, plan.gathered),
        }
        walked = sql.page("walk_zones", order, walking)
        if walked.count == params["limit"]:
            return walked
    return _gathered(order, words, params, are_rare=False)


@dataclass(frozen=True, slots=True)
class _Plan:
    """share: of all profiles, those that have all words, if words know nothing of each other;
    gathered: what it costs to gather them, in rows."""

    share: float
    gathered: int

    @classmethod
    def of(cls, profiles: int, having: list[int]) -> "_Plan":
        share = prod(min(1.0, count / max(1, profiles)) for count in having)
        lists = sum(having) if len(having) > 1 else 0
        return cls(share, int(share * profiles + LIST_SHARE * lists))


def _gathered(
    order: sql.Order, words: list[str], params: dict[str, Any], *, are_rare: bool
) -> sql.Found:
    """All that has these words is read. The longest is looked up alone where it says much, or else
    all of them by their first letters."""
    prefix, longest = str(params["tenant_id"])[:4], words[0]
    if len(longest) > SHORT and (are_rare or len(words) == 1):
        keys = [prefix + index_key(longest, is_anywhere=False)]
        asked = {**params, "index_keys": sql.text_array(keys), "word": longest}
        return sql.page("gather_word", order, asked)
    keys = [prefix + index_key(word, is_anywhere=True) for word in words]
    return sql.page("gather_keys", order, {**params, "index_keys": sql.text_array(keys)})


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _cursor(order: sql.Order, last: tuple[str, str]) -> str:
    place = orjson.dumps([order.sort, order.is_descending, *last])
    return base64.urlsafe_b64encode(place).decode().rstrip("=")


def _read_cursor(text: str, order: sql.Order) -> dict[str, Any]:
    try:
        place = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        sort, is_descending, key, profile_id = place
        if (sort, is_descending) != (order.sort, order.is_descending) or "\0" in key:
            raise ValueError("of another order")
        SORTS[sort].check(key)
        return {"after_key": key, "after_id": UUID(profile_id)}
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidCursor("That does not lead on from a page of this order.") from error
