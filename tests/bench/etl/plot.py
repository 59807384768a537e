"""The sitting as Markdown tables, and the steps of the full import as a plot."""

from collections import Counter
from collections.abc import Mapping
from html import escape
from typing import Any

from etl.files import KINDS

Results = Mapping[str, Any]

WIDTH, LEFT, RIGHT, ROW, TOP = 880, 190, 150, 26, 34
COLOURS = {
    "read": "#2f6fde",
    "index": "#e69f00",
    "constrain": "#1b9e77",
    "count": "#cc5c9c",
    "analyze": "#7a68d8",
    "look at": "#8a8f98",
    "compare": "#56b4e9",
}


def rates(full: Results) -> list[tuple[str, int, float]]:
    """Each phase with the rows that went through it and its seconds in the lanes together."""
    loaded = {KINDS[file["file"]].table: file["loaded"] for file in full["files"]}
    rows: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    for step in full["steps"]:
        table = step["about"].partition(".")[0]
        rows[step["phase"]] += step["rows"] or loaded.get(table, 0)
        seconds[step["phase"]] += step["seconds"]
    named = [name for name in COLOURS if name in seconds and rows[name]]
    return [(name, rows[name], seconds[name]) for name in named]


def phases(full: Results) -> str:
    """An SVG: rows a second of each phase, all steps of it together."""
    bars = rates(full)
    highest = max(count / seconds for _, count, seconds in bars)
    height = TOP + ROW * len(bars) + 10
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
            ' font-family="system-ui, sans-serif" font-size="13">'
        ),
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        '<text x="12" y="20" fill="#667085">Rows a second in one lane, by phase</text>',
    ]
    for number, (name, count, seconds) in enumerate(bars):
        y = TOP + number * ROW
        rate = count / seconds
        width = (WIDTH - LEFT - RIGHT) * rate / highest
        parts += [
            f'<text x="{LEFT - 10}" y="{y + 15}" text-anchor="end">{escape(name)}</text>',
            (
                f'<rect x="{LEFT}" y="{y + 3}" width="{width:.1f}" height="{ROW - 8}"'
                f' fill="{COLOURS[name]}"/>'
            ),
            f'<text x="{LEFT + width + 8:.1f}" y="{y + 15}">{rate:,.0f}/s, {seconds:,.0f} s</text>',
        ]
    return "".join([*parts, "</svg>\n"])


def tables(results: Results) -> str:
    """What docs/etl.md shows."""
    full, baseline = results["full"], results["baseline"]
    lines = [
        "| | rows read | seconds | against | peak memory | staged on disk |",
        "|---|---:|---:|---:|---:|---:|",
        (
            f"| plain COPY, two sessions | {_total(full, 'loaded'):,} |"
            f" {baseline['seconds']:,.0f} | 1 | | |"
        ),
        _row("full import", full, full["seconds"] / baseline["seconds"], "× plain COPY"),
        _row("one line of each file changed", results["one_line"], _share(results, "one_line")),
        _row("1 % of the lines changed", results["share"], _share(results, "share")),
        _row("the same, the API asked", results["under_load"], _share(results, "under_load")),
        "",
        _load(results["under_load"]["load"]),
        "",
        "| file | read | loaded | duplicate | rejected | repaired |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for file in full["files"]:
        numbers = (file["read"], file["loaded"], file["duplicate"], file["rejected"])
        repaired = sum(file["repairs"].values())
        cells = " | ".join(f"{number:,}" for number in (*numbers, repaired))
        lines.append(f"| {file['file']} | {cells} |")
    for title, name in (("Rejects by reason", "rejects"), ("Repairs by kind", "repairs")):
        kinds: Counter[str] = Counter()
        for file in full["files"]:
            kinds.update(file[name])
        told = ", ".join(f"{kind} {count:,}" for kind, count in sorted(kinds.items()))
        lines += ["", f"{title}: {told}."]
    return "\n".join(lines) + "\n"


def _total(told: Results, count: str) -> int:
    return sum(file[count] for file in told["files"])


def _share(results: Results, name: str) -> float:
    return results[name]["seconds"] / results["full"]["seconds"]


def _row(title: str, told: Results, ratio: float, against: str = "× full import") -> str:
    changed = _total(told, "updated")
    words = f"{title} ({changed:,} rows updated)" if changed else title
    return (
        f"| {words} | {_total(told, 'read'):,} | {told['seconds']:,.0f} |"
        f" {ratio:.2f} {against} | {told['peak_bytes'] / 1e6:,.0f} MB |"
        f" {told['staged_bytes'] / 1e6:,.0f} MB |"
    )


def _load(shot: Results) -> str:
    return (
        f"While it ran: {shot['rate']:,.0f} requests a second with 5 % votes, P50"
        f" {shot['p50']:.1f} ms, P95 {shot['p95']:.1f} ms, P99 {shot['p99']:.1f} ms,"
        f" {shot['refused']:,} refused, {shot['broken']:,} broken, {shot['dropped']:,} dropped of"
        f" {shot['requests']:,}."
    )
