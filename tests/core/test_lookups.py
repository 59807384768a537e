"""Look-ups cached under scope tags: what is stored, what is found again, and what never is."""

import socket
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from django.core.cache import cache
from django.db import transaction

from atelier.core import control, tags
from atelier.core.control import current_tags
from atelier.core.lookups import Lookup, look_up
from atelier.core.publishing import EPOCH, publish
from atelier.core.tags import Breaker, connect, key_of
from tests.threads import Aside

pytestmark = pytest.mark.django_db(transaction=True)

SCOPE = "thing:1"
SECONDS = 1800


@pytest.fixture(autouse=True)
def redis(monkeypatch):
    """Empty, and trusted for the length of a test."""
    monkeypatch.setattr(control, "breaker", Breaker())
    client = connect()
    client.flushdb()
    cache.clear()
    client.set("alive", client.info("server")["run_id"], px=60_000)
    yield client
    client.flushdb()
    cache.clear()


class Source:
    """What is looked up: counts how often it is read."""

    def __init__(self, value="1"):
        self.value = value
        self.reads = 0

    def __call__(self):
        self.reads += 1
        return self.value

    def look_up(self):
        return look_up(SCOPE, self, seconds=SECONDS)


def test_a_value_is_read_once():
    source = Source()
    assert source.look_up() == Lookup("1", False)
    assert source.look_up() == Lookup("1", True)
    assert source.look_up() == Lookup("1", True)
    assert source.reads == 1


def test_nothing_there_is_not_stored():
    source = Source(None)
    assert source.look_up() == source.look_up() == Lookup(None, False)
    source.value = "1"
    assert source.look_up() == Lookup("1", False)


@pytest.mark.parametrize("scope", [SCOPE, EPOCH])
def test_a_write_of_the_scope_or_of_everything_puts_the_value_out_of_reach(scope):
    source = Source()
    source.look_up()
    with publish(scope):
        source.value = "2"
    assert source.look_up() == Lookup("2", False)
    assert source.look_up() == Lookup("2", True)


def test_a_write_of_another_scope_does_not():
    source = Source()
    source.look_up()
    with publish("thing:2"):
        source.value = "2"
    assert source.look_up() == Lookup("1", True)


def test_while_a_writer_commits_or_the_scope_is_restricted_nothing_is_stored_or_found(redis):
    source = Source()
    source.look_up()
    for marker in ("T:another", tags.RESTRICTED):
        redis.set(key_of(SCOPE), marker)
        assert source.look_up() == source.look_up() == Lookup("1", False)
    redis.set(key_of(SCOPE), "new")
    assert source.look_up() == Lookup("1", False)


@pytest.mark.parametrize("alive", [None, "another run"])
def test_without_trust_nothing_is_stored_or_found(redis, alive):
    source = Source()
    source.look_up()
    run = redis.get("alive")
    redis.delete("alive")
    if alive:
        redis.set("alive", alive)
    source.value = "2"
    assert source.look_up() == source.look_up() == Lookup("2", False)
    redis.set("alive", run)
    assert source.look_up() == Lookup("1", True)


def test_a_write_between_the_tags_and_the_read_leaves_nothing_stale():
    """What was read before the commit is stored after it, under tags that are gone by then."""
    source = Source()

    def slow():
        before = source()
        with Aside(write) as writing:
            writing.result()
        return before

    def write():
        with publish(SCOPE):
            source.value = "2"

    assert look_up(SCOPE, slow, seconds=SECONDS) == Lookup("1", False)
    assert source.look_up() == Lookup("2", False)
    assert source.look_up() == Lookup("2", True)


def test_whoever_writes_reads_what_it_has_written_and_stores_nothing():
    source = Source()
    source.look_up()
    with publish(SCOPE):
        source.value = "2"
        assert source.look_up() == Lookup("2", False)
        # As a writer would that is interrupted here.
        transaction.set_rollback(True)
    source.value = "1"
    assert source.look_up() == Lookup("1", False)


def test_missing_tags_are_made_and_live_as_long_as_the_value(redis):
    made = current_tags(SCOPE, seconds=SECONDS)
    assert made[:2] == tuple(redis.mget(key_of(EPOCH), key_of(SCOPE)))
    assert made[0] != made[1]
    assert made.is_new
    assert current_tags(SCOPE, seconds=SECONDS) == made._replace(is_new=False)
    assert SECONDS * 1000 - 5000 < redis.pttl(key_of(SCOPE)) <= SECONDS * 1000


def test_the_value_lives_for_the_seconds_that_were_asked_for():
    Source().look_up()
    (key,) = cache.keys(f"{SCOPE}:*")
    assert SECONDS - 5 < cache.ttl(key) <= SECONDS


def test_a_hit_costs_two_round_trips(redis):
    source = Source()
    source.look_up()
    source.look_up()
    before = redis.info("stats")["total_commands_processed"]
    assert source.look_up().is_cached
    # And the INFO by which this is counted.
    assert redis.info("stats")["total_commands_processed"] - before == 3


def test_a_connection_that_a_restart_has_ended_is_made_anew(redis):
    source = Source()
    source.look_up()
    own = redis.client_id()
    for client in redis.client_list():
        if int(client["id"]) != own:
            redis.client_kill_filter(_id=client["id"])
    assert current_tags(SCOPE, seconds=SECONDS) is not None
    assert source.look_up().value == "1"


def test_without_redis_every_look_up_reads_and_soon_without_a_wait(settings):
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    source = Source()
    for number in range(5):
        assert source.look_up() == Lookup("1", False)
        assert source.reads == number + 1
    assert control.breaker.is_open()


def test_a_hung_redis_costs_three_waits_of_a_tenth_of_a_second(settings):
    with (
        TemporaryDirectory(prefix="atelier-hung-") as folder,
        socket.socket(socket.AF_UNIX) as hung,
    ):
        path = Path(folder) / "redis.sock"
        hung.bind(str(path))
        hung.listen()
        settings.REDIS_URL = f"unix://{path}"
        source = Source()
        waits = []
        for _ in range(6):
            began = time.monotonic()
            assert source.look_up() == Lookup("1", False)
            waits.append(time.monotonic() - began)
    assert min(waits[:3]) >= control.TIMEOUT_SECONDS * 0.9
    assert max(waits[3:]) < control.TIMEOUT_SECONDS / 2


def test_a_redis_without_room_is_left_to_those_who_need_it(redis):
    source, most = Source(), redis.config_get("maxmemory")["maxmemory"]
    source.look_up()
    used = redis.info("memory")["used_memory"]
    try:
        redis.config_set("maxmemory", int(used * 1.2))
        with Aside(lambda: current_tags("thing:2", seconds=SECONDS)) as asking:
            assert asking.result() is None
        assert redis.get(key_of("thing:2")) is None
        # What is stored already is still found.
        assert source.look_up() == Lookup("1", True)
    finally:
        redis.config_set("maxmemory", most)
    with Aside(lambda: current_tags("thing:2", seconds=SECONDS)) as asking:
        assert asking.result() is not None


def test_a_redis_that_forgets_everything_is_asked_for_new_tags(redis):
    source = Source()
    source.look_up()
    run = redis.get("alive")
    redis.flushall()
    redis.set("alive", run)
    source.value = "2"
    assert source.look_up() == Lookup("2", False)
    assert source.look_up() == Lookup("2", True)


def test_tombstones_of_writers_outlive_no_commit_for_readers(redis):
    """A writer that died before its release leaves look-ups uncached, and exact."""
    source = Source()
    source.look_up()
    assert tags.hide([SCOPE], tags.new_tombstone())
    source.value = "2"
    assert source.look_up() == Lookup("2", False)
    redis.delete(key_of(SCOPE))
    assert source.look_up() == Lookup("2", False)
    assert source.look_up() == Lookup("2", True)
