"""The region of an address, and the licences of a product, one statement each.

Not the ORM: a look-up stands in front of every answer that depends on a region, so it is one
prepared statement whose value PostgreSQL builds.
"""

from django.db import connection
from django.db.models import BooleanField
from django.db.models.expressions import RawSQL

from atelier.core.database import fetch_json

# Sources in the order of their precedence; `coalesce` asks one only after those before it had
# nothing. Indexes: override_by_network (GiST), region_code_once, and the primary key of the ranges
# (source, first address), walked backwards by one row for each source. The address is a subquery,
# because a planner that knows its value plans anew each time.
_REGION = """
SELECT coalesce(
    (
        SELECT json_build_array('override', override.network::text, region.id, region.code,
            region.name)
        FROM licensing_networkoverride override
        JOIN licensing_region region ON region.id = override.region_id
        WHERE override.network >>= (SELECT %(address)s::inet)
        ORDER BY masklen(override.network) DESC LIMIT 1
    ),
    (
        SELECT json_build_array('mmdb', %(mmdb_network)s::text, region.id, region.code, region.name)
        FROM licensing_region region WHERE region.code = %(mmdb_code)s::text
    ),
    (
        SELECT json_build_array('ranges ' || source.name,
            host(nearest.first_address) || ' - ' || host(nearest.last_address),
            region.id, region.code, region.name)
        FROM licensing_rangesource source
        CROSS JOIN LATERAL (
            SELECT first_address, last_address, region_id FROM licensing_iprange
            WHERE source_id = source.id AND first_address <= (SELECT %(address)s::inet)
            ORDER BY first_address DESC LIMIT 1
        ) nearest
        JOIN licensing_region region ON region.id = nearest.region_id
        WHERE nearest.last_address >= (SELECT %(address)s::inet)
        ORDER BY source.precedence, source.name LIMIT 1
    ),
    (
        SELECT json_build_array('policy', '', region.id, region.code, region.name)
        FROM licensing_region region WHERE region.code = %(unknown_code)s::text
    ),
    json_build_array('none', '', null, null, null)
)::text
"""

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


def products_showing(product_id: int) -> list[int]:
    """Ids of the products that show this one as related.

    This app stands below the products', so it asks the table. Index: that of its foreign key.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT product_id FROM products_relatedproduct"
            " WHERE related_product_id = %s ORDER BY product_id",
            [product_id],
        )
        return [row[0] for row in cursor.fetchall()]


def lock_product(product_id: int) -> bool:
    """Keep everybody from pointing at the product until the commit; False where there is none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM products_product WHERE id = %s FOR UPDATE", [product_id])
        return cursor.rowcount == 1
