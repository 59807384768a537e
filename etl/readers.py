"""Processes that read large files for an import, one a lane at most.

Python runs one thread at a time, so two lanes that read would wait for each other. A process of its
own, with a session of its own, does all of `staging.fill`, while the lane waits for its account.
"""

import multiprocessing
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from django.db import connection

from etl import reader_process
from etl.keys import IdSet, Known
from etl.models import ImportFile
from etl.report import FileReport
from etl.sources import Source
from etl.staging import Staged

# How often a lane looks up while its reader has nothing to tell.
CHECK_SECONDS = 0.2
# How long a reader may take to do what it is told.
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Order:
    """What a reader is to read; the rest are arguments of `staging.fill`."""

    kind: str
    source: Source
    encoding: str
    identity: str
    wants_accepted: bool
    wants_refused: bool
    file: ImportFile
    is_successor: bool
    known: Mapping[str, Known]
    stores: bool


@dataclass(frozen=True, slots=True)
class Progressed:
    """How far a reader has come: bytes taken from the file, and its account so far."""

    taken: int
    report: FileReport


@dataclass(frozen=True, slots=True)
class Filled:
    """What became of an order. peak_bytes: the most memory that the reader ever took."""

    report: FileReport
    accepted: IdSet | None
    refused: IdSet | None
    file: ImportFile
    peak_bytes: int


class ReaderLost(Exception):
    """A reader has ended, or failed in a way that it could not tell."""


class Readers:
    """The readers of one import. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Reader] = []
        self._peaks: dict[int, int] = {}

    @property
    def peak_bytes(self) -> int:
        """What all of them took at most, together."""
        return sum(self._peaks.values())

    @property
    def has_ready(self) -> bool:
        """Whether one waits for work: in the first seconds a lane had better read by itself."""
        with self._lock:
            return any(reader.is_ready() for reader in self._idle)

    def start(self, count: int) -> None:
        """Start so many, which takes them some seconds, before they are needed."""
        self._idle += [_Reader() for _ in range(count)]

    def close(self) -> None:
        """End those that have nothing to do."""
        with self._lock:
            idle, self._idle = self._idle, []
        for reader in idle:
            reader.end()

    def fill(
        self,
        staged: Staged,
        file: ImportFile,
        *,
        is_successor: bool,
        known: Mapping[str, Known],
        wants_accepted: bool,
        tick: Callable[[Staged], None],
        stores: bool,
    ) -> int:
        """`staging.fill` in another process; `tick` is called here, now and then.

        Raises what that raises, and ReaderLost.
        """
        parents = {column.parent for column in staged.kind.references}
        order = Order(
            kind=staged.kind.name,
            source=staged.source,
            encoding=staged.text.given_encoding,
            identity=staged.identity,
            wants_accepted=wants_accepted,
            wants_refused=staged.refused is not None,
            file=file,
            is_successor=is_successor,
            known={name: known[name] for name in parents},
            stores=stores,
        )
        staged.text.close()
        with self._borrowed() as reader:
            filled = self._wait(reader, order, staged, tick)
            self._peaks[reader.pid] = filled.peak_bytes
        staged.report, staged.file, staged.refused = filled.report, filled.file, filled.refused
        if filled.accepted is not None:
            staged.accepted.take(filled.accepted)
        return staged.report.accepted

    @staticmethod
    def _wait(
        reader: "_Reader", order: Order, staged: Staged, tick: Callable[[Staged], None]
    ) -> Filled:
        def look_up() -> None:
            try:
                tick(staged)
            except Exception:
                reader.stop()
                raise

        try:
            reader.wait_ready(partial(tick, staged))
            reader.told.send(order)
            while True:
                if not reader.told.poll(CHECK_SECONDS):
                    look_up()
                    continue
                told = reader.told.recv()
                if isinstance(told, Filled):
                    return told
                if isinstance(told, BaseException):
                    raise told
                staged.taken, staged.report = told.taken, told.report
                look_up()
        except (EOFError, ConnectionError) as error:
            raise ReaderLost(
                f"The process that read {staged.source.name} {reader.fate()}. Import again with"
                " --resume: files that were read to their end are kept."
            ) from error

    @contextmanager
    def _borrowed(self) -> Iterator["_Reader"]:
        with self._lock:
            self._idle.sort(key=_Reader.is_ready)
            reader = self._idle.pop() if self._idle else None
        reader = reader or _Reader()
        try:
            yield reader
        except BaseException:
            # It may be in the middle of its file.
            reader.end()
            raise
        with self._lock:
            self._idle.append(reader)


class _Reader:
    """A process, and the pipe to it."""

    def __init__(self) -> None:
        # A copy of this process would share its sessions and locks.
        context = multiprocessing.get_context("spawn")
        self.told, given = context.Pipe()
        database = {name: connection.settings_dict[name] for name in ("NAME", "HOST", "PORT")}
        self._process = context.Process(
            target=reader_process.serve, args=(given, database), daemon=True
        )
        # An interrupt of the terminal reaches it too, perhaps before it can say that it minds none.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        given.close()
        self._is_ready = False

    def is_ready(self) -> bool:
        return self._is_ready or self.told.poll()

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def wait_ready(self, check: Callable[[], None]) -> None:
        """Wait for its first word. Raises what `check` raises, which is called meanwhile."""
        while not self._is_ready:
            if self.told.poll(CHECK_SECONDS):
                self.told.recv()
                self._is_ready = True
            else:
                check()

    def stop(self) -> None:
        """Have it store what it has rejected so far, and wait for that, but not for long."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        with suppress(OSError, EOFError):
            self.told.send(None)
            while self.told.poll(max(0.0, deadline - time.monotonic())):
                if not isinstance(self.told.recv(), Progressed):
                    break

    def fate(self) -> str:
        """What became of it, of which nothing was heard any more."""
        self._process.join(PATIENCE_SECONDS)
        code = self._process.exitcode
        if code is not None and code < 0:
            return f"was ended by signal {-code} ({signal.Signals(-code).name})"
        return "has ended"

    def end(self) -> None:
        """End it at once; what it has not committed is undone."""
        self.told.close()
        self._process.terminate()
        self._process.join(PATIENCE_SECONDS)
        # One that somebody has stopped hears nothing else.
        self._process.kill()
        self._process.join()
