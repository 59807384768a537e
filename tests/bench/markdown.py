"""`python -m tests.bench.markdown RESULTS.json...`: the tables of docs/performance.md."""

import json
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.contestants import COMPONENTS

Results = Mapping[str, Any]
WORDS = {True: "yes", False: "**no**", None: "—"}


def lines(results: Results) -> Iterator[str]:
    machine, options = results["machine"], results["options"]
    yield (
        f"{options['products']:,} products; {options['rounds']} rounds of {options['seconds']} s "
        f"after {options['warm_up']} s of warm-up; {machine['cores']} cores, {machine['memory']}, "
        f"{machine['kernel']}; revision {results['revision']}."
    )
    yield ""
    targets = [
        (measure["name"], target["subject"], target["target"], target["reached"], target["holds"])
        for measure in results["measures"]
        for target in measure["targets"]
    ]
    heads = ("measure", "who", "target", "reached", "")
    yield from _table(heads, [(*row, WORDS[holds]) for *row, holds in targets])
    for measure in results["measures"]:
        yield f"\n### {measure['title']}\n"
        if "timings_ms" in measure:
            yield from _timings(measure["timings_ms"])
        else:
            yield from _scores(measure["contestants"])


def _scores(scores: Sequence[Results]) -> Iterator[str]:
    heads = ("", "per second", "P50, P95, P99 ms", "errors, dropped", "hits", "rows changed")
    rows = [
        (
            score["title"],
            f"{score['requests_per_second']:,.0f}",
            ", ".join(f"{score[f'{name}_ms']:.1f}" for name in ("p50", "p95", "p99")),
            f"{score['errors']}, {score['dropped']}",
            "" if score["hit_rate"] is None else f"{score['hit_rate']:.1%}",
            f"{score['rows_changed']:,}",
        )
        for score in scores
    ]
    yield from _table(heads, rows)
    yield ""
    spent = [(score["title"], score["cpu_seconds_per_10000_requests"]) for score in scores]
    cells = [
        (title, *(f"{by_name[name]:.2f}" for name in COMPONENTS), f"{sum(by_name.values()):.2f}")
        for title, by_name in spent
    ]
    yield from _table(("CPU s per 10,000 requests", *COMPONENTS, "all"), cells)


def _timings(timings: Results) -> Iterator[str]:
    heads = ("database", "statement", "median ms", "P95 ms", "CPU ms of the server")
    rows = [
        (
            database,
            statement,
            *(f"{statistics.median(timing[name]):.3f}" for name in ("median", "p95", "cpu")),
        )
        for database, by_statement in timings.items()
        for statement, timing in by_statement.items()
    ]
    yield from _table(heads, rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield f"| {' | '.join(row)} |"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        sys.stdout.write("\n".join(lines(json.loads(Path(name).read_text()))) + "\n")
