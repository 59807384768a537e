"""Keeps the cores from sleeping, so that a short round trip does not wait for one to wake."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# The idle class: it runs only where nothing else wants to.
SPIN = (
    "import ctypes, os; ctypes.CDLL(None).prctl(1, 15);"
    "os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\nwhile True: pass"
)


@contextmanager
def cores_awake() -> Iterator[None]:
    spinning = [
        subprocess.Popen([sys.executable, "-c", SPIN], stdin=subprocess.DEVNULL)
        for _ in range(os.cpu_count() or 1)
    ]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()
