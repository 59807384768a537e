"""The keeper, which lets nginx trust the cache tags, and the outbox, which stops it."""

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection

from atelier.core import outbox, tags
from atelier.core.keeper import Keeper
from atelier.core.models import OutboxEntry
from atelier.core.publishing import publish
from atelier.core.tags import Breaker, connect, key_of
from products.models import Feature
from tests.threads import Aside
from tests.waiting import wait_for_blocked

pytestmark = pytest.mark.django_db


@pytest.fixture
def redis():
    client = connect()
    client.flushdb()
    yield client
    client.flushdb()


@pytest.fixture
def without_redis(settings, monkeypatch):
    """This process cannot reach Redis, as a writer's may be; the keeper made before can."""
    keeper = Keeper()
    assert keeper.tend()
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    monkeypatch.setattr(tags, "breaker", Breaker())
    tags._client.cache_clear()
    yield keeper
    tags._client.cache_clear()


def test_trust_names_the_run_of_redis_and_lasts_a_second(redis):
    assert Keeper().tend()
    assert redis.get("alive") == redis.info("server")["run_id"]
    assert 0 < redis.pttl("alive") <= outbox.TRUST_MS


def test_a_keeper_held_up_after_it_looked_at_the_clock_renews_nothing(redis):
    class HeldUp(Keeper):
        def _look(self):
            run, begun_ms = super()._look()
            return run, begun_ms - 2 * outbox.TRUST_MS

    assert HeldUp().tend()
    assert redis.get("alive") is None


def test_tags_that_another_run_of_redis_left_are_gone_before_any_trust(redis):
    redis.mset({"run": "another", "alive": "another", key_of("product:1"): "old", "kept": "1"})
    assert Keeper().tend()
    assert redis.get(key_of("product:1")) is None
    assert redis.get("kept") == "1"
    assert redis.get("run") == redis.get("alive") == redis.info("server")["run_id"]
    redis.set(key_of("product:1"), "new")
    assert Keeper().tend()
    assert redis.get(key_of("product:1")) == "new"


def test_the_outbox_is_drained_before_trust_is_renewed(redis):
    assert Keeper().tend()
    redis.delete("alive")
    redis.mset({key_of("product:1"): "old", key_of("product:2"): "T:1", key_of("epoch"): "kept"})
    OutboxEntry.objects.create(scopes=["product:1", "product:2"])
    assert Keeper().tend()
    assert not OutboxEntry.objects.exists()
    values = redis.mget(key_of("product:1"), key_of("product:2"), key_of("epoch"))
    assert values == [None, "T:1", "kept"]
    assert redis.exists("alive")


def test_no_trust_without_postgresql(redis):
    connection.ensure_connection()
    with connection.execute_wrapper(_broken):
        assert not Keeper().tend()
    assert not redis.exists("alive")


def _broken(execute, sql, params, many, context):
    """A statement that PostgreSQL cancels, as one that runs too long."""
    context["cursor"].connection.cursor().execute(
        "SELECT set_config('statement_timeout', '1', true)"
    )
    return execute("SELECT pg_sleep(5)", None, many, context)


def test_the_command_keeps_on_until_it_is_told_to_stop(redis):
    call_command("keep_trust", "--once")
    assert redis.exists("alive")


@pytest.mark.django_db(transaction=True)
def test_a_writer_cut_off_answers_when_trust_has_lapsed(redis, without_redis):
    redis.set(key_of("product:1"), "old")
    with publish("product:1"):
        assert redis.exists("alive")
    # The keeper was not at work meanwhile: what it had renewed has run out.
    assert not redis.exists("alive")
    entry = OutboxEntry.objects.get()
    assert (entry.scopes, entry.trust_lapsed) == (["product:1"], True)
    assert without_redis.tend()
    assert redis.get(key_of("product:1")) is None
    assert redis.exists("alive")


@pytest.mark.django_db(transaction=True)
def test_once_trust_has_lapsed_a_writer_does_not_wait_but_holds_the_keeper_up(redis, without_redis):
    OutboxEntry.objects.create(scopes=["product:9"], trust_lapsed=True)
    redis.delete("alive")
    redis.set(key_of("product:1"), "old")
    with publish("product:1") as publication:
        publication.hide()
        # The older entry is locked now, so the keeper cannot have done with the outbox.
        keeping = Aside(without_redis.tend)
        wait_for_blocked()
        assert not redis.exists("alive")
    with keeping:
        assert keeping.result()
    assert not OutboxEntry.objects.exists()
    assert redis.get(key_of("product:1")) is None


@pytest.mark.django_db(transaction=True)
def test_a_release_that_redis_does_not_confirm_goes_to_the_outbox(redis, settings, monkeypatch):
    keeper = Keeper()

    def cut_off():
        settings.REDIS_URL = "unix:///nowhere/redis.sock"
        tags._client.cache_clear()

    monkeypatch.setattr(tags, "breaker", Breaker())
    with publish("product:1"):
        connection.on_commit(cut_off)
    assert OutboxEntry.objects.get().trust_lapsed
    assert redis.get(key_of("product:1")).startswith("T:")
    assert keeper.tend()
    assert not OutboxEntry.objects.exists()
    tags._client.cache_clear()


@pytest.mark.django_db(transaction=True)
def test_a_writer_asks_a_redis_that_is_back_and_need_not_wait(redis, monkeypatch):
    keeper = Keeper()
    monkeypatch.setattr(tags, "breaker", Breaker())
    for _ in range(tags.FAILURES_TO_OPEN):
        tags.breaker.failed()
    redis.set(key_of("product:1"), "old")
    with publish("product:1"):
        pass
    assert redis.get(key_of("product:1")) is None
    assert not OutboxEntry.objects.get().trust_lapsed
    assert not tags.breaker.is_open()
    assert keeper.tend()
    assert not OutboxEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_tags_are_hidden_until_the_commit_and_released_after_it(redis):
    seen = []
    redis.set(key_of("product:1"), "old")
    with publish("product:1") as publication:
        assert redis.get(key_of("product:1")) == "old"
        connection.on_commit(lambda: seen.append(redis.get(key_of("product:1"))))
    assert seen[0].startswith("T:")
    assert redis.get(key_of("product:1")) == publication.tags["product:1"]


@pytest.mark.django_db(transaction=True)
def test_a_door_that_breaks_leaves_redis_alone(redis):
    redis.set(key_of("product:1"), "old")
    with pytest.raises(ZeroDivisionError), publish("product:1"):
        raise ZeroDivisionError
    assert redis.get(key_of("product:1")) == "old"


@pytest.mark.django_db(transaction=True)
def test_a_refused_commit_takes_its_tombstone_back(redis):
    with pytest.raises(IntegrityError), publish("product:1"):
        # Foreign keys are checked at the commit.
        Feature.objects.create(product_id=1, feature="x", value="y")
    assert redis.get(key_of("product:1")) is None


@pytest.mark.django_db(transaction=True)
def test_expire_caches_changes_the_tag_of_everything(redis, capsys):
    redis.set(key_of("epoch"), "old")
    call_command("expire_caches")
    assert redis.get(key_of("epoch")) not in {None, "old"}
    assert "out of reach" in capsys.readouterr().out
