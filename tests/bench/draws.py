"""The ids that the load generators draw, in files that they read whole.

Three files of 32-bit numbers side by side. A product's place in them is its rank in Zipf's law, a
fixed shuffle of all products.
"""

import random
from array import array
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.bench.site import Site

LISTED_ON_FIRST_PAGE = 5

# Two listed reviews a product: one for the load's votes, one that only the prober votes on, which
# is left out (0) where the list's first page might not show it.
QUERY = f"""
SELECT id, coalesce(listed[1], 0),
    CASE WHEN cardinality(listed) BETWEEN 2 AND {LISTED_ON_FIRST_PAGE} THEN listed[2] ELSE 0 END
FROM (
    SELECT id, ARRAY(
        SELECT review.id FROM reviews_review review
        WHERE review.product_id = product.id AND is_listed
        ORDER BY id LIMIT {LISTED_ON_FIRST_PAGE + 1}
    ) AS listed
    FROM products_product product
) found
ORDER BY id
"""


@dataclass(frozen=True)
class Draws:
    """By rank: product ids, a review of each to vote on, and one for the prober; 0 for none."""

    products: "array[int]"
    reviews: "array[int]"
    probes: "array[int]"
    folder: Path

    @property
    def files(self) -> dict[str, str]:
        """For the environment of a load generator."""
        return {
            "PRODUCT_IDS": str(self.folder / "products.bin"),
            "REVIEW_IDS": str(self.folder / "reviews.bin"),
        }


def read(site: Site) -> Draws:
    """The ids of this data set, asked for once and kept."""
    folder = site.folder / "draws"
    names = ("products", "reviews", "probes")
    if not (folder / "probes.bin").exists():
        folder.mkdir(exist_ok=True)
        with closing(site.connect()) as connection:
            rows = connection.execute(QUERY).fetchall()
        random.Random(1).shuffle(rows)
        for name, column in zip(names, zip(*rows, strict=True), strict=True):
            (folder / f"{name}.bin").write_bytes(array("i", column).tobytes())
    products, reviews, probes = (_ids(folder / f"{name}.bin") for name in names)
    return Draws(products, reviews, probes, folder)


def _ids(path: Path) -> "array[int]":
    ids = array("i")
    ids.frombytes(path.read_bytes())
    return ids
