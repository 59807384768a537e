"""Plots as inline SVG, drawn here: no library, no script, nothing fetched."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LABELS, VALUES = 880, 230, 115
ROW, BAR, FOOT = 34, 18, 34
LEFT, RIGHT = LABELS, WIDTH - VALUES
MOST_SHARE = 2.0
NICE = (1.0, 2.0, 5.0)
PERCENTILES = (("p50_ms", "P50"), ("p95_ms", "P95"), ("p99_ms", "P99"))


@dataclass(frozen=True)
class Scale:
    """Where a value lies between the left and the right edge."""

    low: float
    high: float
    is_log: bool = False

    def x(self, value: float) -> float:
        low, high, value = self.low, self.high, min(max(value, self.low), self.high)
        if self.is_log:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        return LEFT + (RIGHT - LEFT) * (value - low) / (high - low)


def targets(rows: Sequence[tuple[str, float, str, bool]]) -> str:
    """Bars of how much of each target was reached, against the line where it is just reached.

    A row is its label, the share, the words at its end, and whether the target holds.
    """
    scale = Scale(0, MOST_SHARE)
    parts = []
    for number, (label, share, words, holds) in enumerate(rows):
        y = _y(number)
        kind = "good" if holds else "bad"
        end = scale.x(share)
        parts.append(_label(y, label))
        parts.append(_rect(LEFT, y, end - LEFT, kind))
        if share > MOST_SHARE:
            parts.append(_shape(kind, end, y - BAR / 2, f"l10 {BAR / 2} l-10 {BAR / 2}z"))
        parts.append(_value(y, words))
    height = _height(len(rows))
    x = scale.x(1)
    parts.append(_upright("target", x, height))
    parts.append(_foot(x, height, "target"))
    return _svg(height, parts, "How much of each target was reached")


def rates(rows: Sequence[tuple[str, float, Sequence[float]]]) -> str:
    """Bars of the medians, with a dot for each round."""
    highest = max((max(rounds) for _, _, rounds in rows), default=1.0)
    scale = Scale(0, highest)
    parts = _grid(scale, _linear_ticks(highest), len(rows), "")
    for number, (label, median, rounds) in enumerate(rows):
        y = _y(number)
        parts.append(_label(y, label))
        parts.append(_rect(LEFT, y, scale.x(median) - LEFT, _colour(number)))
        parts += [_dot("round", scale.x(one), y, 3) for one in rounds]
        parts.append(_value(y, f"{median:,.0f}/s"))
    return _svg(_height(len(rows)), parts, "Requests a second")


def latencies(rows: Sequence[tuple[str, Mapping[str, float]]]) -> str:
    """From P50 over P95 to P99 of each, on a logarithmic axis."""
    values = [row[key] for _, row in rows for key, _ in PERCENTILES if row[key] > 0]
    low = 10 ** math.floor(math.log10(min(values)))
    high = 10 ** math.ceil(math.log10(max(values) * 1.001))
    scale = Scale(low, high, is_log=True)
    parts = _grid(scale, _log_ticks(low, high), len(rows), " ms")
    for number, (label, row) in enumerate(rows):
        y = _y(number)
        first, middle, last = (scale.x(row[key]) for key, _ in PERCENTILES)
        colour = _colour(number)
        parts.append(_label(y, label))
        parts.append(_shape(f"{colour} range", first, y, f"H{last:.1f}"))
        parts.append(_dot(colour, first, y, 5))
        parts.append(_shape(colour, middle - 5, y - 5, "h10 v10 h-10z"))
        parts.append(_shape(colour, last, y - 7, "l7 7 l-7 7 l-7 -7z"))
        parts.append(_value(y, f"{row['p95_ms']:.1f} ms"))
    return _svg(_height(len(rows)), parts, "Latency: P50, P95, P99")


def stacks(rows: Sequence[tuple[str, Mapping[str, float]]], names: Sequence[str]) -> str:
    """CPU seconds for 10,000 requests, one piece a component."""
    highest = max((sum(row.values()) for _, row in rows), default=1.0) or 1.0
    scale = Scale(0, highest)
    parts = _grid(scale, _linear_ticks(highest), len(rows), " s")
    for number, (label, row) in enumerate(rows):
        y, total = _y(number), 0.0
        parts.append(_label(y, label))
        for index, name in enumerate(names):
            piece = row.get(name, 0.0)
            x = scale.x(total)
            total += piece
            title = f"<title>{escape(name)}: {piece:.2f} s</title>"
            parts.append(_rect(x, y, scale.x(total) - x, _colour(index), title))
        parts.append(_value(y, f"{total:.2f} s"))
    return _svg(_height(len(rows)), parts, "CPU seconds for 10,000 requests")


def legend(names: Sequence[str]) -> str:
    items = "".join(
        f'<li><svg width="12" height="12"><rect class="{_colour(index)}" width="12" height="12"/>'
        f"</svg> {escape(name)}</li>"
        for index, name in enumerate(names)
    )
    return f'<ul class="legend">{items}</ul>'


def _svg(height: int, parts: Sequence[str], title: str) -> str:
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )


def _grid(scale: Scale, ticks: Sequence[float], rows: int, unit: str) -> list[str]:
    height = _height(rows)
    parts = []
    for tick in ticks:
        x = scale.x(tick)
        parts.append(_upright("grid", x, height))
        parts.append(_foot(x, height, f"{tick:,.10g}{unit}"))
    return parts


def _linear_ticks(highest: float) -> list[float]:
    """About five round numbers from zero."""
    rough = highest / 5
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * nice for nice in (*NICE, 10.0) if power * nice >= rough)
    return [step * number for number in range(int(highest / step) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    decades = range(round(math.log10(low)), round(math.log10(high)) + 1)
    factors = NICE if len(decades) <= 3 else (1.0,)
    ticks = [10.0**decade * factor for decade in decades for factor in factors]
    return [tick for tick in ticks if low <= tick <= high]


def _height(rows: int) -> int:
    return rows * ROW + FOOT


def _y(number: int) -> int:
    return number * ROW + ROW // 2 + 2


def _colour(number: int) -> str:
    return f"c{number % 8}"


def _label(y: float, text: str) -> str:
    return f'<text class="label" x="{LABELS - 12}" y="{y + 4}">{escape(text)}</text>'


def _value(y: float, text: str) -> str:
    return f'<text class="value" x="{RIGHT + 14}" y="{y + 4}">{escape(text)}</text>'


def _foot(x: float, height: int, text: str) -> str:
    return f'<text class="tick" x="{x:.1f}" y="{height - 8}">{escape(text)}</text>'


def _rect(x: float, y: float, width: float, kind: str, inside: str = "") -> str:
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y - BAR / 2}" width="{max(width, 0):.1f}" '
        f'height="{BAR}">{inside}</rect>'
    )


def _dot(kind: str, x: float, y: float, radius: float) -> str:
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y}" r="{radius}"/>'


def _shape(kind: str, x: float, y: float, path: str) -> str:
    return f'<path class="{kind}" d="M{x:.1f} {y} {path}"/>'


def _upright(kind: str, x: float, height: int) -> str:
    return f'<path class="{kind}" d="M{x:.1f} 4 V{height - FOOT + 6}"/>'
