"""Starts nginx in place of one that was killed: `nginx_master.py STATE PROGRAM ARGUMENT...`.

Workers of a killed master live on and hold the port, so that no other nginx can listen on it. They
are ended first, and its Unix sockets, which nothing listens on any more, are removed; this process
then becomes the new master. Run as a script, it needs nothing but the standard library.
"""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

QUIT_SECONDS = 2.0
PAUSE_SECONDS = 0.02


def orphans(state: Path) -> list[int]:
    """Children whose master is gone: processes called nginx, at home in the state folder, whose
    parent is no such nginx."""
    ours = {pid for pid in _processes() if _is_nginx_of(pid, state)}
    return sorted(pid for pid in ours if _parent(pid) not in ours and _is_child(pid))


def end_orphans(state: Path) -> bool:
    """End them, the polite way first. True if there were any."""
    found = orphans(state)
    for number in (signal.SIGQUIT, signal.SIGKILL):
        deadline = time.monotonic() + QUIT_SECONDS
        for pid in orphans(state):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        while orphans(state) and time.monotonic() < deadline:
            time.sleep(PAUSE_SECONDS)
    return bool(found)


def remove_sockets(state: Path) -> None:
    """A socket that a killed master left behind could not be bound again."""
    for path in (state / "run" / "nginx").glob("*.sock"):
        path.unlink()


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _is_nginx_of(pid: int, state: Path) -> bool:
    folder = Path("/proc") / str(pid)
    try:
        is_nginx = (folder / "comm").read_text().strip() == "nginx"
        return is_nginx and Path(os.readlink(folder / "cwd")).is_relative_to(state)
    except OSError:
        return False


def _is_child(pid: int) -> bool:
    """By its title: a worker, or the cache's manager or loader. A master's is `master process`."""
    try:
        title = (Path("/proc") / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False
    return b"worker process" in title or b"nginx: cache " in title


def _parent(pid: int) -> int:
    try:
        status = (Path("/proc") / str(pid) / "stat").read_text()
    except OSError:
        return 0
    return int(status.rpartition(")")[2].split()[1])


if __name__ == "__main__":
    end_orphans(Path(sys.argv[1]))
    remove_sockets(Path(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - the command of our own configuration
