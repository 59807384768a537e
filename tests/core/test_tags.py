"""What writers do with the cache tags in Redis."""

import pytest

from atelier.core import tags
from atelier.core.tags import Breaker, connect, key_of

SCOPE, OTHER = "product:1", "reviews:1"


@pytest.fixture
def redis():
    client = connect()
    client.flushdb()
    yield client
    client.flushdb()


def test_a_tombstone_lies_on_every_scope_and_expires(redis):
    assert tags.hide([SCOPE, OTHER], "T:mine")
    assert redis.mget(key_of(SCOPE), key_of(OTHER)) == ["T:mine", "T:mine"]
    assert 0 < redis.pttl(key_of(SCOPE)) <= tags.TOMBSTONE_MS


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("T:mine", "new"),
        # Its writer has yet to commit.
        ("T:another", "T:another"),
        # Tags that were there before the commit.
        ("old", None),
        (None, None),
    ],
)
def test_a_release_leaves_no_tag_from_before_the_commit(redis, before, after):
    if before:
        redis.set(key_of(SCOPE), before)
    assert tags.release({SCOPE: "new"}, "T:mine")
    assert redis.get(key_of(SCOPE)) == after


def test_a_release_gives_each_scope_its_own_tag_and_lifetime(redis, settings):
    settings.CACHE_SECONDS = 10
    tags.hide([SCOPE, OTHER], "T:mine")
    assert tags.release({SCOPE: "a", OTHER: "b"}, "T:mine")
    assert redis.mget(key_of(SCOPE), key_of(OTHER)) == ["a", "b"]
    assert 10_000 < redis.pttl(key_of(SCOPE)) <= 40_000


def test_a_rollback_takes_back_only_ones_own_tombstones(redis):
    redis.mset({key_of(SCOPE): "T:mine", key_of(OTHER): "T:another", key_of("epoch"): "tag"})
    tags.withdraw([SCOPE, OTHER, "epoch"], "T:mine")
    assert redis.mget(key_of(SCOPE), key_of(OTHER), key_of("epoch")) == [None, "T:another", "tag"]


def test_what_the_keeper_drops_are_tags_and_no_tombstones(redis):
    redis.mset({key_of(SCOPE): "T:another", key_of(OTHER): "tag"})
    tags.drop(redis, [SCOPE, OTHER, "epoch"])
    assert redis.mget(key_of(SCOPE), key_of(OTHER)) == ["T:another", None]


def test_a_lost_connection_is_made_anew_within_the_call(redis):
    assert tags.hide([SCOPE], "T:1")
    for client in redis.client_list():
        if int(client["id"]) != redis.client_id():
            redis.client_kill_filter(_id=client["id"])
    assert tags.hide([SCOPE], "T:2")
    assert redis.get(key_of(SCOPE)) == "T:2"


def test_a_redis_out_of_memory_confirms_nothing(redis):
    before = redis.config_get("maxmemory")["maxmemory"]
    redis.config_set("maxmemory", "1")
    try:
        assert not tags.hide([SCOPE], "T:1")
    finally:
        redis.config_set("maxmemory", before)
    assert tags.hide([SCOPE], "T:1")


def test_the_breaker_opens_after_three_failures_in_a_row():
    breaker = Breaker()
    for _ in range(2):
        breaker.failed()
        breaker.failed()
        assert not breaker.is_open()
        breaker.succeeded()
    for _ in range(3):
        breaker.failed()
    assert breaker.is_open()
