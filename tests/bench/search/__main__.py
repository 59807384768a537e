"""Times search at many profiles: `make bench-search PROFILES=10000000`.

A PostgreSQL cluster of its own is made, filled, indexed and mapped (at ten million: half an hour
and 15 GB), each word is searched in each order, and the table of times is printed, with the plans
of each way of finding. BENCH_DIRECTORY keeps the cluster for the next time; BENCH_DATABASE_URL
measures a database that is there already, and only reads it.
"""

import os
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from stack.accounts import service_account
from stack.binaries import postgres_bindir
from stack.postgres import Postgres, tuned_settings
from stack.testing import site_packages

RUNS = 7
# Combinations of frequent words, rare words, and what is slow.
DRAWN, RARE, SEED, SLOW = 400, 2_000, 1, 50
QUICK = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "1GB",
}
# All; a letter; frequent names, and one of the last letters; a country that came all at once; the
# beginnings of numbers and addresses; several words; a rare name, an address, a number, nobody.
QUERIES = (
    *("", "j", "james", "zoe", "za", "us", "james.", "4500", "james us", "j za", "zoe za"),
    *("{rare}", "{email}", "{mobile}", "nobody"),
)
ALL = '""'
NAMED = re.compile(r"%\((\w+)\)s")


def main() -> None:
    url = os.environ.get("BENCH_DATABASE_URL")
    if url:
        _prepare(url)
        _measure()
        return
    with _folder() as folder, _cluster(folder) as database_url:
        _prepare(database_url)
        _load(int(os.environ.get("PROFILES") or 1_000_000))
        _measure()


@contextmanager
def _folder() -> Iterator[Path]:
    kept = os.environ.get("BENCH_DIRECTORY")
    if kept:
        yield Path(kept)
        return
    with tempfile.TemporaryDirectory(prefix="atelier-bench-search-") as made:
        yield Path(made)


@contextmanager
def _cluster(folder: Path) -> Iterator[str]:
    account = service_account()
    account.own(folder, 0o755)
    postgres = Postgres(
        bindir=postgres_bindir(site_packages(), folder / "copies", account),
        data=folder / "postgres",
        sockets=folder / "run",
        log=folder / "postgres.log",
        account=account,
        settings={**tuned_settings(), **QUICK},
    )
    postgres.initialise()
    postgres.start()
    try:
        yield postgres.url
    finally:
        postgres.stop()


def _prepare(url: str) -> None:
    os.environ |= {
        "DATABASE_URL": url,
        "REDIS_URL": "redis://localhost:1/0",
        "SECRET_KEY": "only-for-measuring-" + "0123456789abcdef" * 4,
        "DJANGO_SETTINGS_MODULE": "atelier.settings",
        # As web workers have it.
        "DATABASE_PARALLEL_WORKERS": "0",
    }
    import django

    django.setup()


def _load(profiles: int) -> None:
    """Fill an empty database, as a load would: indexes and the map come last."""
    from django.core.management import call_command
    from django.db import connection

    from tests.bench.search.profiles import fill, without_indexes
    from users.models import DEFAULT_TENANT, Profile, Tenant
    from users.services.mapping import map_tenants

    call_command("migrate", verbosity=0)
    if Profile.objects.exists():
        return
    tenant = Tenant.objects.get(name=DEFAULT_TENANT)
    _say("filling")
    definitions = without_indexes()
    fill(tenant, profiles)
    with connection.cursor() as cursor:
        cursor.execute("SET maintenance_work_mem = '1GB'")
        for definition in definitions:
            _say(definition.partition(" ON ")[0])
            cursor.execute(definition)
        cursor.execute("VACUUM ANALYZE users_profile")
    _say("mapping")
    map_tenants(say=_say)


def _measure() -> None:
    from users.models import DEFAULT_TENANT, SORTS, Profile, SearchMap, Tenant
    from users.sql import search as sql

    tenant = Tenant.objects.get(name=DEFAULT_TENANT)
    made = SearchMap.objects.filter(tenant=tenant, is_used=True).first()
    some = Profile.objects.filter(tenant=tenant).order_by("-id")[1234]
    given = {"rare": some.full_name, "email": some.email, "mobile": some.mobile}
    ways: list[str] = []
    shown: dict[str, tuple[str, sql.Order, str, dict[str, Any]]] = {}
    real = sql.page

    def noted(
        kind: str, order: sql.Order, params: dict[str, Any], *, zones_of: str = ""
    ) -> sql.Found:
        ways.append(kind)
        shown.setdefault(kind, (kind, order, zones_of or order.sort, params))
        return real(kind, order, params, zones_of=zones_of)

    sql.page = noted  # type: ignore[assignment]
    console = Console(width=160)
    console.print(f"{f'{made.profiles:,}' if made else 'Few'} profiles; map: {made}")
    table = Table("query", "order", "found", "median, ms", "worst, ms", "way", box=None)
    orders = [f"{sort} {direction}" for sort in SORTS for direction in ("ASC", "DESC")]
    asked = [(query.format(**given), sort_by, 10, 0) for query in QUERIES for sort_by in orders]
    asked += [("james", "gender ASC", 100, 0), ("zoe", "full_name DESC", 100, 0)]
    deep = ("", "j", "james", "zoe", "za", "james us")
    asked += [
        (query, sort_by, 10, 10_000)
        for query in deep
        for sort_by in ("created_at DESC", "gender ASC", "country_id ASC")
    ]
    told: dict[str, list[tuple[float, float, str, str]]] = {}
    for query, sort_by, limit, offset in asked:
        count, times = _timed(tenant.pk, query, sort_by, limit, offset, ways)
        way = " ".join(dict.fromkeys(ways))
        label = query + (f" ({limit} from {offset})" if (limit, offset) != (10, 0) else "")
        median, worst = statistics.median(times), max(times)
        told.setdefault(label, []).append((median, worst, sort_by, way))
        table.add_row(label or ALL, sort_by, str(count), f"{median:.1f}", f"{worst:.1f}", way)
    console.print(table)
    for line in _summary(told):
        console.print(line, markup=False, soft_wrap=True)
    if made:
        for line in _drawn_lines(tenant.pk, made, orders, ways):
            console.print(line, markup=False, soft_wrap=True)
    for kind, order, zones_of, params in list(shown.values()):
        plan = _plan(kind, order, zones_of, params)
        console.print(f"\n{kind}, {order.sort}", *plan, sep="\n", markup=False)


def _summary(told: dict[str, list[tuple[float, float, str, str]]]) -> Iterator[str]:
    """As docs/users.md has it: for each query the orders together."""
    yield "| query | median of all orders, ms | slowest order, ms | worst run, ms | ways |"
    yield "|---|---|---|---|---|"
    for label, runs in told.items():
        typical = statistics.median(median for median, *_ in runs)
        slowest, _, sort_by, _ = max(runs)
        worst = max(worst for _, worst, *_ in runs)
        ways = ", ".join(dict.fromkeys(way for *_, way in runs))
        yield (
            f"| `{label or ALL}` | {typical:.1f} | {slowest:.1f} ({sort_by})"
            f" | {worst:.1f} | {ways} |"
        )


def _drawn_lines(tenant_id: Any, made: Any, orders: list[str], ways: list[str]) -> Iterator[str]:
    """Each frequent word in each order; rare ones; and combinations of frequent ones, half of them
    drawn as often as they are, half evenly."""
    from users.models import SearchWord

    draw = random.Random(SEED)
    words = dict(SearchWord.objects.filter(map=made).order_by("id").values_list("key", "profiles"))
    rare = _rare_words(tenant_id, set(words))
    combined = []
    for number in range(DRAWN):
        weights = list(words.values()) if number % 2 else None
        combined.append(
            " ".join(draw.choices(list(words), weights, k=draw.choice((2, 2, 2, 3, 4))))
        )
    asked = {
        "frequent words, each in all orders": [(word, by) for word in words for by in orders],
        "rare words": [(word, draw.choice(orders)) for word in draw.sample(rare, RARE)],
        "combinations of frequent words": [(query, draw.choice(orders)) for query in combined],
    }
    for label, queries in asked.items():
        medians = []
        for query, sort_by in queries:
            _, times = _timed(tenant_id, query, sort_by, 10, 0, ways, runs=1)
            if max(times) > SLOW / 2:
                _, times = _timed(tenant_id, query, sort_by, 10, 0, ways)
            taken = " ".join(dict.fromkeys(ways))
            medians.append((statistics.median(times), query, sort_by, taken))
        medians.sort()
        slow = sum(median > SLOW for median, *_ in medians)
        last, *of = medians[-1]
        yield (
            f"{label}: {len(medians):,}, median {medians[len(medians) // 2][0]:.1f} ms, P99"
            f" {medians[len(medians) * 99 // 100][0]:.1f} ms, {slow} above {SLOW} ms, slowest"
            f" {last:.1f} ms ({', '.join(of)})"
        )


def _rare_words(tenant_id: Any, frequent: set[str]) -> list[str]:
    """Beginnings, of any length, of words of some profiles, that are not frequent."""
    from users.models import Profile
    from users.terms import map_key, words_in

    draw = random.Random(SEED)
    live = Profile.objects.filter(tenant=tenant_id, deleted_at=None)
    first, last = (live.order_by(by)[0].created_at for by in ("created_at", "-created_at"))
    found = set()
    while len(found) < 2 * RARE:
        at = first + draw.random() * (last - first)
        some = live.filter(created_at__gte=at).order_by("created_at")[0]
        for word in words_in(some.search_words):
            beginning = word[: draw.randint(1, len(word))]
            if map_key(beginning) not in frequent:
                found.add(beginning)
    return sorted(found)


def _timed(
    tenant_id: Any,
    query: str,
    sort_by: str,
    limit: int,
    offset: int,
    ways: list[str],
    runs: int = RUNS,
) -> tuple[int, list[float]]:
    """The first run, which also warms, is left out."""
    from users.services.search import search_profiles

    times, count = [], 0
    for _ in range(runs + 1):
        ways.clear()
        began = time.perf_counter()
        count = search_profiles(
            tenant_id=tenant_id, query=query, sort_by=sort_by, limit=limit, offset=offset
        ).count
        times.append((time.perf_counter() - began) * 1000)
    return count, times[1:]


def _plan(kind: str, order: Any, zones_of: str, params: dict[str, Any]) -> list[str]:
    """As it is once PostgreSQL has settled on one plan for all values."""
    from django.db import connection

    from users.sql.search import _statement

    statement = _statement(kind, order, zones_of, is_after=False)
    names = list(dict.fromkeys(NAMED.findall(statement)))
    text = NAMED.sub(lambda found: f"${names.index(found[1]) + 1}", statement)
    values = ", ".join(map(_literal, (params[name] for name in names)))
    with connection.cursor() as cursor:
        cursor.execute(f"PREPARE measured AS {text}")
        for _ in range(6):
            cursor.execute(f"EXECUTE measured({values})")
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) EXECUTE measured({values})")
        lines = [row[0][:150] for row in cursor.fetchall()]
        cursor.execute("DEALLOCATE measured")
    return lines


def _literal(value: Any) -> str:
    text = f"{{{','.join(map(str, value))}}}" if isinstance(value, list) else str(value)
    return "'" + text.replace("'", "''") + "'"


def _say(line: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")


if __name__ == "__main__":
    main()
