"""The reviews' reads that PostgreSQL answers as JSON, and the set-based recounts.

Not the ORM: nested rows in one statement, built to bytes by the server, and recounts of millions
of rows that never leave it. `row_to_json` keeps the key order and writes no white space.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db import connection
from django.db.backends.utils import CursorWrapper

from atelier.core.database import fetch_marked, marked
from licensing import services as licensing

# Each order ends in the primary key and walks a partial index over listed reviews.
ORDERS = {
    "helpful": "review.helpfulness DESC, review.id DESC",  # review_listed_by_helpfulness
    "newest": "review.created_at DESC, review.id DESC",  # review_listed_by_date
}

# Indexes: the one of the order, review_photo_by_review. The date is shown at midnight UTC, as the
# legacy column had no time. Limit and offset are subqueries, because a planner that knows their
# values thinks a plan of its own for each execution worth while, and that takes four times as long
# as the execution.
_LIST = """
SELECT {mark}row_to_json(answer)::text FROM (
    SELECT %(product_id)s::bigint::text AS product, %(page)s::bigint AS page,
        %(count)s::bigint AS count,
        array_to_json(ARRAY(
            SELECT row_to_json(entry) FROM (
                SELECT review.id AS review_id, review.rating, review.summary, review.recommend,
                    coalesce(review.staff_response, review.response) AS response, review.body,
                    to_char(review.created_at AT TIME ZONE 'UTC',
                            'YYYY-MM-DD"T00:00:00.000Z"') AS date,
                    review.reviewer_name, review.helpfulness,
                    array_to_json(ARRAY(
                        SELECT row_to_json(photo) FROM (
                            SELECT id, url FROM reviews_reviewphoto
                            WHERE review_id = review.id AND url <> '' ORDER BY id
                        ) photo
                    )) AS photos
                FROM reviews_review review
                WHERE review.product_id = %(product_id)s AND review.is_listed
                ORDER BY {order}
                LIMIT (SELECT %(limit)s::bigint) OFFSET (SELECT %(offset)s::bigint)
            ) entry
        )) AS results
) answer
"""
_MARK = marked(licensing.restriction("%(product_id)s"))
_LISTS = {
    name: _LIST.replace("{order}", order).replace("{mark}", _MARK) for name, order in ORDERS.items()
}

# Indexes: the primary keys, characteristic_by_product. Ratings and recommendations that do not
# occur are left out; a characteristic without ratings has the value null; where a name occurs
# twice, the lower id stands for it.
_META = """
SELECT {mark}row_to_json(answer)::text FROM (
    SELECT %(product_id)s::bigint::text AS product_id,
        (SELECT json_strip_nulls(row_to_json(stars)) FROM (
            SELECT nullif(meta.rating_1, 0)::text AS "1", nullif(meta.rating_2, 0)::text AS "2",
                nullif(meta.rating_3, 0)::text AS "3", nullif(meta.rating_4, 0)::text AS "4",
                nullif(meta.rating_5, 0)::text AS "5"
        ) stars) AS ratings,
        (SELECT json_strip_nulls(row_to_json(votes)) FROM (
            SELECT nullif(meta.not_recommended_count, 0)::text AS "false",
                nullif(meta.recommended_count, 0)::text AS "true"
        ) votes) AS recommended,
        (
            SELECT ('{' || coalesce(string_agg(
                to_json(named.name)::text || ':' || row_to_json((
                    SELECT entry FROM (SELECT named.id, named.value) entry
                ))::text, ',' ORDER BY named.id
            ), '') || '}')::json
            FROM (
                SELECT DISTINCT ON (characteristic.name) characteristic.id, characteristic.name,
                    round(meta.value_sum::numeric / nullif(meta.value_count, 0), 16)::text AS value
                FROM reviews_characteristic characteristic
                LEFT JOIN reviews_characteristicmeta meta
                    ON meta.characteristic_id = characteristic.id
                WHERE characteristic.product_id = %(product_id)s
                ORDER BY characteristic.name, characteristic.id
            ) named
        ) AS characteristics
    FROM (VALUES (1)) always
    LEFT JOIN reviews_reviewmeta meta ON meta.product_id = %(product_id)s
) answer
""".replace("{mark}", _MARK)


def review_list(
    product_id: int, *, order: str, page: int, count: int, limit: int, offset: int
) -> tuple[bool, bytes]:
    """Whether the product has licences, and the list answer (contract 1.2).

    `page` and `count` are echoed, limit and offset obeyed.
    """
    params = {
        "product_id": product_id,
        "page": page,
        "count": count,
        "limit": limit,
        "offset": offset,
    }
    return fetch_marked(_LISTS[order], params) or (False, b"")


def review_meta(product_id: int) -> tuple[bool, bytes]:
    """Whether the product has licences, and the meta answer (contract 1.3), of aggregates."""
    return fetch_marked(_META, {"product_id": product_id}) or (False, b"")


# Indexes: the primary key, licence_by_product.
_PRODUCT = (
    f"SELECT {marked(licensing.restriction('review.product_id'))}product_id::text"  # noqa: S608
    " FROM reviews_review review WHERE id = %(review_id)s"
)

# What a visitor counts once: the counter of Review, and the table with a row for each visitor.
_TABLES = {"vote_count": "reviews_helpfulvote", "report_count": "reviews_reviewreport"}
_COUNT_ONCE = """
WITH counted AS (
    INSERT INTO {table} (review_id, visitor) VALUES (%s, %s) RETURNING review_id
)
UPDATE reviews_review review SET {counter} = {counter} + 1
FROM counted WHERE review.id = counted.review_id
"""
_COUNTS_ONCE = {
    counter: _COUNT_ONCE.format(table=table, counter=counter) for counter, table in _TABLES.items()
}


def product_of_review(review_id: int) -> tuple[bool, int] | None:
    """Whether a review's product has licences, and its id; None for an unknown review."""
    found = fetch_marked(_PRODUCT, {"review_id": review_id})
    return None if found is None else (found[0], int(found[1]))


# No index, which every review that is written or imported would pay for: erasures are rare, and a
# scan of a million reviews takes a second. What is all ASCII has its canonical spelling here; what
# is not, or has a domain in Punycode, is for the caller to judge.
_WRITTEN_UNDER = """
SELECT id, reviewer_email FROM reviews_review
WHERE reviewer_email <> '' AND (
    lower(btrim(reviewer_email, E' \\t\\n\\x0b\\f\\r\\x1c\\x1d\\x1e\\x1f') COLLATE "C") = ANY(%s)
    OR octet_length(reviewer_email) <> char_length(reviewer_email)
    OR lower(reviewer_email COLLATE "C") LIKE '%%xn--%%'
)
"""


def written_under(emails: Sequence[str]) -> list[tuple[int, str]]:
    """Ids and addresses of the reviews that may be written under one of the canonical addresses.

    Reads all reviews.
    """
    with connection.cursor() as cursor:
        cursor.execute(_WRITTEN_UNDER, [list(emails)])
        # In this order here, for PostgreSQL would walk the primary key instead of the table.
        return sorted(cursor.fetchall())


def count_once(counter: str, *, review_id: int, visitor: UUID) -> None:
    """Note the visitor and raise the review's counter, in one statement.

    Raises IntegrityError where the visitor is noted already.
    """
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS_ONCE[counter], [review_id, visitor])


def add_characteristic_reviews(
    *, review_id: int, product_id: int, values: Mapping[int, int]
) -> int:
    """Insert a review's ratings of its product's characteristics; the number inserted.

    Ids of other products' characteristics insert nothing, so the caller compares the number.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO reviews_characteristicreview (characteristic_id, review_id, value)
            SELECT characteristic.id, %s, given.value
            FROM unnest(%s::bigint[], %s::int[]) AS given (id, value)
            JOIN reviews_characteristic characteristic USING (id)
            WHERE characteristic.product_id = %s ORDER BY characteristic.id
            """,
            [review_id, list(values), list(values.values()), product_id],
        )
        return int(cursor.rowcount)


def shift_characteristic_meta(*, review_id: int, sign: int) -> None:
    """Add a review's characteristic ratings to the sums (sign 1), or take them away (-1).

    The caller holds the product's row of ReviewMeta, which keeps writers of one product apart.
    """
    params = {"review_id": review_id, "sign": sign}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO reviews_characteristicmeta (characteristic_id, value_sum, value_count)
            SELECT DISTINCT characteristic_id, 0, 0 FROM reviews_characteristicreview
            WHERE review_id = %(review_id)s
            ON CONFLICT (characteristic_id) DO NOTHING
            """,
            params,
        )
        cursor.execute(
            """
            UPDATE reviews_characteristicmeta meta
            SET value_sum = meta.value_sum + %(sign)s * given.total,
                value_count = meta.value_count + %(sign)s * given.number
            FROM (
                SELECT characteristic_id, sum(value) AS total, count(*) AS number
                FROM reviews_characteristicreview WHERE review_id = %(review_id)s
                GROUP BY characteristic_id
            ) given
            WHERE meta.characteristic_id = given.characteristic_id
            """,
            params,
        )


# Recounting. A caller fills the temporary tables `recount_product`, whose reviews are counted, and
# `recount_characteristic`, whose ratings are added up, locks what is selected and recounts it, all
# in one transaction, which a write door opened.
CREATE_SELECTION = """
CREATE TEMPORARY TABLE IF NOT EXISTS recount_product (product_id bigint PRIMARY KEY)
    ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS recount_characteristic (characteristic_id bigint PRIMARY KEY)
    ON COMMIT DELETE ROWS;
DELETE FROM recount_product;
DELETE FROM recount_characteristic
"""

# The columns of ReviewMeta, each with its count over a product's reviews.
COUNTS = {
    **{f"rating_{stars}": f"count(*) FILTER (WHERE rating = {stars})" for stars in range(1, 6)},
    "recommended_count": "count(*) FILTER (WHERE recommend)",
    "not_recommended_count": "count(*) FILTER (WHERE NOT recommend)",
}
_COLUMNS = ", ".join(COUNTS)

_COUNTS = f"""
    SELECT product_id, {", ".join(f"{count} AS {name}" for name, count in COUNTS.items())}
    FROM recount_product
    JOIN reviews_review review USING (product_id)
    WHERE review.moderation <> 'rejected'
    GROUP BY product_id
"""  # noqa: S608 - constants only

# Index: review_rejected. A join with all the others would read the whole of the reviews.
_SUMS = """
    SELECT rated.characteristic_id, sum(rated.value) AS value_sum, count(*) AS value_count
    FROM recount_characteristic
    JOIN reviews_characteristicreview rated USING (characteristic_id)
    WHERE NOT EXISTS (SELECT FROM reviews_review review
                      WHERE review.id = rated.review_id AND review.moderation = 'rejected')
    GROUP BY rated.characteristic_id
"""

# The rows are made first and locked by key, so that the counting statement, whose snapshot is
# taken after the locks, sees every review that another writer has counted.
_MAKE_COUNTS = """
INSERT INTO reviews_reviewmeta (product_id)
SELECT product_id FROM recount_product
WHERE EXISTS (SELECT FROM reviews_review review
              WHERE review.product_id = recount_product.product_id)
    AND NOT EXISTS (SELECT FROM reviews_reviewmeta meta
                    WHERE meta.product_id = recount_product.product_id)
ORDER BY product_id ON CONFLICT (product_id) DO NOTHING
"""

_LOCK_COUNTS = """
SELECT count(*) FROM (
    SELECT FROM reviews_reviewmeta WHERE product_id IN (
        SELECT product_id FROM recount_product
        UNION
        SELECT product_id FROM reviews_characteristic
        JOIN recount_characteristic ON characteristic_id = reviews_characteristic.id
    )
    ORDER BY product_id FOR UPDATE
) locked
"""

_ZEROS = ", ".join(f"coalesce(counted.{column}, 0)" for column in COUNTS)

_UPDATE_COUNTS = f"""
WITH counted AS ({_COUNTS})
UPDATE reviews_reviewmeta meta SET ({_COLUMNS}) = ROW({_ZEROS})
FROM recount_product LEFT JOIN counted USING (product_id)
WHERE meta.product_id = recount_product.product_id
    AND ({", ".join("meta." + column for column in COUNTS)})
        IS DISTINCT FROM ({_ZEROS})
"""  # noqa: S608 - constants only

_MAKE_SUMS = """
INSERT INTO reviews_characteristicmeta (characteristic_id, value_sum, value_count)
SELECT characteristic_id, 0, 0 FROM recount_characteristic
WHERE EXISTS (SELECT FROM reviews_characteristicreview rated
              WHERE rated.characteristic_id = recount_characteristic.characteristic_id)
    AND NOT EXISTS (SELECT FROM reviews_characteristicmeta meta
                    WHERE meta.characteristic_id = recount_characteristic.characteristic_id)
ON CONFLICT (characteristic_id) DO NOTHING
"""

_UPDATE_SUMS = f"""
WITH counted AS ({_SUMS})
UPDATE reviews_characteristicmeta meta
SET value_sum = coalesce(counted.value_sum, 0), value_count = coalesce(counted.value_count, 0)
FROM recount_characteristic LEFT JOIN counted USING (characteristic_id)
WHERE meta.characteristic_id = recount_characteristic.characteristic_id
    AND (meta.value_sum, meta.value_count)
        IS DISTINCT FROM (coalesce(counted.value_sum, 0), coalesce(counted.value_count, 0))
"""  # noqa: S608 - constants only


def select_products(query: str, params: Sequence[int]) -> None:
    """Select the products whose ids the query answers, with all of their characteristics."""
    with connection.cursor() as cursor:
        cursor.execute(CREATE_SELECTION)
        _select(cursor, "recount_product", query, params)
        cursor.execute(
            "INSERT INTO recount_characteristic SELECT characteristic.id"
            " FROM recount_product JOIN reviews_characteristic characteristic USING (product_id)"
        )


def select(*, products: str, characteristics: str) -> None:
    """Select the products, and the characteristics, whose ids the queries answer."""
    with connection.cursor() as cursor:
        cursor.execute(CREATE_SELECTION)
        _select(cursor, "recount_product", products, [])
        _select(cursor, "recount_characteristic", characteristics, [])


def _select(cursor: CursorWrapper, table: str, query: str, params: Sequence[int]) -> None:
    cursor.execute(
        f"INSERT INTO {table} SELECT DISTINCT picked.id"  # noqa: S608 - code's own SQL
        f" FROM ({query}) picked (id) WHERE picked.id IS NOT NULL",
        params,
    )


def lock_selected() -> None:
    """Keep other writers from the selected aggregates: locks the products' ReviewMeta rows."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE recount_product, recount_characteristic")
        cursor.execute(_MAKE_COUNTS)
        cursor.execute(_MAKE_SUMS)
        cursor.execute(_LOCK_COUNTS)


def recount_sums() -> int:
    """Add up the ratings of the selected characteristics; the number of rows that were wrong."""
    with connection.cursor() as cursor:
        cursor.execute(_UPDATE_SUMS)
        return int(cursor.rowcount)


def recount_counts() -> int:
    """Count the reviews of the selected products; the number of rows that were wrong."""
    with connection.cursor() as cursor:
        # Once more, for products that reviews were moved to since.
        cursor.execute(_MAKE_COUNTS)
        cursor.execute(_UPDATE_COUNTS)
        return int(cursor.rowcount)
