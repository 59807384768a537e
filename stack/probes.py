"""Asking the running stack how it is."""

import contextlib
import http.client
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

from stack.config import Config
from stack.errors import StackError
from stack.supervisor import UnixConnection

POLL_SECONDS = 0.1


def wait_until(
    is_true: Callable[[], bool], *, seconds: float, otherwise: Callable[[], str]
) -> None:
    """Poll; ``StackError`` with the sentence of ``otherwise`` when time is up."""
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            raise StackError(otherwise())
        time.sleep(POLL_SECONDS)


def base_url(config: Config) -> str:
    """Where a person on this machine finds the site."""
    return config.base_url


def is_ready(config: Config) -> bool:
    """Whether /readyz answers 200 through nginx."""
    address = base_url(config).removeprefix("http://")
    return _status(http.client.HTTPConnection(address, timeout=10), "/readyz", config) == 200


def is_instance_alive(config: Config, instance: str) -> bool:
    """Whether one gunicorn instance answers on its own socket."""
    connection = UnixConnection(config.web_sockets / f"{instance}.sock", seconds=10)
    return _status(connection, "/healthz", config) == 200


def refuse_taken_port(config: Config) -> None:
    """``StackError`` where something else listens on our address."""
    family = socket.AF_INET6 if ":" in config.http_host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((config.http_host, config.http_port))
        except OSError as error:
            raise StackError(
                f"Port {config.http_port} of {config.http_host} cannot be used ({error.strerror}): "
                "end what listens there, or set HTTP_PORT in .env to another port."
            ) from error


def is_alive(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def children(pid: int) -> set[int]:
    """Process ids of the direct children of a process."""
    try:
        return {int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    except (FileNotFoundError, ProcessLookupError):
        return set()


def end_leftover(pid_file: Path, state: Path, number: signal.Signals, seconds: float) -> bool:
    """End the process of a pid file that outlived its supervisor. True if there was one.

    Pids are used again: it counts as ours only if our state folder stands in its command line or
    environment, or is its working folder.
    """
    try:
        pid = int(pid_file.read_text().split()[0])
    except (FileNotFoundError, PermissionError, ValueError, IndexError):
        return False
    if not is_alive(pid) or not _is_ours(pid, state):
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
    wait_until(
        lambda: not is_alive(pid),
        seconds=seconds,
        otherwise=lambda: f"Process {pid} of {pid_file} did not end within {seconds:.0f} s.",
    )
    return True


def _is_ours(pid: int, state: Path) -> bool:
    folder = Path("/proc") / str(pid)
    needle = os.fsencode(state)
    with contextlib.suppress(OSError):
        if (
            needle in (folder / "cmdline").read_bytes()
            or needle in (folder / "environ").read_bytes()
        ):
            return True
        return Path(os.readlink(folder / "cwd")).is_relative_to(state)
    return False


def _status(connection: http.client.HTTPConnection, path: str, config: Config) -> int | None:
    """The status of a GET; nothing where nobody answers."""
    hosts = [host for host in config.words("ALLOWED_HOSTS", "localhost") if host != "*"]
    host = hosts[0].lstrip(".") if hosts else "localhost"
    headers = {"Host": host, "X-Forwarded-Proto": "https"}
    try:
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
