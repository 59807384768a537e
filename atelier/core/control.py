"""How a web worker reads cache tags, in one round trip to the control database of Redis.

Each thread has a connection of its own and knows which run of Redis is at its other end: tags are
trusted only where `alive` names that very run (docs/caching.md).
"""

import threading
import time
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple
from uuid import uuid4

import structlog
from django.conf import settings
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.connection import AbstractConnection, ConnectionPool
from redis.exceptions import ConnectionError as ConnectionLost
from redis.retry import Retry

from atelier.core.publishing import EPOCH
from atelier.core.tags import RESTRICTED, TAG_LIFETIMES, Breaker, key_of

logger = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 0.1
# Beyond this much of its memory nothing new is put into Redis, which never evicts: nginx needs the
# rest for tags of its own.
FULL = 0.75
MEMORY_KNOWN_SECONDS = 1.0
# The next command gets no reply (CLIENT REPLY SKIP).
UNANSWERED = b"*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$4\r\nSKIP\r\n"


class Tags(NamedTuple):
    """The tags of `epoch` and of a scope, and what lay under a key at the same moment, if any."""

    epoch: str
    scope: str
    stored: str | None


breaker = Breaker()
_here = threading.local()


def current_tags(scope: str, *, seconds: int, beside: str) -> Tags | None:
    """The tags of `epoch` and of the scope as of now, made where they are missing, and what lies
    under the key `beside`.

    None where nothing may be read from a cache or stored in it: a writer is about to commit, the
    scope is restricted, nobody vouches for the tags, or Redis cannot be asked or has no room.
    `seconds` is how long a new tag lives at least. Costs a round trip, three at most where a tag is
    missing, and 0.1 s where Redis hangs.
    """
    if breaker.is_open():
        return None
    connection = _connection()
    try:
        tags = _ask(connection, scope, seconds, beside)
    except RedisError as error:
        breaker.failed()
        logger.warning("cache tags cannot be read", reason=str(error))
        return None
    except BaseException:
        # Half an answer would be taken for the next one's.
        connection.disconnect()
        raise
    breaker.succeeded()
    return tags


def store(key: str, value: bytes, *, seconds: int) -> None:
    """Put a value that `current_tags` finds beside its tags, without waiting for a reply.

    The next command on this connection comes after it. What Redis has no room for is lost.
    """
    if breaker.is_open():
        return
    connection = _connection()
    try:
        packed = connection.pack_command("SET", key, value, "EX", seconds)
        connection.send_packed_command([b"".join([UNANSWERED, *packed])])
    except RedisError as error:
        connection.disconnect()
        breaker.failed()
        logger.warning("a look-up cannot be stored", reason=str(error))
    except BaseException:
        connection.disconnect()
        raise


def _ask(connection: AbstractConnection, scope: str, seconds: int, beside: str) -> Tags | None:
    keys = ["alive", key_of(EPOCH), key_of(scope)]
    alive, epoch, tag, stored = _exchange(connection, [["MGET", *keys, beside]])[0]
    if alive is None or alive != connection.run:  # type: ignore[attr-defined]
        return None
    if epoch is None or tag is None:
        if not _has_room(connection):
            return None
        alive, epoch, tag = _mint(connection, keys, [alive, epoch, tag], seconds)
        if alive is None or alive != connection.run:  # type: ignore[attr-defined]
            return None
    return Tags(epoch, tag, stored) if _is_tag(epoch) and _is_tag(tag) else None


def _is_tag(value: str | None) -> bool:
    """Whether it is there, and neither a tombstone nor the marker of a restricted scope."""
    return value is not None and value != RESTRICTED and not value.startswith("T:")


def _mint(
    connection: AbstractConnection, keys: Sequence[str], values: Sequence[Any], seconds: int
) -> Any:
    """Give each missing tag a value that was never used before. Whoever comes first decides it."""
    lifetime = 1000 * max(seconds, TAG_LIFETIMES * settings.CACHE_SECONDS)
    commands: list[list[Any]] = [
        ["SET", key, uuid4().hex, "PX", lifetime, "NX"]
        for key, value in zip(keys, values, strict=True)
        if value is None
    ]
    return _exchange(connection, [*commands, ["MGET", *keys]])[-1]


def _has_room(connection: AbstractConnection) -> bool:
    """Whether Redis is less than three quarters full, as of a second ago at most."""
    now = time.monotonic()
    if now >= getattr(_here, "memory_known_until", 0.0):
        memory = _info(_exchange(connection, [["INFO", "memory"]])[0])
        used, most = int(memory["used_memory"]), int(memory["maxmemory"])
        _here.has_room = not most or used < FULL * most
        _here.memory_known_until = now + MEMORY_KNOWN_SECONDS
    return bool(_here.has_room)


def _exchange(connection: AbstractConnection, commands: Sequence[Sequence[Any]]) -> list[Any]:
    """The replies. A connection that a restart of Redis has ended is made anew, once."""
    try:
        return _sent(connection, commands)
    except ConnectionLost:
        return _sent(connection, commands)


def _sent(connection: AbstractConnection, commands: Sequence[Sequence[Any]]) -> list[Any]:
    try:
        connection.send_packed_command(connection.pack_commands(commands))
        return [connection.read_response() for _ in commands]
    except RedisError:
        connection.disconnect()
        raise


def _connection() -> AbstractConnection:
    if getattr(_here, "url", None) != settings.REDIS_URL:
        _here.connection = _pool(settings.REDIS_URL).make_connection()
        _here.url = settings.REDIS_URL
    return _here.connection


@cache
def _pool(url: str) -> ConnectionPool:
    """Makes connections, and keeps none."""
    return Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
        redis_connect_func=_greet,
    ).connection_pool


def _greet(connection: AbstractConnection) -> None:
    connection.on_connect()
    connection.send_command("INFO", "server", check_health=False)
    connection.run = _info(connection.read_response())["run_id"]  # type: ignore[attr-defined]


def _info(reply: Any) -> dict[str, str]:
    rows = (line.partition(":") for line in str(reply).splitlines())
    return {name: value for name, _, value in rows}
