"""What became of every line of a file, and the file that keeps the rejected ones."""

import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from etl.files import SourceError
from etl.models import ImportFile


class Unaccounted(Exception):
    """The counts of a file do not add up, so nothing of it may be committed."""


@dataclass(slots=True)
class FileReport:
    """lines: physical, with the header; read: records; accepted: rows that may be loaded;
    rejects, repairs: by reason, by kind."""

    name: str
    path: str
    release: str = ""
    encoding: str = ""
    lines: int = 0
    blank: int = 0
    continued: int = 0
    read: int = 0
    accepted: int = 0
    loaded: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    duplicate: int = 0
    absent: int = 0
    deleted: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    repairs: Counter[str] = field(default_factory=Counter)

    @property
    def rejected(self) -> int:
        return self.rejects.total()

    def check_read(self) -> None:
        """Raises Unaccounted unless every line is in exactly one count."""
        if self.lines != 1 + self.blank + self.continued + self.read:
            raise Unaccounted(
                f"{self.name}: {self.lines} lines, but 1 header + {self.blank} blank"
                f" + {self.continued} continued + {self.read} records."
            )
        if self.read != self.accepted + self.duplicate + self.rejected:
            raise Unaccounted(
                f"{self.name}: {self.read} records read, but {self.accepted} accepted"
                f" + {self.duplicate} duplicate + {self.rejected} rejected."
            )

    def check_done(self) -> None:
        """Raises Unaccounted unless every accepted row is in exactly one count."""
        if self.accepted != self.loaded + self.updated + self.unchanged + self.skipped:
            raise Unaccounted(
                f"{self.name}: {self.accepted} rows accepted, but {self.loaded} loaded"
                f" + {self.updated} updated + {self.unchanged} unchanged + {self.skipped} skipped."
            )

    def write_to(self, file: ImportFile) -> None:
        for name in _SAVED:
            setattr(file, name, getattr(self, name))
        file.repairs, file.rejects = dict(self.repairs), dict(self.rejects)

    def read_from(self, file: ImportFile) -> None:
        """Take over what an earlier attempt has counted."""
        for name in _READ:
            setattr(self, name, getattr(file, name))
        self.repairs, self.rejects = Counter(file.repairs), Counter(file.rejects)

    @classmethod
    def of(cls, file: ImportFile) -> Self:
        """The report of a finished file."""
        report = cls(file.name, file.path)
        report.read_from(file)
        for name in _OUTCOMES:
            setattr(report, name, getattr(file, name))
        return report

    def as_dict(self) -> dict[str, Any]:
        return {
            "file": self.name,
            "path": self.path,
            **{name: getattr(self, name) for name in _SAVED},
            "rejects": dict(sorted(self.rejects.items())),
            "repairs": dict(sorted(self.repairs.items())),
        }


_READ = ("release", "encoding", "lines", "blank", "continued", "read", "accepted", "duplicate")
_OUTCOMES = ("loaded", "updated", "unchanged", "skipped", "absent", "deleted")
_SAVED = (*_READ, "rejected", *_OUTCOMES)

COLUMNS = (
    *("file", "read", "loaded", "updated", "unchanged", "skipped"),
    *("duplicate", "rejected", "repaired", "absent", "deleted"),
)


def table(reports: Sequence[FileReport]) -> list[tuple[str, ...]]:
    """The rows of the summary, heading first."""
    rows: list[tuple[str, ...]] = [COLUMNS]
    for report in reports:
        counts = (
            *(report.read, report.loaded, report.updated, report.unchanged, report.skipped),
            *(report.duplicate, report.rejected, report.repairs.total()),
            *(report.absent, report.deleted),
        )
        rows.append((report.name, *(f"{count:,}" for count in counts)))
    return rows


class RejectsFile:
    """A CSV of file, line, column, reason, value and the original line, its bytes untouched.

    Written beside its place, and put there by `finish`, unless nothing was rejected. An earlier
    rejects file is replaced; SourceError for a path that holds anything else. A line too long to be
    one is kept by its first 4096 bytes.
    """

    HEADER = b"file,line,column,reason,value,original\n"

    def __init__(self, path: Path) -> None:
        self.refuse_unusable(path)
        self.path = path
        self.count = 0
        self._partial = path.with_name(f".{path.name}.partial")
        # Rejected lines hold what people wrote, e-mail addresses included.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        self._stream = os.fdopen(os.open(self._partial, flags, 0o640), "wb")
        self._stream.write(self.HEADER)

    def write(
        self, name: str, line: int, column: str, reason: str, value: str, original: bytes
    ) -> None:
        quoted = [text.replace(b'"', b'""') for text in (name.encode(), value.encode(), original)]
        self._stream.write(
            b'"%b",%d,%b,%b,"%b","%b"\n'
            % (quoted[0], line, column.encode(), reason.encode(), quoted[1], quoted[2])
        )
        self.count += 1

    def finish(self) -> None:
        """Bring everything to disk and into place; raises OSError where that cannot be done."""
        if self._stream.closed:
            return
        try:
            with self._stream:
                self._stream.flush()
                os.fsync(self._stream.fileno())
        except OSError:
            self._partial.unlink()
            raise
        if self.count:
            self._partial.replace(self.path)
        else:
            self._partial.unlink()

    @classmethod
    def refuse_unusable(cls, path: Path) -> None:
        """Raises SourceError for a path that cannot be written, or holds something else."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path.parent):
                pass
            is_free = not path.exists() or (path.is_file() and cls._is_one(path))
        except OSError as error:
            raise SourceError(f"{path} cannot be written: {error.strerror}.") from error
        if not is_free:
            raise SourceError(f"{path} is there already and is no rejects file. Name another path.")

    @classmethod
    def _is_one(cls, path: Path) -> bool:
        with path.open("rb") as stream:
            return stream.read(len(cls.HEADER)) == cls.HEADER

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.finish()
            return
        with suppress(OSError):
            self.finish()
