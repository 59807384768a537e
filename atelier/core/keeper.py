"""The keeper: lets nginx trust the cache tags, a second at a time.

Any number of keepers may run. Each renewal ends at a moment that was fixed before the outbox was
looked at, so a keeper that was held up in between renews nothing.
"""

from collections.abc import Iterator

import structlog
from django.db import DatabaseError, connection
from redis import Redis, RedisError

from atelier.core import tags
from atelier.core.models import OutboxEntry
from atelier.core.outbox import TRUST_MS

logger = structlog.get_logger(__name__)

ENTRIES_AT_ONCE = 1000


class Keeper:
    """One keeper and its connection to Redis."""

    def __init__(self) -> None:
        self._redis = tags.connect()
        self._trusts: bool | None = None

    def tend(self) -> bool:
        """Drain the outbox and renew the trust. False where Redis or PostgreSQL did not let it."""
        try:
            drained = 0
            while True:
                run, begun_ms = self._look()
                entries = list(OutboxEntry.objects.order_by("id")[:ENTRIES_AT_ONCE])
                if not entries:
                    break
                tags.drop(self._redis, {scope for entry in entries for scope in entry.scopes})
                OutboxEntry.objects.filter(pk__in=[entry.pk for entry in entries]).delete()
                drained += len(entries)
            self._redis.set("alive", run, pxat=begun_ms + TRUST_MS)
        except (RedisError, DatabaseError) as error:
            if isinstance(error, DatabaseError):
                connection.close()
            self._tell(trusts=False, reason=str(error).strip())
            return False
        self._tell(trusts=True, drained=drained)
        return True

    def _look(self) -> tuple[str, int]:
        """The id of this run of Redis, and its time in ms since 1970.

        Tags of another run, which a reload may bring, go first.
        """
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.info("server")
            pipeline.get("run")
            pipeline.time()
            info, known, (seconds, microseconds) = pipeline.execute()
        run = str(info["run_id"])
        if known != run:
            for names in _batches(self._redis):
                self._redis.unlink(*names)
        # Each time, for a Redis that takes no writes gets no trust: then the outbox stays as it is,
        # and writers need not wait for a trust that cannot come back.
        self._redis.set("run", run)
        return run, int(seconds) * 1000 + int(microseconds) // 1000

    def _tell(self, *, trusts: bool, **facts: object) -> None:
        """A line where the trust comes or goes, or something was drained; silence otherwise."""
        if trusts != self._trusts or facts.get("drained"):
            log = logger.info if trusts else logger.error
            log("cache tags are trusted" if trusts else "cache tags are not trusted", **facts)
        self._trusts = trusts


def _batches(client: Redis) -> Iterator[list[str]]:
    """The keys of all tags, a thousand at a time."""
    names: list[str] = []
    for name in client.scan_iter(match=tags.key_of("*"), count=ENTRIES_AT_ONCE):
        names.append(str(name))
        if len(names) == ENTRIES_AT_ONCE:
            yield names
            names = []
    if names:
        yield names
