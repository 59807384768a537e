"""The few products that everybody writes and reads at once, and how their answers are read."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.faults.cache.site import Site

_HELPFUL = re.compile(rb'"review_id":(\d+).*?"helpfulness":(\d+)')
_STARS = re.compile(rb'"([1-5])":"(\d+)"')
_PRICE = re.compile(rb'"id":(\d+),.*?"default_price":"(\d+)\.00"')


@dataclass(frozen=True)
class Read:
    """A path, the names of the numbers that its answer shows, and how to find them there."""

    path: str
    names: frozenset[str]
    find: Callable[[bytes], Mapping[str, int]]


def votes(review: int) -> str:
    return f"votes of review {review}"


def stars(product: int, rating: int) -> str:
    return f"{rating} stars of product {product}"


def price(product: int) -> str:
    return f"price of product {product}"


class HotSet:
    """One product whose reviews are voted for, one that gets reviews, and two whose price changes:
    one alone, one with the scope of everything."""

    def __init__(self, site: Site, first: int) -> None:
        self.voted, self.reviewed, self.priced, self.imported = range(first, first + 4)
        self.reviews = [10 * first + number for number in range(4)]
        site.add_product(self.voted, self.reviews)
        for product in (self.reviewed, self.priced, self.imported):
            site.add_product(product, [])
        self.reads = [self._votes(), self._stars(), *self._prices()]

    @property
    def names(self) -> set[str]:
        return set().union(*(read.names for read in self.reads))

    def _votes(self) -> Read:
        def find(body: bytes) -> dict[str, int]:
            return {votes(int(review)): int(value) for review, value in _HELPFUL.findall(body)}

        names = frozenset(votes(review) for review in self.reviews)
        return Read(f"/reviews?product_id={self.voted}&count=9", names, find)

    def _stars(self) -> Read:
        def find(body: bytes) -> dict[str, int]:
            counted = {stars(self.reviewed, rating): 0 for rating in range(1, 6)}
            ratings = body[: body.index(b'"recommended"')]
            for rating, value in _STARS.findall(ratings):
                counted[stars(self.reviewed, int(rating))] = int(value)
            return counted

        names = frozenset(stars(self.reviewed, rating) for rating in range(1, 6))
        return Read(f"/reviews/meta?product_id={self.reviewed}", names, find)

    def _prices(self) -> list[Read]:
        def find(body: bytes) -> dict[str, int]:
            ours = {self.priced, self.imported}
            return {
                price(int(product)): int(value)
                for product, value in _PRICE.findall(body)
                if int(product) in ours
            }

        alone = {product: frozenset({price(product)}) for product in (self.priced, self.imported)}
        reads = [Read(f"/products/{product}", names, find) for product, names in alone.items()]
        both = frozenset().union(*alone.values())
        return [*reads, Read("/products?category=Coats&count=1000", both, find)]
