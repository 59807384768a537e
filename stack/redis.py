"""A Redis server of our own, reached through a Unix socket only, that persists nothing."""

import os
import signal
import socket
from pathlib import Path

from stack.accounts import Account
from stack.processes import Daemon, check_socket_path

DEFAULT_MAXMEMORY = "256mb"
SOCKET_NAME = "redis.sock"


def socket_url(sockets: Path) -> str:
    """``REDIS_URL``, without a database number: the application uses 0 and 1."""
    return f"unix://{sockets / SOCKET_NAME}"


class Redis:
    """One server: its program, socket folder and configuration file.

    ``readers`` is the id of a group that may connect too: that of nginx's workers, for the cache
    tags. The folder keeps everybody else out.
    """

    def __init__(
        self,
        *,
        program: Path,
        folder: Path,
        sockets: Path,
        log: Path,
        account: Account,
        maxmemory: str = DEFAULT_MAXMEMORY,
        readers: int | None = None,
    ) -> None:
        self.program = program
        self.folder = folder
        self.sockets = sockets
        self.log = log
        self.account = account
        self.maxmemory = maxmemory
        self.readers = readers
        self._daemon = Daemon(
            command=self.command, log=log, account=account, stop_signal=signal.SIGTERM
        )

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.sockets / SOCKET_NAME

    @property
    def command(self) -> list[str]:
        """What a supervisor runs, as ``account``; SIGTERM stops it."""
        return [str(self.program), str(self.folder / "redis.conf")]

    @property
    def url(self) -> str:
        """``REDIS_URL``."""
        return socket_url(self.sockets)

    def initialise(self) -> None:
        """Write its configuration."""
        check_socket_path(self.socket)
        self.account.own(self.sockets, 0o700)
        if self.readers is not None and self.account.switched:
            os.chown(self.sockets, self.account.uid, self.readers)
            self.sockets.chmod(0o750)
        self.account.own(self.folder, 0o700)
        path = self.folder / "redis.conf"
        path.write_text(self._configuration())
        path.chmod(0o600)
        if self.account.switched:
            os.chown(path, self.account.uid, self.account.gid)

    def start(self) -> None:
        """Start as a child of this process and wait until it answers."""
        self._daemon.start(is_ready=self.is_ready, seconds=20)

    def stop(self) -> None:
        """Stop what ``start`` started."""
        self._daemon.stop()

    def is_ready(self) -> bool:
        """Whether it answers PING."""
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(1)
                client.connect(str(self.socket))
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def _configuration(self) -> str:
        """No snapshot and no append-only file: a restart that brought old cache tags back would let
        nginx serve answers from before the last write. Never evict, for the same reason."""
        return (
            "# Written by `make up`.\n"
            "port 0\n"
            f"unixsocket {self.socket}\n"
            "unixsocketperm 777\n"
            f"dir {self.folder}\n"
            f"pidfile {self.folder / 'redis.pid'}\n"
            'save ""\n'
            "appendonly no\n"
            f"maxmemory {self.maxmemory}\n"
            "maxmemory-policy noeviction\n"
            "databases 16\n"
            "tcp-keepalive 60\n"
            "daemonize no\n"
        )
