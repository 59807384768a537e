"""Visitors come before imports."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from etl.importing import prepare_lane
from etl.priority import NICE


def lane() -> tuple[int, int]:
    """The priorities of a lane and of its session's process in the server."""
    try:
        prepare_lane()
        backend = connection.connection.info.backend_pid
        return (
            os.getpriority(os.PRIO_PROCESS, threading.get_native_id()),
            os.getpriority(os.PRIO_PROCESS, backend),
        )
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_a_lane_and_its_session_yield_and_nobody_else() -> None:
    connection.ensure_connection()
    own = connection.connection.info.backend_pid
    before = os.getpriority(os.PRIO_PROCESS, 0), os.getpriority(os.PRIO_PROCESS, own)
    with ThreadPoolExecutor(1) as lanes:
        assert lanes.submit(lane).result() == (NICE, NICE)
    assert (os.getpriority(os.PRIO_PROCESS, 0), os.getpriority(os.PRIO_PROCESS, own)) == before
