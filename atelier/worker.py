"""gunicorn's threaded worker, whose threads wait for requests themselves.

In `gthread` one thread waits for all connections, hands each request to a pool and gets the
connection back through a pipe, which together takes as long as a short request. Here all threads
wait at one epoll, which wakes a single one of them for a connection that is ready (EPOLLONESHOT);
that thread reads, answers, and puts the connection back. The main thread beats the heart and ends
what has been idle for too long. How a request is read and answered is gunicorn's.
docs/adr/0014-own-worker.md has what was measured.
"""

import os
import select
import socket
import threading
import time
from contextlib import suppress
from typing import Any

from gunicorn.workers import base, gthread  # type: ignore[import-untyped]

ONCE = select.EPOLLIN | select.EPOLLONESHOT
BEAT_SECONDS = 1.0
# While the worker stops.
SHORT_BEAT_SECONDS = 0.05


class _Settings:
    """gunicorn's configuration; what was read once is an attribute, which no longer changes."""

    def __init__(self, configuration: Any) -> None:
        self._configuration = configuration

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._configuration, name)
        setattr(self, name, value)
        return value


class EpollWorker(gthread.ThreadWorker):
    """For plain HTTP/1.1 from a proxy that sends whole requests, which is what nginx does.

    A connection belongs to the thread that epoll has woken for it, until that thread puts it back;
    nobody else reads from it or closes it.
    """

    cfg: Any
    alive: bool

    def init_process(self) -> None:
        self.cfg = _Settings(self.cfg)
        self.poller = select.epoll()
        self._listeners = {listener.fileno(): listener for listener in self.sockets}
        # By number. What has ended stays until another connection has its number: a broken answer
        # closes its socket early, and the number may be another's before its thread knows.
        self._connections: dict[int, gthread.TConn] = {}
        self._open: set[gthread.TConn] = set()
        self._accepting = threading.Lock()
        self._is_listening = True
        # Whether new connections wait, because there are too many or the system has no more.
        self._is_full = False
        base.Worker.init_process(self)

    def run(self) -> None:
        # The master watches a heart from its first beat on.
        self.notify()
        for number, listener in self._listeners.items():
            listener.setblocking(False)
            self.poller.register(number, ONCE)
        for number in range(self.cfg.threads):
            threading.Thread(target=self._work, name=f"request-{number}", daemon=True).start()
        while self.alive and self.is_parent_alive():
            self._beat(BEAT_SECONDS)
            self._end_idle(time.monotonic())
            self._make_room()
        self.alive = False
        # A thread that is accepting is waited for: what it has accepted is to be answered.
        with self._accepting:
            self._is_listening = False
        for number in self._listeners:
            self.poller.unregister(number)
        self._finish()
        for listener in self.sockets:
            listener.close()

    def handle_exit(self, sig: int, frame: Any) -> None:
        self.alive = False

    def handle_quit(self, sig: int, frame: Any) -> None:
        base.Worker.handle_quit(self, sig, frame)

    def _beat(self, seconds: float) -> None:
        """Tell the master that all is well; wait so long, or until a signal comes."""
        self.notify()
        if select.select([self.PIPE[0]], [], [], seconds)[0]:
            os.read(self.PIPE[0], 4096)

    def _finish(self) -> None:
        """Wait for requests that are under way, and for a while for those that are being sent."""
        began = time.monotonic()
        while self._open and time.monotonic() < began + self.cfg.graceful_timeout:
            self._beat(SHORT_BEAT_SECONDS)
            if time.monotonic() > began + gthread.STOP_KEEPALIVE_LINGER:
                self._end_idle(float("inf"))

    def _end_idle(self, now: float) -> None:
        """Let connections that were idle until then seem ended, so that a thread closes them."""
        for connection in list(self._open):
            if connection.timeout is not None and connection.timeout < now:
                connection.timeout = None
                with suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RD)

    def _work(self) -> None:
        while True:
            for number, _ in self.poller.poll(maxevents=1):
                listener = self._listeners.get(number)
                if listener is not None:
                    self._accept(listener)
                else:
                    self._serve(number, self._connections[number])

    def _accept(self, listener: socket.socket) -> None:
        """Take all that wait. A thread is woken again for each of them that sends something."""
        try:
            with self._accepting:
                while self._is_listening and len(self._open) < self.worker_connections:
                    sock, address = listener.accept()
                    connection = gthread.TConn(self.cfg, sock, address, listener.getsockname())
                    connection.data_ready = True
                    self._connections[sock.fileno()] = connection
                    self._open.add(connection)
                    self._put_back(sock.fileno(), connection, self.poller.register)
        except (BlockingIOError, ConnectionAbortedError):
            self._wait_for(listener)
            return
        except OSError:
            self.log.exception("No connection can be accepted.")
        self._is_full = True

    def _serve(self, number: int, connection: gthread.TConn) -> None:
        connection.timeout = None
        is_kept = False
        try:
            is_kept = self.handle(connection)
            # Bytes of the next request that came with this one wake nobody.
            while is_kept and connection.parser.unreader.buf.getvalue():
                is_kept = self.handle(connection)
        except BaseException:
            # Not even an application's sys.exit() may end the thread.
            self.log.exception("A connection broke.")
            is_kept = False
        if is_kept:
            self._put_back(number, connection, self.poller.modify)
            return
        # A broken answer has closed it.
        with suppress(OSError):
            connection.close(graceful=True)
        self._open.discard(connection)
        self._make_room()

    def _put_back(self, number: int, connection: gthread.TConn, watch: Any) -> None:
        connection.set_timeout()
        watch(number, ONCE)

    def _make_room(self) -> None:
        """Accept again, where that had been given up."""
        if self._is_full and len(self._open) < self.worker_connections:
            self._is_full = False
            for listener in self.sockets:
                self._wait_for(listener)

    def _wait_for(self, listener: socket.socket) -> None:
        # A worker that stops no longer listens.
        with suppress(OSError):
            self.poller.modify(listener.fileno(), ONCE)
