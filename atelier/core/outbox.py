"""How a writer that cannot reach Redis keeps the promise: it waits until nginx trusts no tag.

nginx trusts tags only while the keeper renews `alive`, for a second at a time, and the keeper does
so only after it found the outbox empty. So a second after an entry was committed, all trust that
came before it has run out, and none comes back before the keeper has deleted the entry, together
with the tags it names.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass

import structlog
from django.db import connection

from atelier.core.models import OutboxEntry

logger = structlog.get_logger(__name__)

TRUST_MS = 1000
# A little longer than trust can last, for clocks that run unevenly.
LAPSE_SECONDS = TRUST_MS / 1000 + 0.1


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of this writer's, and whether trust was dead already when it was recorded."""

    id: int
    trust_had_lapsed: bool


def record(scopes: Iterable[str]) -> Entry:
    """Add an entry in the caller's transaction.

    Locks an older entry whose trust has lapsed, if there is one: the keeper cannot delete it, and
    so cannot renew trust, before this transaction has ended and its own entry can be seen.
    """
    entry = OutboxEntry.objects.create(scopes=sorted(scopes))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id FROM core_outboxentry WHERE trust_lapsed
            ORDER BY id LIMIT 1 FOR KEY SHARE SKIP LOCKED
            """
        )
        return Entry(entry.pk, cursor.fetchone() is not None)


def await_lapse(entry: Entry) -> None:
    """Return when nothing from before the entry's commit is trusted. Sleeps for a second or not."""
    if entry.trust_had_lapsed:
        return
    logger.warning("waiting for the trust in cache tags to lapse", seconds=LAPSE_SECONDS)
    time.sleep(LAPSE_SECONDS)
    OutboxEntry.objects.filter(pk=entry.id).update(trust_lapsed=True)
