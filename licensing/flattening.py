"""Overlapping ranges to such that do not overlap, without a database."""

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush

# First and last key, the region, None for none, and the number of the line.
Given = tuple[int, int, int | None, int]
Flat = tuple[int, int, int]


def flatten(ranges: Iterable[Given]) -> Iterator[Flat]:
    """Ranges in ascending order of their first keys to ranges that stand apart, ascending.

    Each address goes to the shortest range that holds it, of equally short ones to that of the
    later line. Neighbours of one region become one range, and what has no region is left out.
    Memory: the ranges that lie one within the other.
    """
    begin, end, region = -1, -1, None
    for first, last, owner in _pieces(ranges):
        if owner == region and first == end + 1:
            end = last
            continue
        if region is not None:
            yield begin, end, region
        begin, end, region = first, last, owner
    if region is not None:
        yield begin, end, region


def _pieces(ranges: Iterable[Given]) -> Iterator[tuple[int, int, int | None]]:
    # The shortest first.
    open_ranges: list[tuple[int, int, int, int | None]] = []
    at = 0
    for first, last, region, line in ranges:
        yield from _until(open_ranges, at, first)
        at = first
        heappush(open_ranges, (last - first, -line, last, region))
    yield from _until(open_ranges, at, None)


def _until(
    open_ranges: list[tuple[int, int, int, int | None]], at: int, first: int | None
) -> Iterator[tuple[int, int, int | None]]:
    """What lies before `first`; ranges that have ended there are let go, from the shortest on."""
    while open_ranges:
        _, _, last, region = open_ranges[0]
        if last < at:
            heappop(open_ranges)
            continue
        if first is not None and at >= first:
            break
        end = last if first is None else min(last, first - 1)
        yield at, end, region
        at = end + 1
