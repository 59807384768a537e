"""The review aggregates after an import: built anew, or recounted where something changed."""

from collections.abc import Collection

from etl import building
from etl.merging import Changes
from etl.staging import SCHEMA
from reviews import services

COUNTS_TABLE = "reviews_reviewmeta"
SUMS_TABLE = "reviews_characteristicmeta"
REVIEWS_TABLE = "reviews_review"
RATINGS_TABLE = "reviews_characteristicreview"
COUNTED_TABLES = {REVIEWS_TABLE, RATINGS_TABLE, "reviews_characteristic"}
NONE = "SELECT NULL::bigint WHERE false"
ALL_PRODUCTS = "SELECT id FROM products_product"


def can_be_built(tables: Collection[str], built: Collection[str]) -> bool:
    """Whether an import of these tables, some of them built, brings the whole of them along."""
    counted = COUNTED_TABLES & set(tables)
    empty = (*COUNTED_TABLES, COUNTS_TABLE, SUMS_TABLE)
    return (
        REVIEWS_TABLE in built
        and counted <= set(built)
        and all(building.is_empty(table) for table in empty)
    )


def build_counts() -> int:
    """Count the reviews of the successor. None of them is rejected: nobody has seen them yet."""
    counts = services.review_counts()
    return building.fill_from(
        COUNTS_TABLE,
        ("product_id", *counts),
        f"SELECT product_id, {', '.join(counts.values())} FROM {SCHEMA}.{REVIEWS_TABLE}"
        " GROUP BY product_id",
    )


def build_sums(ratings: str) -> int:
    """Add up the ratings in the table named."""
    return building.fill_from(
        SUMS_TABLE,
        ("characteristic_id", "value_sum", "value_count"),
        f"SELECT characteristic_id, sum(value), count(*) FROM {ratings} GROUP BY characteristic_id",
    )


def affected_products(reviews: Changes, *, deletes: bool) -> str:
    """SQL of the ids of the products whose counters change, before and after."""
    live = reviews.kind.table
    counted = ("product_id", "rating", "recommend")
    ours, theirs = (", ".join(f"{row}.{name}" for name in counted) for row in ("change", "live"))
    return (
        "SELECT unnest(ARRAY[change.product_id, live.product_id])"
        f" FROM {reviews.table} change LEFT JOIN {live} live USING (id)"
        f" WHERE change.is_new OR ({ours}) IS DISTINCT FROM ({theirs})"
        + _deleted(reviews, "product_id", deletes=deletes)
    )


def affected_characteristics(ratings: Changes, *, deletes: bool) -> str:
    """SQL of the ids of the characteristics whose sums change, before and after."""
    return (
        "SELECT unnest(ARRAY[change.characteristic_id, live.characteristic_id])"
        f" FROM {ratings.table} change LEFT JOIN {ratings.kind.table} live USING (id)"
        + _deleted(ratings, "characteristic_id", deletes=deletes)
    )


def _deleted(changes: Changes, column: str, *, deletes: bool) -> str:
    if not deletes or not changes.absent:
        return ""
    return (
        f" UNION ALL SELECT live.{column}"
        f" FROM {changes.absent_table} JOIN {changes.kind.table} live USING (id)"
    )
