"""How often a client may call, counted over all instances in Redis.

A process takes a share of a second's requests at a time, so that few of them wait for Redis: no
client gets more than its rate, and may get less by what the instances hold unused at the end of a
second. Where Redis is away nobody is refused.
"""

import threading
import time

import structlog
from django.conf import settings
from django_redis import get_redis_connection
from redis import RedisError
from rest_framework.exceptions import Throttled

from atelier.core.tags import Breaker

logger = structlog.get_logger(__name__)

# A fiftieth of a second's requests at a time.
SHARES = 50
# For nginx, which has to wait for an instance to get more, a tenth.
SHARES_AHEAD = 10
KEPT_SECONDS = 5
MOST_CLIENTS = 5000
# What nginx may let pass where there is no rate.
UNCOUNTED = 100_000

breaker = Breaker()


class _Shares:
    """What this process may still let pass, by client, in the second it was taken for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: dict[str, tuple[int, int]] = {}

    def take(self, client: str, second: int) -> bool:
        with self._lock:
            taken_for, left = self._left.get(client, (0, 0))
            if taken_for != second or left <= 0:
                return False
            self._left[client] = (second, left - 1)
            return True

    def add(self, client: str, second: int, number: int) -> None:
        with self._lock:
            taken_for, left = self._left.get(client, (0, 0))
            if len(self._left) >= MOST_CLIENTS:
                self._left.clear()
            self._left[client] = (second, number + (left if taken_for == second else 0))


_shares = _Shares()


def check_rate(client: str) -> None:
    """Raises Throttled where the client has used up this second."""
    if not is_within_rate(client):
        raise Throttled(wait=1)


def is_within_rate(client: str) -> bool:
    """Count a request of the client; False where it is one too many."""
    rate = settings.CLIENT_RATE
    if not rate or not client:
        return True
    second = int(time.time())
    return _shares.take(client, second) or _take_share(client, second, rate)


def take_ahead(client: str, held: int = 0) -> tuple[int, float]:
    """How many requests of the client nginx may let pass by itself, on top of those it holds, and
    until what Unix time.

    They are counted as if they had come. None at all where Redis cannot count them.
    """
    rate = settings.CLIENT_RATE
    second = int(time.time())
    if not rate:
        return UNCOUNTED, second + 1.0
    wanted = max(1, rate // SHARES_AHEAD) - held
    granted = _granted(client, second, wanted, rate) if wanted > 0 else 0
    return granted or 0, second + 1.0


def _take_share(client: str, second: int, rate: int) -> bool:
    granted = _granted(client, second, max(1, rate // SHARES), rate)
    if granted is None:
        return True
    if granted <= 0:
        return False
    _shares.add(client, second, granted - 1)
    return True


def _granted(client: str, second: int, wanted: int, rate: int) -> int | None:
    """How many of the wanted requests are left to the client in this second; None without Redis."""
    if breaker.is_open():
        return None
    key = f"rate:{client}:{second}"
    try:
        with get_redis_connection("default").pipeline(transaction=False) as pipeline:
            pipeline.incrby(key, wanted)
            pipeline.expire(key, KEPT_SECONDS)
            taken, _ = pipeline.execute()
    except RedisError as error:
        breaker.failed()
        logger.warning("rates are not counted", reason=str(error))
        return None
    breaker.succeeded()
    return max(0, min(wanted, rate - (taken - wanted)))
