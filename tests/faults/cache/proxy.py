"""A door in front of Redis that a test can close for those who use it, and for nobody else."""

import contextlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path


class Proxy:
    """Listens on a Unix socket and passes everything on, unless told otherwise.

    `commands` and `replies` are the two directions: while one is cleared, its bytes wait. What
    was sent meanwhile arrives when it is set again, even if the sender has given up by then, as
    with a Redis that hangs. `watch` is called with each chunk of commands before it is passed on,
    and may raise ConnectionError to end the connection instead.
    """

    def __init__(self, path: Path, server: Path) -> None:
        self.path = path
        self.commands, self.replies = threading.Event(), threading.Event()
        self.watch: Callable[[bytes], None] = lambda chunk: None
        self._server = server
        self._open: set[socket.socket] = set()
        self.commands.set()
        self.replies.set()
        self.listen()

    def listen(self) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self.path.chmod(0o777)
        self._listener.listen(64)
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def refuse(self) -> None:
        """Until `listen`: nobody can connect, and who was connected is not any more."""
        self.path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.refuse()
        self.commands.set()
        self.replies.set()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(os.fspath(self._server))
            except OSError:
                client.close()
                continue
            self._open |= {client, server}
            for pump in (self._pass_commands, self._pass_replies):
                threading.Thread(target=pump, args=[client, server], daemon=True).start()

    def _pass_commands(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := client.recv(65_536):
                self.watch(chunk)
                self.commands.wait()
                server.sendall(chunk)
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _pass_replies(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := server.recv(65_536):
                self.replies.wait()
                client.sendall(chunk)
        for connection in (client, server):
            self._open.discard(connection)
            connection.close()
