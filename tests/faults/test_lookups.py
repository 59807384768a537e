"""F5: look-ups of an account while logins change it and Redis fails: never older than answered."""

import threading
import time

import pytest
from redis import RedisError

from atelier.core import control, tags
from atelier.core.keeper import Keeper
from atelier.core.tags import Breaker, connect
from tests.factories.licensing import fill_regions
from tests.factories.users import AccountFactory
from tests.threads import Aside, Crew
from tests.waiting import tried, wait_until
from users.models import SubscriptionStatus
from users.services.accounts import find_account, log_in

pytestmark = pytest.mark.django_db(transaction=True)

STATUSES = list(SubscriptionStatus)
READERS = 3
MOST = "256mb"


class Shop:
    """One writer that logs an account in over and over, and readers that hold it to its word.

    `answered` is the number of the last login that was answered; the address says which login an
    answer shows.
    """

    def __init__(self, userid):
        self.userid = userid
        self.answered = 0
        self.ended = threading.Event()
        self.cached = self.read = 0

    def write(self, rounds, between):
        try:
            for number in range(1, rounds + 1):
                log_in(
                    userid=self.userid,
                    ip="192.0.2.1",
                    subscription_status=STATUSES[number % 3],
                )
                self.answered = number
                between(number)
        finally:
            self.ended.set()

    def reader(self):
        """The statuses go round, and only the writer is ahead, by one login at most."""
        while not self.ended.is_set():
            before = self.answered
            found = find_account(userid=self.userid)
            after = self.answered
            allowed = {STATUSES[number % 3] for number in range(before, after + 2)}
            status = found.value.split('"subscriptionstatus":"')[1].split('"')[0]
            assert status in allowed or before == 0, (before, after, status)
            if found.is_cached:
                self.cached += 1
            self.read += 1


@pytest.fixture
def account():
    fill_regions()
    return AccountFactory()


@pytest.fixture
def redis(monkeypatch):
    """Empty, with a keeper that vouches for it as long as it can."""
    for module in (control, tags):
        monkeypatch.setattr(module, "breaker", Breaker())
    client = connect()
    client.flushdb()
    stop = threading.Event()

    def keep():
        keeper = Keeper()
        while not stop.wait(0.1):
            keeper.tend()

    with Aside(keep):
        wait_until(lambda: bool(client.exists("alive")), "the keeper's trust")
        yield client
        stop.set()
    client.config_set("maxmemory", MOST)
    client.flushdb()


def race(shop, rounds, between):
    with Crew(READERS + 1) as crew:
        crew.run([lambda: shop.write(rounds, between), *[shop.reader] * READERS])


def test_no_look_up_is_older_than_an_answered_login(account, redis):
    shop = Shop(account.pk)
    race(shop, 150, lambda number: time.sleep(0.005))
    assert shop.cached > 0
    assert shop.answered == 150


def test_f5_flushed_dead_connections_and_no_memory_leave_nothing_stale(account, redis):
    shop = Shop(account.pk)
    own = redis.client_id()

    def trouble(number):
        time.sleep(0.005)
        kind = number % 20
        if kind == 5:
            redis.flushall()
        elif kind == 10:
            for client in redis.client_list():
                if int(client["id"]) != own:
                    redis.client_kill_filter(_id=client["id"])
        elif kind == 15:
            redis.config_set("maxmemory", "1")
        elif kind == 18:
            redis.config_set("maxmemory", MOST)

    race(shop, 100, trouble)
    assert shop.answered == 100
    assert shop.read > 100


def test_f5_a_hung_redis_slows_a_look_up_for_a_moment_only(
    account, redis, monkeypatch, hasty_redis
):
    def waits():
        monkeypatch.setattr(control, "breaker", tags.Breaker())
        find_account(userid=account.pk)
        redis.execute_command("CLIENT", "PAUSE", "3000", "ALL")
        found = []
        for _ in range(40):
            began = time.monotonic()
            assert find_account(userid=account.pk).value
            found.append(time.monotonic() - began)
        wait_until(lambda: is_back(redis), "Redis")
        return found

    def are_short(waits):
        return sum(wait > 0.05 for wait in waits) <= tags.FAILURES_TO_OPEN and max(waits) < 1

    assert are_short(tried(waits, are_short))


def is_back(redis):
    try:
        return redis.ping()
    except RedisError:
        return False
