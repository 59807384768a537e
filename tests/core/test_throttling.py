"""The rate of a client, over all processes; nobody is refused where Redis is away."""

import socket
import time
from contextlib import suppress

import pytest

from atelier.core import throttling
from atelier.core.throttling import UNCOUNTED, _Shares, is_within_rate, take_ahead
from tests.factories.users import ClientFactory, bearer, give_token


@pytest.fixture(autouse=True)
def fresh(monkeypatch, patient_redis):
    """A process that has taken no share, in a second that does not end during the test."""
    monkeypatch.setattr(throttling, "_shares", _Shares())
    monkeypatch.setattr(throttling, "breaker", throttling.Breaker())
    second = [int(time.time())]
    monkeypatch.setattr(throttling.time, "time", lambda: second[0])
    return second


def admitted(client, tries):
    return sum(is_within_rate(client) for _ in range(tries))


@pytest.mark.parametrize("rate", [1, 3, 49, 50, 51, 250, 1000])
def test_a_client_gets_its_rate_and_no_more(settings, fresh, rate):
    settings.CLIENT_RATE = rate
    assert admitted("a", rate + 20) == rate
    assert admitted("b", 1) == 1
    fresh[0] += 1
    assert admitted("a", rate + 20) == rate


def test_several_processes_together_get_the_rate_of_one(settings, monkeypatch):
    settings.CLIENT_RATE = 500
    total = 0
    for _ in range(3):
        monkeypatch.setattr(throttling, "_shares", _Shares())
        total += admitted("a", 300)
    assert total == 500


@pytest.mark.parametrize(("rate", "ahead"), [(1, 1), (9, 1), (30, 3), (1000, 100)])
def test_a_tenth_of_the_rate_is_taken_ahead_until_the_second_ends(settings, fresh, rate, ahead):
    settings.CLIENT_RATE = rate
    assert take_ahead("a") == (ahead, fresh[0] + 1.0)


@pytest.mark.parametrize("rate", [1, 3, 30, 49, 250, 1000])
def test_what_is_taken_ahead_and_what_is_let_in_are_one_rate(settings, fresh, rate):
    settings.CLIENT_RATE = rate
    for _ in range(2):
        total = 0
        for _ in range(rate):
            total += take_ahead("a")[0] + admitted("a", 1)
        assert total == rate
        assert take_ahead("a") == (0, fresh[0] + 1.0)
        assert admitted("a", 10) == 0
        fresh[0] += 1


def test_what_is_held_is_not_taken_again(settings, fresh):
    settings.CLIENT_RATE = 1000
    assert [take_ahead("a", held)[0] for held in (0, 40, 100, 300)] == [100, 60, 0, 0]


def test_what_is_left_is_taken_ahead_where_it_is_less(settings):
    settings.CLIENT_RATE = 30
    assert admitted("a", 28) == 28
    assert take_ahead("a")[0] == 2
    assert take_ahead("a")[0] == 0


def test_no_rate_lets_nginx_pass_as_many_as_come(settings, fresh):
    settings.CLIENT_RATE = 0
    assert take_ahead("a") == (UNCOUNTED, fresh[0] + 1.0)


def test_f5_nothing_is_taken_ahead_where_redis_is_away(settings, monkeypatch):
    from redis import ConnectionPool, Redis

    settings.CLIENT_RATE = 1000
    gone = Redis(connection_pool=ConnectionPool(port=1, socket_timeout=0.05))
    monkeypatch.setattr(throttling, "get_redis_connection", lambda name: gone)
    assert [take_ahead("a")[0] for _ in range(5)] == [0] * 5
    assert throttling.breaker.is_open()


def test_few_requests_ask_redis(settings, monkeypatch):
    settings.CLIENT_RATE = 1000
    asked = []
    connect = throttling.get_redis_connection
    monkeypatch.setattr(
        throttling, "get_redis_connection", lambda name: asked.append(name) or connect(name)
    )
    assert admitted("a", 400) == 400
    assert len(asked) == 20


def test_no_rate_is_no_limit(settings):
    settings.CLIENT_RATE = 0
    assert admitted("a", 100) == 100


def test_f5_nobody_is_refused_where_redis_is_away(settings, monkeypatch):
    """A port that nobody listens on, and one that accepts and never answers."""
    from redis import ConnectionPool, Redis

    settings.CLIENT_RATE = 1
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        where = {"port": mute.getsockname()[1], "socket_timeout": 0.05}
        gone = Redis(connection_pool=ConnectionPool(**where))
        monkeypatch.setattr(throttling, "get_redis_connection", lambda name: gone)
        assert admitted("a", 100) == 100
        assert throttling.breaker.is_open()
        monkeypatch.setattr(throttling, "breaker", throttling.Breaker())
        mute.listen()
        mute.setblocking(False)
        assert admitted("a", 1000) == 1000
        assert throttling.breaker.is_open()
        # Three time-outs until the breaker opens, and nobody asks any more.
        asked = []
        with suppress(BlockingIOError):
            while True:
                asked.append(mute.accept()[0])
        assert len(asked) == 3
        for one in asked:
            one.close()


@pytest.mark.django_db
def test_one_request_too_many_is_told_when_to_come_back(client, settings):
    settings.CLIENT_RATE = 2
    token = bearer(give_token(ClientFactory()))
    statuses = [client.delete("/products/404", headers=token).status_code for _ in range(3)]
    assert statuses == [404, 404, 429]
    refused = client.delete("/products/404", headers=token)
    assert refused["Retry-After"] == "1"
    assert refused["Content-Type"] == "application/problem+json"
    other = bearer(give_token(ClientFactory()))
    assert client.delete("/products/404", headers=other).status_code == 404
    assert client.get("/products").status_code == 200
