"""nginx's access log, read while it grows: each line once, however often a test looks."""

import time
from collections import deque
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import orjson

Row = dict[str, Any]

# More than any test asks of a site.
REMEMBERED = 50_000
PATIENCE_SECONDS = 30
POLL_SECONDS = 0.05


class AccessLog:
    """The latest rows of a log."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0
        self._rows: deque[Row] = deque(maxlen=REMEMBERED)

    def wait_for(self, number: int, belongs: Callable[[Row], bool]) -> list[Row]:
        """Those to which this applies, once there are so many: nginx writes within a second or two.

        AssertionError where they do not come.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(found := self.rows(belongs)) < number:
            assert time.monotonic() < deadline, f"{len(found)} of {number} lines in {self._path}"
            time.sleep(POLL_SECONDS)
        return found

    def rows(self, belongs: Callable[[Row], bool]) -> list[Row]:
        """Those to which this applies, oldest first."""
        with self._path.open("rb") as log:
            log.seek(self._position)
            for line in log:
                if not line.endswith(b"\n"):
                    break
                self._position += len(line)
                self._rows.append(orjson.loads(line))
        return [row for row in self._rows if belongs(row)]


@cache
def access_log(folder: Path) -> AccessLog:
    """That of a stack, or of a node, by its folder of logs."""
    return AccessLog(folder / "access.log")
