"""The public reads of one product's page, and whether two servers answer them alike."""

import json
import random
import urllib.request
from collections.abc import Mapping
from typing import Any

from stack.errors import StackError

ROUTES: Mapping[str, str] = {
    "detail": "/products/{}",
    "styles": "/products/{}/styles",
    "related": "/products/{}/related",
    "reviews": "/reviews?product_id={}",
    "meta": "/reviews/meta?product_id={}",
}
COMPARED_PRODUCTS = 40


def fetch(url: str, route: str, product_id: int) -> bytes:
    with urllib.request.urlopen(url + ROUTES[route].format(product_id), timeout=10) as answer:
        body: bytes = answer.read()
        return body


def compare(ours: str, theirs: Mapping[str, str], products: list[int]) -> int:
    """How many answers were compared; `StackError` naming the first that differs."""
    drawn = random.Random(1).sample(products, COMPARED_PRODUCTS)
    for route in ROUTES:
        for product_id in drawn:
            expected = _parsed(ours, route, product_id)
            for name, url in theirs.items():
                if _parsed(url, route, product_id) != expected:
                    path = ROUTES[route].format(product_id)
                    raise StackError(f"{name} answers {path} otherwise than the site does.")
    return len(ROUTES) * len(drawn) * len(theirs)


def _parsed(url: str, route: str, product_id: int) -> Any:
    return json.loads(fetch(url, route, product_id))
