"""Times the way of a request through Django in this very process, without a server.

`python -m tests.bench.dispatch [REQUESTS]` asks the database of the environment or `.env`, and
prints microseconds of CPU of this process: the view with its statement, the same within its
middleware, and the whole WSGI application. It only reads. Run by several Pythons, one after the
other, it compares them.
"""

import io
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

from atelier.wsgi import application

from django.db.models import Max  # isort: skip - after the settings
from django.urls import get_resolver  # isort: skip
from products.models import Product  # isort: skip

BATCHES = 7
ROUTES: dict[str, Callable[[int], tuple[str, str]]] = {
    "liveness": lambda product_id: ("/healthz", ""),
    "styles": lambda product_id: (f"/products/{product_id}/styles", ""),
    "product": lambda product_id: (f"/products/{product_id}", ""),
    "related": lambda product_id: (f"/products/{product_id}/related", ""),
    "products": lambda product_id: ("/products", f"page={product_id % 1000}"),
    "reviews": lambda product_id: ("/reviews", f"product_id={product_id}&sort=newest"),
    "meta": lambda product_id: ("/reviews/meta", f"product_id={product_id}"),
}


def main(requests: int) -> None:
    last = Product.objects.filter(pk__lt=1_000_000_000).aggregate(last=Max("id"))["last"] or 1
    ids = random.Random(1).choices(range(1, last + 1), k=requests)
    table = Table("route", "view", "with middleware", "application", box=None)
    for name, route in ROUTES.items():
        requested = [route(product_id) for product_id in ids]
        table.add_row(name, *(f"{time_of(way, requested):.0f}" for way in (view, handler, whole)))
    Console().print(
        f"Python {platform.python_version()} at {os.path.realpath(sys.executable)},"
        f" {last:,} products, {requests:,} requests a batch, CPU in µs"
    )
    Console().print(table)


def time_of(way: Callable[[dict[str, Any]], Any], requested: list[tuple[str, str]]) -> float:
    """Microseconds of CPU a request: the median of the batches, a first one left out."""
    batches = []
    for _ in range(BATCHES + 1):
        environs = [environ_of(path, query) for path, query in requested]
        began = time.process_time()
        for one in environs:
            way(one)
        batches.append((time.process_time() - began) / len(environs) * 1e6)
    return statistics.median(batches[1:])


def view(environ: dict[str, Any]) -> None:
    request = application.request_class(environ)
    match = get_resolver().resolve(request.path_info)
    match.func(request, *match.args, **match.kwargs)


def handler(environ: dict[str, Any]) -> None:
    application.get_response(application.request_class(environ)).close()


def whole(environ: dict[str, Any]) -> None:
    response = application(environ, lambda status, headers, error=None: None)
    b"".join(response)
    response.close()


def environ_of(path: str, query: str) -> dict[str, Any]:
    """What gunicorn makes of a request that nginx passes on."""
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost",
        "HTTP_X_REQUEST_ID": "0123456789abcdef0123456789abcdef",
        "HTTP_X_FORWARDED_FOR": "127.0.0.1",
        "HTTP_X_FORWARDED_PROTO": "http",
        "HTTP_USER_AGENT": "bench",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
    }


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
