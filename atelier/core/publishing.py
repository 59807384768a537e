"""The write door: the only way to commit a change of public data.

A public answer depends on scopes: `catalogue` (lists of products), `product:{id}` (detail,
styles, related), `reviews:{id}` (list and meta of a product) and `epoch` (everything; imports).
Whoever writes names them, and `publish` locks their rows, gives each a new random tag and commits
the tags with the data. PostgreSQL itself refuses a write to a public table outside the door:
each has the trigger `require_publication`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

EPOCH = "epoch"


class ScopeError(Exception):
    """A write named a scope that its door does not hold: a mistake in the code."""


class Publication:
    """An open door, and the scopes it holds."""

    def __init__(self) -> None:
        self.scopes: set[str] = set()

    def include(self, *scopes: str) -> None:
        """Lock further scopes. They must sort after those held, or two writers could deadlock."""
        new = sorted(set(scopes) - self.scopes)
        if new and self.scopes and new[0] < max(self.scopes):
            raise ScopeError(f"{new[0]} sorts before {max(self.scopes)}, which is held already.")
        if new:
            self.scopes.update(new)
            _lock_and_tag(new, self.scopes)

    def require(self, *scopes: str) -> None:
        missing = set(scopes) - self.scopes
        if missing and EPOCH not in self.scopes:
            raise ScopeError(f"The open door does not hold {', '.join(sorted(missing))}.")


@contextmanager
def publish(*scopes: str) -> Iterator[Publication]:
    """A transaction through which the named scopes may be written.

    Locks: the scopes' rows, by key, until the commit; writers of one scope queue. Inside an open
    door it joins that one, which must hold the scopes or `epoch`. Raises ScopeError where it does
    not, RuntimeError inside a transaction that no door opened.
    """
    outer: Publication | None = getattr(connection, "publication", None)
    if outer is not None:
        outer.require(*scopes)
        with transaction.atomic():
            yield outer
        return
    publication = Publication()
    try:
        with transaction.atomic(durable=True):
            connection.publication = publication  # type: ignore[attr-defined]
            publication.include(*scopes)
            yield publication
            # Within a test's own transaction the setting would outlive the door.
            if connection.savepoint_ids:
                _close()
    finally:
        connection.publication = None  # type: ignore[attr-defined]


def _lock_and_tag(new: list[str], held: set[str]) -> None:
    """One statement: insert or lock each row by key order, tag it, and tell the trigger."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH tagged AS (
                INSERT INTO core_cachescope AS scope (key, tag)
                SELECT key, gen_random_uuid() FROM unnest(%s::text[]) AS key
                ORDER BY key COLLATE "C"
                ON CONFLICT (key) DO UPDATE SET tag = excluded.tag, changed_at = now()
                RETURNING key
            )
            SELECT set_config('atelier.scopes', %s, true), count(*) FROM tagged
            """,
            [new, " ".join(sorted(held))],
        )


def _close() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('atelier.scopes', '', true)")
