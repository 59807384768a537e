"""Look-ups cached under scope tags: what is stored, what is found again, and what never is."""

import socket
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from django.core.cache import caches
from django.db import transaction

from atelier.core import control, lookups, tags
from atelier.core.control import Tags, current_tags
from atelier.core.lookups import CACHE, Lookup, look_up, noted_tags
from atelier.core.publishing import EPOCH, publish
from atelier.core.tags import Breaker, connect, key_of
from stack.nginx import LOOKUP_SECONDS
from tests.threads import Aside
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

SCOPE = "thing:1"
# Where its value lies: nginx spells it like this.
KEY = "lookup:1:thing:1"
SECONDS = 1800


@pytest.fixture(autouse=True)
def redis(monkeypatch):
    """Empty, and trusted for the length of a test."""
    monkeypatch.setattr(control, "breaker", Breaker())
    client = connect()
    client.flushdb()
    client.set("alive", client.info("server")["run_id"], px=60_000)
    yield client
    client.flushdb()


class Source:
    """What is looked up: counts how often it is read."""

    def __init__(self, value="1"):
        self.value = value
        self.reads = 0

    def __call__(self):
        self.reads += 1
        return self.value

    def look_up(self, **more):
        return look_up(SCOPE, self, seconds=SECONDS, **more)


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
    made = current_tags(SCOPE, seconds=SECONDS, beside=KEY)
    assert made == (*redis.mget(key_of(EPOCH), key_of(SCOPE)), None)
    assert made.epoch != made.scope
    assert current_tags(SCOPE, seconds=SECONDS, beside=KEY) == made
    assert SECONDS * 1000 - 5000 < redis.pttl(key_of(SCOPE)) <= SECONDS * 1000


def test_the_value_lives_beside_its_tags_for_the_seconds_that_were_asked_for(redis):
    Source().look_up()
    wait_until(lambda: bool(redis.exists(KEY)), "the value")
    assert SECONDS - 5 < redis.ttl(KEY) <= SECONDS
    epoch, tag, stored = redis.mget(key_of(EPOCH), key_of(SCOPE), KEY)
    assert stored == f"{epoch} {tag} -\n1"
    assert current_tags(SCOPE, seconds=SECONDS, beside=KEY) == Tags(epoch, tag, stored)


def test_the_setting_the_kernel_and_nginx_spell_the_key_alike(settings):
    assert settings.CACHES[CACHE]["KEY_PREFIX"] == CACHE
    assert caches[CACHE].make_key(SCOPE) == KEY
    prefix = KEY.removesuffix(SCOPE)
    assert f'LOOKUP = "{prefix}"' in (settings.BASE_DIR / "nginx" / "lua" / "tags.lua").read_text()
    assert lookups.LOOKUP_SECONDS == LOOKUP_SECONDS


@pytest.mark.parametrize("value", ["", "ä", "[1]", "1\n2", "a b -\n1", "1e5", "x" * 100_000])
def test_any_text_is_found_as_it_was_stored(value):
    source = Source(value)
    assert source.look_up() == Lookup(value, False)
    assert source.look_up() == Lookup(value, True)


@pytest.mark.parametrize("stored", ["", "1", "a b -\n2", "{epoch} {tag}", "{epoch} {tag} other\n2"])
def test_what_is_not_stored_for_this_reader_under_these_tags_is_not_believed(redis, stored):
    source = Source()
    source.look_up()
    epoch, tag = redis.mget(key_of(EPOCH), key_of(SCOPE))
    redis.set(KEY, stored.format(epoch=epoch, tag=tag))
    assert source.look_up() == Lookup("1", False)
    assert source.look_up() == Lookup("1", True)


def test_one_reader_is_not_shown_what_another_was():
    source = Source("of the staff")
    assert source.look_up(reader="staff") == Lookup("of the staff", False)
    assert source.look_up(reader="staff") == Lookup("of the staff", True)
    source.value = "of everybody"
    assert source.look_up() == Lookup("of everybody", False)
    assert source.look_up(reader="staff") == Lookup("of everybody", False)


def test_noted_tags_are_those_of_the_same_scope_only(rf):
    def noted(**headers):
        return noted_tags(rf.get("/", headers=headers), SCOPE)

    told = {"x-cache-scope": SCOPE, "x-cache-tags": "a b"}
    assert noted(**told) == Tags("a", "b", None)
    assert noted() is None
    assert noted(**{**told, "x-cache-scope": "thing:10"}) is None
    for tags_ in ("", "a", "a "):
        assert noted(**{**told, "x-cache-tags": tags_}) is None
    assert noted(**{"x-cache-scope": SCOPE}) is None


def test_noted_tags_are_not_asked_for_again(redis):
    source = Source()
    source.look_up()
    epoch, tag = redis.mget(key_of(EPOCH), key_of(SCOPE))
    source.value = "2"
    before = redis.info("commandstats")["cmdstat_mget"]["calls"]
    assert source.look_up(noted=Tags(epoch, tag, None)) == Lookup("2", False)
    assert redis.info("commandstats")["cmdstat_mget"]["calls"] == before
    assert source.look_up() == Lookup("2", True)


def test_what_is_stored_under_noted_tags_of_before_a_write_is_not_believed(redis):
    source = Source()
    source.look_up()
    noted = Tags(*redis.mget(key_of(EPOCH), key_of(SCOPE)), None)
    with publish(SCOPE):
        pass
    assert source.look_up(noted=noted) == Lookup("1", False)
    source.value = "2"
    assert source.look_up() == Lookup("2", False)


def test_whoever_writes_stores_nothing_under_noted_tags_either(redis):
    source = Source()
    source.look_up()
    noted = Tags(*redis.mget(key_of(EPOCH), key_of(SCOPE)), None)
    redis.delete(KEY)
    with publish("thing:2"):
        assert source.look_up(noted=noted) == Lookup("1", False)
    assert source.look_up() == Lookup("1", False)


def test_a_value_that_redis_refuses_puts_no_later_reply_out_of_step(redis):
    source, most = Source(), redis.config_get("maxmemory")["maxmemory"]
    source.look_up()
    noted = Tags(*redis.mget(key_of(EPOCH), key_of(SCOPE)), None)
    redis.delete(KEY)
    try:
        redis.config_set("maxmemory", 1)
        for _ in range(3):
            assert source.look_up(noted=noted) == Lookup("1", False)
            assert source.look_up() == Lookup("1", False)
    finally:
        redis.config_set("maxmemory", most)
    assert redis.get(KEY) is None
    assert not control.breaker.is_open()
    assert source.look_up() == Lookup("1", False)
    assert source.look_up() == Lookup("1", True)


def test_a_value_is_stored_although_a_restart_has_ended_the_connection(redis):
    """The first try finds out, and what was stored is lost; no answer is."""
    source = Source()
    source.look_up()
    noted = Tags(*redis.mget(key_of(EPOCH), key_of(SCOPE)), None)
    own = redis.client_id()
    for client in redis.client_list():
        if int(client["id"]) != own:
            redis.client_kill_filter(_id=client["id"])
    for _ in range(2):
        assert source.look_up(noted=noted) == Lookup("1", False)
    assert source.look_up() == Lookup("1", True)


def test_a_hit_costs_one_round_trip(redis):
    source = Source()
    source.look_up()
    source.look_up()
    before = redis.info("stats")["total_commands_processed"]
    assert source.look_up().is_cached
    # And the INFO by which this is counted.
    assert redis.info("stats")["total_commands_processed"] - before == 2


def test_a_connection_that_a_restart_has_ended_is_made_anew(redis):
    source = Source()
    source.look_up()
    own = redis.client_id()
    for client in redis.client_list():
        if int(client["id"]) != own:
            redis.client_kill_filter(_id=client["id"])
    assert current_tags(SCOPE, seconds=SECONDS, beside=KEY) is not None
    assert source.look_up().value == "1"


def test_without_redis_every_look_up_reads_and_soon_without_a_wait(settings):
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    source = Source()
    for number in range(5):
        assert source.look_up() == Lookup("1", False)
        assert source.reads == number + 1
    assert control.breaker.is_open()


def test_a_hung_redis_costs_three_waits_of_a_tenth_of_a_second(settings, hasty_redis):
    assert control.TIMEOUT_SECONDS == 0.1
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
        # The others did not even try.
        hung.setblocking(False)
        for _ in range(3):
            hung.accept()[0].close()
        with pytest.raises(BlockingIOError):
            hung.accept()


def test_a_redis_without_room_is_left_to_those_who_need_it(redis):
    source, most = Source(), redis.config_get("maxmemory")["maxmemory"]
    source.look_up()
    used = redis.info("memory")["used_memory"]
    try:
        redis.config_set("maxmemory", int(used * 1.2))
        with Aside(lambda: current_tags("thing:2", seconds=SECONDS, beside="k")) as asking:
            assert asking.result() is None
        assert redis.get(key_of("thing:2")) is None
        # What is stored already is still found.
        assert source.look_up() == Lookup("1", True)
    finally:
        redis.config_set("maxmemory", most)
    with Aside(lambda: current_tags("thing:2", seconds=SECONDS, beside="k")) as asking:
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
