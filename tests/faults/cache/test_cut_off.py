"""Somebody cannot reach Redis while the others can."""

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from itertools import count

import pytest

from tests.faults.cache.clients import Answer, Client
from tests.faults.cache.faults import chance
from tests.faults.cache.hot import HotSet, Read, price, votes
from tests.faults.cache.node import Node
from tests.faults.cache.proxy import Proxy
from tests.faults.cache.race import Race
from tests.faults.cache.site import PATIENCE_SECONDS, Instance, Process, Site, wait_until
from tests.threads import Aside

pytestmark = pytest.mark.e2e

logger = logging.getLogger(__name__)

SECONDS = pytest.mark.parametrize("seconds", [3, pytest.param(120, marks=pytest.mark.long)])
_products = count(30_000, 10)


@pytest.fixture(scope="module")
def proxy(site: Site) -> Iterator[Proxy]:
    """Between Redis and those who are cut off."""
    proxy = site.proxy("cut-off")
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def instance(site: Site, proxy: Proxy) -> Iterator[Instance]:
    """nginx does not know it: who writes there is cut off with it."""
    instance = Instance(site, "web-cut-off", REDIS_URL=f"unix://{proxy.path}")
    yield instance
    instance.close()


@pytest.fixture
def writer(site: Site, proxy: Proxy) -> Iterator[Process]:
    process = site.process(REDIS_URL=f"unix://{proxy.path}")
    yield process
    process.close()


@pytest.fixture
def hot(site: Site) -> HotSet:
    return HotSet(site, next(_products))


@contextlib.contextmanager
def refused(proxy: Proxy) -> Iterator[None]:
    proxy.refuse()
    try:
        yield
    finally:
        proxy.listen()


@contextlib.contextmanager
def unheard(proxy: Proxy) -> Iterator[None]:
    """Commands arrive when nobody waits for their replies any more."""
    proxy.commands.clear()
    try:
        yield
    finally:
        proxy.commands.set()


@contextlib.contextmanager
def unanswered(proxy: Proxy) -> Iterator[None]:
    """Commands are executed, and nobody is told."""
    proxy.replies.clear()
    try:
        yield
    finally:
        proxy.replies.set()


WAYS = [refused, unheard, unanswered]


def shown(site: Site, read: Read, name: str) -> list[tuple[int, bool]]:
    """The value at each node, and whether it is marked."""
    answers = [site.get(read.path, port) for port in site.ports]
    return [(read.find(answer.body)[name], answer.is_marked) for answer in answers]


def reads_of(hot: HotSet, name: str) -> list[Read]:
    return [read for read in hot.reads if name in read.names]


@pytest.mark.parametrize(
    ("way", "kind"),
    [
        *((way, "price") for way in WAYS),
        (unheard, "everything"),
        *(pytest.param(way, "everything", marks=pytest.mark.long) for way in (refused, unanswered)),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_write_that_could_not_tell_redis_is_shown_once_it_is_answered(
    site: Site, proxy: Proxy, writer: Process, hot: HotSet, way, kind: str
):
    product = hot.priced if kind == "price" else hot.imported
    name = price(product)
    for read in reads_of(hot, name):
        site.wait_for_hits(read.path)
    with way(proxy):
        for value in (1, 2):
            writer.write(kind, product, value)
            for read in reads_of(hot, name):
                for seen, marked in shown(site, read, name):
                    assert seen == value or marked, (read.path, value, seen)
    for read in reads_of(hot, name):
        site.wait_for_hits(read.path, seconds=35)
        assert shown(site, read, name) == [(2, False)] * 2


def test_a_repeated_vote_is_not_answered_before_the_first_one_shows(
    site: Site, proxy: Proxy, instance: Instance, hot: HotSet
):
    """The first writer still waits for the trust to lapse when another instance meets its vote."""
    review = hot.reviews[0]
    [read] = reads_of(hot, votes(review))
    site.wait_for_hits(read.path)
    # To an instance itself one says as nginx does where one comes from.
    visitor = "User-Agent: impatient\r\nX-Forwarded-For: 127.0.0.1\r\n"

    def vote(address) -> int:
        with contextlib.closing(Client(address)) as client:
            return client.ask("PUT", f"/reviews/{review}/helpful", visitor).status

    with refused(proxy), site.psql() as connection, Aside(lambda: vote(instance.socket)) as first:

        def is_stored() -> bool:
            query = "SELECT FROM reviews_helpfulvote WHERE review_id = %s"
            return connection.execute(query, [review]).fetchone() is not None

        wait_until(is_stored, "the first vote")
        assert vote(site.stack.port) == 204
        for seen, marked in shown(site, read, votes(review)):
            assert seen == 1 or marked
        assert first.result() == 204
    site.wait_for_hits(read.path, seconds=35)
    assert shown(site, read, votes(review)) == [(1, False)] * 2


def test_one_writer_waits_for_the_trust_to_lapse_and_those_after_it_do_not(
    site: Site, proxy: Proxy, writer: Process, hot: HotSet
):
    """Without a keeper nothing brings the trust back in between."""
    [read] = [read for read in hot.reads if read.path.endswith(str(hot.priced))]
    site.wait_for_hits(read.path)
    keeper = site.pid("keeper")
    os.kill(keeper, signal.SIGSTOP)
    try:
        with refused(proxy):
            for value in range(1, 30):
                writer.write("price", hot.priced, value)
                for seen, marked in shown(site, read, price(hot.priced)):
                    assert marked, "nothing is trusted"
                    assert seen >= value - 29
            with site.psql() as connection:
                lapsed = connection.execute(
                    "SELECT trust_lapsed FROM core_outboxentry ORDER BY id"
                ).fetchall()
            assert lapsed == [(True,)] + [(False,)] * 28
    finally:
        os.kill(keeper, signal.SIGCONT)
    site.wait_for_hits(read.path, seconds=35)
    assert shown(site, read, price(hot.priced)) == [(29, False)] * 2


@SECONDS
def test_writers_that_are_cut_off_now_and_then_mislead_nobody(
    site: Site, proxy: Proxy, instance: Instance, seconds: float
):
    def cut_off(site: Site, stopped: threading.Event) -> None:
        while not stopped.wait(chance.uniform(0.05, 0.7)):
            with chance.choice(WAYS)(proxy):
                stopped.wait(chance.choice([0.03, 0.1, 0.5, 1.5]))
            # Those that arrived late would keep nginx from storing anything for half a minute.
            site.lose_tombstones()

    race = Race(
        site,
        next(_products),
        settings={"REDIS_URL": f"unix://{proxy.path}"},
        instance=instance.socket,
    )
    with contextlib.closing(race):
        tally = race.run(cut_off, seconds)
        logger.info("cut off: %s", tally)
        race.check_settled()
    assert not tally.stale
    assert tally.oldest_marked <= 2
    assert not tally.errors


def test_a_node_that_alone_cannot_reach_redis_marks_its_answers(site: Site, hot: HotSet):
    [read] = [read for read in hot.reads if read.path.endswith(str(hot.priced))]

    def ask() -> tuple[int, Answer]:
        answer = site.get(read.path, node.port)
        return read.find(answer.body)[price(hot.priced)], answer

    def first_hit() -> int:
        while (found := ask())[1].cache != "HIT":
            assert time.monotonic() < deadline
        return found[0]

    with (
        contextlib.closing(site.process()) as writer,
        contextlib.closing(site.proxy("node-3")) as proxy,
        Node(site.stack, "node-3", REDIS_URL=f"unix://{proxy.path}") as node,
    ):
        for number, way in enumerate(WAYS):
            deadline = time.monotonic() + PATIENCE_SECONDS
            assert first_hit() == 10 * number
            moments = []
            with way(proxy):
                for value in range(10 * number + 1, 10 * number + 11):
                    writer.write("price", hot.priced, value)
                    moments.append((value, time.monotonic()))
                    began = time.monotonic()
                    seen, answer = ask()
                    missed = [moment for known, moment in moments if known > seen]
                    assert answer.is_marked
                    assert not missed or began - missed[0] <= 2
        deadline = time.monotonic() + PATIENCE_SECONDS
        assert first_hit() == value


def test_the_race_would_notice_writers_that_tell_another_redis(site: Site):
    """They are answered without any fault, and nginx never hears of them."""
    race = Race(
        site, next(_products), settings={"REDIS_URL": f"{site.stack.config.redis_url}?db=5"}
    )
    with contextlib.closing(race):
        tally = race.run(lambda site, stopped: stopped.wait(), 2)
    assert tally.stale
