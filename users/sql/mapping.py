"""The statements that build a map of search (`users.services.mapping`).

Not the ORM: they read all profiles of a tenant, in one pass each, and write masks by the thousand.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection, transaction

from users.models import SORTS

# Rows that the server hands over at a time.
BATCH = 20_000

_TEXTS = ", ".join(sort.text for sort in SORTS.values())
_LIVE = "profile.tenant_id = %(tenant_id)s AND profile.deleted_at IS NULL"

# Index: that of created_at, whose entries alone are read.
_COUNT = f"SELECT count(*) FROM users_profile profile WHERE {_LIVE}"

# No index: a pass over the table.
_SAMPLE = f"""
SELECT profile.search_words, profile.id::text, {_TEXTS}
FROM users_profile profile TABLESAMPLE BERNOULLI (%(percent)s) WHERE {_LIVE}
"""
_ALL = f"SELECT profile.search_words, profile.id::text, {_TEXTS} FROM users_profile profile WHERE {_LIVE}"

_ADD_BITS = """
UPDATE users_searchzone zone SET mask = zone.mask | added.mask
FROM unnest(%(ids)s::bigint[], %(masks)s::varbit[]) added (id, mask) WHERE zone.id = added.id
"""


def count_live(tenant_id: UUID) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"tenant_id": tenant_id})
        return int(cursor.fetchone()[0])


def sample(tenant_id: UUID, percent: float) -> list[tuple[Any, ...]]:
    """Search words, id and the texts of all sorts, of so many live profiles in a hundred."""
    with connection.cursor() as cursor:
        cursor.execute(_SAMPLE, {"tenant_id": tenant_id, "percent": percent})
        return list(cursor.fetchall())


def each_live(tenant_id: UUID) -> Iterator[Sequence[tuple[Any, ...]]]:
    """The same of all, as of now, in batches. Holds a transaction open meanwhile."""
    with transaction.atomic():
        connection.ensure_connection()
        server: psycopg.Connection[Any] = connection.connection
        with closing(psycopg.ServerCursor(server, "profiles_to_map")) as cursor:
            cursor.execute(_ALL, {"tenant_id": tenant_id})
            while rows := cursor.fetchmany(BATCH):
                yield rows


def add_bits(ids: Sequence[int], masks: Sequence[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_ADD_BITS, {"ids": list(ids), "masks": list(masks)})
