"""Showing how far an import is: a bar on a terminal, a line every few seconds elsewhere."""

import time
from types import TracebackType
from typing import Self

from django.core.management.base import OutputWrapper
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

SECONDS_BETWEEN_LINES = 5.0


class Progress:
    """Call `begin` for each step, `advance` within it; `stream` is a command's stderr."""

    def __init__(self, stream: OutputWrapper | None = None) -> None:
        self._stream = stream
        self._label = ""
        self._total = 0
        self._began = self._said = time.monotonic()
        self._bar: Bar | None = None
        if stream is not None and stream.isatty():
            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[note]}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, label: str, total: int = 0) -> None:
        """A new step; `total` in bytes, 0 where it is not known."""
        self._label, self._total = label, total
        self._began = self._said = time.monotonic()
        if self._bar is None:
            self._say(label)
            return
        for task in self._bar.task_ids:
            self._bar.update(task, completed=1, total=1, note="done")
        self._bar.add_task(label, total=total or None, note="")

    def advance(self, done: int, rows: int) -> None:
        """So many bytes and rows of the step are done. Cheap to call often."""
        now = time.monotonic()
        wait = 0.2 if self._bar is not None else SECONDS_BETWEEN_LINES
        if now - self._said < wait:
            return
        self._said = now
        rate = rows / max(now - self._began, 0.001)
        note = f"{rows:,} rows, {rate:,.0f}/s"
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[-1], completed=done, note=note)
        else:
            share = f"{100 * done // self._total} %, " if self._total else ""
            self._say(f"{self._label}: {share}{note}")

    def _say(self, text: str) -> None:
        if self._stream is not None:
            self._stream.write(text)
