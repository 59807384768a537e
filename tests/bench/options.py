"""What `make bench` is told, by environment variables."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from stack.errors import StackError

MOST_PRODUCTS = 10_000_000


@dataclass(frozen=True)
class Options:
    """`seconds` is how long one contestant is loaded in one round, `warm_up` how long before the
    first; `only` names the measures to take, all when empty."""

    products: int = 100_000
    seconds: int = 20
    rounds: int = 3
    warm_up: int = 60
    only: tuple[str, ...] = ()


def from_environment(environ: Mapping[str, str] = os.environ) -> Options:
    """`StackError` with the sentence that mends it where a value makes no sense."""
    default = Options()
    return Options(
        products=_whole(environ, "PRODUCTS", default.products, least=1000, most=MOST_PRODUCTS),
        seconds=_whole(environ, "BENCH_SECONDS", default.seconds, least=1, most=3600),
        rounds=_whole(environ, "BENCH_ROUNDS", default.rounds, least=1, most=100),
        warm_up=_whole(environ, "WARMUP", default.warm_up, least=0, most=3600),
        only=tuple(word.strip() for word in environ.get("ONLY", "").split(",") if word.strip()),
    )


def _whole(environ: Mapping[str, str], name: str, default: int, *, least: int, most: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise StackError(f"{name} is {text!r}: set it to a whole number, {least} to {most}.")
    return int(text)
