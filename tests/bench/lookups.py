"""Times the look-up of an address's region on the running site's database.

`python -m tests.bench.lookups [ROUNDS]` draws addresses out of the imported ranges and beside them
and prints the median and the 95th percentile of a round trip, `SELECT 1` for the floor, and what
PostgreSQL says of the plan. It only reads.
"""

import ipaddress
import os
import random
import re
import statistics
import sys
import time
from collections.abc import Callable, Sequence

import django
from rich.console import Console
from rich.table import Table

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "atelier.settings")
django.setup()

from django.db import connection  # noqa: E402 - settings first

from atelier.core.database import fetch_json  # noqa: E402
from licensing import sql  # noqa: E402
from licensing.models import IpRange, NetworkOverride  # noqa: E402

PATTERN = re.compile(r"%\((\w+)\)s")


def main(rounds: int) -> None:
    ranges, addresses = IpRange.objects.count(), draw(rounds)
    known = [address for address in addresses if address.version == 4]
    six = [address for address in addresses if address.version == 6]
    anywhere = [ipaddress.ip_address(random.Random(2).getrandbits(32)) for _ in range(rounds)]
    table = Table("look-up", "median, ms", "P95, ms", "above select 1, ms", box=None)
    floor = 0.0
    for name, ask, asked in (
        ("select 1", floor_of, known),
        ("IPv4 in a range", region_of, known),
        ("IPv6 in a range", region_of, six),
        ("any IPv4", region_of, anywhere),
    ):
        if not asked:
            continue
        times = sorted(round_trips(ask, asked))
        median = statistics.median(times)
        floor = floor or median
        p95 = times[int(len(times) * 0.95)]
        table.add_row(name, f"{median:.3f}", f"{p95:.3f}", f"{median - floor:.3f}")
    Console().print(f"{ranges:,} ranges, {NetworkOverride.objects.count():,} overrides")
    Console().print(table)
    for line in explained(str(known[0])):
        print(line)  # noqa: T201 - a report


def draw(rounds: int) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """First addresses of ranges, some of each version."""
    with connection.cursor() as cursor:
        cursor.execute(
            "(SELECT host(first_address) FROM licensing_iprange WHERE family(first_address) = 4"
            " ORDER BY random() LIMIT %(rounds)s) UNION ALL (SELECT host(first_address)"
            " FROM licensing_iprange WHERE family(first_address) = 6"
            " ORDER BY random() LIMIT %(rounds)s)",
            {"rounds": rounds},
        )
        return [ipaddress.ip_address(row[0]) for row in cursor.fetchall()]


def floor_of(address: str) -> None:
    fetch_json("SELECT %(address)s::text", {"address": address})


def region_of(address: str) -> None:
    sql.region_of(address, mmdb=None, unknown_code="")


def round_trips(ask: Callable[[str], None], addresses: Sequence[object]) -> list[float]:
    times = []
    for address in addresses:
        text = str(address)
        began = time.perf_counter()
        ask(text)
        times.append((time.perf_counter() - began) * 1000)
    return times


def explained(address: str) -> list[str]:
    """The plan of the tenth execution, when PostgreSQL has settled on one."""
    names = list(dict.fromkeys(PATTERN.findall(sql._REGION)))
    text = PATTERN.sub(lambda found: f"${names.index(found[1]) + 1}", sql._REGION)
    values = {"address": f"'{address}'", "unknown_code": "''"}
    execute = f"EXECUTE looked_up({', '.join(values.get(name, 'NULL') for name in names)})"
    with connection.cursor() as cursor:
        cursor.execute(f"PREPARE looked_up AS {text}")
        for _ in range(10):
            cursor.execute(execute)
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {execute}")
        return [row[0] for row in cursor.fetchall()]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
