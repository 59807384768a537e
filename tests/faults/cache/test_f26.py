"""F26: many ask for the same cold answer at once, and the origin makes it once for each node."""

import contextlib
import threading
import time
from collections import Counter
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from tests.access_log import access_log
from tests.faults.cache.clients import Answer, Client
from tests.faults.cache.site import Site, wait_until
from tests.waiting import tried

pytestmark = pytest.mark.e2e

CROWD = 200
# A waiter looks every 2 ms whether the answer is there; nginx's own lock would look every 500 ms.
LAG_SECONDS = 0.35
_numbers = count(100)


@dataclass(frozen=True)
class Logged:
    """A request as nginx's access log has it."""

    cache: str
    upstreams: int
    seconds: float


def crowd(port: int, path: str, size: int) -> tuple[list[threading.Thread], list[Answer]]:
    """Clients that are connected before the first of them asks."""
    answers: list[Answer] = []
    ready = threading.Barrier(size)

    def ask() -> None:
        with contextlib.closing(Client(port)) as client:
            client.ask("HEAD", "/healthz")
            ready.wait(30)
            answers.append(client.ask("GET", path))

    threads = [threading.Thread(target=ask) for _ in range(size)]
    for thread in threads:
        thread.start()
    return threads, answers


def logged(logs: Path, path: str, size: int) -> list[Logged]:
    rows = access_log(logs).wait_for(size, lambda row: row["uri"] == path)
    return [
        Logged(row["cache"], row["upstream"].count(".sock"), float(row["request_time"]))
        for row in rows
    ]


@pytest.mark.parametrize("tags_are_there", [True, False], ids=["with tags", "without tags"])
@pytest.mark.parametrize("node", [0, 1])
def test_f26_a_crowd_at_a_cold_answer_asks_the_origin_once(
    site: Site, node: int, tags_are_there: bool
):
    config = (site.stack, site.node)[node].config

    def crowded() -> tuple[list[Answer], list[Logged]]:
        for _ in range(5):
            path = f"/products/1/styles?n={next(_numbers)}"
            answers = crowd_at_a_slow_answer(site, node, path, tags_are_there)
            if not any(answer.is_marked for answer in answers):
                break
            # A busy machine held Redis up.
        return answers, logged(config.logs, path, CROWD)

    def lag(lines: list[Logged]) -> float:
        """How much later than the origin's answer the last of them had it, in s."""
        fill = max(line.seconds for line in lines if line.cache == "MISS")
        return max(line.seconds for line in lines) - fill

    answers, lines = tried(crowded, lambda attempt: lag(attempt[1]) < LAG_SECONDS)
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert Counter(answer.cache for answer in answers) == {"MISS": 1, "HIT": CROWD - 1}
    assert sum(line.upstreams for line in lines) == 1
    assert lag(lines) < LAG_SECONDS


def crowd_at_a_slow_answer(site: Site, node: int, path: str, tags_are_there: bool) -> list[Answer]:
    """It takes its time, so that everybody arrives meanwhile."""
    with contextlib.closing(site.redis()) as client:
        # Under a new tag every answer is cold.
        client.set("tag:product:1", f"new-{next(_numbers)}", ex=60)
        if not tags_are_there:
            client.delete(*client.scan_iter("tag:*", count=1000))
    with site.psql() as connection, connection.transaction():
        connection.execute("LOCK TABLE products_style")
        threads, answers = crowd(site.ports[node], path, CROWD)
        wait_until(lambda: waiting(site) > 0, "the origin's statement waits")
        time.sleep(0.4)
    for thread in threads:
        thread.join()
    return answers


def test_f26_a_crowd_at_what_is_not_stored_does_not_queue_for_it(site: Site):
    """Behind nginx's lock one request after the other would ask, each half a second later."""

    def slowest() -> float:
        path = f"/products/{10**9 + next(_numbers)}"
        threads, answers = crowd(site.stack.port, path, 60)
        for thread in threads:
            thread.join()
        assert {answer.status for answer in answers} == {404}
        lines = logged(site.stack.config.logs, path, 60)
        assert sum(line.upstreams for line in lines) == 60
        return max(line.seconds for line in lines)

    assert tried(slowest, lambda seconds: seconds < 1.5) < 1.5


def waiting(site: Site) -> int:
    """How many statements of web workers wait for a lock."""
    with site.psql() as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE application_name = 'atelier' AND wait_event_type = 'Lock'"
        ).fetchone()
    return int(row[0])
