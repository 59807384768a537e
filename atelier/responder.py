"""gunicorn's response, with headers and body in one write, and its refusals as problems.

gunicorn writes the headers first and the body after. A process that is killed in between, which
with threads is a matter of milliseconds, leaves nginx with half an answer that no other instance
can complete. One write is also one wake-up of nginx instead of two.
"""

import json
from typing import Any

from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.http import wsgi  # type: ignore[import-untyped]


class _Held:
    """Stands for the socket while the headers are written."""

    data = b""

    def sendall(self, data: bytes) -> None:
        self.data += data


class WholeResponse(wsgi.Response):
    """Holds the headers back until there is a body, or none comes."""

    sock: Any
    _head = b""

    def default_headers(self) -> list[str]:
        """Without Date and Server: nginx sends its own and passes none of ours on."""
        lines = [f"HTTP/{self.req.version[0]}.{self.req.version[1]} {self.status}\r\n"]
        lines.append(f"Connection: {'close' if self.should_close() else 'keep-alive'}\r\n")
        if self.chunked:
            lines.append("Transfer-Encoding: chunked\r\n")
        return lines

    def send_headers(self) -> None:
        if self.headers_sent:
            return
        sock, held = self.sock, _Held()
        self.sock = held
        try:
            super().send_headers()
        finally:
            self.sock = sock
        self._head = held.data

    def _emit_body(self, data: bytes) -> None:
        if self.chunked:
            self._flush()
        head, self._head = self._head, b""
        util.write(self.sock, head + data, self.chunked)

    def sendfile(self, respiter: Any) -> bool:
        self.send_headers()
        self._flush()
        return bool(super().sendfile(respiter))

    def close(self) -> None:
        self.send_headers()
        self._flush()
        super().close()

    def _flush(self) -> None:
        head, self._head = self._head, b""
        if head:
            util.write(self.sock, head)


def write_problem(sock: Any, status: int, reason: str, message: str) -> None:
    """In place of gunicorn's HTML for what it cannot read, such as a header with control bytes.

    The route is not known: RFC 9457. `message` quotes the request, and is for the log only.
    """
    failed = status >= 500
    body = json.dumps(
        {
            "type": "about:blank",
            "title": reason,
            "status": status,
            "detail": "An error occurred." if failed else "The request cannot be read.",
            "code": "error" if failed else "bad_request",
        }
    )
    head = f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\n"
    head += f"Content-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n\r\n"
    util.write_nonblock(sock, (head + body).encode())


def install() -> None:
    """gunicorn has no setting for the class of its responses, nor for its own errors."""
    wsgi.Response = WholeResponse
    util.write_error = write_problem
