"""The review aggregates after an import: built anew, or recounted where something changed."""

from collections.abc import Collection, Sequence

from etl.building import Successors, is_empty
from etl.files import KINDS
from etl.merging import COUNTED_FILES, Changes
from reviews import services

COUNTS_TABLE = "reviews_reviewmeta"
SUMS_TABLE = "reviews_characteristicmeta"
REVIEWS_TABLE = "reviews_review"
RATINGS_TABLE = "reviews_characteristicreview"
COUNTED_TABLES = {KINDS[name].table for name in COUNTED_FILES}


def can_be_built(tables: Collection[str]) -> bool:
    """Whether these tables, when built, bring the whole of the aggregates along."""
    empty = (*COUNTED_TABLES, COUNTS_TABLE, SUMS_TABLE)
    return REVIEWS_TABLE in tables and all(is_empty(table) for table in empty)


def build_aggregates(successors: Successors) -> None:
    """Build both aggregate tables beside the live ones where the reviews are built."""
    if REVIEWS_TABLE not in successors.tables:
        return
    review, rated = successors.name_of(REVIEWS_TABLE), successors.name_of(RATINGS_TABLE)
    counts = services.review_counts()
    successors.build(
        COUNTS_TABLE,
        f"product_id, {', '.join(counts)}",
        f"SELECT product_id, {', '.join(counts.values())} FROM {review} review"
        " WHERE moderation <> 'rejected' GROUP BY product_id",
    )
    successors.build(
        SUMS_TABLE,
        "characteristic_id, value_sum, value_count",
        f"SELECT characteristic_id, sum(value), count(*) FROM {rated} rated"
        f" JOIN {review} review ON review.id = rated.review_id"
        " WHERE review.moderation <> 'rejected' GROUP BY characteristic_id",
    )


def affected_products(changes: Sequence[Changes]) -> str:
    """SQL of the ids of the products whose reviews the changes touch, before and after."""
    parts = []
    for change in changes:
        joined = f"{change.table} change LEFT JOIN {change.staged.kind.table} live USING (id)"
        if change.staged.kind.name in {"reviews", "characteristics"}:
            parts.append(f"SELECT unnest(ARRAY[change.product_id, live.product_id]) FROM {joined}")
        elif change.staged.kind.name == "characteristic_reviews":
            parts.append(
                f"SELECT owner.product_id FROM {joined} JOIN reviews_characteristic owner"
                " ON owner.id IN (change.characteristic_id, live.characteristic_id)"
            )
    return " UNION ".join(parts) or "SELECT NULL::bigint WHERE false"
