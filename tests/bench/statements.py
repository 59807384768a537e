"""Times the statements behind the public reads in the database, and how they grow with it."""

import itertools
import os
import random
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import django
import psycopg

from stack.postgres import DATABASE, ROLE
from tests.bench.awake import cores_awake
from tests.bench.draws import read as read_draws
from tests.bench.options import Options
from tests.bench.site import Say, Site
from tests.bench.targets import Verdict

EXECUTIONS = 2000
FLOOR = "select 1"
# Milliseconds in the database, above those of the floor.
MOST = {"styles": 0.1, "reviews, helpful": 0.15, "reviews, newest": 0.15, "meta": 0.1}
MOST_GROWTH = 1.3
SMALL, LARGE = 100_000, 1_000_000
MORE_REVIEWS = 11.6


@dataclass
class Timing:
    """Of one statement on one database, in ms: medians of the rounds, floor included."""

    median: list[float] = field(default_factory=list)
    p95: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


# By database, then by statement.
Timings = dict[str, dict[str, Timing]]


@dataclass(frozen=True)
class Outcome:
    name: str
    title: str
    timings: Timings
    verdicts: list[Verdict]


def take(site: Site, options: Options, say: Say) -> Outcome:
    """The statements on the site's own database."""
    title = f"{site.products:,} products"
    timings = _time({title: site}, options, say)
    verdicts = [
        _judge(f"{name}, median above that of SELECT 1", above(timings[title], name), most, "ms")
        for name, most in MOST.items()
    ]
    return Outcome("statements", "Statements in the database", timings, verdicts)


def take_growth(site: Site, options: Options, say: Say) -> Outcome:
    """The same on three databases: ten times the products, then twice the reviews of each."""
    with ExitStack() as running:
        few = _open(running, site, Site(SMALL, say))
        many = _open(running, site, Site(LARGE, say))
        more = _open(running, site, Site(LARGE, say, reviews_per_product=MORE_REVIEWS))
        sites = {_title(one): one for one in (few, many, more)}
        timings = _time(sites, options, say)
    verdicts = [
        _judge(f"{name}, {larger} against {smaller}", ratio, MOST_GROWTH, "×")
        for smaller, larger in itertools.pairwise(sites)
        for name in MOST
        for ratio in [above(timings[larger], name) / above(timings[smaller], name)]
    ]
    return Outcome("growth", "Growth of the statements with the data", timings, verdicts)


def _open(running: ExitStack, site: Site, wanted: Site) -> Site:
    return site if wanted.folder == site.folder else running.enter_context(wanted)


def _title(site: Site) -> str:
    reviews = site.products * site.reviews_per_product / 1_000_000
    return f"{site.products:,} products, {reviews:.3g} million reviews"


def _time(sites: Mapping[str, Site], options: Options, say: Say) -> Timings:
    timings: Timings = {title: {} for title in sites}
    with ExitStack() as opened:
        opened.enter_context(cores_awake())
        databases = {
            title: (opened.enter_context(closing(_connect(site))), _ids(site))
            for title, site in sites.items()
        }
        statements = _statements(next(iter(sites.values())))
        for number in range(options.rounds + 1):
            for name, (statement, params) in statements.items():
                for title, (connection, ids) in databases.items():
                    taken = _executions(connection, statement, [params(one) for one in ids])
                    # The first round reads pages in and makes plans.
                    if number:
                        _add(timings[title].setdefault(name, Timing()), *taken)
            say(f"statements: round {number} of {options.rounds}")
    return timings


def _executions(
    connection: psycopg.Connection, statement: str, params: Sequence[Mapping[str, Any]]
) -> tuple[list[float], float]:
    """Round trips in ms, sorted, and the server process's CPU ms an execution."""
    times = []
    with connection.cursor() as cursor:
        before = _cpu_ns(connection)
        for given in params:
            began = time.perf_counter_ns()
            cursor.execute(statement.encode(), given, prepare=True)
            cursor.fetchone()
            times.append((time.perf_counter_ns() - began) / 1e6)
        spent = _cpu_ns(connection) - before
    return sorted(times), spent / len(params) / 1e6


def _cpu_ns(connection: psycopg.Connection) -> int:
    """What the server process of a connection has used, to the nanosecond."""
    return int(Path(f"/proc/{connection.info.backend_pid}/schedstat").read_text().split()[0])


def _add(timing: Timing, times: list[float], cpu: float) -> None:
    timing.median.append(statistics.median(times))
    timing.p95.append(times[len(times) * 95 // 100])
    timing.cpu.append(cpu)


def above(timings: Mapping[str, Timing], name: str) -> float:
    """The median above the floor's, of the same rounds."""
    pairs = zip(timings[name].median, timings[FLOOR].median, strict=True)
    return statistics.median(one - floor for one, floor in pairs)


def _judge(subject: str, value: float, most: float, unit: str) -> Verdict:
    # A hair over is rounding, as with the figure that is shown.
    digits = 3 if unit == "ms" else 2
    holds = round(value, digits) <= most
    share = most / value if value > 0 else None
    return Verdict(subject, f"at most {most:g} {unit}", f"{value:.{digits}f} {unit}", holds, share)


def _ids(site: Site) -> list[int]:
    return random.Random(1).choices(read_draws(site).products, k=EXECUTIONS)


def _connect(site: Site) -> psycopg.Connection:
    """As the web workers connect: with their settings."""
    _set_django_up(site)
    from django.conf import settings

    options = settings.DATABASES["default"]["OPTIONS"].get("options", "")
    return psycopg.connect(
        host=str(site.config.postgres_sockets),
        dbname=DATABASE,
        user=ROLE,
        autocommit=True,
        options=options,
    )


def _statements(site: Site) -> Mapping[str, Any]:
    _set_django_up(site)
    from tests.bench.queries import STATEMENTS

    return {name: STATEMENTS[name] for name in (FLOOR, *MOST)}


def _set_django_up(site: Site) -> None:
    """The modules that hold the statements import only under settings."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "atelier.settings")
    for name, value in site.config.environ.items():
        os.environ.setdefault(name, value)
    django.setup()
