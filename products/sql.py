"""The catalogue's reads that PostgreSQL answers as JSON, one statement each.

Not the ORM: nested rows would take a query per level and a serializer in Python; here the server
builds the bytes. `row_to_json` keeps the key order of the select list and writes no white space.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from atelier.core.database import fetch_json, fetch_marked, marked
from atelier.core.numbers import MAX_ID
from atelier.core.pagination import Page
from licensing import services as licensing
from products.models import FARTHEST_OFFSET, ProductQuerySet


@dataclass(frozen=True, slots=True)
class Read:
    """An answer's bytes, and whether it may differ by region, because of licences."""

    is_restricted: bool
    body: bytes


_INSTANT = """'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'"""

_PRODUCT_COLUMNS = f"""
    product.id, %(campus)s::text AS campus, product.name, product.slogan, product.description,
    product.category, product.default_price::text AS default_price,
    to_char(product.created_at AT TIME ZONE 'UTC', {_INSTANT}) AS created_at,
    to_char(product.updated_at AT TIME ZONE 'UTC', {_INSTANT}) AS updated_at
"""

# A list may differ by region where a product up to the last of the page has licences, and after it
# where the page is not full. Index: licence_by_product, its first entry.
_IS_LIST_RESTRICTED = f"""({licensing.first_restricted()}) <= (
    SELECT CASE WHEN count(*) < %(limit)s::bigint THEN {MAX_ID} ELSE max(id) END FROM page
)"""  # noqa: S608 - constants only

_LISTED = f"""
WITH page AS MATERIALIZED ({{page}})
SELECT {{mark}}array_to_json(ARRAY(
    SELECT row_to_json(entry) FROM (
        SELECT {_PRODUCT_COLUMNS} FROM page product ORDER BY product.id
    ) entry
))::text
"""  # noqa: S608 - constants only

# Indexes: the primary key.
_IDS = "SELECT * FROM products_product WHERE id = ANY(%(ids)s)"
_LIST = _LISTED.format(mark=marked(_IS_LIST_RESTRICTED), page=_IDS)
_LIST_OF_SHOWN = _LISTED.format(mark="", page=_IDS)

# Indexes: the primary key, walked up to the page.
_PAGE = _LISTED.format(
    mark=marked(_IS_LIST_RESTRICTED),
    page="SELECT * FROM products_product ORDER BY id LIMIT %(limit)s OFFSET %(offset)s",
)
# The same without what may not be shown: licence_by_product is probed for each row of the walk.
_PAGE_OF_SHOWN = _LISTED.format(
    mark="",
    page=f"""
        SELECT * FROM products_product product
        WHERE {licensing.permission("product.id", "%(region_id)s::integer")}
        ORDER BY id LIMIT %(limit)s OFFSET %(offset)s
    """,  # noqa: S608 - constants only
)

# The mark of what is below one product. Index: licence_by_product.
_MARK = marked(licensing.restriction("%(product_id)s"))

# Indexes: the primary key, feature_by_product.
_DETAIL = f"""
SELECT {_MARK}row_to_json(answer)::text FROM (
    SELECT {_PRODUCT_COLUMNS},
        array_to_json(ARRAY(
            SELECT row_to_json(entry) FROM (
                SELECT feature.feature, feature.value FROM products_feature feature
                WHERE feature.product_id = product.id ORDER BY feature.id
            ) entry
        )) AS features
    FROM products_product product WHERE product.id = %(product_id)s
) answer
"""  # noqa: S608 - constants only

# Indexes: photo_by_style, sku_by_style. Skus are keyed by id, since a size may occur twice in a
# style; a style without photos or skus gets the null objects clients rely on.
_STYLE_COLUMNS = """
    style.id AS style_id, style.name,
    style.original_price::text AS original_price,
    style.sale_price::text AS sale_price,
    style.is_default AS "default?",
    coalesce((
        SELECT array_to_json(array_agg(row_to_json(photo))) FROM (
            SELECT thumbnail_url, url FROM products_photo
            WHERE style_id = style.id ORDER BY id
        ) photo
    ), '[{"thumbnail_url":null,"url":null}]'::json) AS photos,
    coalesce((
        SELECT ('{' || string_agg(
            '"' || sku.id || '":' || row_to_json((
                SELECT piece FROM (SELECT sku.quantity, sku.size) piece
            ))::text, ',' ORDER BY sku.id
        ) || '}')::json
        FROM products_sku sku WHERE sku.style_id = style.id
    ), '{"null":{"quantity":null,"size":null}}'::json) AS skus
"""

# Indexes: style_by_product.
_STYLES = f"""
SELECT {_MARK}row_to_json(answer)::text FROM (
    SELECT %(product_id)s::bigint::text AS product_id, array_to_json(ARRAY(
        SELECT row_to_json(entry) FROM (
            SELECT {_STYLE_COLUMNS}
            FROM products_style style WHERE style.product_id = %(product_id)s ORDER BY style.id
        ) entry
    )) AS results
) answer
"""  # noqa: S608 - constants only

# Indexes: the primary key.
_STYLE = f"""
SELECT {_MARK}row_to_json(entry)::text FROM (
    SELECT {_STYLE_COLUMNS}
    FROM products_style style
    WHERE style.id = %(style_id)s AND style.product_id = %(product_id)s
) entry
"""  # noqa: S608 - constants only

# Indexes: related_by_product, and licence_by_product for each related product.
_RELATED_OF = """
SELECT {mark}array_to_json(ARRAY(
    SELECT related_product_id FROM products_relatedproduct related
    WHERE product_id = %(product_id)s{condition} ORDER BY id
))::text
"""
_RELATED = _RELATED_OF.format(
    condition="",
    mark=marked(f"""{licensing.restriction("%(product_id)s")} OR EXISTS (
        SELECT FROM products_relatedproduct related
        WHERE related.product_id = %(product_id)s
            AND {licensing.restriction("related.related_product_id")}
    )"""),
)
_RELATED_SHOWN = _RELATED_OF.format(
    condition=" AND "
    + licensing.permission("related.related_product_id", "%(region_id)s::integer"),
    mark="",
)


def product_page(page: Page, *, among: ProductQuerySet | None, campus: str) -> Read:
    """The list answer for this page of all products or of some, by id, whatever their licences
    (contract 1.1).
    """
    params = {"limit": page.limit, "offset": page.offset, "campus": campus}
    if page.offset > FARTHEST_OFFSET:
        # Empty in every region.
        return _read(_LIST, {**params, "ids": [], "limit": 0})
    if among is None:
        return _read(_PAGE, params)
    return _read(_LIST, {**params, "ids": among.ids_of(page)})


def product_page_shown(
    page: Page, *, among: ProductQuerySet | None, campus: str, region_id: int | None
) -> bytes:
    """The same of those that may be shown in the region, without holes in the pages."""
    params = {"limit": page.limit, "offset": page.offset, "campus": campus}
    if among is None and page.offset <= FARTHEST_OFFSET:
        return fetch_json(_PAGE_OF_SHOWN, {**params, "region_id": region_id}) or b"[]"
    shown = [] if among is None else licensing.only_shown(among, region_id=region_id).ids_of(page)
    return fetch_json(_LIST_OF_SHOWN, {"ids": shown, "campus": campus}) or b"[]"


def product_detail(product_id: int, *, campus: str) -> Read | None:
    """The detail answer with features, or None for an unknown product (contract 1.1)."""
    found = fetch_marked(_DETAIL, {"product_id": product_id, "campus": campus})
    return None if found is None else Read(*found)


def product_styles(product_id: int) -> Read:
    """The styles answer; an unknown product has no results (contract 1.1)."""
    return _read(_STYLES, {"product_id": product_id})


def product_style(product_id: int, style_id: int) -> Read | None:
    """One entry of the styles answer; None where the product has no such style."""
    found = fetch_marked(_STYLE, {"product_id": product_id, "style_id": style_id})
    return None if found is None else Read(*found)


def related_ids(product_id: int) -> Read:
    """The related answer: bare ids, repeats kept (contract 1.1), whatever their licences."""
    return _read(_RELATED, {"product_id": product_id})


def related_ids_shown(product_id: int, *, region_id: int | None) -> bytes:
    """The same of those that may be shown in the region."""
    params = {"product_id": product_id, "region_id": region_id}
    return fetch_json(_RELATED_SHOWN, params) or b"[]"


def _read(statement: str, params: Mapping[str, Any]) -> Read:
    return Read(*(fetch_marked(statement, params) or (False, b"[]")))
