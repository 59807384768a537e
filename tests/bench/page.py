"""The results of a sitting as one HTML page that needs nothing else."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from tests.bench import plots
from tests.bench.contestants import COMPONENTS

Results = Mapping[str, Any]

STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --soft: #667085; --line: #e3e7ee; --paper: #fff;
  --card: #f8f9fb; --good: #1a7f4b; --bad: #c0392b; --open: #9a6700; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebf0; --soft: #98a2b3; --line: #303846;
  --paper: #14181f; --card: #1b212a; --good: #4cc38a; --bad: #ff7b6b; --open: #e2b340; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 980px; padding: 2.5rem 1.25rem 4rem; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .25rem; letter-spacing: -.01em; }
h2 { font-size: 1.15rem; margin: 0 0 .75rem; }
h3 { font-size: .8rem; font-weight: 600; margin: 1.25rem 0 .35rem; color: var(--soft);
  text-transform: uppercase; letter-spacing: .05em; }
p.about { color: var(--soft); margin: 0 0 1.5rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 1.25rem 1.4rem; margin: 1.25rem 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .86rem;
  font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .5rem; border-bottom: 1px solid var(--line); text-align: right;
  white-space: nowrap; }
th { font-weight: 600; color: var(--soft); white-space: normal; vertical-align: bottom; }
th:first-child, td:first-child, td.text, th.text { text-align: left; }
td.text { white-space: normal; }
tr:last-child td { border-bottom: 0; }
.yes { color: var(--good); font-weight: 600; } .no { color: var(--bad); font-weight: 600; }
.open { color: var(--open); font-weight: 600; }
svg.plot { width: 100%; height: auto; display: block; }
svg text { font: 12.5px system-ui, sans-serif; fill: var(--ink); }
svg .label { text-anchor: end; }
svg .tick { text-anchor: middle; fill: var(--soft); font-size: 11px; }
svg .value { font-variant-numeric: tabular-nums; }
svg .grid { stroke: var(--line); } svg .target { stroke: var(--ink); stroke-width: 1.5;
  stroke-dasharray: 4 3; }
svg .good { fill: var(--good); } svg .bad { fill: var(--bad); }
svg .round { fill: var(--paper); stroke: var(--ink); stroke-width: 1.2; }
svg .range { stroke-width: 3; opacity: .55; }
.c0 { fill: #2f6fde; stroke: #2f6fde; } .c1 { fill: #e69f00; stroke: #e69f00; }
.c2 { fill: #1b9e77; stroke: #1b9e77; } .c3 { fill: #cc5c9c; stroke: #cc5c9c; }
.c4 { fill: #7a68d8; stroke: #7a68d8; } .c5 { fill: #8a8f98; stroke: #8a8f98; }
.c6 { fill: #56b4e9; stroke: #56b4e9; } .c7 { fill: #b5523b; stroke: #b5523b; }
rect[class^=c] { stroke: none; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; margin: .2rem 0 0;
  padding: 0; font-size: .82rem; color: var(--soft); }
"""


def render(results: Results) -> str:
    """The page of what `report.as_dict` made."""
    body = [_head(results), _summary(results["measures"])]
    body += [_measure(measure) for measure in results["measures"]]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>atelier: make bench</title><style>{STYLE}</style></head>"
        f"<body>{''.join(body)}</body></html>\n"
    )


def _head(results: Results) -> str:
    machine, options = results["machine"], results["options"]
    rounds = f"{options['rounds']} rounds of {options['seconds']} s"
    words = [
        f"{options['products']:,} products",
        f"{rounds} after {options['warm_up']} s of warm-up, contestants taking turns",
        f"{machine['cores']} cores, {machine['memory']}, {machine['kernel']}, everything on it",
        f"revision {results['revision']}",
        results["began_at"],
    ]
    return f'<h1>atelier: make bench</h1><p class="about">{escape(" · ".join(words))}</p>'


def _summary(measures: Sequence[Results]) -> str:
    rows = [
        (
            _short(measure["name"], target["subject"]),
            target["share"],
            target["reached"].split(" (")[0].split(",")[0],
            target["holds"],
        )
        for measure in measures
        for target in measure["targets"]
        if target["share"] is not None
    ]
    plot = plots.targets(rows) if rows else ""
    named = [
        {**target, "subject": f"{measure['name']}: {target['subject']}"}
        for measure in measures
        for target in measure["targets"]
    ]
    return f"<section><h2>Targets</h2>{plot}<h3>In words</h3>{_verdicts(named)}</section>"


def _measure(measure: Results) -> str:
    figures = _timings(measure) if "timings_ms" in measure else _contestants(measure)
    return (
        f"<section><h2>{escape(measure['title'])}</h2>{_verdicts(measure['targets'])}"
        f"{figures}</section>"
    )


def _contestants(measure: Results) -> str:
    scores = measure["contestants"]
    spent = [(score["title"], score["cpu_seconds_per_10000_requests"]) for score in scores]
    rates = [
        (
            score["title"],
            score["requests_per_second"],
            [turn["shot"]["rate"] for turn in score["rounds"]],
        )
        for score in scores
    ]
    return "".join(
        (
            "<h3>Requests a second: median, and each round</h3>",
            plots.rates(rates),
            "<h3>Latency: ● P50, ■ P95 (in figures), ◆ P99</h3>",
            plots.latencies([(score["title"], score) for score in scores]),
            "<h3>CPU seconds for 10,000 requests</h3>",
            plots.stacks(spent, COMPONENTS),
            plots.legend(COMPONENTS),
            "<h3>Figures</h3>",
            _scores_table(scores),
        )
    )


def _scores_table(scores: Sequence[Results]) -> str:
    heads = ("", "per second", "P50 ms", "P95 ms", "P99 ms", "errors", "dropped", "hits")
    rows = [
        (
            escape(score["title"]),
            f"{score['requests_per_second']:,.0f}",
            f"{score['p50_ms']:.2f}",
            f"{score['p95_ms']:.2f}",
            f"{score['p99_ms']:.2f}",
            f"{score['errors']:,}",
            f"{score['dropped']:,}",
            "" if score["hit_rate"] is None else f"{score['hit_rate']:.1%}",
            f"{score['rows_changed']:,}",
            _checks(score),
            f"{score['others_share_of_cores']:.0%}",
        )
        for score in scores
    ]
    return _table((*heads, "rows changed", "stale", "others' CPU"), rows)


def _checks(score: Results) -> str:
    checks = score["read_after_write_checks"]
    return f"{score['stale_reads']} of {checks:,}" if checks else ""


def _timings(measure: Results) -> str:
    heads = ("database", "statement", "median ms", "P95 ms", "server CPU ms")
    rows = [
        (
            escape(title),
            escape(name),
            *(f"{_middle(timing[key]):.3f}" for key in ("median", "p95", "cpu")),
        )
        for title, by_name in measure["timings_ms"].items()
        for name, timing in by_name.items()
    ]
    return "<h3>Figures</h3>" + _table(heads, rows)


def _middle(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _verdicts(targets: Sequence[Results]) -> str:
    words = {True: ("yes", "yes"), False: ("no", "no"), None: ("open", "—")}
    rows = "".join(
        f'<tr><td>{escape(target["subject"])}</td><td class="text">{escape(target["target"])}</td>'
        f'<td class="text">{escape(target["reached"])}</td>'
        f'<td class="{words[target["holds"]][0]}">{words[target["holds"]][1]}</td></tr>'
        for target in targets
    )
    return (
        '<div class="wide"><table><tr><th></th><th class="text">target</th>'
        f'<th class="text">reached</th><th></th></tr>{rows}</table></div>'
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{cell}</th>" for cell in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def _short(measure: str, subject: str) -> str:
    """A label for a bar: the measure, and what tells its targets apart."""
    _, _, against = subject.partition(" against ")
    if measure in ("statements", "growth"):
        return f"{measure}: {subject}".split(", median")[0].split(" million")[0]
    return f"{measure}, against {against}" if against else measure
