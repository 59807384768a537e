"""The protocol holds in every scenario, and the model sees what each of its rules is for."""

import re
from collections import Counter
from functools import cache

import pytest

from tests.model.checker import Result, explore
from tests.model.leases import OriginLease
from tests.model.protocol import Protocol
from tests.model.scenarios import LONG, SCENARIOS
from tests.model.search import search
from tests.model.state import IDLE, Keeper, Reader, State
from tests.model.variants import BROKEN, SOUND

FOR_COMMITS = [variant for variant, name in BROKEN.items() if SCENARIOS[name].lasting]
STEPS = {
    "writer sets its tombstone",
    "writer cannot set its tombstone",
    "writer cannot set its tombstone in time",
    "writer commits",
    "writer commits with an entry",
    "writer releases and answers",
    "writer cannot release",
    "writer cannot release in time",
    "writer commits an entry",
    "writer locks writer's lapsed entry",
    "writer commits with an entry and answers",
    "writer has waited and answers",
    "writer crashes",
    "a repeated write drops the tags and answers",
    "a keeper takes T0",
    "a keeper deletes all tags",
    "a keeper sets `run`",
    "a keeper reads entries",
    "a keeper finds no entry",
    "a keeper deletes the tags of its entries",
    "a keeper deletes its entries",
    "a keeper renews `alive`",
    "a keeper cannot renew `alive` in time",
    "a keeper fails",
    "a read begins on node 1",
    "a read begins on node 2",
    "a read mints a tag",
    "a read gets the tag",
    "a read hits",
    "a read asks the origin",
    "a read stores its answer",
    "a read fails",
    "a tag expires",
    "a tombstone expires",
    "`alive` expires",
    "Redis executes a late tombstone",
    "Redis executes a late release",
    "Redis executes a late renew",
    "Redis is flushed",
    "Redis restarts empty",
    "Redis saves a copy",
    "Redis restarts with its copy",
}


@cache
def protocol(name: str) -> Result[State]:
    return search(Protocol, name)


@pytest.mark.parametrize(
    "name", [*SCENARIOS, *(pytest.param(name, marks=pytest.mark.long) for name in LONG)]
)
def test_no_interleaving_lets_a_read_be_stale(name):
    result = protocol(name)
    assert (result.fault, result.trace) == ("", [])
    assert result.exhausted
    assert result.states > 1000


@pytest.mark.parametrize("name", SCENARIOS)
def test_hits_are_reached_and_trust_comes_back_after_each_fault(name):
    scenario = SCENARIOS[name]
    ends = {"hit", "miss", "missing tag", "bypass"}
    if scenario.keepers:
        ends.add("degraded")
    faults = [fault for fault, budget in scenario.faults._asdict().items() if budget]
    expected = ends | {f"{end} after {fault}" for end in ends for fault in faults}
    assert expected <= set(protocol(name).kinds)


def test_every_step_is_taken_somewhere():
    taken: Counter[str] = Counter()
    for name in SCENARIOS:
        taken += protocol(name).steps
    assert {re.sub(r"writer \d", "writer", label) for label in taken} == STEPS


@pytest.mark.parametrize("variant", BROKEN, ids=lambda variant: variant.__name__)
def test_each_rule_is_missed_where_it_is_broken(variant):
    result = search(variant, BROKEN[variant])
    assert result.fault
    assert result.trace[-1][1].promised != result.trace[0][1].promised


@pytest.mark.parametrize("name", ["overlap", "cut off"])
@pytest.mark.parametrize("variant", FOR_COMMITS, ids=lambda variant: variant.__name__)
def test_some_rules_serve_only_writes_that_are_not_answered_yet(variant, name):
    result = search(variant, name)
    assert not result.fault
    assert result.exhausted


@pytest.mark.parametrize(
    ("variant", "name"),
    [
        pytest.param(variant, name, marks=() if name == "cut off" else pytest.mark.long)
        for variant, names in SOUND.items()
        for name in names
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_other_ways_keep_the_promise_too(variant, name):
    result = search(variant, name)
    assert not result.fault
    assert result.exhausted
    assert result.states > 1000


@pytest.mark.long
def test_tags_must_not_be_stored_and_come_back():
    assert search(OriginLease, "hang, two writers").fault


@pytest.mark.long
@pytest.mark.parametrize(
    ("variant", "name"),
    [*((Protocol, name) for name in ("crashes", "outage", "reload")), *BROKEN.items()],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_one_spelling_for_equal_states_hides_nothing(variant, name):
    class Verbose(variant):
        def is_over(self, state: State, reader: Reader, known: list[set[int]]) -> bool:
            return reader == IDLE

        def settled(self, state: State, keeper: Keeper) -> Keeper:
            return keeper

    short, long = search(variant, name), search(Verbose, name)
    assert long.fault == short.fault
    assert len(long.trace) == len(short.trace)
    assert long.states >= short.states


def climb(limit: int, forbidden: int) -> Result[int]:
    """Add two or three, up to 20."""
    return explore(
        0,
        lambda height: [(f"+{step}", height + step) for step in (2, 3) if height + step <= 20],
        lambda height: "too high" if height == forbidden else "",
        lambda height: "even" if height % 2 == 0 else "odd",
        limit,
    )


def test_the_checker_visits_every_state_once():
    result = climb(limit=100, forbidden=1)
    assert (result.states, result.exhausted, result.fault) == (20, True, "")
    assert result.kinds == {"even": 11, "odd": 9}
    assert result.steps == {"+2": 18, "+3": 17}


def test_the_checker_finds_a_shortest_trace():
    result = climb(limit=100, forbidden=7)
    assert (result.fault, result.exhausted) == ("too high", False)
    assert [state for _, state in result.trace][-1] == 7
    assert sorted(label for label, _ in result.trace) == ["+2", "+2", "+3", "at first"]


def test_the_checker_says_when_it_stopped_early():
    assert not climb(limit=5, forbidden=1).exhausted
