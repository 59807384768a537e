"""The write door: the only way to commit a change of public data.

A public answer depends on scopes: `catalogue` (lists of products), `product:{id}` (detail,
styles, related), `reviews:{id}` and `reviews_meta:{id}` (a product's list and its meta), and
`epoch` (everything; imports). Whoever writes names them, and `publish` locks their rows, gives each
a new random tag and commits the tags with the data. PostgreSQL itself refuses a write to a public
table outside the door: each has the trigger `require_publication`.

Around the commit the door keeps nginx from serving older answers: the scopes' tags in Redis are
hidden before it and new ones released after it, and only then does `publish` return. Where Redis
cannot be reached, it returns after nginx has ceased to trust any tag. docs/caching.md tells why
that is enough.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import IntegrityError, connection, transaction

from atelier.core import outbox, tags
from atelier.core.models import CacheScope

EPOCH = "epoch"


class ScopeError(Exception):
    """A write named a scope that its door does not hold: a mistake in the code."""


class Publication:
    """An open door, and the scopes it holds."""

    def __init__(self) -> None:
        self.tags: dict[str, str] = {}
        self._tombstone = ""
        self._entry: outbox.Entry | None = None

    @property
    def scopes(self) -> set[str]:
        return set(self.tags)

    def include(self, *scopes: str) -> None:
        """Lock further scopes. They must sort after those held, or two writers could deadlock."""
        new = sorted(set(scopes) - self.scopes)
        if new and self.tags and new[0] < max(self.tags):
            raise ScopeError(f"{new[0]} sorts before {max(self.tags)}, which is held already.")
        if new:
            self.tags.update(_lock_and_tag(new, [*self.tags, *new]))

    def require(self, *scopes: str) -> None:
        missing = set(scopes) - self.scopes
        if missing and EPOCH not in self.scopes:
            raise ScopeError(f"The open door does not hold {', '.join(sorted(missing))}.")

    def is_restricted(self, scope: str) -> bool:
        """Whether the answers of a held scope depend on who asks."""
        return self.tags.get(scope) == tags.RESTRICTED

    def restrict(self, *scopes: str, is_restricted: bool) -> None:
        """Say of scopes that their answers depend on who asks, or no longer do; locks them as
        `include` does.

        With the commit their tags become the marker by which nginx passes its cache by, or tags.
        """
        self.include(*scopes)
        rows = CacheScope.objects.filter(key__in=scopes)
        rows.update(is_restricted=is_restricted)
        if is_restricted:
            self.tags.update(dict.fromkeys(scopes, tags.RESTRICTED))
        else:
            self.tags.update({row.key: str(row.tag) for row in rows})

    def hide(self) -> None:
        """Just before the commit: from here on nginx stores nothing of these scopes."""
        if not self.tags:
            return
        self._tombstone = tags.new_tombstone()
        if not tags.hide(self.tags, self._tombstone):
            self._entry = outbox.record(self.scopes)

    def withdraw(self) -> None:
        """After a rollback."""
        if self._tombstone:
            tags.withdraw(self.tags, self._tombstone)

    def release(self) -> None:
        """After the commit. Returns when no answer from before it can be served any more."""
        if not self._tombstone:
            return
        if self._entry is None:
            if tags.release(self.tags, self._tombstone):
                return
            with transaction.atomic():
                self._entry = outbox.record(self.scopes)
        # Redis may be back before the breaker would let anybody ask it.
        elif not self._entry.trust_had_lapsed and tags.release(
            self.tags, self._tombstone, insist=True
        ):
            return
        outbox.await_lapse(self._entry)


@contextmanager
def publish(*scopes: str) -> Iterator[Publication]:
    """A transaction through which the named scopes may be written.

    Locks: the scopes' rows, by key, until the commit; writers of one scope queue. Inside an open
    door it joins that one, which must hold the scopes or `epoch`. Raises ScopeError where it does
    not, RuntimeError inside a transaction that no door opened. Costs two round trips to Redis; a
    second at most where Redis has just gone.
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
            publication.hide()
            # Within a test's own transaction the setting would outlive the door.
            if connection.savepoint_ids:
                _close()
    except IntegrityError:
        publication.withdraw()
        raise
    # After any other error of the commit nobody knows its outcome: the tombstones expire.
    finally:
        connection.publication = None  # type: ignore[attr-defined]
    publication.release()


def confirm(*scopes: str) -> None:
    """Before a write is answered because another request has committed it already.

    That one may not have come to its release yet, so its commit may still be hidden from readers.
    Returns when no answer from before it can be served any more.
    """
    if tags.dropped(scopes):
        return
    with transaction.atomic():
        entry = outbox.record(scopes)
    outbox.await_lapse(entry)


def _lock_and_tag(new: list[str], held: list[str]) -> dict[str, str]:
    """One statement: insert or lock each row by key order, tag it, and tell the trigger.

    What follows in the door may wait longer than a read: an import that is being published may hold
    a row for some seconds.
    """
    patience = str(settings.WRITE_TIMEOUT_MS) if settings.WRITE_TIMEOUT_MS else None
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH tagged AS (
                INSERT INTO core_cachescope AS scope (key, tag)
                SELECT key, gen_random_uuid() FROM unnest(%s::text[]) AS key
                ORDER BY key COLLATE "C"
                ON CONFLICT (key) DO UPDATE SET tag = excluded.tag, changed_at = now()
                RETURNING key, tag, is_restricted
            )
            SELECT key, CASE WHEN is_restricted THEN %s ELSE tag::text END,
                set_config('atelier.scopes', %s, true),
                set_config(
                    'statement_timeout', coalesce(%s, current_setting('statement_timeout')), true
                ),
                set_config('lock_timeout', coalesce(%s, current_setting('lock_timeout')), true)
            FROM tagged
            """,
            [new, tags.RESTRICTED, " ".join(sorted(held)), patience, patience],
        )
        return {row[0]: row[1] for row in cursor.fetchall()}


def _close() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('atelier.scopes', '', true)")
