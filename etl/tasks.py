"""The steps of an import, done by two lanes at once, each with a database session of its own."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psycopg
from django.db import Error as DatabaseFailure
from django.db import connection

LANES = 2
# Django's errors, and the driver's own, which COPY raises.
DATABASE_FAILURES = (DatabaseFailure, psycopg.Error)
PATIENCE_SECONDS = 10


@dataclass(eq=False, slots=True)
class Task:
    """phase, about: what it is called; `run` does it and answers its number of rows.

    cost: how long it may take, in any unit that all tasks share. Two tasks that use one table never
    run at once: one of them would wait for the other's lock and block its lane.
    """

    phase: str
    about: str
    run: Callable[[], int]
    after: Sequence["Task"] = ()
    uses: frozenset[str] = frozenset()
    cost: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.phase} {self.about}"


@dataclass(frozen=True, slots=True)
class Done:
    """A task that is done. Seconds since the start of the import, and how long it took."""

    phase: str
    about: str
    rows: int
    began: float
    seconds: float


class Stopped(Exception):
    """Another lane has failed, or the command was interrupted; raised by `Lanes.check`."""


@dataclass
class Lanes:
    """Runs tasks; `begin` and `end` are told of each, under a lock."""

    begin: Callable[[Task], None] = lambda task: None
    end: Callable[[Task, Done], None] = lambda task, done: None
    # Settings of every lane's session.
    prepare: Callable[[], None] = lambda: None
    done: list[Done] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._condition = threading.Condition()
        self._began = time.monotonic()
        self._stop = False

    def check(self) -> None:
        """Called now and then by tasks that take long in this process. Raises Stopped."""
        if self._stop:
            raise Stopped

    def run(self, tasks: Sequence[Task]) -> None:
        """Do all of them, each after those it waits for; the longest way to the end goes first.

        Raises the first error of a task, when both lanes have come to rest.
        """
        self._waiting = list(tasks)
        self._running: set[Task] = set()
        self._finished: set[Task] = set()
        self._weights = _weights(tasks)
        self._errors: list[BaseException] = []
        self._sessions: set[object] = set()
        self._stop = False
        lanes = [threading.Thread(target=self._lane, daemon=True) for _ in range(LANES)]
        with _interrupts_noted() as interrupts:
            for lane in lanes:
                lane.start()
            deadline = float("inf")
            while any(lane.is_alive() for lane in lanes):
                lanes[-1].join(0.1)
                lanes[0].join(0.1)
                if interrupts or self._errors:
                    self._cancel()
                if interrupts:
                    # One that waits for standard input cannot be woken; it ends with the process.
                    deadline = min(deadline, time.monotonic() + PATIENCE_SECONDS)
                    if time.monotonic() > deadline:
                        break
        if interrupts:
            raise KeyboardInterrupt
        if self._errors:
            raise self._errors[0]

    def _cancel(self) -> None:
        self._stop = True
        with self._condition:
            self._condition.notify_all()
            sessions = list(self._sessions)
        for session in sessions:
            with suppress(Exception):
                session.cancel_safe(timeout=5)  # type: ignore[attr-defined]

    def _lane(self) -> None:
        try:
            connection.ensure_connection()
            with self._condition:
                self._sessions.add(connection.connection)
            self.prepare()
            while (task := self._take()) is not None:
                self._do(task)
        except Stopped:
            pass
        except BaseException as error:  # the main thread raises it again
            with self._condition:
                if not self._stop:
                    self._errors.append(error)
                self._stop = True
                self._condition.notify_all()
        finally:
            with self._condition:
                self._sessions.discard(connection.connection)
            connection.close()

    def _do(self, task: Task) -> None:
        began = time.monotonic()
        rows = task.run()
        seconds = time.monotonic() - began
        with self._condition:
            self._running.discard(task)
            self._finished.add(task)
            done = Done(task.phase, task.about, rows, began - self._began, seconds)
            self.done.append(done)
            self.end(task, done)
            self._condition.notify_all()

    def _take(self) -> Task | None:
        """The next task that may run; None when there are no more. Waits where all have to."""
        with self._condition:
            while True:
                self.check()
                if not self._waiting:
                    return None
                ready = [task for task in self._waiting if self._is_ready(task)]
                if ready:
                    task = max(ready, key=lambda each: self._weights[each])
                    self._waiting.remove(task)
                    self._running.add(task)
                    self.begin(task)
                    return task
                self._condition.wait()

    def _is_ready(self, task: Task) -> bool:
        return self._finished.issuperset(task.after) and not any(
            task.uses & other.uses for other in self._running
        )


@contextmanager
def _interrupts_noted() -> Iterator[list[int]]:
    """Meanwhile interrupts are noted: raised anywhere, one could leave a lock behind that the lanes
    wait for."""
    noted: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda received, frame: noted.append(received))
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _weights(tasks: Sequence[Task]) -> dict[Task, float]:
    """Of each task, the cost of the longest way from its beginning to the end of all."""
    weights: dict[Task, float] = {}
    for task in reversed(tasks):
        weights[task] = weights.get(task, 0.0) + task.cost
        for earlier in task.after:
            weights[earlier] = max(weights.get(earlier, 0.0), weights[task])
    return weights
