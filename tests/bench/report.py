"""The sitting's results as a table on the terminal and as JSON."""

import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from stack.config import CHECKOUT
from tests.bench import measures, statements
from tests.bench.contestants import COMPONENTS
from tests.bench.options import Options
from tests.bench.targets import Verdict
from tests.bench.turns import Score

Outcome = measures.Outcome | statements.Outcome
# Network interrupts, which belong to no process, stay below that.
MOST_OTHERS = 0.15
WORDS = {True: "yes", False: "NO", None: "—"}


def machine() -> dict[str, str]:
    """What kind of machine it is, without its name."""
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "cores": f"{os.cpu_count()} × {models[0]}" if models else str(os.cpu_count()),
        "memory": f"{gigabytes:.0f} GB",
        "kernel": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "python": platform.python_version(),
    }


def revision() -> str:
    """The commit that was measured, marked where the checkout differs from it."""
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() or "unknown"


def as_dict(outcomes: Sequence[Outcome], options: Options) -> dict[str, Any]:
    return {
        "machine": machine(),
        "revision": revision(),
        "options": asdict(options),
        "measures": [_outcome_as_dict(outcome) for outcome in outcomes],
    }


def show(outcomes: Sequence[Outcome]) -> None:
    """Tables for a terminal; one of the figures and one of the targets a measure."""
    console = Console(width=None if Console().is_terminal else 160)
    for outcome in outcomes:
        console.print(f"\n[bold]{outcome.title}[/bold]")
        if isinstance(outcome, measures.Outcome):
            console.print(_scores_table(outcome.scores))
            console.print(_cpu_table(outcome.scores))
            _doubt(console, outcome.scores)
        else:
            console.print(_timings_table(outcome.timings))
        console.print(_verdicts_table(outcome.verdicts))


def _scores_table(scores: dict[str, Score]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("contestant")
    heads = ("per second", "lowest to highest", "P50 ms", "P95 ms", "P99 ms", "errors", "dropped")
    for head in (*heads, "hits", "degraded", "rows changed", "stale", "others' CPU"):
        table.add_column(head, justify="right")
    for score in scores.values():
        checks = sum(turn.checks for turn in score.turns)
        table.add_row(
            score.title,
            f"{score.rate:,.0f}",
            f"{min(score.rates):,.0f} to {max(score.rates):,.0f}",
            *(f"{value:.1f}" for value in percentiles(score)),
            f"{score.errors}",
            f"{score.dropped}",
            "" if score.hit_rate is None else f"{score.hit_rate:.1%}",
            "" if score.hit_rate is None else f"{score.degraded:,}",
            f"{score.rows:,}",
            f"{score.stale} of {checks:,}" if checks else "",
            f"{score.others:.0%}",
        )
    return table


def _doubt(console: Console, scores: dict[str, Score]) -> None:
    others = max(score.others for score in scores.values())
    if others > MOST_OTHERS:
        console.print(f"Others used up to {others:.0%} of the cores: measure again without them.")


def percentiles(score: Score) -> tuple[float, float, float]:
    """P50, P95 and P99 in ms, each the median of the rounds."""
    return (
        score.median(lambda shot: shot.p50),
        score.median(lambda shot: shot.p95),
        score.median(lambda shot: shot.p99),
    )


def _cpu_table(scores: dict[str, Score]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("CPU s per 10,000 requests")
    for name in (*COMPONENTS, "all"):
        table.add_column(name, justify="right")
    for score in scores.values():
        spent = score.cpu_per_10000
        cells = [f"{spent[name]:.2f}" for name in COMPONENTS]
        table.add_row(score.title, *cells, f"{sum(spent.values()):.2f}")
    return table


def _timings_table(timings: statements.Timings) -> Table:
    table = Table(box=None, pad_edge=False)
    for head in ("database", "statement"):
        table.add_column(head)
    for head in ("median ms", "above select 1", "P95 ms", "server CPU ms"):
        table.add_column(head, justify="right")
    for title, by_name in timings.items():
        for name, timing in by_name.items():
            table.add_row(
                title,
                name,
                f"{statistics.median(timing.median):.3f}",
                f"{statements.above(by_name, name):.3f}",
                f"{statistics.median(timing.p95):.3f}",
                f"{statistics.median(timing.cpu):.3f}",
            )
    return table


def _verdicts_table(verdicts: Sequence[Verdict]) -> Table:
    table = Table("target", "", "reached", "", box=None, pad_edge=False)
    for verdict in verdicts:
        colour = {True: "green", False: "red", None: "yellow"}[verdict.holds]
        word = f"[{colour}]{WORDS[verdict.holds]}[/{colour}]"
        table.add_row(verdict.subject, verdict.target, verdict.reached, word)
    return table


def _outcome_as_dict(outcome: Outcome) -> dict[str, Any]:
    verdicts = [asdict(verdict) for verdict in outcome.verdicts]
    if isinstance(outcome, statements.Outcome):
        timings = {
            title: {name: asdict(timing) for name, timing in by_name.items()}
            for title, by_name in outcome.timings.items()
        }
        return {
            "name": outcome.name,
            "title": outcome.title,
            "timings_ms": timings,
            "targets": verdicts,
        }
    measure = outcome.measure
    return {
        "name": measure.name,
        "title": measure.title,
        "load": asdict(measure.load),
        "contestants": [_score_as_dict(score) for score in outcome.scores.values()],
        "targets": verdicts,
    }


def _score_as_dict(score: Score) -> dict[str, Any]:
    p50, p95, p99 = percentiles(score)
    return {
        "name": score.name,
        "title": score.title,
        "requests_per_second": score.rate,
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "errors": score.errors,
        "dropped": score.dropped,
        "hit_rate": score.hit_rate,
        "degraded_answers": score.degraded,
        "rows_changed": score.rows,
        "stale_reads": score.stale,
        "read_after_write_checks": sum(turn.checks for turn in score.turns),
        "others_share_of_cores": score.others,
        "cpu_seconds_per_10000_requests": score.cpu_per_10000,
        "rounds": [{**asdict(turn), "shot": turn.shot.as_dict()} for turn in score.turns],
    }
