"""Load: wrk for closed loops, k6 for open ones, with the same draws."""

import json
import os
import resource
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from stack.errors import StackError
from tests.bench.draws import Draws
from tests.bench.routes import ROUTES
from tests.bench.wrk import find as find_wrk

FOLDER = Path(__file__).parent
WRK_THREADS = 2
MOST_K6_USERS = 600
# k6 shares the cores with what it measures: it shall not collect its garbage all the time.
K6_MEMORY = {"GOGC": "off", "GOMEMLIMIT": "2GiB"}


@dataclass(frozen=True)
class Load:
    """What is asked of a server.

    `draw` is `zipf` or `uniform`, over the `products` first ranks; `writes` is the share of votes;
    with a `rate` requests start at this pace whatever the answers do, without one `connections`
    clients ask as fast as they are answered.
    """

    draw: str
    products: int
    routes: tuple[str, ...] = tuple(ROUTES)
    writes: float = 0.0
    rate: int | None = None
    connections: int = 32
    # How many seconds' requests may be on their way at once, at a fixed rate; a server that pauses
    # longer has others dropped. Each of them costs k6 time.
    patience: float = 0.1


@dataclass(frozen=True)
class Shot:
    """What the load generator saw in one go. Latencies in ms; `writes` were sent, `refused` had
    another status than wished for, `broken` no answer, `dropped` could not be sent in time."""

    requests: int
    seconds: float
    writes: int
    p50: float
    p95: float
    p99: float
    refused: int
    broken: int
    dropped: int
    cpu: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    @property
    def errors(self) -> int:
        return self.refused + self.broken

    def as_dict(self) -> dict[str, float]:
        return {**asdict(self), "rate": self.rate, "errors": self.errors}


class Generators:
    """wrk and k6, and the ids that they draw from."""

    def __init__(self, draws: Draws, programs: Path) -> None:
        self._draws = draws
        self._wrk = find_wrk(programs)
        self._k6 = _find_k6()

    def fire(
        self,
        load: Load,
        url: str,
        seconds: int,
        *,
        seed: int,
        ended: threading.Event | None = None,
    ) -> Shot:
        """Load one server, for so long or, if that is sooner, till `ended` is set. `seed` tells
        goes apart; the contestants of a round share it."""
        with tempfile.TemporaryDirectory() as folder:
            result = Path(folder) / "result.json"
            environ = {
                **os.environ,
                **self._wrk.environ,
                **K6_MEMORY,
                **self._draws.files,
                **_settings(load, url, seconds, seed),
                "LOAD_RESULT": str(result),
            }
            command = self._open_loop() if load.rate else self._closed_loop(load, url, seconds)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            output = _run(command, environ, ended)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            if not result.exists():
                raise StackError(f"{command[0]} failed:\n{output[-2000:]}")
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            return Shot(**json.loads(result.read_text()), cpu=cpu)

    def _closed_loop(self, load: Load, url: str, seconds: int) -> list[str]:
        return [
            *(str(self._wrk.program), f"-t{WRK_THREADS}", f"-c{load.connections}"),
            *(f"-d{seconds}s", "--timeout", "10s", "-s", str(FOLDER / "draw.lua"), url),
        ]

    def _open_loop(self) -> list[str]:
        return [
            *(self._k6, "run", "--quiet", "--no-color", "--no-usage-report", "--address", ""),
            str(FOLDER / "open.js"),
        ]


def _run(command: list[str], environ: dict[str, str], ended: threading.Event | None) -> str:
    """What it printed. Both generators tell their result when they are interrupted."""
    with subprocess.Popen(
        command,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        if ended is not None:
            threading.Thread(target=_interrupt, args=(process, ended), daemon=True).start()
        output, _ = process.communicate()
        return output.decode(errors="replace")


def _interrupt(process: "subprocess.Popen[bytes]", ended: threading.Event) -> None:
    ended.wait()
    if process.poll() is None:
        process.send_signal(signal.SIGINT)


def shortened(load: Load, products: int) -> Load:
    """For a data set of so many products."""
    return replace(load, products=min(load.products, products))


def _settings(load: Load, url: str, seconds: int, seed: int) -> dict[str, str]:
    """What draw.lua and open.js read."""
    return {
        "LOAD_URL": url,
        "LOAD_SECONDS": str(seconds),
        "LOAD_SEED": str(seed),
        # Part of each vote's user agent, so that no visitor was ever seen.
        "LOAD_NONCE": secrets.token_hex(8),
        "LOAD_DRAW": load.draw,
        "LOAD_PRODUCTS": str(load.products),
        "LOAD_ROUTES": ",".join(load.routes),
        "LOAD_WRITES": str(load.writes),
        "LOAD_RATE": str(load.rate),
        "LOAD_USERS": str(_users(load)),
    }


def _users(load: Load) -> int:
    return max(1, min(int((load.rate or 0) * load.patience), MOST_K6_USERS))


def _find_k6() -> str:
    program = Path(sys.executable).parent / "k6"
    found = str(program) if program.exists() else shutil.which("k6")
    if found is None:
        raise StackError("k6 is missing: `make environment` installs it.")
    return found
