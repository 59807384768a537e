from dataclasses import replace
from typing import Any

import pytest

from tests.bench.load import Shot
from tests.bench.targets import NothingStale, Ratio, Tail
from tests.bench.turns import Score, Turn

SHOT = Shot(
    requests=100, seconds=1, writes=0, p50=1, p95=2, p99=3, refused=0, broken=0, dropped=0, cpu=0
)
TURN = Turn(shot=SHOT, cpu={}, others=0, cache={}, rows=0)


def score(name: str, *requests: int, **changed: Any) -> Score:
    turns = [replace(TURN, shot=replace(SHOT, requests=number), **changed) for number in requests]
    return Score(name, name, turns)


def test_ratio_is_the_median_of_the_ratios_of_each_round():
    # The machine was three times as fast in the second round; the ratio of medians would be 1.5.
    scores = {"ours": score("ours", 150, 900, 300), "peer": score("peer", 100, 300, 200)}
    verdict = Ratio("ours", ("peer",), 1.5).judge(scores)
    assert verdict.reached == "1.50 × (1.50 to 3.00)"
    assert verdict.holds


def test_ratio_is_taken_against_the_best_peer():
    scores = {
        "ours": score("ours", 300),
        "slow": score("slow", 100),
        "fast": score("fast", 200),
    }
    verdict = Ratio("ours", ("slow", "fast"), 3).judge(scores)
    assert verdict.subject == "ours against fast"
    assert verdict.holds is False


@pytest.mark.parametrize("name", ["ours", "peer"])
def test_nothing_is_compared_where_somebody_had_errors(name):
    scores = {"ours": score("ours", 300), "peer": score("peer", 100)}
    scores[name] = score(name, 300, failed_checks=1)
    verdict = Ratio("ours", ("peer",), 0.1).judge(scores)
    assert verdict.holds is None
    assert "1 errors" in verdict.reached


def test_votes_without_a_row_are_errors_unless_the_end_cut_them_off():
    turn = replace(TURN, shot=replace(SHOT, writes=1000), rows=900)
    assert turn.errors == 100
    assert replace(turn, cut_off=32).errors == 68


def test_stale_reads_forbid_a_comparison():
    scores = {"ours": score("ours", 300, checks=5, stale=1), "peer": score("peer", 100)}
    assert Ratio("ours", ("peer",), 1).judge(scores).holds is None
    assert NothingStale("ours").judge(scores).holds is False


def test_nothing_is_said_of_staleness_that_was_not_checked():
    assert NothingStale("ours").judge({"ours": score("ours", 300)}).holds is None


def test_a_dropped_request_fails_a_tail_that_is_short_enough():
    target = Tail("ours", "p95", 25)
    assert target.judge({"ours": score("ours", 100)}).holds
    dropped = Score("ours", "ours", [replace(TURN, shot=replace(SHOT, dropped=1))])
    assert target.judge({"ours": dropped}).holds is False
