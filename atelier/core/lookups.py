"""Look-ups that are cached in Redis and are never stale after a write.

The writer's side is `atelier.core.publishing`; this is the reader's. A value is stored under a key
that contains the tags of `epoch` and of its scope as they were before the database was read, so
that the next write of the scope puts it out of reach. docs/caching.md tells why that is enough.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple

from django.core.cache import cache
from django.db import connection

from atelier.core.control import current_tags


class Lookup(NamedTuple):
    """What was looked up, None where there is nothing, and whether the cache had it."""

    value: str | None
    is_cached: bool


def look_up(scope: str, read: Callable[[], str | None], *, seconds: int) -> Lookup:
    """What `read` answers, or answered within `seconds` if no write of the scope came since.

    `read` asks the primary and nothing that another scope may change. None is not stored. Without
    Redis every call reads. Costs two round trips to Redis where the value is stored, four at most.
    """
    # What an open write door has changed may yet be rolled back.
    is_writing = getattr(connection, "publication", None) is not None
    tags = None if is_writing else current_tags(scope, seconds=seconds)
    if tags is None:
        return Lookup(read(), False)
    digest = blake2b(f"{tags.epoch} {tags.scope}".encode(), digest_size=12).hexdigest()
    key = f"{scope}:{digest}"
    stored = None if tags.is_new else cache.get(key)
    if stored is not None:
        return Lookup(stored, True)
    value = read()
    if value is not None:
        cache.set(key, value, seconds)
    return Lookup(value, False)
