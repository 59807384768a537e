"""Overlaps: each address goes to the shortest range that holds it."""

import tracemalloc
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from licensing.flattening import flatten

LAST = 30
ends = st.tuples(st.integers(0, LAST), st.integers(0, LAST)).map(sorted)
ranges = st.lists(st.tuples(ends, st.none() | st.integers(1, 3)), max_size=12)


def naive(given_ranges):
    """The region of each address, by looking at every range."""
    owners = {}
    for address in range(LAST + 1):
        holding = [
            (last - first, -line, region)
            for first, last, region, line in given_ranges
            if first <= address <= last
        ]
        if holding and min(holding, key=lambda one: one[:2])[2] is not None:
            owners[address] = min(holding, key=lambda one: one[:2])[2]
    return owners


@given(ranges)
def test_each_address_belongs_to_whom_the_model_says(drawn):
    given_ranges = [
        (first, last, region, line) for line, ((first, last), region) in enumerate(drawn)
    ]
    flat = list(flatten(sorted(given_ranges, key=lambda one: one[0])))
    owners = {address: region for first, last, region in flat for address in range(first, last + 1)}
    assert owners == naive(given_ranges)
    for (_, end, region), (begin, _, other) in pairwise(flat):
        assert end < begin
        assert end + 1 < begin or region != other, "neighbours of one region are one range"


def test_a_range_within_another_cuts_it_in_two():
    assert list(flatten([(0, 9, 1, 1), (3, 4, 2, 2)])) == [(0, 2, 1), (3, 4, 2), (5, 9, 1)]


def test_of_equally_long_ranges_the_later_line_wins():
    assert list(flatten([(0, 9, 1, 1), (0, 9, 2, 2)])) == [(0, 9, 2)]


def test_ranges_that_have_ended_are_let_go():
    """Of neighbours of one size, as in a list of networks."""
    many = ((10 * number, 10 * number + 9, number % 2, number) for number in range(30_000))
    tracemalloc.start()
    try:
        assert sum(1 for _ in flatten(many)) == 30_000
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()
