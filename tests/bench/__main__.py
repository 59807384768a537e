"""`make bench`: all measures in one sitting; see docs/performance.md."""

import json
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console

from stack.errors import StackError
from tests.bench import draws, measures, node, page, report, statements
from tests.bench.contestants import PEERS, Field
from tests.bench.options import Options, from_environment
from tests.bench.site import Site
from tests.bench.turns import Sitting

STATEMENTS, GROWTH = "statements", "growth"
OUTPUT, ERRORS = (
    Console(stderr=is_error, highlight=False, markup=False, soft_wrap=True)
    for is_error in (False, True)
)


def main() -> int:
    """Exit codes: 0 measured, whatever was reached; 1 could not be measured; 130 interrupted."""
    # Ends like an interrupt, so that nothing that was started is left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        options = from_environment()
        _run(options, _chosen(options))
    except StackError as error:
        ERRORS.print(f"\nerror: {error}")
        return 1
    except KeyboardInterrupt:
        ERRORS.print("\ninterrupted: the data stay for the next run")
        return 130
    return 0


def _chosen(options: Options) -> list[str]:
    """Names of the measures, in order. Growth wants two more databases, so only by its name."""
    known = [measure.name for measure in measures.MEASURES] + [STATEMENTS]
    unknown = set(options.only) - {*known, GROWTH}
    if unknown:
        raise StackError(
            f"ONLY names {', '.join(sorted(unknown))}: choose from {', '.join([*known, GROWTH])}."
        )
    return [name for name in (*known, GROWTH) if name in (options.only or known)]


def _run(options: Options, names: list[str]) -> None:
    under_load = {measure.name: measure for measure in measures.MEASURES}
    if any(set(PEERS) & set(under_load[name].contestants) for name in names if name in under_load):
        node.check()
    began = time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime())
    outcomes: list[report.Outcome] = []
    with ExitStack() as running:
        site = running.enter_context(Site(options.products, say))
        results = site.folder / "results" / began
        drawn = draws.read(site)
        field = running.enter_context(Field(site, drawn, say))
        sitting = Sitting(site, drawn, options, say)
        for name in names:
            if name == STATEMENTS:
                outcomes.append(statements.take(site, options, say))
            elif name == GROWTH:
                outcomes.append(statements.take_growth(site, options, say))
            else:
                outcomes.append(measures.take(under_load[name], sitting, field))
            _write({**report.as_dict(outcomes, options), "began_at": began}, results)
    report.show(outcomes)
    say(f"as JSON and with plots: {results}.json, {results}.html")


def _write(results: dict[str, Any], path: Path) -> None:
    """After each measure, so that a broken run keeps what it has."""
    path.parent.mkdir(exist_ok=True)
    path.with_suffix(".json").write_text(json.dumps(results, indent=2) + "\n")
    path.with_suffix(".html").write_text(page.render(results))


def say(sentence: str) -> None:
    OUTPUT.print(f"» {sentence}")


if __name__ == "__main__":
    sys.exit(main())
