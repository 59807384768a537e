"""Showing how far an import is: a bar on a terminal, a line every few seconds elsewhere."""

import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from django.core.management.base import OutputWrapper
from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bar

from etl.tasks import Done, Task

SECONDS_BETWEEN_LINES = 5.0
SECONDS_BETWEEN_DRAWINGS = 0.2
# Steps that take less are not worth a line.
SHORT_SECONDS = 1.0


class Progress:
    """Told of all steps by `plan`, then of each; `stream` is a command's stderr.

    Its lines hold the share that is done by cost, each running step with its rows and their rate,
    and the time left if the rest goes on at the same speed. May be called by several threads.
    """

    def __init__(self, stream: OutputWrapper | None = None) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._began = self._said = time.monotonic()
        # When each running step was last heard of.
        self._heard: dict[str, float] = {}
        self._total = self._done = 0.0
        # Of the running steps: when they began, the share that is done, and a word about it.
        self._running: dict[str, tuple[Task, float]] = {}
        self._shares: dict[str, float] = {}
        self._notes: dict[str, str] = {}
        self._bar: Bar | None = None
        self._shown: TaskID | None = None
        if stream is not None and stream.isatty():
            self._bar = Bar(
                TextColumn("{task.percentage:>3.0f} %"),
                BarColumn(),
                TextColumn("{task.description}"),
                console=Console(stderr=True),
            )

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
            self._shown = self._bar.add_task("", total=1.0)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def plan(self, tasks: Sequence[Task]) -> None:
        with self._lock:
            self._began = time.monotonic()
            self._total = sum(task.cost for task in tasks)

    def begin(self, task: Task) -> None:
        with self._lock:
            self._running[task.about] = (task, time.monotonic())
            self._draw()

    def end(self, task: Task, done: Done) -> None:
        with self._lock:
            self._running.pop(task.about, None)
            self._shares.pop(task.about, None)
            self._notes.pop(task.about, None)
            self._done += task.cost
            if self._bar is None and (done.rows or done.seconds >= SHORT_SECONDS):
                rows = f", {done.rows:,} rows" if done.rows else ""
                self._write(f"{self._percent()} {task.name}: {done.seconds:.1f} s{rows}")
            self._draw()

    def advance(self, about: str, taken: int, size: int, rows: int) -> None:
        """So many bytes of the running step's file, and records of it, are done. Cheap."""
        now = time.monotonic()
        wait = SECONDS_BETWEEN_LINES if self._bar is None else SECONDS_BETWEEN_DRAWINGS
        # Each running step notes how far it is; whichever comes first writes the line for all.
        if now - self._heard.get(about, 0.0) < wait / 2:
            return
        self._heard[about] = now
        with self._lock:
            _, began = self._running.get(about, (None, now))
            self._shares[about] = min(1.0, taken / size) if size else 0.0
            rate = rows / max(now - began, 0.001)
            share = f"{100 * self._shares[about]:.0f} %, " if size else ""
            self._notes[about] = f" ({share}{rows:,} rows, {rate:,.0f}/s)"
            self._draw()
            if self._bar is None and now - self._said >= SECONDS_BETWEEN_LINES:
                self._said = now
                self._write(f"{self._percent()} {self._description()}")

    def say(self, text: str) -> None:
        """A step outside of the plan."""
        with self._lock:
            if self._bar is None:
                self._write(text)
            elif self._shown is not None:
                self._bar.update(self._shown, description=text)

    def _percent(self) -> str:
        return f"{100 * self._share():3.0f} %"

    def _share(self) -> float:
        begun = sum(
            task.cost * self._shares.get(about, 0.0) for about, (task, _) in self._running.items()
        )
        return min(1.0, (self._done + begun) / self._total) if self._total else 0.0

    def _description(self) -> str:
        steps = ", ".join(
            task.name + self._notes.get(about, "") for about, (task, _) in self._running.items()
        )
        share = self._share()
        if not 0.02 < share < 1.0:
            return steps
        left = (time.monotonic() - self._began) * (1 - share) / share
        return f"{steps}; about {left // 60:.0f} min {left % 60:.0f} s left"

    def _draw(self) -> None:
        if self._bar is not None and self._shown is not None:
            self._said = time.monotonic()
            self._bar.update(self._shown, completed=self._share(), description=self._description())

    def _write(self, text: str) -> None:
        if self._stream is not None:
            self._stream.write(text)
