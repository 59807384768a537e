"""Later deliveries of a data set: the same files with some lines changed."""

import random
import re
from collections.abc import Callable
from pathlib import Path

SEED = 7
LINES_AT_ONCE = 1 << 24

Change = Callable[[re.Match[bytes]], bytes]


def _next(group: int, most: int) -> Change:
    """Another number in its place."""

    def change(match: re.Match[bytes]) -> bytes:
        number = int(match[group]) % most + 1
        return (
            match.string[: match.start(group)] + b"%d" % number + match.string[match.end(group) :]
        )

    return change


def _longer(group: int) -> Change:
    """Another text in its place."""

    def change(match: re.Match[bytes]) -> bytes:
        return match.string[: match.end(group)] + b"x" + match.string[match.end(group) :]

    return change


# Of each file, the clean lines that may change, and what changes: prices, texts, stock, relations,
# helpfulness, ratings.
CHANGES: dict[str, tuple[bytes, Change]] = {
    "product": (rb'\d+,"[^"\\]*",.*,(\d+)\n', _next(1, 5000)),
    "features": (rb'\d+,\d+,"[^"]+","([^"]+)"\n', _longer(1)),
    "styles": (rb'\d+,\d+,"[^"]+",(?:null|\d+),(\d+),[01]\n', _next(1, 5000)),
    "photos": (rb'\d+,\d+,"(https:[^"\s]+)","https:[^"\s]+"\n', _longer(1)),
    "skus": (rb'\d+,\d+,"[^"]+",(\d+)\n', _next(1, 1000)),
    "related": (rb"\d+,\d+,(\d+)\n", _next(1, 1000)),
    "reviews": (rb'\d+,\d+,[1-5],\d{13},"[^"]*","[^"]*",.*,(\d+)\n', _next(1, 1000)),
    "reviews_photos": (rb'\d+,\d+,"(https:[^"\s]+)"\n', _longer(1)),
    "characteristics": (rb'\d+,\d+,"([^"]+)"\n', _longer(1)),
    "characteristic_reviews": (rb"\d+,\d+,\d+,([1-5])\n", _next(1, 5)),
}


def one_line_each(source: Path, target: Path) -> dict[str, int]:
    """The same with one line of each file changed; how many."""
    return _write(source, target, lambda dice, lines: [len(lines) // 2], only_once=True)


def share_of_lines(source: Path, target: Path, share: float) -> dict[str, int]:
    """The same with a share of the lines changed, anywhere; how many of each file."""

    def chosen(dice: random.Random, lines: list[bytes]) -> list[int]:
        return dice.sample(range(len(lines)), round(share * len(lines)))

    return _write(source, target, chosen)


def _write(
    source: Path,
    target: Path,
    choose: Callable[[random.Random, list[bytes]], list[int]],
    *,
    only_once: bool = False,
) -> dict[str, int]:
    target.mkdir(parents=True, exist_ok=True)
    counts = {}
    for name, (pattern, change) in CHANGES.items():
        dice = random.Random(f"{SEED} {name}")
        line = re.compile(pattern)
        count = 0
        with (source / f"{name}.csv").open("rb") as old, (target / f"{name}.csv").open("wb") as new:
            new.write(old.readline())
            while lines := old.readlines(LINES_AT_ONCE):
                if not (only_once and count):
                    places = choose(dice, lines)
                    if only_once:
                        places = _first_that_may_change(line, lines, places[0])
                    for place in places:
                        match = line.fullmatch(lines[place])
                        if match is not None:
                            lines[place] = change(match)
                            count += 1
                new.write(b"".join(lines))
        counts[name] = count
    return counts


def _first_that_may_change(line: re.Pattern[bytes], lines: list[bytes], start: int) -> list[int]:
    return [next(place for place in range(start, len(lines)) if line.fullmatch(lines[place]))]
