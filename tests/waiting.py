"""Waiting for a condition that another thread or process brings about, never for a time."""

import time
from collections.abc import Callable

import psycopg
from django.db import connection

PATIENCE_SECONDS = 30


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Return once it holds; AssertionError where it does not come."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"It did not come: {what}"
        time.sleep(0.005)


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
