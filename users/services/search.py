"""Search over a tenant's profiles: free text, nine orders, pages.

How a page is found follows from how frequent its words are; what is found does not. docs/users.md
tells the ways and what each costs.
"""

import base64
import re
from dataclasses import dataclass
from itertools import islice
from math import ceil, prod
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings

from atelier.core.errors import Invalid
from users.models import SORTS
from users.sql import search as sql
from users.sql.search import MOST_LIMIT
from users.terms import SHORT, index_key, map_key, map_keys, query_words, words_in

DEFAULT_SORT = "created_at DESC"
MOST_OFFSET = 10_000
# A walk that may be in vain looks at so many rows. Some milliseconds.
MOST_WALKED = 5_000
# A walk is given up when it is so many times as long as it should be, unless all else takes far
# longer.
PATIENCE = 4
# Of one word's zones, so many times as many as rows are wanted are looked at first.
SPARE = 4
# What it takes to gather, against reading a row of an order: a row from anywhere; an entry of the
# shortest list, which is looked up in the others; an entry of any.
ANYWHERE, LOOKED_UP, LISTED = 2, 0.08, 0.008


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
    Holds a lock that keeps new maps away until the transaction ends, and perhaps words of the map.
    Once in a transaction; `users.services.mapping.mark_profiles` is for many. Three short queries,
    one more while a map is being built.
    """
    sql.lock_shared(tenant_id)
    for map_id, words, zones in sql.standing(tenant_id, [profile_id]):
        keys = {key for word in words_in(words) for key in map_keys(word)}
        sql.set_bits(map_id, sorted(keys), zones)


def _found(order: sql.Order, words: list[str], params: dict[str, Any]) -> sql.Found:
    """By the way that costs least, as far as the map knows; another one where that gives up."""
    if not words:
        is_deep = params["limit"] + params["offset"] > MOST_LIMIT
        return sql.page("all_deep" if is_deep else "all", order, params)
    params["patterns"] = sql.text_array([f"% {escaped(word)}%" for word in words])
    keys = {word: map_key(word) for word in words}
    lists = {index_key(word, is_anywhere=True) for word in words}
    known = sql.known(list({*keys.values()}), list(lists), order, params)
    if known is None:
        walked = sql.page("walk", order, {**params, "most": MOST_WALKED})
        if walked.count == params["limit"]:
            return walked
        return _gathered(order, words, params, by_word=True)
    rare = [word for word in words if keys[word] not in known.words]
    if rare:
        return _gathered(order, rare, params, by_word=True)
    if known.masks:
        return _found_in_zones(order, words, params, known)
    _, chosen = _gathering(words, known, by_word=True)
    return _gathered(order, chosen, params, by_word=True)


def _found_in_zones(
    order: sql.Order, words: list[str], params: dict[str, Any], known: sql.Known
) -> sql.Found:
    """All words are frequent. Costs are counted in rows that are read."""
    zones = {sort: known.common(number) for number, sort in enumerate(SORTS)}
    if not all(zones.values()):
        # Each profile with all the words stands somewhere in each order.
        return sql.Found(0, None, b"[]")
    size = known.profiles / known.zones
    nearest = min(zones, key=lambda sort: zones[sort].bit_count())
    to_read = zones[nearest].bit_count() * size
    # As if words knew nothing of each other.
    having = [known.words[map_key(word)] for word in words]
    share = prod(min(1.0, count / known.profiles) for count in having)
    likely = max(1.0, min(to_read, share * known.profiles))
    # The addresses of a frequent word are too many to be looked up for the others.
    by_word = len(words) == 1
    to_gather, chosen = _gathering(words, known, by_word=by_word)

    left = _left(zones[order.sort], order, known)
    whole = left.bit_count() * size
    expected = (params["limit"] + params["offset"]) * whole / likely
    instead = max(MOST_WALKED, min(to_read, to_gather))
    asked = {**params, "map_id": known.id}
    if min(whole, expected) <= instead:
        patient = max(MOST_WALKED, min(PATIENCE * expected, instead / 2), instead / 8)
        most = ceil((whole if whole <= instead else patient) / size)
        # Zones of one word have each had somebody with it, so that some are enough.
        enough = SPARE * (params["limit"] + params["offset"] + 1) if len(words) == 1 else most
        for wanted in sorted({min(enough, most), most}):
            asked["zones"] = _numbers(left, order, known, most=wanted)
            walked = sql.page("walk_zones", order, asked)
            if walked.count == params["limit"] or len(asked["zones"]) == left.bit_count():
                return walked
    if to_gather < to_read:
        return _gathered(order, chosen, params, by_word=by_word)
    asked["zones"] = _numbers(zones[nearest], sql.Order(nearest, False), known)
    return sql.page("gather_zones", order, asked, zones_of=nearest)


def _gathering(words: list[str], known: sql.Known, *, by_word: bool) -> tuple[float, list[str]]:
    """By which of the words all is gathered at the least cost, the rarest first, and that cost.

    The list of a further word is read in the index where it spares enough rows.
    """
    having = {word: known.words[map_key(word)] for word in words}
    listed = {
        word: known.words.get(index_key(word, is_anywhere=True), having[word]) for word in words
    }
    rarest = min(words, key=(having if by_word else listed).__getitem__)
    entries = (having if by_word else listed)[rarest]
    rows = float(entries)
    chosen, read, cost = [rarest], entries, ANYWHERE * rows
    for word in sorted(set(words) - {rarest}, key=listed.__getitem__):
        read += listed[word]
        rows *= min(1.0, listed[word] / known.profiles)
        with_it = ANYWHERE * rows + LOOKED_UP * entries + LISTED * read
        if with_it > cost:
            break
        chosen, cost = [*chosen, word], with_it
    return cost, chosen


def _left(bits: int, order: sql.Order, known: sql.Known) -> int:
    """Zones of an order without those before the place where the page begins."""
    if known.begin is None:
        return bits
    begin = known.begin - _first(order, known)
    return bits & (2 << begin) - 1 if order.is_descending else bits >> begin << begin


def _numbers(
    bits: int, order: sql.Order, known: sql.Known, *, most: int | None = None
) -> list[int]:
    """Of so many zones, in their order."""
    text = f"{bits:b}"[:: 1 if order.is_descending else -1]
    places = [found.start() for found in islice(re.finditer("1", text), most)]
    first = _first(order, known)
    if order.is_descending:
        return [first + len(text) - 1 - place for place in places]
    return [first + place for place in places]


def _first(order: sql.Order, known: sql.Known) -> int:
    return list(SORTS).index(order.sort) * known.zones


def _gathered(
    order: sql.Order, words: list[str], params: dict[str, Any], *, by_word: bool
) -> sql.Found:
    """All that has these words is read. A long first one is looked up as such, `by_word`; others by
    their first letters."""
    prefix, (first, *others) = str(params["tenant_id"])[:4], words
    keys = [prefix + index_key(word, is_anywhere=True) for word in others]
    if len(first) > SHORT and by_word:
        keys.append(prefix + index_key(first, is_anywhere=False))
        asked = {**params, "index_keys": sql.text_array(keys), "word": first}
        return sql.page("gather_word", order, asked)
    keys.append(prefix + index_key(first, is_anywhere=True))
    return sql.page("gather_keys", order, {**params, "index_keys": sql.text_array(keys)})


def escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _cursor(order: sql.Order, last: tuple[str, str]) -> str:
    place = orjson.dumps([order.sort, order.is_descending, *last])
    return base64.urlsafe_b64encode(place).decode().rstrip("=")


def _read_cursor(text: str, order: sql.Order) -> dict[str, Any]:
    try:
        place = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        sort, is_descending, key, profile_id = place
        is_text = isinstance(key, str) and "\0" not in key
        if (sort, is_descending) != (order.sort, order.is_descending) or not is_text:
            raise ValueError("of another order")
        SORTS[sort].check(key)
        return {"after_key": key, "after_id": UUID(profile_id)}
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidCursor("That does not lead on from a page of this order.") from error
