"""The worker's threads, seen through the socket of a real gunicorn with the real configuration.

Only the application is another one, small_application.py. Waiting requests say when they began and
end when they may, so that no test depends on how long anything takes.
"""

import contextlib
import http.client
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings

from tests.core.small_application import LARGE
from tests.waiting import PATIENCE_SECONDS, wait_until

APPLICATION = "tests.core.small_application"
THREADS = 2
# Each thread meets it more than once.
OFTEN = 2 * THREADS


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    # Which process answered, where the application did.
    process: int
    is_last: bool


class Client:
    """One connection, and what is sent and read on it."""

    def __init__(self, path: Path) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE_SECONDS)
        self.sock.connect(str(path))
        self._file = self.sock.makefile("rb")

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self.sock.close()

    def send(self, path: str, body: bytes = b"") -> None:
        self.sock.sendall(request(path, body))

    def answer(self) -> Answer:
        """Raises ConnectionError where the connection ends instead."""
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError(f"an answer that begins and ends with {line!r}")
        headers = http.client.parse_headers(self._file)
        length = int(headers["Content-Length"])
        body = self._file.read(length)
        if len(body) < length:
            raise ConnectionError("half an answer")
        process = int(headers.get("X-Process", 0))
        return Answer(int(line.split()[1]), body, process, headers["Connection"] == "close")

    def ask(self, path: str, body: bytes = b"") -> Answer:
        self.send(path, body)
        return self.answer()

    def rest(self) -> bytes:
        """All until the connection ends."""
        return self._file.read()

    @property
    def is_readable(self) -> bool:
        return bool(select.select([self.sock], [], [], 0)[0])


def request(path: str, body: bytes = b"") -> bytes:
    method = "POST" if body else "GET"
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Waiting:
    """A request that has a thread to itself until it is released."""

    def __init__(self, client: Client, folder: Path) -> None:
        self._client, self._folder = client, folder
        client.send(f"/wait?{folder}")

    def wait(self) -> "Waiting":
        wait_until((self._folder / "began").exists, "the beginning of a request")
        return self

    def answer(self) -> Answer:
        (self._folder / "leave").touch()
        return self._client.answer()


class Server:
    """gunicorn in a process of its own; settings as its command line spells them."""

    def __init__(self, folder: Path, **options: int) -> None:
        self._folder = folder
        self.path = folder / "socket"
        self._log = folder / "log"
        self._clients: list[Client] = []
        environ = {
            **os.environ,
            "WEB_BIND": f"unix:{self.path}",
            "WEB_THREADS": str(THREADS),
            "DJANGO_SETTINGS_MODULE": APPLICATION,
        }
        command = [sys.executable, "-m", "gunicorn", "-c", "atelier/gunicorn.py"]
        command += [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        with self._log.open("wb") as log:
            self.master = subprocess.Popen(
                [*command, f"{APPLICATION}:application"],
                cwd=settings.BASE_DIR,
                env=environ,
                stderr=log,
            )
        wait_until(lambda: "Listening at" in self.log or self.master.poll() is not None, "a server")
        assert self.master.poll() is None, self.log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def client(self) -> Client:
        self._clients.append(Client(self.path))
        return self._clients[-1]

    def waiting(self) -> Waiting:
        """A request that has begun when this returns."""
        return self.to_wait().wait()

    def to_wait(self) -> Waiting:
        """A request that may have to wait for a thread first."""
        return Waiting(self.client(), Path(tempfile.mkdtemp(dir=self._folder)))

    def assert_healthy(self) -> None:
        """All threads are there, and none has let an exception through."""
        requests = [self.to_wait() for _ in range(THREADS)]
        assert [one.wait().answer().body for one in requests] == [b"waited"] * THREADS
        assert "Exception in thread" not in self.log
        assert "A connection broke" not in self.log

    def release(self) -> None:
        for client in self._clients:
            client.close()
        self._clients.clear()

    def end(self) -> None:
        self.release()
        # At once, whatever the workers are doing.
        self.master.send_signal(signal.SIGQUIT)
        self.master.wait(PATIENCE_SECONDS)


@pytest.fixture(scope="module")
def shared():
    with tempfile.TemporaryDirectory(prefix="worker-") as folder:
        server = Server(Path(folder))
        yield server
        server.end()


@pytest.fixture
def server(shared):
    """One for all tests that leave it as it was, which each of them proves."""
    yield shared
    shared.release()
    shared.assert_healthy()
    shared.release()


@pytest.fixture
def start():
    """Start a server with settings of its own."""
    with contextlib.ExitStack() as ends:

        def start(**options):
            folder = ends.enter_context(tempfile.TemporaryDirectory(prefix="worker-"))
            server = Server(Path(folder), **options)
            ends.callback(server.end)
            return server

        yield start


class Asking:
    """Clients that ask without a pause: some on one connection, some on a new one each time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._is_over = threading.Event()
        self._pool = ThreadPoolExecutor(4)
        self.processes: set[int] = set()

    def __enter__(self) -> "Asking":
        self._results = [self._pool.submit(self._ask, number % 2 == 0) for number in range(4)]
        return self

    def __exit__(self, *error: object) -> None:
        """Raises what any of them met, and what it means to be not answered."""
        self._is_over.set()
        self._pool.shutdown()
        for result in self._results:
            result.result()

    def wait_for_processes(self, number: int) -> None:
        def have_answered() -> bool:
            return len(self.processes) >= number or any(one.done() for one in self._results)

        wait_until(have_answered, f"answers of {number} processes")

    def _ask(self, is_kept: bool) -> None:
        number = 0
        while not self._is_over.is_set():
            with Client(self._server.path) as client:
                is_last = False
                while not is_last and not self._is_over.is_set():
                    number += 1
                    answer = client.ask(f"/{number}")
                    assert (answer.status, answer.body) == (200, f"/{number}".encode())
                    self.processes.add(answer.process)
                    is_last = answer.is_last or not is_kept


def test_a_connection_serves_many_requests(server):
    client = server.client()
    answers = [client.ask(f"/{number}") for number in range(100)]
    assert [answer.body for answer in answers] == [f"/{number}".encode() for number in range(100)]
    assert not any(answer.is_last for answer in answers)


def test_requests_in_one_packet_are_answered_in_order(server):
    client = server.client()
    client.sock.sendall(request("/first") + request("/read", b"second") + request("/third"))
    assert [client.answer().body for _ in range(3)] == [b"/first", b"second", b"/third"]
    # Half of a request comes with the one before.
    client.sock.sendall(request("/fourth") + request("/fifth")[:10])
    assert client.answer().body == b"/fourth"
    client.sock.sendall(request("/fifth")[10:])
    assert client.answer().body == b"/fifth"


def test_a_slow_request_does_not_hold_up_others(server):
    slow = server.waiting()
    assert server.client().ask("/quick").body == b"/quick"
    clients = [server.client() for _ in range(40)]
    for number, client in enumerate(clients):
        client.send(f"/{number}")
    assert [client.answer().body for client in clients] == [
        f"/{number}".encode() for number in range(40)
    ]
    assert slow.answer().body == b"waited"


def test_requests_wait_for_a_thread_when_all_are_busy(server):
    busy = [server.waiting() for _ in range(THREADS)]
    clients = [server.client() for _ in range(40)]
    for client in clients:
        client.send("/later")
    assert not any(client.is_readable for client in clients)
    assert [one.answer().body for one in busy] == [b"waited"] * THREADS
    assert [client.answer().body for client in clients] == [b"/later"] * 40


def test_a_body_that_nobody_reads_is_not_the_next_request(server):
    client = server.client()
    assert client.ask("/first", request("/inside") * 100).body == b"/first"
    assert client.ask("/second").body == b"/second"
    # It comes after the answer.
    body = request("/inside")
    whole = request("/third", body)
    client.sock.sendall(whole[: -len(body)])
    assert client.answer().body == b"/third"
    client.sock.sendall(body)
    assert client.ask("/fourth").body == b"/fourth"


def test_half_a_request_does_not_hold_up_others(server):
    slow = server.client()
    slow.sock.sendall(request("/slow")[:8])
    others = [server.client() for _ in range(OFTEN)]
    assert [other.ask("/quick").body for other in others] == [b"/quick"] * OFTEN
    slow.sock.sendall(request("/slow")[8:])
    assert slow.answer().body == b"/slow"


def test_a_client_that_leaves_before_its_request_is_whole_does_no_harm(server):
    whole = request("/read", b"body")
    for length in (0, 8, len(whole) - 2):
        for _ in range(OFTEN):
            with Client(server.path) as client:
                client.sock.sendall(whole[:length])


def test_a_client_that_leaves_in_the_middle_of_an_answer_does_no_harm(server):
    for _ in range(OFTEN):
        with Client(server.path) as client:
            client.send("/large")
            assert client.sock.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
    assert len(server.client().ask("/large").body) == LARGE


def test_an_application_that_raises_is_a_500(server):
    for _ in range(OFTEN):
        with Client(server.path) as client:
            answer = client.ask("/fail")
            assert (answer.status, answer.is_last) == (500, True)
            assert client.rest() == b""


def test_an_application_that_raises_in_the_middle_of_its_answer_breaks_it_off(server):
    for _ in range(OFTEN):
        with Client(server.path) as client:
            client.send("/fail-late")
            # Without the chunk that would say that it is whole.
            assert client.rest().endswith(b"\r\n\r\n5\r\nbegun\r\n")


def test_a_malformed_request_is_a_400(server):
    for _ in range(OFTEN):
        with Client(server.path) as client:
            client.sock.sendall(b"GET / HTTP/9.9.9\r\n\r\n")
            answer = client.answer()
            assert (answer.status, answer.is_last) == (400, True)
            assert client.rest() == b""


def test_an_application_that_exits_costs_its_connection_only(start):
    server = start()
    process = server.client().ask("/").process
    for _ in range(OFTEN):
        with Client(server.path) as client:
            client.send("/leave")
            assert client.rest() == b""
    assert "It leaves." in server.log
    requests = [server.to_wait() for _ in range(THREADS)]
    assert [one.wait().answer().process for one in requests] == [process] * THREADS


def test_idle_connections_are_ended_and_busy_ones_are_not(start):
    # A request may also take longer than the time after which a whole process seems to hang.
    server = start(timeout=6, keep_alive=7)
    busy = server.waiting()
    silent, idle = server.client(), server.client()
    assert not idle.ask("/").is_last
    assert (silent.rest(), idle.rest()) == (b"", b"")
    assert busy.answer().body == b"waited"
    server.release()
    server.assert_healthy()


def test_connections_that_are_too_many_wait_for_others_to_end(start):
    server = start(worker_connections=4)
    served = [server.client() for _ in range(4)]
    assert not any(client.ask("/served").is_last for client in served)
    waiting = [server.client() for _ in range(4)]
    for client in waiting:
        client.send("/waiting")
    for client in served:
        assert client.ask("/served").body == b"/served"
    assert not any(client.is_readable for client in waiting)
    for one, other in zip(served, waiting, strict=True):
        one.close()
        assert other.answer().body == b"/waiting"


def test_sigterm_answers_what_is_under_way_and_ends_the_rest(start):
    server = start()
    busy = server.waiting()
    idle, silent, late = (server.client() for _ in range(3))
    for client in (idle, late):
        assert not client.ask("/").is_last
    server.master.terminate()
    # Requests on the connections that it has are still answered, each as the last one.
    wait_until(lambda: late.ask("/late").is_last, "an answer that is the last")
    late.close()
    answer = silent.ask("/first")
    assert (answer.status, answer.body, answer.is_last) == (200, b"/first", True)
    silent.close()
    assert idle.rest() == b""
    idle.close()
    assert not server.path.exists()
    # By now nothing but this request keeps the process.
    assert busy.answer().body == b"waited"
    assert server.master.wait(PATIENCE_SECONDS) == 0
    assert "Traceback" not in server.log


def test_sigterm_does_not_wait_for_a_request_longer_than_graceful_timeout(start):
    server = start(graceful_timeout=1)
    server.waiting()
    server.master.terminate()
    assert server.master.wait(PATIENCE_SECONDS) == 0


def test_sighup_renews_the_worker_and_no_request_fails(start):
    server = start()
    with Asking(server) as asking:
        asking.wait_for_processes(1)
        server.master.send_signal(signal.SIGHUP)
        asking.wait_for_processes(2)
        wait_until(lambda: "Worker exiting" in server.log, "the end of the old worker")
    assert len(asking.processes) == 2
    server.assert_healthy()


def test_a_worker_that_served_its_number_is_renewed_and_no_request_fails(start):
    server = start(max_requests=200, max_requests_jitter=0)
    with Asking(server) as asking:
        asking.wait_for_processes(3)
    assert "Traceback" not in server.log


def test_a_worker_that_hangs_as_a_whole_is_replaced(start):
    server = start(timeout=4)
    hanging = server.client().ask("/").process
    os.kill(hanging, signal.SIGSTOP)
    states = Path(f"/proc/{hanging}/task").glob
    wait_until(
        lambda: all("State:\tT" in state.read_text() for state in states("*/status")),
        "threads that have all stopped",
    )
    client = server.client()
    answer = client.ask("/again")
    assert (answer.status, answer.body) == (200, b"/again")
    assert answer.process != hanging
    server.assert_healthy()
