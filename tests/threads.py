"""Running the same work on several real connections at once."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import connections

Answer = TypeVar("Answer")


class Crew:
    """Threads that keep a connection each from round to round, and start each round together."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._pool = ThreadPoolExecutor(size)
        self._barrier = threading.Barrier(size)

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *error: object) -> None:
        # One task for each thread: the barrier lets none take two.
        self.run([connections.close_all] * self._size)
        self._pool.shutdown()

    def run(self, tasks: Sequence[Callable[[], Answer]]) -> list[Answer]:
        """Start all at once, wait for all; the answers in order. The first exception is raised."""
        assert len(tasks) == self._size
        futures = [self._pool.submit(self._together, task) for task in tasks]
        return [future.result() for future in futures]

    def _together(self, task: Callable[[], Answer]) -> Answer:
        self._barrier.wait(30)
        return task()


class Aside:
    """One piece of work on a thread and connection of its own, begun at once."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._future: Future[Any] = self._pool.submit(self._work, work)

    def __enter__(self) -> "Aside":
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown()

    @property
    def is_done(self) -> bool:
        return self._future.done()

    def result(self) -> Any:
        return self._future.result(30)

    @staticmethod
    def _work(work: Callable[[], Any]) -> Any:
        try:
            return work()
        finally:
            connections.close_all()
