"""Times the statements behind the public reads on the running site's database.

`python -m tests.bench.queries [ROUNDS]` draws product ids uniformly and prints the median and the
95th percentile of a prepared statement's round trip, and the median above that of `SELECT 1`, which
is the statement's own cost. It only reads.
"""

import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import django
from rich.console import Console
from rich.table import Table

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "atelier.settings")
django.setup()

from django.db.models import Max  # noqa: E402 - settings first

from atelier.core.database import fetch_json  # noqa: E402
from products import sql as products  # noqa: E402
from products.models import Product  # noqa: E402
from reviews import sql as reviews  # noqa: E402

Params = Callable[[int], Mapping[str, Any]]
PAGE = {"page": 0, "count": 5, "limit": 5, "offset": 0}

STATEMENTS: dict[str, tuple[str, Params]] = {
    "select 1": ("SELECT %(one)s::int", lambda product_id: {"one": product_id}),
    "product": (products._DETAIL, lambda product_id: {"product_id": product_id, "campus": "c"}),
    "styles": (products._STYLES, lambda product_id: {"product_id": product_id}),
    "related": (products._RELATED, lambda product_id: {"product_id": product_id}),
    **{
        f"reviews, {order}": (
            statement,
            lambda product_id: {"product_id": product_id, **PAGE},
        )
        for order, statement in reviews._LISTS.items()
    },
    "meta": (reviews._META, lambda product_id: {"product_id": product_id}),
}


def main(rounds: int) -> None:
    last = Product.objects.filter(pk__lt=1_000_000_000).aggregate(last=Max("id"))["last"]
    ids = random.Random(1).choices(range(1, last + 1), k=rounds)
    table = Table("statement", "median, ms", "P95, ms", "above select 1, ms", box=None)
    floor = 0.0
    for name, (statement, params) in STATEMENTS.items():
        times = sorted(round_trips(statement, params, ids))
        median = statistics.median(times)
        floor = floor or median
        table.add_row(
            name, f"{median:.3f}", f"{times[int(rounds * 0.95)]:.3f}", f"{median - floor:.3f}"
        )
    Console().print(f"{last:,} products, {rounds:,} ids drawn uniformly")
    Console().print(table)


def round_trips(statement: str, params: Params, ids: list[int]) -> list[float]:
    times = []
    for product_id in ids:
        began = time.perf_counter()
        fetch_json(statement, params(product_id))
        times.append((time.perf_counter() - began) * 1000)
    return times


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
