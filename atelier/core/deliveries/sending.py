"""One POST to an address that was checked, bounded in time and size."""

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache

from atelier.core.deliveries.guard import Target

CONNECT_SECONDS = 3.0
READ_SECONDS = 5.0
# From the first attempt to connect to the last byte, for those who answer a byte at a time.
WHOLE_SECONDS = 10.0
ADDRESSES_TRIED = 3
# As much of a refusal as staff need to see. Of a success nothing is read.
EXCERPT_BYTES = 500


class Unreachable(Exception):
    """No answer: no connection, a bad certificate, a time-out, or something that is not HTTP."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`retry_after` is in seconds from now, None where the receiver named no time."""

    status: int
    retry_after: float | None
    excerpt: str


def post(
    target: Target,
    addresses: Sequence[str],
    *,
    body: bytes,
    headers: Mapping[str, str],
    context: ssl.SSLContext | None = None,
) -> Answer:
    """POST to the first of the addresses that takes a connection; no redirect is followed.

    Takes ten seconds at most. Raises Unreachable.
    """
    connection = _Pinned(target, addresses, context or _context())
    try:
        with connection.deadline():
            connection.connect()
            connection.request("POST", target.path, body, {"Host": target.authority, **headers})
            response = connection.getresponse()
            if connection.ran_out:
                # Headers that were cut off look like headers that ended.
                raise TimeoutError
            return Answer(
                response.status,
                _retry_after(response.getheader("Retry-After")),
                _excerpt(response) if response.status >= 300 else "",
            )
    except (OSError, http.client.HTTPException) as error:
        if connection.ran_out:
            raise Unreachable(f"No answer within {WHOLE_SECONDS:.0f} s.") from error
        raise Unreachable(_fit(f"{type(error).__name__}: {error}")[:EXCERPT_BYTES]) from error
    finally:
        connection.close()


class _Pinned(http.client.HTTPConnection):
    """Connects to given addresses; the name serves for Host and certificate only."""

    # Nothing connects behind our back.
    auto_open = 0

    def __init__(self, target: Target, addresses: Sequence[str], context: ssl.SSLContext) -> None:
        super().__init__(target.host, target.port, timeout=READ_SECONDS)
        self._target, self._context = target, context
        self._addresses = addresses[:ADDRESSES_TRIED]
        self.ran_out = False
        self._lock = threading.Lock()

    def connect(self) -> None:
        self._hold(self._first_open())
        if self._target.secure:
            secured = self._context.wrap_socket(
                self.sock, server_hostname=self._target.host, do_handshake_on_connect=False
            )
            self._hold(secured)
            secured.do_handshake()

    @contextlib.contextmanager
    def deadline(self) -> Iterator[None]:
        timer = threading.Timer(WHOLE_SECONDS, self._run_out)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _first_open(self) -> socket.socket:
        for address in self._addresses[:-1]:
            with contextlib.suppress(OSError):
                return socket.create_connection((address, self._target.port), CONNECT_SECONDS)
        return socket.create_connection((self._addresses[-1], self._target.port), CONNECT_SECONDS)

    def _hold(self, opened: socket.socket) -> None:
        with self._lock:
            opened.settimeout(READ_SECONDS)
            self.sock = opened
            if self.ran_out:
                raise TimeoutError

    def _run_out(self) -> None:
        """Whoever reads meanwhile finds the end of the stream."""
        with self._lock:
            self.ran_out = True
            if self.sock is not None:
                with contextlib.suppress(OSError):
                    self.sock.shutdown(socket.SHUT_RDWR)


@cache
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()


def _excerpt(response: http.client.HTTPResponse) -> str:
    """The beginning of what the receiver says; empty where it breaks off."""
    try:
        text = response.read(EXCERPT_BYTES).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return ""
    return _fit(text).strip()


def _fit(text: str) -> str:
    """As PostgreSQL can keep it."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _retry_after(value: str | None) -> float | None:
    """Seconds, from either form that RFC 9110 allows (10.2.3)."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
