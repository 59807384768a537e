"""What a measure must reach, and whether it did."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from tests.bench.turns import Score

Scores = Mapping[str, Score]


@dataclass(frozen=True)
class Verdict:
    """`holds` is None where nothing can be said, because somebody had errors."""

    subject: str
    target: str
    reached: str
    holds: bool | None
    # For plots: how much of the target was reached; 1 is just enough.
    share: float | None = None


class Target(Protocol):
    def judge(self, scores: Scores) -> Verdict: ...


@dataclass(frozen=True)
class Ratio:
    """The rate of `ours` is `least` times that of the best of `others`, in the median of the
    rounds' own ratios: figures drift from round to round, ratios hardly."""

    ours: str
    others: tuple[str, ...]
    least: float
    note: str = ""

    def judge(self, scores: Scores) -> Verdict:
        best = max((scores[name] for name in self.others), key=lambda score: score.rate)
        subject = f"{scores[self.ours].title} against {best.title}"
        target = f"at least {self.least:g} ×{self.note}"
        failures = _failures(scores[self.ours]) or _failures(best)
        if failures:
            return Verdict(subject, target, f"not comparable: {failures}", None)
        pairs = zip(scores[self.ours].rates, best.rates, strict=True)
        ratios = [mine / theirs for mine, theirs in pairs]
        ratio = statistics.median(ratios)
        return Verdict(
            subject,
            target,
            f"{ratio:.2f} × ({min(ratios):.2f} to {max(ratios):.2f})",
            ratio >= self.least,
            ratio / self.least,
        )


@dataclass(frozen=True)
class Tail:
    """At a fixed rate a percentile of `name` stays below `most` ms; no error, nothing dropped."""

    name: str
    percentile: str
    most: float

    def judge(self, scores: Scores) -> Verdict:
        score = scores[self.name]
        latency = score.median(lambda shot: getattr(shot, self.percentile))
        words = [f"{self.percentile.upper()} {latency:.1f} ms"]
        words.append(f"{score.errors} errors, {score.dropped} dropped")
        return Verdict(
            score.title,
            f"{self.percentile.upper()} < {self.most:g} ms, 0 errors, 0 dropped",
            ", ".join(words),
            latency < self.most and not score.errors and not score.dropped,
            self.most / latency if latency else None,
        )


@dataclass(frozen=True)
class NothingStale:
    """Reads after acknowledged writes: all checked ones show the write."""

    name: str

    def judge(self, scores: Scores) -> Verdict:
        score = scores[self.name]
        checks = sum(turn.checks for turn in score.turns)
        degraded = sum(turn.degraded for turn in score.turns)
        reached = f"{score.stale} of {checks:,} checked"
        if degraded:
            reached += f"; {degraded} marked as degraded"
        holds = not score.stale if checks else None
        return Verdict(score.title, "0 stale reads", reached, holds)


def _failures(score: Score) -> str:
    if score.errors:
        return f"{score.title} had {score.errors} errors"
    if score.stale:
        return f"{score.title} answered {score.stale} stale reads"
    return ""
