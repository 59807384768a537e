"""The SQL that writes lines of CSV, and the SQL that counts them beforehand.

Each statement in `statements` takes `$first` and `$last` (product ids) and `$done`
(rows of that file already made) and gives one row: the number of lines, and the
lines as one BLOB joined by line feeds. The order of the lines relies on DuckDB
running a query in one thread, where unnesting and aggregation keep their input's
order.
"""

from etl.dataset.pools import TONES, TOPICS
from etl.dataset.queries import ABSURD_PRICE, ABSURDLY_PRICED, RELATED

FIRST_REVIEW_AT = 1_554_076_800_000
REVIEW_SPAN = 2 * 365 * 86_400_000
LONGEST_TEXT = 1_000
PHOTO_GAP = 37

CHUNK = "chunk AS (SELECT * FROM products WHERE product_id BETWEEN $first AND $last)"

STYLES = f"""{CHUNK}, styles AS (
    SELECT *, style_base + k + 1 AS id, draw(style_base + k + 1, 10) AS h
    FROM (SELECT *, unnest(range(style_count)) AS k FROM chunk)
)"""

REVIEWS = f"""{CHUNK}, placed AS (
    SELECT *, review_base + k + 1 AS id, draw(review_base + k + 1, 20) AS h
    FROM (SELECT *, unnest(range(review_count)) AS k FROM chunk)
), reviews AS (
    SELECT *, rating_of(greatest(h % 100 + quality, 0)) AS rating,
        tone_of(rating_of(greatest(h % 100 + quality, 0))) AS tone
    FROM placed
)"""

PRODUCT_LINE = f"""concat(product_id, ',"', pick(adjectives, 0, 64, h), ' ',
    pick(materials, family, 16, h >> 6), ' ', pick(nouns, category, 8, h >> 10), '","',
    sentence(slogans, category, h >> 13), '","',
    sentence(descriptions, category * 4, h >> 20),
    if((h >> 26) % 8 > 0, concat(' ', sentence(descriptions, category * 4 + 1, h >> 29)), ''),
    if((h >> 35) % 8 > 1, concat(' ', sentence(descriptions, category * 4 + 2, h >> 38)), ''),
    if((h >> 44) % 8 > 2, concat(' ', sentence(descriptions, category * 4 + 3, h >> 47)), ''),
    '",', quote(pick(categories, category, 1, 0)), ',',
    if(product_id = {ABSURDLY_PRICED}, '{ABSURD_PRICE}', concat(price, cents)))"""

FEATURE_LINE = """concat(n, ',', product_id, ',',
    quote(pick(features, family * 5 + (k + product_id) % 5, 1, 0)), ',',
    if(h % 100 < 8, 'null',
        quote(pick(feature_values, family * 5 + (k + product_id) % 5, 8, h >> 8))))"""

STYLE_LINE = """concat(id, ',', product_id, ',"', pick(colours, 0, 32, h),
    if((h >> 5) % 3 = 0, concat(' & ', pick(colours, 0, 32, h >> 8)), ''), '",',
    if((h >> 16) % 100 < 28, (price * (55 + (h >> 24) % 35) // 100)::VARCHAR, 'null'), ',',
    price + if((h >> 32) % 10 = 0, 10, 0), cents, ',',
    CASE WHEN taste % 100 < 80 THEN k = 0
         WHEN taste % 100 < 97 THEN k = (taste >> 8) % style_count
         WHEN taste % 100 < 99 THEN false
         ELSE k < 2 END::INTEGER)"""

PHOTO_LINE = f"""concat(n + (n - 1) // {PHOTO_GAP}, ',', style_id, ',',
    image(h, 1200 + (h >> 30) % 800), ',', image(h, 300))"""

SKU_LINE = """concat(n, ',', style_id, ',',
    if((h >> 32) % 1000 = 0, 'null', quote(sizes[(size_start(family)
        + if(j < size_count(family), j, greatest(j - 2, 0)) + 1)::BIGINT])), ',',
    CASE WHEN (h >> 44) % 1000 = 0 THEN 'null' WHEN h % 12 = 0 THEN '0'
         ELSE (1 + (h >> 8) % 60)::VARCHAR END)"""

BODY_TOPICS = [
    f"sentence(bodies, (category * {TONES} + tone) * {TOPICS} + {topic}, t >> {6 * topic})"
    for topic in range(TOPICS)
]
BODY = f"concat({BODY_TOPICS[0]}, " + ", ".join(
    f"if((g >> {6 + 7 * topic}) % 100 < 58, concat(' ', {sentence}), '')"
    for topic, sentence in enumerate(BODY_TOPICS[1:])
)
LONG_BODY = "concat_ws(' ', " + ", ".join(
    sentence.replace("t >>", f"draw(id, {salt}) >>")
    for salt in (23, 24, 25, 26)
    for sentence in BODY_TOPICS
)
BODY_TEXT = f"""CASE WHEN (t >> 40) % 1000 < 3 THEN repeat(' ', 1 + (t >> 52) % 3)
    WHEN (t >> 40) % 1000 < 7
        THEN replace(left(replace({LONG_BODY}), '""', '"'), {LONGEST_TEXT}), '"', '""')
    ELSE {BODY}) END"""

REVIEWER = """CASE (g >> 48) % 4
    WHEN 0 THEN concat(pick(nicknames, 0, 16, g), pick(creatures, 0, 16, g >> 4))
    WHEN 1 THEN concat(pick(first_names, 0, 32, g), (g >> 5) % 100)
    WHEN 2 THEN concat(pick(first_names, 0, 32, g), '_', pick(last_names, 0, 32, g >> 5))
    ELSE concat(pick(first_names, 0, 32, g), ' ', left(pick(last_names, 0, 32, g >> 5), 1), '.')
    END"""

EMAIL = """if((h >> 44) % 500 = 0, pick(odd_emails, 0, 8, h >> 53),
    concat(pick(first_mails, 0, 32, g), '.', pick(last_mails, 0, 32, g >> 5),
        if((g >> 50) % 2 = 0, ((g >> 51) % 100)::VARCHAR, ''), '@example.',
        CASE (g >> 10) % 3 WHEN 0 THEN 'com' WHEN 1 THEN 'net' ELSE 'org' END))"""

REVIEW_LINE = f"""concat(id, ',', product_id, ',', rating, ',',
    {FIRST_REVIEW_AT} + g % {REVIEW_SPAN}, ',"',
    sentence(summaries, category * {TONES} + tone, h >> 8), '","', {BODY_TEXT}, '",',
    if((h >> 14) % 100 < CASE rating WHEN 5 THEN 97 WHEN 4 THEN 92 WHEN 3 THEN 58
        WHEN 2 THEN 18 ELSE 6 END, 'true', 'false'), ',',
    if((h >> 22) % 1000 < 20, 'true', 'false'), ',"', {REVIEWER}, '","', {EMAIL}, '",',
    if((h >> 32) % 100 < CASE tone WHEN 0 THEN 30 WHEN 1 THEN 15 ELSE 8 END,
        quote(sentence(responses, tone, h >> 40)), 'null'), ',',
    least((h >> 46) % 31, (h >> 52) % 31))"""

RATED_VALUE = "least(5, greatest(1, rating + (h >> 5) % 3 - 1))"
CENTRED_VALUE = "CASE h % 16 WHEN 0 THEN 1 WHEN 1 THEN 5 WHEN 2 THEN 1 WHEN 3 THEN 5"
CENTRED_VALUE += " ELSE 2 + (h >> 5) % 3 END"
ANSWER_LINE = f"""concat(n, ',', characteristic_base + k + 1, ',', review_id, ',',
    if(k < 2 AND characteristic_count > 1, {CENTRED_VALUE}, {RATED_VALUE}))"""

IMAGE_LINE = f"""concat(n + (n - 1) // {PHOTO_GAP}, ',', review_id, ',',
    image(draw(n, 31), 600 + draw(n, 31) % 1400))"""


def _numbered(inner: str, salt: int) -> str:
    """Rows of `inner` with their place in the file, `n`, and a draw of their own, `h`."""
    return f"""(SELECT *, draw(n, {salt}) AS h FROM
        (SELECT *, row_number() OVER () + $done AS n FROM ({inner})))"""


def _lines(line: str, source: str, common: str = CHUNK) -> str:
    return f"""WITH {common}
        SELECT count(*), encode(string_agg({line}, chr(10))) FROM {source}, pools"""


def statements(products: int) -> dict[str, str]:
    """A statement for each file, in the order of the release."""
    features = "SELECT *, unnest(range(feature_count)) AS k FROM chunk"
    photos = "SELECT id AS style_id, unnest(range(style_photo_count(h >> 20))) AS j FROM styles"
    skus = """SELECT id AS style_id, family, unnest(range(sku_count(h >> 40, family))) AS j
        FROM styles"""
    related = "SELECT product_id, unnest(range(related_count)) AS k FROM chunk"
    images = "SELECT id AS review_id, unnest(range(review_photo_count(h >> 30))) AS j FROM reviews"
    answers = """SELECT id AS review_id, rating, characteristic_base, characteristic_count,
        unnest(range(characteristic_count)) AS k FROM (SELECT * EXCLUDE (k) FROM reviews)"""
    characteristics = "(SELECT *, unnest(range(characteristic_count)) AS k FROM chunk)"
    return {
        "product.csv": _lines(PRODUCT_LINE, "(SELECT *, draw(product_id, 4) AS h FROM chunk)"),
        "features.csv": _lines(FEATURE_LINE, _numbered(features, 5)),
        "styles.csv": _lines(
            STYLE_LINE, "(SELECT *, draw(product_id, 3) AS taste FROM styles)", STYLES
        ),
        "photos.csv": _lines(PHOTO_LINE, _numbered(photos, 11), STYLES),
        "skus.csv": _lines(SKU_LINE, _numbered(skus, 12), STYLES),
        "related.csv": _lines(_related_line(products), _numbered(related, 6)),
        "reviews.csv": _lines(
            REVIEW_LINE, "(SELECT *, draw(id, 21) AS g, draw(id, 22) AS t FROM reviews)", REVIEWS
        ),
        "reviews_photos.csv": _lines(IMAGE_LINE, _numbered(images, 31), REVIEWS),
        "characteristics.csv": _lines(
            """concat(characteristic_base + k + 1, ',', product_id, ',',
                quote(pick(characteristics, characteristic_start(family) + k, 1, 0)))""",
            characteristics,
        ),
        "characteristic_reviews.csv": _lines(ANSWER_LINE, _numbered(answers, 32), REVIEWS),
    }


def _related_line(products: int) -> str:
    """Products but the line's own, none of them twice: steps of one width round the others."""
    others = max(products - 1, 1)
    width = f"(1 + draw(product_id, 7) % {max(others // len(RELATED), 1)})"
    place = f"(draw(product_id, 6) + k * {width}) % {others}"
    return f"concat(n, ',', product_id, ',', 1 + (product_id + {place}) % {products})"


COUNTS = {
    "product.csv": f"WITH {CHUNK} SELECT count(*) FROM chunk",
    "features.csv": f"WITH {CHUNK} SELECT sum(feature_count) FROM chunk",
    "styles.csv": f"WITH {CHUNK} SELECT sum(style_count) FROM chunk",
    "photos.csv": f"WITH {STYLES} SELECT sum(style_photo_count(h >> 20)) FROM styles",
    "skus.csv": f"WITH {STYLES} SELECT sum(sku_count(h >> 40, family)) FROM styles",
    "related.csv": f"WITH {CHUNK} SELECT sum(related_count) FROM chunk",
    "reviews.csv": f"WITH {CHUNK} SELECT sum(review_count) FROM chunk",
    "reviews_photos.csv": f"WITH {REVIEWS} SELECT sum(review_photo_count(h >> 30)) FROM reviews",
    "characteristics.csv": f"WITH {CHUNK} SELECT sum(characteristic_count) FROM chunk",
    "characteristic_reviews.csv": (
        f"WITH {CHUNK} SELECT sum(review_count * characteristic_count) FROM chunk"
    ),
}
