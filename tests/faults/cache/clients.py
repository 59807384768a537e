"""A small HTTP client on one kept-alive connection, so that thousands of reads cost little."""

import socket
import time
from dataclasses import dataclass
from pathlib import Path

SECONDS = 20
_LENGTH = b"\r\nContent-Length: "
_CACHE = b"\r\nX-Cache-Status: "


@dataclass(frozen=True, slots=True)
class Answer:
    """`cache` is X-Cache-Status, empty where there is none; `head` ends with the headers."""

    status: int
    cache: str
    body: bytes
    head: bytes = b""

    @property
    def is_marked(self) -> bool:
        """Whether it says that it may be up to two seconds old."""
        return self.cache.startswith("DEGRADED-")


class Lost(Exception):
    """The connection ended before the answer: nobody knows what became of the request."""


class Client:
    """To a port of this machine, or to a Unix socket."""

    def __init__(self, address: int | Path) -> None:
        self._address = address
        self._socket: socket.socket | None = None

    def get(self, path: str) -> Answer:
        """Asked once more where a kept connection turns out to be closed, as browsers do."""
        try:
            return self.ask("GET", path)
        except Lost:
            return self.ask("GET", path)

    def ask(
        self,
        method: str,
        path: str,
        headers: str = "",
        body: bytes = b"",
        *,
        host: str = "localhost",
    ) -> Answer:
        """`headers` are whole lines. Raises Lost."""
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{length}{headers}\r\n"
        try:
            connection = self._socket or self._connect()
            connection.sendall(head.encode() + body)
            return self._receive(connection, has_body=method != "HEAD")
        except OSError as error:
            self.close()
            raise Lost(f"{method} {path}: {error}") from error

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connect(self) -> socket.socket:
        if isinstance(self._address, int):
            made = socket.create_connection(("127.0.0.1", self._address), SECONDS)
        else:
            made = socket.socket(socket.AF_UNIX)
            made.settimeout(SECONDS)
            made.connect(str(self._address))
        self._socket = made
        return made

    def _receive(self, connection: socket.socket, *, has_body: bool) -> Answer:
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._some(connection)
        head = data[: end + 2]
        length = int(_value(head, _LENGTH) or 0) if has_body else 0
        body = data[end + 4 :]
        while len(body) < length:
            body += self._some(connection)
        if b"\r\nConnection: close" in head:
            self.close()
        return Answer(int(head[9:12]), _value(head, _CACHE).decode(), body, head)

    @staticmethod
    def _some(connection: socket.socket) -> bytes:
        data = connection.recv(65_536)
        if not data:
            raise ConnectionResetError("closed before the answer")
        return data


class Steady(Client):
    """For tests in which Redis is well: asks again where an answer is marked all the same, since a
    busy machine held Redis up."""

    def ask(
        self,
        method: str,
        path: str,
        headers: str = "",
        body: bytes = b"",
        *,
        host: str = "localhost",
    ) -> Answer:
        for _ in range(20):
            answer = super().ask(method, path, headers, body, host=host)
            if not answer.is_marked:
                break
            time.sleep(0.1)
        return answer


def header(answer: Answer, name: str) -> str:
    """The first header of this name, spelled as it was sent; empty where there is none."""
    return _value(answer.head, f"\r\n{name}: ".encode()).decode()


def _value(head: bytes, name: bytes) -> bytes:
    begin = head.find(name)
    if begin < 0:
        return b""
    begin += len(name)
    return head[begin : head.index(b"\r\n", begin)]
