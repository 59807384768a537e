"""Accounts through nginx and three instances, and the worker that announces their logins."""

import http.client
import os
import signal
import time
from contextlib import suppress

import orjson
import pytest

from atelier.core.deliveries.signing import verifies
from stack import probes
from stack.testing import TestStack
from tests.e2e.conftest import KEY
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

IP = "198.51.100.7"


@pytest.fixture(scope="module")
def stack(small_stack: TestStack) -> TestStack:
    return small_stack


@pytest.fixture
def ask(stack):
    """Send one request through nginx; the status, the headers and the JSON of its answer."""

    def send(method, path, **body):
        connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=20)
        try:
            connection.request(method, path, orjson.dumps(body) if body else None)
            response = connection.getresponse()
            return response.status, response.headers, orjson.loads(response.read())
        finally:
            connection.close()

    return send


def announced(receiver, **event):
    """Whether the receiver was told of it."""
    return any(orjson.loads(one.body) == event for one in receiver.received)


def test_a_login_is_announced_to_a_receiver_who_can_verify_it(ask, receiver):
    code, _, answer = ask("POST", "/login", ip=IP, subscriptionstatus="Subscribed")
    assert code == 201
    userid = answer["data"][0]["userid"]
    event = {"userid": userid, "region": None, "subscriptionStatus": "Subscribed"}
    wait_until(lambda: announced(receiver, **event), "the announcement")
    received = receiver.received[-1]
    signature = received.headers["X-Atelier-Signature"]
    assert verifies(signature, received.body, key=KEY, now=int(time.time()))


def test_f18_nginx_stores_no_account_and_every_instance_shows_a_login_at_once(ask):
    userid = ask("POST", "/login", ip=IP, subscriptionstatus="None")[2]["data"][0]["userid"]
    sources = set()
    for number in range(30):
        subscription = ("Subscribed", "Expired", "None")[number % 3]
        body = {"userid": userid, "ip": IP, "subscriptionstatus": subscription}
        assert ask("POST", "/login", **body)[0] == 200
        for _ in range(4):
            code, headers, answer = ask("GET", f"/user/{userid}")
            assert code == 200
            assert answer["data"][0]["subscriptionstatus"] == subscription
            assert "X-Cache-Status" not in headers
            assert headers["Cache-Control"] == "private, no-store"
            sources.add(answer["status"])
    assert sources == {"postgres get success", "cache get success"}


@pytest.mark.parametrize("program", ["worker", "postgres"])
def test_f1_announcements_go_on_after_a_kill(ask, stack, receiver, program):
    before = stack.pids(program)
    os.kill(before[0], signal.SIGKILL)
    # Sessions of PostgreSQL outlive it for a moment. What the worker begins by one of them is taken
    # up again only when the worker has not been heard of for half a minute.
    wait_until(lambda: not any(map(probes.is_alive, before)), "its end")
    made = []

    def log_in():
        with suppress(OSError, http.client.HTTPException, orjson.JSONDecodeError):
            code, _, answer = ask("POST", "/login", ip=IP, subscriptionstatus="Expired")
            if code == 201:
                made.append(answer["data"][0]["userid"])
        return bool(made)

    wait_until(log_in, "a login")
    event = {"userid": made[0], "region": None, "subscriptionStatus": "Expired"}
    wait_until(lambda: announced(receiver, **event), "the announcement")
