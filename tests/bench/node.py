"""The peers: servers of our own writing on Node 20, three processes each, on Unix sockets."""

import functools
import hashlib
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from stack import nginx as nginx_files
from stack.errors import StackError
from stack.postgres import DATABASE, ROLE
from stack.processes import Daemon, run
from tests.bench.fronts import Front, caller
from tests.bench.site import Say, Site

SOURCE = Path(__file__).parent / "peers"
LEAST_NODE = 20
PROCESSES = 3
# Connections to PostgreSQL a process: pg's own default, and for those that are tuned what two cores
# can use. From 2 to 10 no number was better by more than the noise.
POOLS = {"express": 10, "express-tuned": 4, "fastify": 4}


def install(folder: Path, say: Say) -> Path:
    """The peers with their modules below `folder`, renewed when they changed."""
    target = folder / "peers"
    mark = target / ".installed"
    version = _digest()
    if mark.is_file() and mark.read_text() == version:
        return target
    say("installing the peers' modules: npm ci")
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(SOURCE, target)
    run(
        ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
        cwd=target,
        failure="npm could not install the peers' modules.",
    )
    mark.write_text(version)
    return target


class Peer:
    """One of the servers, behind an nginx like the site's but without its cache."""

    def __init__(self, site: Site, name: str, modules: Path) -> None:
        self.front = Front(site, name)
        self._servers = [self._server(site, modules / name, number) for number in _numbers()]

    @property
    def pids(self) -> list[int]:
        return [server.pid for server in self._servers if server.pid]

    def start(self) -> None:
        sockets = self.front.sockets
        sockets.mkdir(parents=True, exist_ok=True)
        # Which folder a socket is in says who may connect, as with the site's instances.
        sockets.chmod(0o750)
        group = nginx_files.worker_group()
        if group is not None:
            os.chown(sockets, -1, group)
        for number, server in zip(_numbers(), self._servers, strict=True):
            server.start(is_ready=functools.partial(self._answers, number), seconds=20)
        self.front.start()

    def stop(self) -> None:
        self.front.stop()
        for server in self._servers:
            server.stop()

    def _server(self, site: Site, folder: Path, number: int) -> Daemon:
        return Daemon(
            command=[_program("node"), str(folder / "server.js")],
            log=site.config.logs / f"{folder.name}-{number}.log",
            account=caller(),
            stop_signal=signal.SIGTERM,
            environ={
                "PATH": os.environ.get("PATH", os.defpath),
                "NODE_ENV": "production",
                "SOCKET": str(self._socket(number)),
                "POOL": str(POOLS[folder.name]),
                "PGHOST": str(site.config.postgres_sockets),
                "PGUSER": ROLE,
                "PGDATABASE": DATABASE,
                "SECRET_KEY": site.values["SECRET_KEY"],
                "CATALOGUE_CAMPUS": site.values["CATALOGUE_CAMPUS"],
            },
        )

    def _socket(self, number: int) -> Path:
        return self.front.sockets / f"web-{number}.sock"

    def _answers(self, number: int) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(self._socket(number)))
            except OSError:
                return False
        return True


def _numbers() -> range:
    return range(1, PROCESSES + 1)


def check() -> None:
    """`StackError` where Node or npm is missing or too old."""
    missing = f"The peers need Node {LEAST_NODE} and npm, for `make bench` only: install them, or "
    missing += "name measures without peers in ONLY."
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise StackError(missing)
    asked = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    if int(asked.stdout.strip().lstrip("v").split(".")[0]) < LEAST_NODE:
        raise StackError(f"Node is {asked.stdout.strip()}. {missing}")


def _program(name: str) -> str:
    return shutil.which(name) or name


def _digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(SOURCE.rglob("*")):
        if path.is_file() and "node_modules" not in path.parts:
            digest.update(str(path.relative_to(SOURCE)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
