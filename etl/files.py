"""The ten files of products and reviews: their columns, their tables, and who refers to whom."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

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

    `loads` is the SQL of a staged column where the table holds something else than was staged.
    """

    name: str
    table: str
    columns: tuple[Column, ...]
    others: tuple[str, ...] = ()
    loads: dict[str, str] = field(default_factory=dict)
    # Set when a row changes, by the table's own rule.
    touched: str = ""
    # SQL that must hold of a staged row, with the reason of a rejection where it does not.
    rule: str = ""
    rule_reason: str = ""
    rule_column: str = ""

    @property
    def parent_tables(self) -> set[str]:
        return {KINDS[column.parent].table for column in self.columns if column.parent}

    def loaded(self, column: Column, row: str = "staged") -> str:
        """SQL of the table's value of a column, from a staged row."""
        return self.loads.get(column.name, f"{row}.{column.name}").replace("staged.", f"{row}.")


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
    rule="staged.current_product_id <> staged.related_product_id",
    rule_reason="self_relation",
    rule_column="related_product_id",
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
    loads={"date": "('epoch'::timestamptz + staged.date * interval '1 millisecond')"},
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


@dataclass(frozen=True, slots=True)
class Sources:
    """paths: what to load, by kind, parents first; left: files beside them, with the reason."""

    paths: list[tuple[FileKind, Path]]
    left: list[tuple[Path, str]]


def find_sources(given: Sequence[Path], wanted: Sequence[FileKind], command: str) -> Sources:
    """Recognise the files by name. Folders are searched, not their subfolders.

    Raises SourceError for a missing path, an unknown file that was named itself, two files of one
    kind, or nothing to load.
    """
    found: dict[str, Path] = {}
    left: list[tuple[Path, str]] = []
    for path, is_named in _expand(given):
        kind = _kind_of(path)
        if not path.is_file() or path.suffix.lower() != ".csv":
            if is_named:
                raise SourceError(f"{path} is no CSV file. Its name must end in .csv.")
            left.append((path, "no plain CSV file; left alone"))
        elif kind is None or kind not in wanted:
            reason = _left_reason(path, kind, command)
            if is_named and kind is None:
                raise SourceError(f"{path} is not a file that {command} knows. {_names(wanted)}")
            left.append((path, reason))
        elif kind.name in found:
            raise SourceError(f"{found[kind.name]} and {path} are both {kind.name}; give one.")
        else:
            found[kind.name] = path
    if not found:
        raise SourceError(f"There is nothing to import here. {_names(wanted)}")
    return Sources([(kind, found[kind.name]) for kind in wanted if kind.name in found], left)


def _expand(given: Sequence[Path]) -> list[tuple[Path, bool]]:
    paths: list[tuple[Path, bool]] = []
    for path in given:
        if path.is_dir():
            paths += [(child, False) for child in sorted(path.iterdir()) if _is_csv(child)]
        elif path.exists():
            paths.append((path, True))
        else:
            raise SourceError(f"{path} does not exist. Check the path.")
    return paths


def _is_csv(path: Path) -> bool:
    """Whether it looks like a CSV file, so that it is named at least."""
    return ".csv" in path.name.lower() and not path.name.startswith(".")


def _kind_of(path: Path) -> FileKind | None:
    stem = path.stem.lower()
    return next((kind for kind in KINDS.values() if stem in (kind.name, *kind.others)), None)


def _left_reason(path: Path, kind: FileKind | None, command: str) -> str:
    if kind is not None:
        other = "import_products" if kind in PRODUCT_FILES else "import_reviews"
        return f"left for {other}"
    if path.stem.lower() in OTHER_FILES:
        return "left for another command (cart and Q&A)"
    return f"not known to {command}; left alone"


def _names(wanted: Sequence[FileKind]) -> str:
    return "It knows " + ", ".join(f"{kind.name}.csv" for kind in wanted) + "."
