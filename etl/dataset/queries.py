"""The SQL that sets up a data set: macros, text pools, and a table of products.

Nothing is random: every choice is a hash of a row's id, a salt and the seed, so a
row's text depends on nothing but those, and files can be made piece by piece, in
any number of threads. (DuckDB's `hash` may change between releases: the same seed
gives the same bytes for the pinned version only.)
"""

from collections.abc import Sequence
from itertools import accumulate

import duckdb

from etl.dataset import pools
from etl.dataset.product_text import CATEGORIES, CATEGORY_WEIGHTS, CHARACTERISTICS, FAMILIES, SIZES

STYLES = (40, 450, 270, 115, 60, 30, 18, 10, 7)
FEATURES = (60, 230, 350, 220, 100, 40)
RELATED = (50, 60, 90, 130, 170, 170, 140, 90, 60, 40)
STYLE_PHOTOS = (40, 190, 220, 220, 140, 100, 90)
REVIEW_PHOTOS = (720, 160, 70, 30, 12, 8)

LOWEST_PRICES = (60, 35, 15, 40, 50, 45, 10)
PRICE_SPANS = (240, 90, 60, 160, 200, 130, 150)
ABSURD_PRICE = 5_000_000
ABSURDLY_PRICED = 10

UNREVIEWED = 0.05
TAIL = 0.4

IMAGE_HOST = "https://images.example.com"


def steps(draw: str, weights: Sequence[int]) -> str:
    """SQL that maps a draw to 0, 1, 2.. with the given weights."""
    total = sum(weights)
    bounds = list(accumulate(weights))[:-1]
    cases = " ".join(f"WHEN {draw} % {total} < {bound} THEN {n}" for n, bound in enumerate(bounds))
    return f"(CASE {cases} ELSE {len(bounds)} END)"


def choose(index: str, values: Sequence[int]) -> str:
    """SQL that maps 0, 1, 2.. to `values`."""
    cases = " ".join(f"WHEN {n} THEN {value}" for n, value in enumerate(values[:-1]))
    return f"(CASE {index} {cases} ELSE {values[-1]} END)"


def _starts(groups: Sequence[Sequence[str]]) -> list[int]:
    return [0, *accumulate(len(group) for group in groups)][:-1]


def macros(offset: int) -> list[str]:
    """`CREATE MACRO` statements; `offset` (below 2**61) comes from the seed.

    A draw has 63 bits; callers shift it so that two choices of one row share none
    that matter.
    """
    bodies = {
        "draw(id, salt)": f"(hash(id::BIGINT * 64 + salt + {offset}::BIGINT) >> 1)::BIGINT",
        "pick(pool, part, size, h)": "pool[(part * size + h % size + 1)::BIGINT]",
        "sentence(pool, part, h)": f"pick(pool, part, {pools.PART_SIZE}, h)",
        "quote(value)": "concat('\"', value, '\"')",
        "image(h, width)": (
            f"concat('\"{IMAGE_HOST}/photo-', 1500000000000 + h % 99999999999, '-',"
            " lower(to_hex((h >> 12) % 140737488355328 + 140737488355328)),"
            " '?auto=format&fit=crop&w=', width, '&q=80\"')"
        ),
        "cents(h)": (
            "CASE h % 40 WHEN 0 THEN '.99' WHEN 1 THEN '.95' WHEN 2 THEN '.50' ELSE '' END"
        ),
        "family_of(category)": choose("category", [FAMILIES[name] for name in CATEGORIES]),
        "size_start(family)": choose("family", _starts(SIZES)),
        "size_count(family)": choose("family", [len(sizes) for sizes in SIZES]),
        "characteristic_start(family)": choose("family", _starts(CHARACTERISTICS)),
        "characteristic_count(family)": choose("family", [len(c) for c in CHARACTERISTICS]),
        "sku_count(h, family)": (
            "CASE WHEN h % 1000 < 30 THEN 0 WHEN h % 1000 < 50 THEN size_count(family) + 1"
            " ELSE size_count(family) END"
        ),
        "style_photo_count(h)": steps("h", STYLE_PHOTOS),
        "review_photo_count(h)": steps("h", REVIEW_PHOTOS),
        "tone_of(rating)": "CASE WHEN rating < 3 THEN 0 WHEN rating < 4 THEN 1 ELSE 2 END",
        "rating_of(u)": (
            "CASE WHEN u < 12 THEN 1 WHEN u < 21 THEN 2 WHEN u < 34 THEN 3"
            " WHEN u < 62 THEN 4 ELSE 5 END"
        ),
    }
    return [f"CREATE MACRO {name} AS {body}" for name, body in bodies.items()]


def create_pools(connection: duckdb.DuckDBPyConnection) -> None:
    """A table of one row, one list column a pool: a cross join brings them all."""
    texts = pools.build()
    columns = ", ".join(f"?::VARCHAR[] AS {name}" for name in texts)
    connection.execute(f"CREATE TABLE pools AS SELECT {columns}", list(texts.values()))


def products_table(products: int, reviews_per_product: float) -> str:
    """`CREATE TABLE products`: what each product has, and how many rows came before it.

    Review counts follow a power law over the products' rank by popularity, scaled to
    the wanted mean; the last `UNREVIEWED` part of the ranks has none.
    """
    reviewed = products - round(products * UNREVIEWED)
    mean = reviews_per_product * products / reviewed
    least = min(1.0, mean)
    scale = max(0.0, mean - 1) * (1 - TAIL) / TAIL
    related = f"least({steps('(h >> 24)', RELATED)}, {products - 1})"
    return f"""
        CREATE TABLE products AS
        WITH numbered AS (
            SELECT range AS product_id, draw(range, 1) AS h, draw(range, 2) AS popularity
            FROM range(1, {products + 1})
        ), ranked AS (
            SELECT *, row_number() OVER (ORDER BY popularity, product_id) AS rank FROM numbered
        ), drawn AS (
            SELECT product_id,
                {steps("h", CATEGORY_WEIGHTS)} AS category,
                (h >> 8) % 31 - 15 AS quality,
                {steps("(h >> 14)", STYLES)} AS style_count,
                {steps("(h >> 34)", FEATURES)} AS feature_count,
                {related} AS related_count,
                CASE WHEN rank > {reviewed} THEN 0 ELSE floor({least!r}
                    + {scale!r} * (power((rank - 0.5) / {reviewed}, -{TAIL}) - 1)
                    + (popularity % 1048573) / 1048573.0)::BIGINT END AS review_count,
                h >> 44 AS price_draw
            FROM ranked
        ), priced AS (
            SELECT * EXCLUDE (price_draw),
                family_of(category) AS family,
                characteristic_count(family_of(category)) AS characteristic_count,
                {choose("category", LOWEST_PRICES)}
                    + price_draw % {choose("category", PRICE_SPANS)} AS price,
                cents(price_draw // 251) AS cents
            FROM drawn
        )
        SELECT *,
            coalesce(sum(style_count) OVER earlier, 0)::BIGINT AS style_base,
            coalesce(sum(review_count) OVER earlier, 0)::BIGINT AS review_base,
            coalesce(sum(characteristic_count) OVER earlier, 0)::BIGINT AS characteristic_base
        FROM priced
        WINDOW earlier AS (ORDER BY product_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
        ORDER BY product_id
    """
