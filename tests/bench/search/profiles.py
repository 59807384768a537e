"""Millions of made-up profiles, made by PostgreSQL from lists of made-up names.

Names are as unevenly frequent as people's. Gender follows from the first name, city and the mobile
number's beginning from the country, and one country's profiles came all at once, in the middle: so
each order has words whose profiles lie far from its beginning, close together.
"""

import random

from django.db import connection, transaction

from users.models import Profile, Tenant

SEED = 7
COUNTRIES = "us gb de fr in br za jp mx it es nl se pl ca au ng ke zw zm".split()
# The profiles of this one are a fiftieth, next to each other by time.
LATE = "za"
FIRST_NAMES, LAST_NAMES, CITIES = 3_000, 20_000, 4_000
# A tenant beside the large one.
SMALL = 50

_FILL = """
INSERT INTO users_profile (
    id, tenant_id, profile_type, full_name, email, email_key, mobile, mobile_key, gender,
    birth_date, address, city, country, image, created_by, updated_by, deleted_by,
    created_at, updated_at,
    name_key, search_words
)
SELECT (lpad(to_hex(made.at), 12, '0') || '7' || substr(made.hash, 1, 3) || '8'
        || substr(made.hash, 4, 15))::uuid,
    %(tenant_id)s, 'personal', initcap(first) || ' ' || initcap(last), email, email,
    '+' || mobile, '+' || mobile,
    CASE WHEN number %% 50 = 0 THEN '' WHEN first_number %% 2 = 0 THEN 'female' ELSE 'male' END,
    CASE WHEN number %% 20 > 0 THEN DATE '1940-01-01' + (hash_2 %% 25000)::integer END,
    'Some street ' || number %% 300, initcap(city), upper(country), '', 'bench', '', '',
    to_timestamp(made.at / 1000.0), to_timestamp(made.at / 1000.0),
    first || ' ' || last,
    ' ' || first || ' ' || last || ' ' || city || ' ' || country || ' | ' || email || ' ' || mobile
FROM (
    SELECT drawn.*, first.name AS first, last.name AS last, country.name AS country,
        city.name AS city
    FROM (
        SELECT number, md5(number::text) AS hash, 1700000000000 + number * 3 AS at,
            1 + floor(%(first_names)s * power(r_1, 3))::integer AS first_number,
            hash_2,
            1 + floor(%(last_names)s * power(r_2, 2))::integer AS last_number,
            floor(%(cities_each)s * power(r_3, 2))::integer AS city_number,
            CASE WHEN number BETWEEN %(late_from)s AND %(late_to)s THEN %(late)s
                WHEN country_number >= %(late)s THEN country_number + 1
                ELSE country_number END AS country_number
        FROM (
            SELECT number,
                (hashint8extended(number, 1) & 1048575) / 1048576.0 AS r_1,
                (hashint8extended(number, 2) & 1048575) / 1048576.0 AS r_2,
                (hashint8extended(number, 3) & 1048575) / 1048576.0 AS r_3,
                (hashint8extended(number, 5) & 1048575) AS hash_2,
                1 + floor((%(country_count)s - 1) * power(
                    (hashint8extended(number, 4) & 1048575) / 1048576.0, 2))::integer
                    AS country_number
            FROM generate_series(1, %(profiles)s::bigint) number
        ) drawn
    ) drawn
    JOIN bench_name first ON first.kind = 'first' AND first.number = first_number
    JOIN bench_name last ON last.kind = 'last' AND last.number = last_number
    JOIN bench_name country ON country.kind = 'country' AND country.number = country_number
    JOIN bench_name city ON city.kind = 'city'
        AND city.number = country_number * %(cities_each)s - city_number
    ORDER BY drawn.number
) made CROSS JOIN LATERAL (
    SELECT first || '.' || last || number || '@mail' || number %% 7 || '.example' AS email,
        (27 + country_number)::text || lpad(number::text, 9, '0') AS mobile
) given
"""


def fill(tenant: Tenant, profiles: int) -> None:
    """Make them, into a table without its indexes; as a load may."""
    draw = random.Random(SEED)
    names = ["james", *_names(draw, FIRST_NAMES - 2), "zoe"]
    lists = {
        "first": ["james", *_names(draw, FIRST_NAMES - 2), "zoe"],
        "last": _names(draw, LAST_NAMES),
        "city": _names(draw, CITIES),
        "country": COUNTRIES,
    }
    values = {
        "tenant_id": tenant.pk,
        "first_names": FIRST_NAMES,
        "last_names": LAST_NAMES,
        "country_count": len(COUNTRIES),
        "cities_each": CITIES // len(COUNTRIES),
        "late": 1 + COUNTRIES.index(LATE),
        "late_from": profiles // 2,
        "late_to": profiles // 2 + profiles // 50,
        "profiles": profiles,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE bench_name (kind text, number integer, name text)")
        for kind, names in lists.items():
            cursor.execute(
                "INSERT INTO bench_name SELECT %s, number, name"
                " FROM unnest(%s::text[]) WITH ORDINALITY made (name, number)",
                [kind, names],
            )
        cursor.execute("ANALYZE bench_name")
        cursor.execute(_FILL, values)


def without_indexes() -> list[str]:
    """Drop what a load need not keep up; the statements that build it again."""
    table = Profile._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s"
            " AND indexname NOT IN (SELECT conname FROM pg_constraint)",
            [table],
        )
        found = cursor.fetchall()
        for name, _ in found:
            cursor.execute(f'DROP INDEX "{name}"')
        cursor.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = %s::regclass AND contype = 'f'",
            [table],
        )
        keys = cursor.fetchall()
        for name, _ in keys:
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
    return [
        *(definition for _, definition in found),
        *(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {text}' for name, text in keys),
    ]


def _names(draw: random.Random, count: int) -> list[str]:
    """Different ones, of two to five syllables."""
    made: dict[str, None] = {}
    while len(made) < count:
        syllables = draw.choices(range(2, 6), (5, 6, 3, 1))[0]
        made[
            "".join(
                draw.choice("bdfghjklmnprstvz") + draw.choice("aeiou") for _ in range(syllables)
            )
        ] = None
    return list(made)
