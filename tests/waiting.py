"""Waiting for a condition that another thread or process brings about, never for a time."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import psycopg
from django.db import connection

PATIENCE_SECONDS = 30
ATTEMPTS = 5
# A breaker that opened in an attempt is closed again in the next but few.
PAUSE_SECONDS = 1.5

Got = TypeVar("Got")


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Return once it holds; AssertionError where it does not come."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"It did not come: {what}"
        time.sleep(0.005)


def tried(work: Callable[[], Got], is_good: Callable[[Got], bool]) -> Got:
    """What the first of five attempts gives that is good, else the last: to be judged all the same.

    For what a machine that stands still for a second may spoil, such as which of several answers
    first. What must hold always is asserted by the work itself.
    """
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_SECONDS)
        got = work()
        if is_good(got):
            break
    return got


class Pulse:
    """Beats every ten milliseconds; `longest` is the longest pause, in s: how still all stood."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat)

    def __enter__(self) -> "Pulse":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _beat(self) -> None:
        last = time.monotonic()
        while not self._ended.wait(0.01):
            now = time.monotonic()
            self.longest = max(self.longest, now - last)
            last = now


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
