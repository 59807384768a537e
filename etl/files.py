"""The ten files of products and reviews: their columns, their tables, and who refers to whom."""

from dataclasses import dataclass

from etl.columns import (
    BOOLEAN,
    COUNT,
    FLAG,
    INSTANT,
    NULL_COUNT,
    NULL_PRICE,
    NULL_TEXT,
    NULL_URL,
    OWN_ID,
    PRICE,
    REFERENCE,
    SCORE,
    SHORT_TEXT,
    TEXT,
    URL,
    Column,
)

ID = Column("id", OWN_ID)


@dataclass(frozen=True, slots=True)
class FileKind:
    """name: of the file, without ending; others: names that other releases gave it.

    The first columns are those that other rows refer to or that refer to other rows, digits all.
    """

    name: str
    table: str
    columns: tuple[Column, ...]
    others: tuple[str, ...] = ()
    # The column that says when a row changed, by the table's own rule.
    touched: str = ""
    # Two references that must not be the same, nor come again in another row.
    pair: tuple[str, str] | None = None

    @property
    def references(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.parent)

    @property
    def table_columns(self) -> list[str]:
        """The table's columns that files bring, in the order of `columns`."""
        return [column.table_column for column in self.columns]

    def position(self, name: str) -> int:
        return next(place for place, column in enumerate(self.columns) if column.name == name)


PRODUCT = FileKind(
    "product",
    "products_product",
    (
        ID,
        Column("name", TEXT),
        Column("slogan", TEXT),
        Column("description", TEXT),
        Column("category", SHORT_TEXT),
        Column("default_price", PRICE),
    ),
    others=("products",),
    touched="updated_at",
)
FEATURES = FileKind(
    "features",
    "products_feature",
    (
        ID,
        Column("product_id", REFERENCE, parent="product"),
        Column("feature", TEXT),
        Column("value", NULL_TEXT),
    ),
)
STYLES = FileKind(
    "styles",
    "products_style",
    (
        ID,
        Column("product_id", REFERENCE, parent="product"),
        Column("name", TEXT),
        Column("sale_price", NULL_PRICE),
        Column("original_price", PRICE),
        Column("default_style", FLAG, target="is_default"),
    ),
)
PHOTOS = FileKind(
    "photos",
    "products_photo",
    (
        ID,
        Column("style_id", REFERENCE, parent="styles"),
        Column("url", NULL_URL),
        Column("thumbnail_url", NULL_URL),
    ),
)
SKUS = FileKind(
    "skus",
    "products_sku",
    (
        ID,
        Column("style_id", REFERENCE, parent="styles"),
        Column("size", NULL_TEXT),
        Column("quantity", NULL_COUNT),
    ),
)
RELATED = FileKind(
    "related",
    "products_relatedproduct",
    (
        ID,
        Column("current_product_id", REFERENCE, target="product_id", parent="product"),
        Column("related_product_id", REFERENCE, parent="product"),
    ),
    pair=("current_product_id", "related_product_id"),
)
REVIEWS = FileKind(
    "reviews",
    "reviews_review",
    (
        ID,
        Column("product_id", REFERENCE, parent="product"),
        Column("rating", SCORE),
        Column("date", INSTANT, target="created_at"),
        Column("summary", TEXT),
        Column("body", TEXT),
        Column("recommend", BOOLEAN),
        Column("reported", BOOLEAN, target="source_reported"),
        Column("reviewer_name", TEXT),
        Column("reviewer_email", TEXT),
        Column("response", NULL_TEXT),
        Column("helpfulness", COUNT, target="source_helpfulness"),
    ),
)
REVIEWS_PHOTOS = FileKind(
    "reviews_photos",
    "reviews_reviewphoto",
    (ID, Column("review_id", REFERENCE, parent="reviews"), Column("url", URL)),
)
CHARACTERISTICS = FileKind(
    "characteristics",
    "reviews_characteristic",
    (ID, Column("product_id", REFERENCE, parent="product"), Column("name", TEXT)),
)
CHARACTERISTIC_REVIEWS = FileKind(
    "characteristic_reviews",
    "reviews_characteristicreview",
    (
        ID,
        Column("characteristic_id", REFERENCE, parent="characteristics"),
        Column("review_id", REFERENCE, parent="reviews"),
        Column("value", SCORE),
    ),
    others=("characteristics_reviews",),
)

# Parents before their children.
PRODUCT_FILES = (PRODUCT, FEATURES, STYLES, PHOTOS, SKUS, RELATED)
REVIEW_FILES = (REVIEWS, REVIEWS_PHOTOS, CHARACTERISTICS, CHARACTERISTIC_REVIEWS)
KINDS = {kind.name: kind for kind in PRODUCT_FILES + REVIEW_FILES}
# Files of the data set that neither command loads.
OTHER_FILES = {"cart", "questions", "answers", "answers_photos"}


class SourceError(Exception):
    """The given files cannot be imported as they are; the message says what to do."""
