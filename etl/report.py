"""What became of every line of a file, and the file that keeps the rejected ones."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self


class Unaccounted(Exception):
    """The counts of a file do not add up, so nothing of it may be committed."""


@dataclass(slots=True)
class FileReport:
    """lines: physical, with the header; read: records; rejects, repairs: by reason, by kind."""

    name: str
    path: Path
    lines: int = 0
    blank: int = 0
    continued: int = 0
    read: int = 0
    loaded: int = 0
    updated: int = 0
    unchanged: int = 0
    duplicate: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    repairs: Counter[str] = field(default_factory=Counter)

    @property
    def rejected(self) -> int:
        return self.rejects.total()

    def check(self) -> None:
        """Raises Unaccounted unless every line is in exactly one count."""
        if self.lines != 1 + self.blank + self.continued + self.read:
            raise Unaccounted(
                f"{self.name}: {self.lines} lines, but 1 header + {self.blank} blank"
                f" + {self.continued} continued + {self.read} records."
            )
        counted = self.loaded + self.updated + self.unchanged + self.duplicate + self.rejected
        if self.read != counted:
            raise Unaccounted(
                f"{self.name}: {self.read} records read, but {self.loaded} loaded"
                f" + {self.updated} updated + {self.unchanged} unchanged"
                f" + {self.duplicate} duplicate + {self.rejected} rejected."
            )


COLUMNS = ("file", "read", "loaded", "updated", "unchanged", "duplicate", "rejected", "repaired")


def table(reports: Sequence[FileReport]) -> list[tuple[str, ...]]:
    """The rows of the summary, heading first."""
    rows: list[tuple[str, ...]] = [COLUMNS]
    for report in reports:
        counts = (
            report.read,
            report.loaded,
            report.updated,
            report.unchanged,
            report.duplicate,
            report.rejected,
            report.repairs.total(),
        )
        rows.append((report.name, *(f"{count:,}" for count in counts)))
    return rows


class RejectsFile:
    """A CSV of file, line, column, reason and the original line, its bytes untouched.

    Opened at once, so that a path that cannot be written fails early; removed again on leaving
    where nothing was rejected. A line too long to be one is kept by its first 4096 bytes.
    """

    HEADER = b"file,line,column,reason,original\n"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        # Rejected lines hold what people wrote, e-mail addresses included.
        self._stream = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640), "wb")
        self._stream.write(self.HEADER)

    def write(self, name: str, line: int, column: str, reason: str, original: bytes) -> None:
        quoted = original.replace(b'"', b'""')
        self._stream.write(f"{name},{line},{column},{reason},".encode() + b'"' + quoted + b'"\n')
        self.count += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.close()
        if self.count == 0:
            self.path.unlink()
