"""Look-ups that are cached in Redis and are never stale after a write.

The writer's side is `atelier.core.publishing`; this is the reader's. What is stored names the tags
of `epoch` and of its scope as they were before the database was read, so that after the next write
of the scope nobody believes it. nginx finds what is stored here as well, for callers whom an
instance has admitted (nginx/lua/lookups.lua). docs/caching.md tells why that is enough.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from django.core.cache import caches
from django.db import connection
from django.http import HttpRequest

from atelier.core.control import Tags, current_tags, store

# The alias in CACHES, and how its keys begin.
CACHE = "lookup"
LOOKUP_SECONDS = 30 * 60
# Whom a value is for, where everybody who may ask at all is shown the same.
ANYBODY = "-"


class TextSerializer:
    """django-redis's serializer of what is text already, and which nginx reads too."""

    def __init__(self, options: dict[str, Any]) -> None:
        pass

    def dumps(self, value: str) -> bytes:
        return value.encode()

    def loads(self, value: bytes) -> str:
        return value.decode()


class Lookup(NamedTuple):
    """What was looked up, None where there is nothing, and whether the cache had it."""

    value: str | None
    is_cached: bool


def noted_tags(request: HttpRequest, scope: str) -> Tags | None:
    """The tags under which nginx found nothing stored, just before it sent the request on.

    None where it did not look, or looked for something else: the two read addresses by rules of
    their own.
    """
    if request.META.get("HTTP_X_CACHE_SCOPE") != scope:
        return None
    epoch, _, tag = request.META.get("HTTP_X_CACHE_TAGS", "").partition(" ")
    return Tags(epoch, tag, None) if tag else None


def look_up(
    scope: str,
    read: Callable[[], str | None],
    *,
    seconds: int,
    noted: Tags | None = None,
    reader: str = ANYBODY,
) -> Lookup:
    """What `read` answers, or answered within `seconds` if no write of the scope came since.

    `read` asks the primary and nothing that another scope may change. None is not stored. Without
    Redis every call reads. `noted` are the tags that nginx has read for this very request; `reader`
    is a word for those whom the value may be shown to. Costs a round trip to Redis where the value
    is stored, four at most, and one where tags were noted.
    """
    # What an open write door has changed may yet be rolled back.
    if getattr(connection, "publication", None) is not None:
        return Lookup(read(), False)
    cache: Any = caches[CACHE]
    key = cache.make_key(scope)
    tags = noted or current_tags(scope, seconds=seconds, beside=key)
    if tags is None:
        return Lookup(read(), False)
    head = f"{tags.epoch} {tags.scope} {reader}\n"
    if tags.stored is not None and tags.stored.startswith(head):
        return Lookup(tags.stored[len(head) :], True)
    value = read()
    if value is not None:
        store(key, cache.client.encode(head + value), seconds=seconds)
    return Lookup(value, False)
