"""supervisord: its configuration, and a client for the socket it answers on."""

import http.client
import shlex
import socket
import xmlrpc.client
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stack.errors import StackError
from stack.processes import check_socket_path

TIMEOUT_SECONDS = 120
# Faults of supervisord.
ENDED_AT_ONCE, ALREADY_STARTED, NOT_RUNNING, STILL_RUNNING = 40, 60, 70, 91
# How often a program is tried to be removed that does not stay ended.
REMOVALS = 20


@dataclass(frozen=True)
class Program:
    """One supervised process. ``stop_seconds`` is how long a polite stop may take."""

    name: str
    command: Sequence[str]
    stop_signal: str
    stop_seconds: int
    directory: Path
    user: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)


def render(programs: Sequence[Program], *, run: Path, logs: Path, user: str) -> str:
    """supervisord.conf. ``startsecs=0`` is what restarts at once, for ever and without back-off."""
    check_socket_path(run / "supervisor.sock")
    head = f"""\
; Written by `make up` and `make restart`.
[supervisord]
logfile={_escaped(logs / "supervisord.log")}
pidfile={_escaped(run / "supervisord.pid")}
childlogdir={_escaped(logs)}
logfile_maxbytes=10MB
logfile_backups=3
minfds=4096
{f"user={user}" if user else ""}

[unix_http_server]
file={_escaped(run / "supervisor.sock")}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
    return "\n".join([head, *(_section(program, logs) for program in programs)])


def _section(program: Program, logs: Path) -> str:
    environ = ",".join(f'{name}="{_escaped(value)}"' for name, value in program.environ.items())
    lines = [
        f"[program:{program.name}]",
        f"command={_escaped(shlex.join(program.command))}",
        f"directory={_escaped(program.directory)}",
        "autostart=false",
        "autorestart=true",
        "startsecs=0",
        f"stopsignal={program.stop_signal}",
        f"stopwaitsecs={program.stop_seconds}",
        "killasgroup=true",
        "redirect_stderr=true",
        f"stdout_logfile={_escaped(logs / program.name)}.log",
        "stdout_logfile_maxbytes=20MB",
        "stdout_logfile_backups=5",
    ]
    if program.user:
        lines.append(f"user={program.user}")
    if environ:
        lines.append(f"environment={environ}")
    return "\n".join(lines) + "\n"


def _escaped(value: object) -> str:
    return str(value).replace("%", "%%")


class Client:
    """The few calls of supervisord's XML-RPC interface that are needed, over its Unix socket."""

    def __init__(self, path: Path) -> None:
        self._server = xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=_Unix(path))

    def is_running(self) -> bool:
        try:
            return bool(self._call("getState")["statename"] == "RUNNING")
        except (OSError, http.client.HTTPException, xmlrpc.client.Error, StackError):
            return False

    def processes(self) -> dict[str, dict[str, Any]]:
        """By name: ``statename``, ``pid``, ``start`` (seconds since 1970), ``description``."""
        return {info["name"]: info for info in self._call("getAllProcessInfo")}

    def is_program_running(self, name: str) -> bool:
        return bool(self.processes().get(name, {}).get("statename") == "RUNNING")

    def start(self, name: str) -> None:
        """Start a program unless it runs. One that ends at once is started again and again, so
        whoever waits for its answer tells why there is none."""
        if not self.is_program_running(name):
            self._call("startProcess", name, True, harmless={ALREADY_STARTED, ENDED_AT_ONCE})

    def stop(self, name: str) -> None:
        """Stop a program if it runs, or is about to, and wait."""
        self._call("stopProcess", name, True, harmless={NOT_RUNNING})

    def signal(self, name: str, signal_name: str) -> None:
        self._call("signalProcess", name, signal_name)

    def pid(self, name: str) -> int:
        return int(self.processes()[name]["pid"])

    def reload(self) -> tuple[list[str], list[str], list[str]]:
        """Read the configuration again; (added, changed, removed) program names, not applied."""
        ((added, changed, removed),) = self._call("reloadConfig")
        return added, changed, removed

    def remove(self, name: str) -> None:
        """Stop a program and forget it. One that ends at once may be started again in between."""
        for _ in range(REMOVALS):
            self.stop(name)
            if self._call("removeProcessGroup", name, harmless={STILL_RUNNING}):
                return
        self._call("removeProcessGroup", name)

    def add(self, name: str) -> None:
        """Take up a program that ``reload`` found, without starting it."""
        self._call("addProcessGroup", name)

    def shutdown(self) -> None:
        self._call("shutdown")

    def _call(self, method: str, *arguments: object, harmless: Collection[int] = ()) -> Any:
        try:
            return getattr(self._server.supervisor, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode in harmless:
                return None
            said = " ".join(map(str, [method, *arguments]))
            raise StackError(
                f"The supervisor refuses {said} ({fault.faultString}):"
                " run `make down`, and `make up` again."
            ) from fault


class _Unix(xmlrpc.client.Transport):
    """XML-RPC over a Unix socket, a new connection for each call."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return UnixConnection(self._path)


class UnixConnection(http.client.HTTPConnection):
    """HTTP to a Unix socket."""

    def __init__(self, path: Path, seconds: float = TIMEOUT_SECONDS) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
