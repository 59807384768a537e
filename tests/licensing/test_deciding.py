"""The rules of licences, against a model that asks every moment."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.deciding import Term, decide

START = datetime(2026, 1, 1, tzinfo=UTC)
LAST = 12


def moment(minutes):
    return None if minutes is None else START + timedelta(minutes=minutes)


def term(effect, begins=0, ends=None, *, region=None, group=None):
    return Term(region, group, effect, moment(begins), moment(ends))


@st.composite
def terms(draw):
    begins = draw(st.integers(0, LAST - 1))
    ends = draw(st.none() | st.integers(begins + 1, LAST))
    place = draw(st.sampled_from([{"region": 1}, {"region": 2}, {"group": 1}, {"group": 2}]))
    return term(draw(st.sampled_from(["allow", "deny"])), begins, ends, **place)


def naive(terms, region, groups, at):
    """Each rule in turn, from the last to the first."""
    allowed = not any(one.effect == "allow" for one in terms)
    for level in ("group", "region"):
        effects = set()
        for one in terms:
            place = one.region_id if level == "region" else one.group_id
            mine = {region} if level == "region" else set(groups)
            begun = one.valid_from <= at
            over = one.valid_until is not None and one.valid_until <= at
            if region is not None and place in mine - {None} and begun and not over:
                effects.add(one.effect)
        if "deny" in effects:
            allowed = False
        elif effects:
            allowed = True
    return allowed


@given(
    st.lists(terms(), max_size=6),
    st.none() | st.integers(1, 3),
    st.sets(st.integers(1, 2)),
    st.integers(0, LAST),
)
def test_a_decision_and_its_end_are_those_of_the_model(given_terms, region, groups, minute):
    groups = groups if region is not None else set()
    decision = decide(given_terms, region_id=region, group_ids=groups, at=moment(minute))
    expected = [
        naive(given_terms, region, groups, moment(later)) for later in range(minute, LAST + 2)
    ]
    assert decision.is_allowed is expected[0]
    changes = [later for later, now in enumerate(expected) if now is not expected[0]]
    assert decision.until == (moment(minute + changes[0]) if changes else None)


CASES = [
    ([], 1, (True, "unrestricted", None)),
    ([], None, (True, "unrestricted", None)),
    ([term("allow", region=1)], 1, (True, "allowed by region", None)),
    ([term("allow", region=1)], 2, (False, "licensed elsewhere", None)),
    ([term("allow", region=1)], None, (False, "licensed elsewhere", None)),
    ([term("deny", region=1)], 1, (False, "denied by region", None)),
    ([term("deny", region=1)], 2, (True, "not denied here", None)),
    ([term("deny", region=1)], None, (True, "not denied here", None)),
    ([term("allow", group=9), term("deny", region=1)], 1, (False, "denied by region", None)),
    ([term("deny", group=9), term("allow", region=1)], 1, (True, "allowed by region", None)),
    ([term("deny", group=8), term("allow", group=9)], 1, (False, "denied by group", None)),
    ([term("allow", 0, 3, region=2)], 1, (False, "licensed elsewhere", None)),
    ([term("allow", 0, 9, region=1)], 1, (True, "allowed by region", 9)),
    ([term("allow", 8, region=1)], 1, (False, "licensed elsewhere", 8)),
    # One window ends where the next begins: nothing changes in between.
    ([term("allow", 0, 7, region=1), term("allow", 7, 9, region=1)], 1, (True, None, 9)),
]


@pytest.mark.parametrize(("given_terms", "region", "expected"), CASES)
def test_the_rules_in_words(given_terms, region, expected):
    allowed, reason, until = expected
    decision = decide(
        given_terms, region_id=region, group_ids={8, 9} if region else set(), at=moment(5)
    )
    assert (decision.is_allowed, decision.until) == (allowed, moment(until))
    assert reason in {None, decision.reason}


def test_a_window_holds_its_first_moment_and_not_its_last():
    terms = [term("allow", 3, 5, region=1)]
    answers = [
        decide(terms, region_id=1, group_ids=(), at=moment(minute)).is_allowed
        for minute in (2, 3, 4, 5)
    ]
    assert answers == [False, True, True, False]
