"""The region of an address, and the licences of a product, one statement each.

Not the ORM: a look-up stands in front of every answer that depends on a region, so it is one
prepared statement whose value PostgreSQL builds.
"""

from collections.abc import Iterable, Iterator

from django.db import connection
from django.db.models import BooleanField
from django.db.models.expressions import RawSQL

from atelier.core.database import fetch_json

# Sources in the order of their precedence; `coalesce` asks one only after those before it had
# nothing. Indexes: override_by_network (GiST), region_code_once, and the primary key of the ranges
# (source, first address), walked backwards by one row for each source. What each answers, the
# address and the codes are filled in.
_SOURCES = """
coalesce(
    (
        SELECT {of_override}
        FROM licensing_networkoverride override
        JOIN licensing_region region ON region.id = override.region_id
        WHERE override.network >>= {address}
        ORDER BY masklen(override.network) DESC LIMIT 1
    ),
    (
        SELECT {of_mmdb}
        FROM licensing_region region WHERE region.code = {mmdb_code}
    ),
    (
        SELECT {of_range}
        FROM licensing_rangesource source
        CROSS JOIN LATERAL (
            SELECT first_address, last_address, region_id FROM licensing_iprange
            WHERE source_id = source.id AND first_address <= {address}
            ORDER BY first_address DESC LIMIT 1
        ) nearest
        JOIN licensing_region region ON region.id = nearest.region_id
        WHERE nearest.last_address >= {address}
        ORDER BY source.precedence, source.name LIMIT 1
    ),
    (
        SELECT {of_policy}
        FROM licensing_region region WHERE region.code = {unknown_code}
    )
)
"""

# The address is a subquery, because a planner that knows its value plans anew each time.
_FOUND = _SOURCES.format(
    of_override="json_build_array('override', override.network::text, region.id, region.code,"
    " region.name)",
    of_mmdb="json_build_array('mmdb', %(mmdb_network)s::text, region.id, region.code, region.name)",
    of_range="json_build_array('ranges ' || source.name,"
    " host(nearest.first_address) || ' - ' || host(nearest.last_address),"
    " region.id, region.code, region.name)",
    of_policy="json_build_array('policy', '', region.id, region.code, region.name)",
    address="(SELECT %(address)s::inet)",
    mmdb_code="%(mmdb_code)s::text",
    unknown_code="%(unknown_code)s::text",
)
_REGION = f"SELECT coalesce({_FOUND}, json_build_array('none', '', null, null, null))::text"

# Index: licence_by_product.
_IS_RESTRICTED = """EXISTS (
    SELECT FROM licensing_productlicence licence WHERE licence.product_id = {product}
)"""

# Index: licence_by_product, its first entry.
FIRST_RESTRICTED = "SELECT min(product_id) FROM licensing_productlicence"

# Index: licence_by_product. The rules are those of licensing.deciding: a region beats a group, deny
# beats allow, and any allow denies elsewhere. Each step is null where nothing speaks for it.
_MAY_BE_SHOWN = """(
    SELECT coalesce(
        bool_and(licence.effect = 'allow') FILTER (
            WHERE licence.valid_from <= now() AND coalesce(licence.valid_until > now(), true)
                AND licence.region_id = {region}
        ),
        bool_and(licence.effect = 'allow') FILTER (
            WHERE licence.valid_from <= now() AND coalesce(licence.valid_until > now(), true)
                AND licence.group_id IN (
                    SELECT regiongroup_id FROM licensing_regiongroup_members
                    WHERE region_id = {region}
                )
        ),
        NOT bool_or(licence.effect = 'allow'),
        true
    )
    FROM licensing_productlicence licence WHERE licence.product_id = {product}
)"""

# Indexes: the primary key of products, licence_by_product, that of the groups' members by region.
_TERMS = """
SELECT json_build_object(
    'is_known', EXISTS (SELECT FROM products_product WHERE id = %(product_id)s),
    'now', now(),
    'groups', array_to_json(ARRAY(
        SELECT regiongroup_id FROM licensing_regiongroup_members
        WHERE region_id = %(region_id)s::integer ORDER BY regiongroup_id
    )),
    'terms', array_to_json(ARRAY(
        SELECT json_build_array(region_id, group_id, effect, valid_from, valid_until)
        FROM licensing_productlicence WHERE product_id = %(product_id)s ORDER BY id
    ))
)::text
"""


def region_of(address: str, *, mmdb: tuple[str, str] | None, unknown_code: str) -> bytes:
    """`[source, network, id, code, name]` as JSON; the last three are null without a region."""
    code, network = mmdb or (None, None)
    params = {
        "address": address,
        "mmdb_code": code,
        "mmdb_network": network,
        "unknown_code": unknown_code,
    }
    return fetch_json(_REGION, params) or b""


def region_expression(address: str, *, mmdb_code: str, unknown_code: str) -> str:
    """The id of the region of an address, by the same sources: an SQL expression of others."""
    own = dict.fromkeys(("of_override", "of_mmdb", "of_range", "of_policy"), "region.id")
    return _SOURCES.format(**own, address=address, mmdb_code=mmdb_code, unknown_code=unknown_code)


def terms_of(product_id: int, *, region_id: int | None) -> bytes:
    """Whether the product is there, its licences, the region's groups, and the database's clock."""
    return fetch_json(_TERMS, {"product_id": product_id, "region_id": region_id}) or b""


def is_restricted(product: str) -> str:
    """A condition: the product with this id, an SQL expression, has licences, past ones included.

    Costs a probe of an index.
    """
    return _IS_RESTRICTED.format(product=product)


def may_be_shown(product: str, region: str) -> str:
    """A condition: the product may be shown now in the region, both SQL expressions of ids; the
    region's may be null. Costs a probe of an index, and the product's licences where it has any.
    """
    return _MAY_BE_SHOWN.format(product=product, region=region)


def shown_in(region_id: int | None) -> RawSQL:
    """The same as a filter for querysets of products."""
    region = "%s::integer"
    return RawSQL(  # noqa: S611 - constants and parameters
        may_be_shown("products_product.id", region),
        (region_id, region_id),
        output_field=BooleanField(),
    )


def overrides_holding(network: str) -> list[int]:
    """Ids of the overrides that hold a network as a whole. Index: override_by_network."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM licensing_networkoverride WHERE network >>= %s::inet", [network]
        )
        return [row[0] for row in cursor.fetchall()]


def products_showing(*product_ids: int) -> list[int]:
    """Ids of the products that show one of these as related.

    This app stands below the products', so it asks the table. Index: that of its foreign key.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT product_id FROM products_relatedproduct"
            " WHERE related_product_id = ANY(%s) ORDER BY product_id",
            [list(product_ids)],
        )
        return [row[0] for row in cursor.fetchall()]


def products_of_group(group_id: int, *, most: int) -> list[int]:
    """The lowest ids of products that have a licence which names the group. Reads all licences."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT product_id FROM licensing_productlicence"
            " WHERE group_id = %s ORDER BY product_id LIMIT %s",
            [group_id, most],
        )
        return [row[0] for row in cursor.fetchall()]


def lock_product(product_id: int) -> bool:
    """Keep everybody from pointing at the product until the commit; False where there is none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM products_product WHERE id = %s FOR UPDATE", [product_id])
        return cursor.rowcount == 1


# An import, in one transaction: what the files hold goes into a table of its own, is read from
# there in order, and what it becomes is copied beside the ranges that it replaces.
_LOCK = 0x61746C72  # the number of this app's locks on sources
_STAGED_AT_ONCE = 20_000

Staged = tuple[bytes, bytes, int | None, int]


def lock_source(name: str, *, holder: str) -> str | None:
    """Take the lock on a source until the transaction ends; else who holds it.

    `holder` is what others are told meanwhile, at most 63 bytes.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, hashtext(%s))", [_LOCK, name])
        if cursor.fetchone()[0]:
            cursor.execute("SELECT set_config('application_name', %s, true)", [holder])
            return None
        cursor.execute(
            """
            SELECT application_name || ', since ' || to_char(xact_start, 'YYYY-MM-DD HH24:MI:SS TZ')
            FROM pg_locks JOIN pg_stat_activity USING (pid)
            WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND classid = %s
                AND objid = (hashtext(%s)::bigint & 4294967295)::oid
            """,
            [_LOCK, name],
        )
        row = cursor.fetchone()
        return row[0] if row else "an import that has just ended"


def stage(rows: Iterable[bytes]) -> None:
    """Fill the staging table from lines in COPY's text form."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS licensing_staged")
        cursor.execute(
            "CREATE TEMPORARY TABLE licensing_staged"
            " (first bytea, last bytea, region_id integer, line bigint) ON COMMIT DROP"
        )
        with cursor.copy("COPY licensing_staged FROM STDIN") as copy:
            for row in rows:
                copy.write(row)


def staged() -> Iterator[list[Staged]]:
    """What was staged, by first address, some thousand rows at a time."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DECLARE licensing_ranges NO SCROLL CURSOR FOR"
            " SELECT first, last, region_id, line FROM licensing_staged ORDER BY first"
        )
        while True:
            cursor.execute(f"FETCH {_STAGED_AT_ONCE} FROM licensing_ranges")
            rows = cursor.fetchall()
            if not rows:
                break
            yield rows
        cursor.execute("CLOSE licensing_ranges")


def add_ranges(rows: Iterable[bytes]) -> None:
    """Copy rows of ranges, in COPY's text form."""
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY licensing_iprange (source_id, first_address, last_address, region_id) FROM STDIN"
        ) as copy,
    ):
        for row in rows:
            copy.write(row)


def delete_ranges(source_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM licensing_iprange WHERE source_id = %s", [source_id])


def analyze_ranges() -> None:
    """Tell the planner, which knows nothing of a table that was just filled."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE licensing_iprange, licensing_rangesource")
