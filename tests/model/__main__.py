"""`python -m tests.model [--scenario NAME] [--variant NAME] [--long]` searches and prints a table.

Without options: the protocol in each scenario, and each variant where it is expected to break. With
one, what was asked for, and the trace of a counterexample.
"""

import argparse

from rich.console import Console
from rich.table import Table

from tests.model.checker import Result
from tests.model.protocol import Protocol
from tests.model.scenarios import LONG, SCENARIOS
from tests.model.search import search
from tests.model.state import State
from tests.model.variants import BROKEN, SOUND

ROW = "{:<22}{:<24}{:>9}{:>7}  {}"
VARIANTS: dict[str, type[Protocol]] = {cls.__name__: cls for cls in (*BROKEN, *SOUND)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--scenario", choices=[*SCENARIOS, *LONG], metavar="NAME")
    parser.add_argument("--variant", choices=VARIANTS, metavar="NAME")
    parser.add_argument("--long", action="store_true", help="the large scenarios as well")
    options = parser.parse_args()
    console = Console(highlight=False)
    console.print(ROW.format("variant", "scenario", "states", "CPU s", "result"))
    for cls, name in chosen(options):
        result = search(cls, name)
        variant = "" if cls is Protocol else cls.__name__
        states, seconds = f"{result.states:,}", f"{result.seconds:.1f}"
        row = ROW.format(variant, name, states, seconds, said(result))
        console.print(row, soft_wrap=True)
        if result.fault and (options.variant or not variant):
            console.print(told(result.trace))


def chosen(options: argparse.Namespace) -> list[tuple[type[Protocol], str]]:
    if options.variant:
        cls = VARIANTS[options.variant]
        homes = (BROKEN[cls],) if cls in BROKEN else SOUND.get(cls, ("hang",))
        return [(cls, name) for name in ((options.scenario,) if options.scenario else homes)]
    if options.scenario:
        return [(Protocol, options.scenario)]
    names = [*SCENARIOS, *LONG] if options.long else [*SCENARIOS]
    sound = [(cls, name) for cls, homes in SOUND.items() for name in homes]
    return [*((Protocol, name) for name in names), *sound, *BROKEN.items()]


def said(result: Result[State]) -> str:
    if result.fault:
        return f"{result.fault} after {len(result.trace) - 1} steps"
    return "exhausted, no stale read" if result.exhausted else "not exhausted"


def told(trace: list[tuple[str, State]]) -> Table:
    """The steps, and what they changed. Tombstones are negative, missing tags 0."""
    table = Table("tags", "alive", "outbox", "committed", "promised", "stored", "step", box=None)
    for label, state in trace:
        alive = state.redis.alive
        table.add_row(
            str(list(state.redis.tags)),
            f"process {alive.process}" if alive else "",
            " ".join(f"writer {entry.writer + 1}" for entry in state.outbox),
            str(list(state.data)),
            str(list(state.promised)),
            " ".join(f"{list(key)}: {list(body)}" for cache in state.caches for key, body in cache),
            label,
        )
    return table


if __name__ == "__main__":
    main()
