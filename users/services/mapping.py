"""Maps of search: which parts of a large tenant's orders can hold which frequent words.

A map is begun when no writer is between its write and its commit; from then on writers keep it, and
what they had committed before is read. So a map misses nothing, and is used when it is complete.
"""

import time
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import timedelta
from math import isqrt
from typing import Any
from uuid import UUID

import numpy as np
from django.db import transaction
from django.db.models.functions import Now

from atelier.core.errors import Conflict
from atelier.core.jobs import defer
from users.models import SORTS, SearchCount, SearchMap, SearchWord, SearchZone, Tenant
from users.sql import mapping as sql
from users.sql.search import lock_shared, standing, try_lock
from users.terms import map_keys, words_in

# Smaller tenants are quick without.
MAPPED_FROM = 50_000
# The worker's task, its queue and its lock.
TASK, QUEUE = "map_profiles", "housekeeping"
# A beginning of words that so many profiles have is frequent: fewer are read and sorted in some
# milliseconds. In a smaller tenant it is the square root of WALKED times its profiles: with more of
# them, walking an order to a page of them reads fewer rows than there are of them.
FREQUENT_FROM, LEAST_FREQUENT, WALKED = 5_000, 500, 6
# Of beginnings that an eighth as many have, maps know how many.
COUNTED = 8
MOST_BITS, MOST_COUNTED = 6_144, 50_000
SAMPLED = 200_000
ZONES, SMALLEST_ZONE = 20_000, 500
STORED_AT_ONCE = 500
MASKS_AT_ONCE = 64
# Words whose bits are remembered: most are names, again and again.
MOST_KNOWN = 500_000
LONGEST_WAIT_SECONDS = 60
# A search that has read a map may still walk its zones when it is given up, for less than this.
IDLE_SECONDS = 60
LAST_ID = UUID(int=2**128 - 1)
FIRST_ID = UUID(int=0)


class Busy(Conflict):
    code = "search_map_busy"


def frequent_from(profiles: int) -> int:
    """How many of a tenant's profiles have a beginning of words that is frequent there."""
    return min(FREQUENT_FROM, max(LEAST_FREQUENT, isqrt(WALKED * profiles)))


def map_tenants(*, say: Callable[[str], object] = str) -> int:
    """Build the map of each tenant that is large enough, anew; how many there are.

    Takes minutes, and 0.7 GB, for ten million profiles. Search goes on with the map
    before. Raises Busy where writers leave no moment to begin.
    """
    mapped = 0
    for tenant in Tenant.objects.order_by("id"):
        mapped += map_tenant(tenant_id=tenant.pk, say=say)
    return mapped


def map_tenant(*, tenant_id: UUID, say: Callable[[str], object] = str) -> bool:
    """Build the tenant's map anew; False, and no map, where it is too small for one.

    Waits for whoever builds it already.
    """
    with sql.alone(tenant_id, lambda: say("Another build of this map is under way: waiting.")):
        is_mapped = _build(tenant_id, say)
        _remove_given_up(tenant_id)
    return is_mapped


def _build(tenant_id: UUID, say: Callable[[str], object]) -> bool:
    _remove_given_up(tenant_id)
    profiles = sql.count_live(tenant_id)
    if profiles < MAPPED_FROM:
        forget_map(tenant_id=tenant_id)
        return False
    begun = _begin(tenant_id, profiles)
    say(f"{len(begun.words)} frequent beginnings of words, {begun.zones} zones an order")
    for number, rows in enumerate(sql.each_live(tenant_id)):
        begun.add(rows)
        if number % 50 == 49:
            say(f"{(number + 1) * sql.BATCH} of {profiles} profiles")
    begun.store()
    _use(tenant_id, begun.map_id)
    return True


def forget_map(*, tenant_id: UUID) -> None:
    """What a load of very many profiles does instead of marking each, in its transaction.

    Search finds all the same, more slowly, until there is a map again. Holds the lock of
    `mark_profile`, and the rows of maps.
    """
    with transaction.atomic():
        lock_shared(tenant_id)
        SearchMap.objects.filter(tenant=tenant_id, is_kept=True).update(
            is_used=False, is_kept=False
        )


def _use(tenant_id: UUID, map_id: int) -> None:
    """From here on this map is read, and no other. Raises Busy where it was given up."""
    maps = SearchMap.objects.filter(tenant=tenant_id, is_kept=True)
    with transaction.atomic():
        kept = list(maps.order_by("id").select_for_update().values_list("pk", flat=True))
        if map_id not in kept:
            raise Busy("The map was given up meanwhile, for a load: build it again.")
        maps.exclude(pk=map_id).update(is_used=False, is_kept=False)
        maps.filter(pk=map_id).update(is_used=True)


def _remove_given_up(tenant_id: UUID) -> None:
    """Those that no search walks any more, as far as no writer has words of them just now: the rest
    stays until the next time."""
    given_up = SearchMap.objects.filter(tenant=tenant_id, is_kept=False)
    given_up.filter(idle_since=None).update(idle_since=Now())
    idle = given_up.filter(idle_since__lte=Now() - timedelta(seconds=IDLE_SECONDS))
    for map_id in idle.values_list("pk", flat=True):
        while sql.remove_words(map_id, STORED_AT_ONCE):
            pass
        if not SearchWord.objects.filter(map=map_id).exists():
            SearchCount.objects.filter(map=map_id).delete()
            SearchZone.objects.filter(map=map_id).delete()
            SearchMap.objects.filter(pk=map_id).delete()


def mark_profiles(*, tenant_id: UUID, profile_ids: Sequence[UUID]) -> None:
    """`mark_profile` for some thousand that one transaction wrote: all that is locked is locked in
    one order, so that nobody waits in a circle."""
    lock_shared(tenant_id)
    wanted: dict[int, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for map_id, search_words, zones in standing(tenant_id, profile_ids):
        for word in words_in(search_words):
            for key in map_keys(word):
                wanted[map_id][key].update(zones)
    for map_id, keys in sorted(wanted.items()):
        lacking = {}
        for word_id, key, mask in sql.each_mask(map_id, list(keys)):
            bits = np.zeros(8 * len(mask), dtype=bool)
            bits[list(keys[key])] = True
            added = np.packbits(bits, bitorder="little")
            if np.any(added & ~np.frombuffer(mask, dtype=np.uint8)):
                lacking[word_id] = added
        sql.add_bits(lacking)


def map_soon() -> None:
    """Let the worker build the maps of all large tenants when the caller's transaction is over."""
    defer(TASK, queue=QUEUE, lock=TASK, timestamp=int(time.time()))


class _Begun:
    """A map that writers keep already, and what all profiles add to it."""

    def __init__(
        self, *, map_id: int, words: dict[str, int], bounds: list[list[tuple[str, str]]]
    ) -> None:
        """words: the ids of `SearchWord`."""
        self.map_id = map_id
        self.words = words
        self.zones = len(bounds[0])
        self._starts = [[_place(*start) for start in starts] for starts in bounds]
        self._places = {key: place for place, key in enumerate(words)}
        self._known: dict[str, list[int]] = {}
        # A byte for eight zones and a word. A profile's words lie next to each other here, as they
        # do not in masks.
        self._bytes = np.zeros(-(-len(bounds) * self.zones // 8) * len(words), dtype=np.uint8)

    def add(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Rows of `sql.each_live`."""
        found: list[int] = []
        counts = np.empty(len(rows), dtype=np.intp)
        for number, row in enumerate(rows):
            before = len(found)
            for word in words_in(row[0]):
                found += self._places_of(word)
            counts[number] = len(found) - before
        columns = np.array(found, dtype=np.intp)
        for number, starts in enumerate(self._starts):
            place = number + 2
            zones = np.fromiter(
                (bisect_right(starts, _place(row[place], row[1])) - 1 for row in rows),
                dtype=np.intp,
                count=len(rows),
            )
            bits = np.repeat(zones + number * self.zones, counts)
            places = (bits >> 3) * len(self.words) + columns
            np.bitwise_or.at(self._bytes, places, np.left_shift(1, bits & 7).astype(np.uint8))

    def store(self) -> None:
        ids = list(self.words.values())
        masks = self._bytes.reshape(-1, max(1, len(ids))).T
        for start in range(0, len(ids), MASKS_AT_ONCE):
            stop = start + MASKS_AT_ONCE
            sql.add_bits(dict(zip(ids[start:stop], masks[start:stop].copy(), strict=True)))

    def _places_of(self, word: str) -> list[int]:
        found = self._known.get(word)
        if found is None:
            found = []
            for key in map_keys(word):
                place = self._places.get(key)
                if place is None:
                    # A longer beginning has no more profiles than a shorter one.
                    break
                found.append(place)
            if len(self._known) < MOST_KNOWN:
                self._known[word] = found
        return found


def _place(key: str, profile_id: str) -> str:
    """One text that sorts as both do: nothing in the key sorts before NUL, or is one."""
    return f"{key}\0{profile_id}"


def _begin(tenant_id: UUID, profiles: int) -> _Begun:
    """A map without bits, from a sample; committed while no writer is under way."""
    rows = sql.sample(tenant_id, min(100.0, 100 * SAMPLED / profiles))
    frequent, counted = _counts(rows, profiles)
    bounds = _bounds(rows, max(1, min(ZONES, profiles // SMALLEST_ZONE)))
    zones = len(bounds[0])
    nowhere = bytes(-(-len(SORTS) * zones // 8))
    with transaction.atomic():
        made = SearchMap.objects.create(tenant_id=tenant_id, profiles=profiles, zones=zones)
        stored = SearchWord.objects.bulk_create(
            (SearchWord(map=made, key=key, profiles=n, zones=nowhere) for key, n in frequent),
            batch_size=STORED_AT_ONCE,
        )
        SearchCount.objects.bulk_create(
            (SearchCount(map=made, key=key, profiles=n) for key, n in counted),
            batch_size=STORED_AT_ONCE,
        )
        for number, (name, starts) in enumerate(zip(SORTS, bounds, strict=True)):
            _store_zones(made, name, starts, number * zones)
        _wait_for_writers(tenant_id)
    return _Begun(map_id=made.pk, words={word.key: word.pk for word in stored}, bounds=bounds)


def _counts(
    rows: Sequence[tuple[Any, ...]], profiles: int
) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Beginnings of words and how many profiles have them, the most frequent first: those that are
    frequent, and others of which it is worth knowing."""
    seen: Counter[str] = Counter()
    for row in rows:
        seen.update({key for word in words_in(row[0]) for key in map_keys(word)})
    scale = profiles / max(1, len(rows))
    least = frequent_from(profiles)
    found = [(key, round(count * scale)) for key, count in seen.items()]
    found = [(key, count) for key, count in found if COUNTED * count >= least]
    found.sort(key=lambda each: (-each[1], len(each[0]), each[0]))
    frequent = [each for each in found[:MOST_BITS] if each[1] >= least]
    return frequent, found[len(frequent) : len(frequent) + MOST_COUNTED]


def _bounds(rows: Sequence[tuple[Any, ...]], zones: int) -> list[list[tuple[str, str]]]:
    """For each sort, where its zones begin: text of the key, and id. The first holds all before."""
    step = max(1, len(rows) // zones)
    return [
        [
            (sort.least, str(FIRST_ID)),
            *sorted((row[place], row[1]) for row in rows)[step::step],
        ]
        for place, sort in enumerate(SORTS.values(), 2)
    ]


def _store_zones(made: SearchMap, name: str, starts: list[tuple[str, str]], first: int) -> None:
    ends = [*starts[1:], (SORTS[name].greatest, str(LAST_ID))]
    SearchZone.objects.bulk_create(
        [
            SearchZone(
                map=made,
                number=number,
                sort=name,
                lower_key=start[0],
                lower_id=UUID(start[1]),
                upper_key=end[0],
                upper_id=UUID(end[1]),
            )
            for number, (start, end) in enumerate(zip(starts, ends, strict=True), first)
        ],
        batch_size=STORED_AT_ONCE,
    )


def _wait_for_writers(tenant_id: UUID) -> None:
    """Nobody waits behind this lock, which is tried again and again, and held for a commit."""
    until = time.monotonic() + LONGEST_WAIT_SECONDS
    while not try_lock(tenant_id):
        if time.monotonic() > until:
            raise Busy("Writers left no moment to begin a map: try again.")
        time.sleep(0.005)
