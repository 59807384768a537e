"""Reproduces the figures of the decisions 6 to 8 and 14 in docs/adr.

`python -m tests.bench.variants drivers` times the same statement through Django's cursor,
psycopg's and `fetch_json`. `documents` compares live styles with a stored document per product, in
a table of its own that it drops again. `workers` serves the site by several kinds of gunicorn
workers in turn, and loads each with styles at a fixed rate (`RATE`, 400 a second). All ask the
database of the environment or `.env`; its product ids count from 1.
"""

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import django
from rich.console import Console
from rich.table import Table

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "atelier.settings")
django.setup()

from django.db import connection  # noqa: E402 - settings first
from django.db.models import Max  # noqa: E402

from atelier.core.database import fetch_json  # noqa: E402
from products import sql  # noqa: E402
from products.models import Product  # noqa: E402
from stack.testing import TestStack  # noqa: E402
from tests.load.__main__ import site_seconds  # noqa: E402

TURNS = 7
READS = 2000
ONE = "SELECT %(product_id)s::bigint::text"
DOCUMENT = "SELECT body FROM bench_document WHERE product_id = %(product_id)s"

WORKERS = {
    "sync, 3 x 2": ("2", "--worker-class sync"),
    "sync, 3 x 1": ("1", "--worker-class sync"),
    "threads, 3 x 1 x 2": ("1", "--worker-class gthread --threads 2"),
    "threads, 3 x 1 x 4": ("1", "--worker-class gthread --threads 4"),
    "threads, 3 x 2 x 2": ("2", "--worker-class gthread --threads 2"),
    "own, 3 x 1 x 2": ("1", "--threads 2"),
    "own, 3 x 1 x 1": ("1", "--threads 1"),
}
LOAD = """
import http from 'k6/http';
export const options = {
    discardResponseBodies: true,
    scenarios: {styles: {
        executor: 'constant-arrival-rate', rate: Number(__ENV.RATE), timeUnit: '1s',
        duration: '6s', preAllocatedVUs: 100, maxVUs: 300,
    }},
    summaryTrendStats: ['med', 'p(95)', 'p(99)', 'count'],
};
export default function () {
    http.get(`${__ENV.URL}/products/${1 + Math.floor(Math.random() * __ENV.LAST)}/styles`);
}
export function handleSummary({metrics}) {
    const time = metrics.http_req_duration.values;
    const dropped = metrics.dropped_iterations;
    return {stdout: [
        time.med, time['p(95)'], time['p(99)'], metrics.http_req_failed.values.passes,
        dropped ? dropped.values.count : 0, time.count,
    ].join(' ')};
}
"""

Read = Callable[[int], object]


def drivers() -> None:
    """Microseconds, wall and CPU of this process, of the styles through each driver's level."""
    connection.ensure_connection()
    bare = connection.connection

    def by_django(product_id: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql._STYLES, {"product_id": product_id})
            cursor.fetchone()[0].encode()

    def by_psycopg(product_id: int) -> None:
        with bare.cursor() as cursor:
            cursor.execute(sql._STYLES, {"product_id": product_id})
            cursor.fetchone()[0].encode()

    ways: dict[str, Read] = {
        "Django's cursor": by_django,
        "psycopg's cursor": by_psycopg,
        "fetch_json": sql.product_styles,
    }
    print_turns(ways)


def documents() -> None:
    """Live styles and stored ones, with `SELECT 1` as the floor; then what storing costs."""
    live = sql._STYLES.replace("%(product_id)s", "product.id")
    with connection.cursor() as cursor:
        began = time.monotonic()
        cursor.execute(
            "CREATE UNLOGGED TABLE bench_document AS"
            f" SELECT product.id AS product_id, ({live}) AS body FROM products_product product"
        )
        cursor.execute("ALTER TABLE bench_document ADD PRIMARY KEY (product_id)")
        cursor.execute("ANALYZE bench_document")
        seconds = time.monotonic() - began
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_total_relation_size('bench_document') / 1048576")
            size = cursor.fetchone()[0]
        Console().print(f"{last_id():,} documents made in {seconds:.1f} s, {size} MB")
        ways: dict[str, Read] = {
            "select 1": lambda product_id: fetch_json(ONE, {"product_id": product_id}),
            "live": sql.product_styles,
            "stored": lambda product_id: fetch_json(DOCUMENT, {"product_id": product_id}),
        }
        print_turns(ways)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE bench_document")


def print_turns(ways: dict[str, Read]) -> None:
    """Take turns, so that a busy moment of the machine meets all; print medians."""
    draw = random.Random(1)
    last = last_id()
    wall: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(TURNS + 1):
        for name, read in ways.items():
            ids = draw.choices(range(1, last + 1), k=READS)
            began, began_cpu = time.perf_counter(), time.process_time()
            for product_id in ids:
                read(product_id)
            if turn:
                wall[name].append((time.perf_counter() - began) / READS * 1e6)
                cpu[name].append((time.process_time() - began_cpu) / READS * 1e6)
    table = Table("way", "wall, µs", "CPU of the client, µs", box=None)
    for name in ways:
        figures = (statistics.median(wall[name]), statistics.median(cpu[name]))
        table.add_row(name, *(f"{figure:.0f}" for figure in figures))
    Console().print(table)


def workers() -> None:
    """Latency of styles at a fixed rate by kinds of workers, and the CPU that nginx, instances and
    PostgreSQL take for a request, in three alternating rounds."""
    rate, last = os.environ.get("RATE", "400"), last_id()
    figures = ("P50", "P95", "P99, ms", "failed", "dropped", "CPU, µs")
    table = Table("workers", *figures, box=None)
    stacks: dict[str, TestStack] = {}
    try:
        for name, (count, arguments) in WORKERS.items():
            settings = {
                "WEB_WORKERS": count,
                "GUNICORN_CMD_ARGS": arguments,
                "SAMPLE_PRODUCTS": "0",
                "CACHE_SECONDS": "0",
                "DATABASE_URL": os.environ["DATABASE_URL"],
            }
            stacks[name] = TestStack(settings).start()
            load(stacks[name], rate, last)
        for _ in range(3):
            for name, stack in stacks.items():
                table.add_row(name, *load(stack, rate, last))
    finally:
        for stack in stacks.values():
            stack.stop()
    Console().print(f"styles at {rate} requests a second, {last:,} products")
    Console().print(table)


def load(stack: TestStack, rate: str, last: int) -> list[str]:
    before = site_seconds(stack.config)
    with tempfile.NamedTemporaryFile("w", suffix=".js") as script:
        script.write(LOAD)
        script.flush()
        k6 = [str(Path(sys.executable).with_name("k6")), "run", "--quiet", "--no-usage-report"]
        given = ["-e", f"URL={stack.url}", "-e", f"RATE={rate}", "-e", f"LAST={last}"]
        done = subprocess.run(
            [*k6, *given, script.name], capture_output=True, text=True, check=True
        )
    *figures, requests = map(float, done.stdout.split()[-6:])
    cost = (site_seconds(stack.config) - before) / requests * 1e6
    return [f"{figure:.1f}".removesuffix(".0") for figure in (*figures, round(cost))]


def last_id() -> int:
    last = Product.objects.filter(pk__lt=1_000_000_000).aggregate(last=Max("id"))["last"]
    return int(last)


if __name__ == "__main__":
    {"drivers": drivers, "documents": documents, "workers": workers}[sys.argv[1]]()
