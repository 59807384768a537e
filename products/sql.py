"""The catalogue's reads that PostgreSQL answers as JSON, one statement each.

Not the ORM: nested rows would take a query per level and a serializer in Python; here the server
builds the bytes. `row_to_json` keeps the key order of the select list and writes no white space.
"""

from atelier.core.database import fetch_json
from atelier.core.pagination import Page
from products.models import FARTHEST_OFFSET

_INSTANT = """'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'"""

_PRODUCT_COLUMNS = f"""
    product.id, %(campus)s::text AS campus, product.name, product.slogan, product.description,
    product.category, product.default_price::text AS default_price,
    to_char(product.created_at AT TIME ZONE 'UTC', {_INSTANT}) AS created_at,
    to_char(product.updated_at AT TIME ZONE 'UTC', {_INSTANT}) AS updated_at
"""

# Indexes: the primary key.
_LIST = f"""
SELECT array_to_json(ARRAY(
    SELECT row_to_json(entry) FROM (
        SELECT {_PRODUCT_COLUMNS}
        FROM products_product product WHERE product.id = ANY(%(ids)s) ORDER BY product.id
    ) entry
))::text
"""  # noqa: S608 - constants only

# Indexes: the primary key, walked up to the page.
_PAGE = f"""
SELECT array_to_json(ARRAY(
    SELECT row_to_json(entry) FROM (
        SELECT {_PRODUCT_COLUMNS}
        FROM (
            SELECT * FROM products_product ORDER BY id LIMIT %(limit)s OFFSET %(offset)s
        ) product ORDER BY product.id
    ) entry
))::text
"""  # noqa: S608 - constants only

# Indexes: the primary key, feature_by_product.
_DETAIL = f"""
SELECT row_to_json(answer)::text FROM (
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
SELECT row_to_json(answer)::text FROM (
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
SELECT row_to_json(entry)::text FROM (
    SELECT {_STYLE_COLUMNS}
    FROM products_style style
    WHERE style.id = %(style_id)s AND style.product_id = %(product_id)s
) entry
"""  # noqa: S608 - constants only

# Indexes: related_by_product.
_RELATED = """
SELECT array_to_json(ARRAY(
    SELECT related_product_id FROM products_relatedproduct
    WHERE product_id = %(product_id)s ORDER BY id
))::text
"""


def product_list(ids: list[int], *, campus: str) -> bytes:
    """The list answer for these products, by id (contract 1.1)."""
    return fetch_json(_LIST, {"ids": ids, "campus": campus}) or b"[]"


def product_page(page: Page, *, campus: str) -> bytes:
    """The list answer for this page of all products, by id (contract 1.1)."""
    if page.offset > FARTHEST_OFFSET:
        return product_list([], campus=campus)
    params = {"limit": page.limit, "offset": page.offset, "campus": campus}
    return fetch_json(_PAGE, params) or b"[]"


def product_detail(product_id: int, *, campus: str) -> bytes | None:
    """The detail answer with features, or None for an unknown product (contract 1.1)."""
    return fetch_json(_DETAIL, {"product_id": product_id, "campus": campus})


def product_styles(product_id: int) -> bytes:
    """The styles answer; an unknown product has no results (contract 1.1)."""
    return fetch_json(_STYLES, {"product_id": product_id}) or b""


def product_style(product_id: int, style_id: int) -> bytes | None:
    """One entry of the styles answer; None where the product has no such style."""
    return fetch_json(_STYLE, {"product_id": product_id, "style_id": style_id})


def related_ids(product_id: int) -> bytes:
    """The related answer: bare ids, repeats kept (contract 1.1)."""
    return fetch_json(_RELATED, {"product_id": product_id}) or b"[]"
