"""Waiting for a condition that another thread or process brings about, never for a time."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import psycopg
from django.db import connection

PATIENCE_SECONDS = 30
ATTEMPTS, PAUSE_SECONDS = 5, 1.5
# A wait for Redis is given up after a tenth of a second; who did so spares it for five.
STILL_SECONDS, LATELY_SECONDS = 0.1, 10

Got = TypeVar("Got")


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Return once it holds; AssertionError where it does not come."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"It did not come: {what}"
        time.sleep(0.005)


class Pulse(threading.Thread):
    """Notices when this machine stands still."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._still_at = float("-inf")

    def run(self) -> None:
        last = time.monotonic()
        while True:
            time.sleep(0.02)
            now = time.monotonic()
            if now - last > STILL_SECONDS:
                self._still_at = now
            last = now

    def was_still_lately(self) -> bool:
        return time.monotonic() - self._still_at < LATELY_SECONDS


# Begun with the tests (tests/conftest.py).
pulse = Pulse()


def tried(work: Callable[[], Got], is_good: Callable[[Got], bool]) -> Got:
    """What the work gives: again, five times at most, where it is not good and this machine stood
    still lately. The last is to be judged as the first would have been.

    Who answers first, and how soon, says nothing then. What must hold always the work asserts.
    """
    for _ in range(ATTEMPTS - 1):
        got = work()
        if is_good(got) or not pulse.was_still_lately():
            return got
        time.sleep(PAUSE_SECONDS)
    return work()


def second_connection() -> psycopg.Connection:
    """A connection of one's own to the test database, in autocommit."""
    return psycopg.connect(**_parameters(), autocommit=True)


def wait_for_blocked(number: int = 1) -> None:
    """Return once this many sessions of the test database wait for a lock."""
    with second_connection() as observer:

        def blocked() -> bool:
            row = observer.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ).fetchone()
            return row is not None and row[0] >= number

        wait_until(blocked, f"{number} sessions that wait for a lock")


def _parameters() -> dict[str, str]:
    settings = connection.settings_dict
    return {
        "dbname": settings["NAME"],
        "user": settings["USER"],
        "password": settings["PASSWORD"],
        "host": settings["HOST"],
        "port": str(settings["PORT"] or 5432),
    }
