"""Cache tags in the control database of Redis, as writers and the keeper handle them.

`tag:{scope}` holds a value that was never used before, or the tombstone `T:<uuid>` of a writer that
is about to commit, or the marker `restricted` of a scope whose answers depend on who asks; nginx
stores answers under the tags it read, and none under the last two. `alive` holds the run id of the
Redis server whose tags may be trusted. docs/caching.md describes the protocol.
"""

import threading
import time
from collections.abc import Callable, Collection, Mapping
from functools import cache
from uuid import uuid4

import structlog
from django.conf import settings
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionLost
from redis.retry import Retry

logger = structlog.get_logger(__name__)

TOMBSTONE_MS = 30_000
# As nginx does for tags that it mints: they outlive the answers stored under them.
TAG_LIFETIMES = 4

# No tag: nginx passes its cache by. It stays until a writer takes it away.
RESTRICTED = "restricted"

# A hung Redis costs a writer this much, until the breaker opens. Longer than nginx waits: a writer
# that gives up waits a second for trust to lapse.
TIMEOUT_SECONDS = 0.2
FAILURES_TO_OPEN = 3
OPEN_SECONDS = 5.0

# One's own tombstone becomes the new tag or the marker, or goes where there is neither; that of
# another writer stays, for its commit is still to come; every other value is from before this
# commit.
_RELEASE = """
for position, key in ipairs(KEYS) do
    local value = redis.call('GET', key)
    local tag = ARGV[2 + position]
    if tag == 'restricted' and (value == ARGV[1] or value == tag) then
        redis.call('SET', key, tag)
    elseif value == ARGV[1] and tag then
        redis.call('SET', key, tag, 'PX', ARGV[2])
    elseif value == ARGV[1] or (value and string.sub(value, 1, 2) ~= 'T:') then
        redis.call('DEL', key)
    end
end
"""
_WITHDRAW = """
for _, key in ipairs(KEYS) do
    if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end
end
"""


class Breaker:
    """Spares a process the wait for a Redis that is known to be away.

    Three failures in a row open it for five seconds, a success closes it.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._open_until = 0.0
        self._lock = threading.Lock()

    def is_open(self) -> bool:
        return time.monotonic() < self._open_until

    def succeeded(self) -> None:
        with self._lock:
            self._failures = 0
            self._open_until = 0.0

    def failed(self) -> None:
        with self._lock:
            self._failures += 1
            if self._failures >= FAILURES_TO_OPEN:
                self._open_until = time.monotonic() + OPEN_SECONDS


breaker = Breaker()


def new_tombstone() -> str:
    return f"T:{uuid4()}"


def hide(scopes: Collection[str], tombstone: str) -> bool:
    """A tombstone on each scope: nginx stores nothing. False where Redis does not confirm."""

    def send(client: Redis) -> None:
        with client.pipeline(transaction=False) as pipeline:
            for scope in scopes:
                pipeline.set(key_of(scope), tombstone, px=TOMBSTONE_MS)
            pipeline.execute()

    return _confirmed(send)


def release(tags: Mapping[str, str], tombstone: str, *, insist: bool = False) -> bool:
    """After the commit: no tag from before it stays. False where Redis does not confirm.

    `insist` asks even a Redis that is known to be away.
    """
    lifetime = TAG_LIFETIMES * 1000 * max(settings.CACHE_SECONDS, 1)

    def send(client: Redis) -> None:
        client.register_script(_RELEASE)(
            keys=[key_of(scope) for scope in tags], args=[tombstone, lifetime, *tags.values()]
        )

    return _confirmed(send, insist=insist)


def withdraw(scopes: Collection[str], tombstone: str) -> None:
    """After a rollback: what is left of one's tombstones goes; an unreachable one expires."""

    def send(client: Redis) -> None:
        client.register_script(_WITHDRAW)(
            keys=[key_of(scope) for scope in scopes], args=[tombstone]
        )

    _confirmed(send)


def dropped(scopes: Collection[str]) -> bool:
    """Delete the scopes' tags, tombstones apart. False where Redis does not confirm.

    Asks even a Redis that is known to be away.
    """
    return _confirmed(lambda client: drop(client, scopes), insist=True)


def drop(client: Redis, scopes: Collection[str]) -> None:
    """Delete the scopes' tags, tombstones apart. Raises RedisError."""
    client.register_script(_RELEASE)(keys=[key_of(scope) for scope in scopes], args=["", 0])


def key_of(scope: str) -> str:
    return f"tag:{scope}"


def connect() -> Redis:
    """A client that waits 0.2 s and tries a lost connection, which a restart leaves, once more."""
    return Redis.from_url(
        settings.REDIS_URL,
        decode_responses=True,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 1, supported_errors=(ConnectionLost,)),
    )


@cache
def _client() -> Redis:
    return connect()


def _confirmed(send: Callable[[Redis], None], *, insist: bool = False) -> bool:
    if breaker.is_open() and not insist:
        return False
    try:
        send(_client())
    except RedisError as error:
        breaker.failed()
        logger.warning("Redis does not confirm a change of cache tags", reason=str(error))
        return False
    breaker.succeeded()
    return True
