"""Visitors come first: the work of an import has a low priority on this machine."""

import os
import socket
import struct
import threading
from contextlib import suppress
from pathlib import Path

from django.db import connection

# Who only waits for requests is served at once beside it; alone it takes a core all the same.
NICE = 10
_CREDENTIALS = struct.Struct("3i")


def yield_to_visitors() -> None:
    """Lower this thread, and the server's process of its session if that runs on this machine.

    It stays so until they end. Where the server belongs to somebody else, nothing happens to it.
    """
    _lower(threading.get_native_id())
    backend = connection.connection.info.backend_pid
    server = _server_on_this_machine()
    if server is not None and _parent_of(backend) == server:
        _lower(backend)


def _lower(process: int) -> None:
    # Of one that has a lower priority already nothing is asked.
    with suppress(OSError):
        if os.getpriority(os.PRIO_PROCESS, process) < NICE:
            os.setpriority(os.PRIO_PROCESS, process, NICE)


def _server_on_this_machine() -> int | None:
    """The main process of the server at the other end of a Unix socket, as this machine numbers
    it; None where it cannot be seen."""
    with socket.socket(fileno=os.dup(connection.connection.fileno())) as end:
        if end.family != socket.AF_UNIX:
            return None
        told = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return _CREDENTIALS.unpack(told)[0] or None


def _parent_of(process: int) -> int | None:
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("PPid:"):
                return int(line.split()[1])
    return None
