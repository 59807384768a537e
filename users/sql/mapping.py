"""The statements that build a map of search (`users.services.mapping`).

Not the ORM: they read all profiles of a tenant, in one pass each, and write masks by the hundred.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
from django.db import DatabaseError, InterfaceError, connection, transaction

from users.models import SORTS

# Of advisory locks: a map is being built. Whoever waits for that asks as often.
BUILD_LOCK, LOCK_SECONDS = 0x5EA2C5, 5
# Rows that the server hands over at a time.
BATCH = 20_000
MASKS_AT_ONCE = 500

_COLUMNS = ", ".join(
    ["profile.search_words", "profile.id::text", *(sort.text for sort in SORTS.values())]
)
_LIVE = "WHERE profile.tenant_id = %(tenant_id)s AND profile.deleted_at IS NULL"

_TRY_LOCK = "SELECT pg_try_advisory_lock(%(lock)s, hashtext(%(tenant_id)s))"
_UNLOCK = "SELECT pg_advisory_unlock(%(lock)s, hashtext(%(tenant_id)s))"

# Index: that of a sort, whose entries alone are read.
_COUNT = f"SELECT count(*) FROM users_profile profile {_LIVE}"  # noqa: S608 - constants only

# No index: passes over the table.
_SAMPLE = (
    f"SELECT {_COLUMNS} FROM users_profile profile"  # noqa: S608 - constants only
    f" TABLESAMPLE BERNOULLI (%(percent)s) {_LIVE}"
)
_ALL = f"SELECT {_COLUMNS} FROM users_profile profile {_LIVE}"  # noqa: S608 - constants only

# Index: one_search_word_a_key.
_MASKS = """
SELECT id, key, zones FROM users_searchword WHERE map_id = %(map_id)s AND key = ANY (%(keys)s)
"""

# Index: the primary key. Rows are locked in the order of their ids, as writers do.
_LOCKED = """
SELECT id, zones FROM users_searchword WHERE id = ANY (%(ids)s) ORDER BY id FOR NO KEY UPDATE
"""
_SET = "UPDATE users_searchword SET zones = %(zones)s WHERE id = %(id)s"

# Index: one_search_word_a_key. Waits for nobody: whoever has a row now is passed over.
_REMOVE_WORDS = """
DELETE FROM users_searchword WHERE id IN (
    SELECT id FROM users_searchword WHERE map_id = %(map_id)s
    LIMIT %(most)s FOR UPDATE SKIP LOCKED
)
"""


@contextmanager
def alone(tenant_id: UUID, waiting: Callable[[], object]) -> Iterator[None]:
    """While nobody else builds a map of the tenant; `waiting` is called where somebody does."""
    key = {"lock": BUILD_LOCK, "tenant_id": str(tenant_id)}
    while not _asked(_TRY_LOCK, key):
        waiting()
        time.sleep(LOCK_SECONDS)
    try:
        yield
    finally:
        # A lost session has let go already.
        with suppress(DatabaseError, InterfaceError):
            _asked(_UNLOCK, key)


def count_live(tenant_id: UUID) -> int:
    with _unhurried(), connection.cursor() as cursor:
        cursor.execute(_COUNT, {"tenant_id": tenant_id})
        return int(cursor.fetchone()[0])


def sample(tenant_id: UUID, percent: float) -> list[tuple[Any, ...]]:
    """Search words, id and the texts of all sorts, of so many live profiles in a hundred."""
    with _unhurried(), connection.cursor() as cursor:
        cursor.execute(_SAMPLE, {"tenant_id": tenant_id, "percent": percent})
        return list(cursor.fetchall())


def each_live(tenant_id: UUID) -> Iterator[Sequence[tuple[Any, ...]]]:
    """The same of all, as of now, in batches. Holds a transaction open meanwhile."""
    with _unhurried():
        server: psycopg.Connection[Any] = connection.connection
        with closing(psycopg.ServerCursor(server, "profiles_to_map")) as cursor:
            cursor.execute(_ALL, {"tenant_id": tenant_id})
            while rows := cursor.fetchmany(BATCH):
                yield rows


def each_mask(map_id: int, keys: list[str]) -> Iterator[tuple[int, str, bytes]]:
    """Id, key and zones of the words that the map has of these."""
    for start in range(0, len(keys), MASKS_AT_ONCE):
        with connection.cursor() as cursor:
            cursor.execute(_MASKS, {"map_id": map_id, "keys": keys[start : start + MASKS_AT_ONCE]})
            yield from cursor.fetchall()


def add_bits(added: Mapping[int, "np.ndarray[Any, Any]"]) -> None:
    """Set these bits, bytes of them by the ids of words, beside those that writers set."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_LOCKED, {"ids": list(added)})
        for word_id, zones in cursor.fetchall():
            both = added[word_id] | np.frombuffer(zones, dtype=np.uint8)
            cursor.execute(_SET, {"id": word_id, "zones": both.tobytes()})


def remove_words(map_id: int, most: int) -> int:
    """Remove some that no writer has at the moment; how many."""
    with connection.cursor() as cursor:
        cursor.execute(_REMOVE_WORDS, {"map_id": map_id, "most": most})
        return cursor.rowcount


def _asked(statement: str, params: Mapping[str, Any]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return bool(cursor.fetchone()[0])


@contextmanager
def _unhurried() -> Iterator[None]:
    """A transaction whose statements may take their time, in the worker too."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        yield
