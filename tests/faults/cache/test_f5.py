"""F5: Redis dead, hung, flushed or out of memory under a load of reads and votes."""

import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from tests.faults.cache.load import Load, percentile
from tests.faults.cache.race import Race
from tests.faults.cache.site import Site
from tests.waiting import tried

pytestmark = pytest.mark.e2e

logger = logging.getLogger(__name__)

SECONDS = pytest.mark.parametrize("seconds", [3, pytest.param(40, marks=pytest.mark.long)])
GRACE_SECONDS = 1
P95_SECONDS = 0.1
VOTE_SECONDS = 0.5
MARKED_SECONDS = 2.0


@contextlib.contextmanager
def dead(site: Site) -> Iterator[None]:
    client = site.stack.stack.client
    client.stop("redis")
    try:
        yield
    finally:
        client.start("redis")


@contextlib.contextmanager
def hung(site: Site) -> Iterator[None]:
    pid = site.pid("redis")
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def flushed(site: Site) -> Iterator[None]:
    with contextlib.closing(site.redis()) as client:
        client.flushall()
        yield


@contextlib.contextmanager
def out_of_memory(site: Site) -> Iterator[None]:
    with contextlib.closing(site.redis()) as client:
        limit = client.config_get("maxmemory")["maxmemory"]
        client.config_set("maxmemory", 1)
        try:
            yield
        finally:
            client.config_set("maxmemory", limit)


@pytest.mark.alone
@pytest.mark.parametrize("fault", [dead, hung, flushed, out_of_memory], ids=lambda f: f.__name__)
@SECONDS
def test_f5_without_redis_nobody_is_turned_away_waits_or_is_misled(
    site: Site, race: Race, fault: Callable[[Site], AbstractContextManager[None]], seconds: float
):
    def waits() -> tuple[float, float]:
        """P95 of all, and the median of votes."""
        with Load(race) as load:
            time.sleep(GRACE_SECONDS)
            with fault(site):
                since = time.monotonic() + GRACE_SECONDS
                time.sleep(GRACE_SECONDS + seconds)
            time.sleep(GRACE_SECONDS)
        p95 = percentile(0.95, load.reads + load.votes, since)
        vote = percentile(0.5, load.votes, since)
        logger.info(
            "%s: P95 %.0f ms, median of votes %.0f ms, %s",
            *(fault.__name__, 1000 * p95, 1000 * vote, race.tally),
        )
        assert not race.tally.errors
        assert not race.tally.stale
        assert race.tally.oldest_marked <= MARKED_SECONDS
        race.check_settled()
        return p95, vote

    p95, vote = tried(waits, lambda found: found[0] < P95_SECONDS and found[1] < VOTE_SECONDS)
    assert p95 < P95_SECONDS
    # The first writers wait for trust to lapse, and those after them know that it has.
    assert vote < VOTE_SECONDS
