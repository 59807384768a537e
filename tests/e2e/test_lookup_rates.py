"""The rate of a client where nginx answers besides the instances: together never more."""

import socket
import time
from collections import Counter

import pytest

from stack.testing import TestStack
from tests.access_log import access_log
from tests.e2e.conftest import SMALL_RATE as RATE
from tests.e2e.lookups import Asking, bearer, by_nginx
from tests.faults.cache.clients import Client, header
from tests.threads import Crew
from tests.waiting import tried

pytestmark = pytest.mark.e2e

SECONDS = 4
ASKING = 8


@pytest.fixture(scope="module")
def stack(small_stack: TestStack) -> TestStack:
    return small_stack


def crowd(stack, headers):
    """All that so many who ask without a pause were answered in some seconds."""
    many = [Asking(stack.port, path, lines) for path, lines in headers]
    until = time.time() + SECONDS
    with Crew(len(many)) as crew:
        crew.run([lambda one=one: one.until(lambda: time.time() > until) for one in many])
    return [seen for one in many for seen in one.seen]


def by_second(seen):
    """How many were let in of those that were asked for and answered within the same second."""
    return Counter(
        int(began)
        for began, ended, answer in seen
        if answer.status == 200 and int(began) == int(ended)
    )


def times_uncounted(stack):
    """How often an instance has told that Redis did not answer in time: then nobody is refused."""
    logs = [stack.config.logs / f"{name}.log" for name in stack.config.instances]
    return sum(log.read_text().count("rates are not counted") for log in logs)


@pytest.mark.parametrize("suffix", ["", "?x=1"])
def test_a_client_never_gets_more_than_its_rate(stack, office, suffix):
    """Half of those who ask may be answered by nginx; the others are not where there is a query."""
    client = f"rated{len(suffix)}"
    tokens = [office.token("default", client) for _ in range(2)]
    userid = office.account()
    paths = [f"/user/{userid}", f"/user/{userid}{suffix}"]
    headers = [(paths[number % 2], bearer(tokens[number // 4])) for number in range(ASKING)]

    def answers_and_whole_seconds():
        before = times_uncounted(stack)
        seen = crowd(stack, headers)
        counts = by_second(seen)
        # A busy machine may hold Redis up.
        assert max(counts.values()) <= RATE or times_uncounted(stack) > before
        answers = [answer for _, _, answer in seen]
        assert {answer.status for answer in answers} <= {200, 429}
        return answers, [counts[second] for second in sorted(counts)[1:-1]]

    def is_used(found):
        answers, whole = found
        # What nginx and the instances hold at the end of a second is lost.
        return sum(whole) > len(whole) * RATE / 2 and 429 in {one.status for one in answers}

    answers, whole = tried(answers_and_whole_seconds, is_used)
    assert is_used((answers, whole)), whole
    refused = [answer for answer in answers if answer.status == 429]
    assert {header(answer, "Retry-After") for answer in refused} == {"1"}
    assert by_nginx(stack, [answer for answer in answers if answer.status == 200])
    assert by_nginx(stack, refused) == []


def test_those_who_wait_for_a_permit_use_up_none(stack, office):
    """Twenty at a time, which all wait while one of them brings the next permit."""
    token = office.token("default", "waiting")
    many = [socket.create_connection(("127.0.0.1", stack.port)) for _ in range(20)]

    def whole_seconds():
        path, until = f"/user/{office.account()}", time.time() + SECONDS
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{bearer(token)}\r\n".encode()
        while time.time() < until:
            for one in many:
                one.sendall(head)
            for one in many:
                assert one.recv(4096)
        # The log's last lines come a second later.
        time.sleep(1.2)
        rows = access_log(stack.config.logs).rows(lambda row: row["uri"] == path)
        counts = Counter(row["time"] for row in rows if row["status"] == 200)
        return [counts[second] for second in sorted(counts)[1:-1]]

    def is_used(whole):
        return sum(whole) > len(whole) * RATE * 0.7

    whole = tried(whole_seconds, is_used)
    for one in many:
        one.close()
    assert is_used(whole), whole


def test_the_rate_of_one_client_is_not_used_up_by_another(stack, office):
    userid = office.account()
    busy, calm = office.token("default", "busy"), office.token("north", "calm")
    client = Client(stack.port)
    for _ in range(100):
        client.ask("GET", f"/user/{userid}", bearer(busy))
    for _ in range(5):
        assert client.ask("GET", f"/user/{userid}", bearer(calm)).status == 200
    client.close()


def test_a_permit_that_a_client_asks_for_itself_is_not_counted(stack, office):
    """What nginx was permitted is counted in advance; a client cannot ask for it."""
    userid, token = office.account(), office.token("default", "forger")
    client = Client(stack.port)
    for _ in range(3):
        lines = bearer(token, "X-Cache-Permit: 0\r\n")
        assert client.ask("GET", f"/user/{userid}?x=1", lines).status == 200
    client.close()
    assert office.counted("forger") == 3
