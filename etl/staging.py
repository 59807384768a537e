"""Reading a file into its staging table, and finding there what one line cannot show.

A staging table has the file's columns and `n`, the ordinal of the row among those staged, by which
a row is traced back to its line.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from django.db import connection
from django.db.backends.utils import CursorWrapper

from etl.cleaning import Cleaner, Rejection, Row
from etl.columns import Column
from etl.files import KINDS, FileKind, SourceError
from etl.lines import Lines, TooLong
from etl.progress import Progress
from etl.report import FileReport, RejectsFile

SCHEMA = "etl"
FETCHED_ROWS = 10_000


@dataclass(slots=True)
class Origins:
    """Which line a staged row came from, kept as the places where the distance changes."""

    ordinals: list[int] = field(default_factory=list)
    distances: list[int] = field(default_factory=list)
    spans: dict[int, int] = field(default_factory=dict)

    def note(self, ordinal: int, line: int) -> None:
        distance = line - ordinal
        if not self.distances or self.distances[-1] != distance:
            self.ordinals.append(ordinal)
            self.distances.append(distance)

    def line_of(self, ordinal: int) -> int:
        return ordinal + self.distances[bisect_right(self.ordinals, ordinal) - 1]


@dataclass(slots=True)
class Staged:
    """A file, its columns in its own order, and its staging table."""

    kind: FileKind
    path: Path
    columns: list[Column]
    report: FileReport
    origins: Origins = field(default_factory=Origins)
    header: bytes = b""

    @property
    def table(self) -> str:
        return f"{SCHEMA}.stage_{self.kind.name}"

    @property
    def rejects_table(self) -> str:
        return f"{SCHEMA}.reject_{self.kind.name}"


def read_header(kind: FileKind, path: Path) -> list[Column]:
    """The file's columns in its order. Raises SourceError naming what is missing or unknown.

    Case, blanks and underscores do not matter: `productId`, ` product_id` and `product_id` are one.
    """
    with path.open("rb") as stream:
        try:
            first = Lines(stream).line()
        except TooLong:
            first = b""
    if not first:
        raise SourceError(f"{path} is empty: its first line should be the header.")
    names = first.decode("utf-8", "replace").rstrip("\r").split(",")
    known = {_plain(column.name): column for column in kind.columns}
    found = [known.get(_plain(name)) for name in names]
    unknown = [name for name, column in zip(names, found, strict=True) if column is None]
    missing = [column.name for column in kind.columns if column not in found]
    plain = [_plain(name) for name in names]
    doubled = sorted({name for name in plain if name and plain.count(name) > 1})
    if unknown or missing or doubled:
        expected = ",".join(column.name for column in kind.columns)
        raise SourceError(
            f"{path}: the header is not that of {kind.name}.csv"
            + (f"; missing: {', '.join(missing)}" if missing else "")
            + (f"; unknown: {', '.join(name[:40] for name in unknown[:12])}" if unknown else "")
            + (f"; more than once: {', '.join(doubled)}" if doubled else "")
            + f". Expected {expected}."
        )
    return [column for column in found if column is not None]


def _plain(name: str) -> str:
    return name.strip().strip('"').strip().lower().replace("_", "")


def stage(staged: Staged, rejects: RejectsFile, progress: Progress) -> None:
    """Read the whole file into its staging table; what cannot be a row goes to the rejects."""
    columns = ", ".join(f"{column.name} {column.kind.sql}" for column in staged.columns)
    names = ", ".join(column.name for column in staged.columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE UNLOGGED TABLE {staged.table}"
            f" (n bigint GENERATED ALWAYS AS IDENTITY (CACHE 1000), {columns})"
        )
        with (
            staged.path.open("rb") as stream,
            cursor.copy(
                f"COPY {staged.table} ({names}) FROM STDIN (FORMAT csv, NULL 'null')"
            ) as copy,
        ):
            for rows in _rows(staged, Lines(stream), rejects):
                copy.write(rows)
                progress.advance(stream.tell(), staged.report.read)
        cursor.execute(f"ANALYZE {staged.table}")


def _rows(staged: Staged, lines: Lines, rejects: RejectsFile) -> Iterator[bytes]:
    """Blocks of clean rows, as CSV. Counts each line, and writes down those it rejects."""
    report, cleaner = staged.report, Cleaner(staged.columns)
    ordinal = 0
    if lines.has_bom:
        report.repairs["bom"] += 1
    staged.header = (lines.line() or b"").rstrip(b"\r")
    while True:
        first = lines.number + 1
        run = lines.run(cleaner.fast)
        if run:
            staged.origins.note(ordinal + 1, first)
            count = lines.number + 1 - first
            ordinal += count
            report.read += count
            yield _without_carriage_returns(run, report)
            continue
        try:
            line = lines.line()
        except TooLong as error:
            report.read += 1
            _reject(staged, rejects, lines.number, Rejection("line_too_long"), error.beginning)
            continue
        if line is None:
            break
        if not line.strip():
            report.blank += 1
            continue
        report.read += 1
        row = _row(staged, cleaner, lines, line)
        if isinstance(row, Rejection):
            _reject(staged, rejects, first, row, line)
            continue
        ordinal += 1
        staged.origins.note(ordinal, first)
        report.repairs.update(row.repairs)
        if row.lines > 1:
            lines.skip(row.lines - 1)
            report.continued += row.lines - 1
            staged.origins.spans[first] = row.lines
        yield row.as_csv()
    report.lines = lines.number


def _without_carriage_returns(run: bytes, report: FileReport) -> bytes:
    if b"\r" not in run:
        return run
    report.repairs["crlf"] += run.count(b"\r\n")
    return run.replace(b"\r\n", b"\n")


def _row(staged: Staged, cleaner: Cleaner, lines: Lines, line: bytes) -> Row | Rejection:
    if line.rstrip(b"\r") == staged.header:
        return Rejection("repeated_header")
    return cleaner.clean(line, lines.peek)


def _reject(
    staged: Staged, rejects: RejectsFile, line: int, rejection: Rejection, original: bytes
) -> None:
    staged.report.rejects[rejection.reason] += 1
    rejects.write(staged.path.name, line, rejection.column, rejection.reason, original)


def check_staged(staged: Staged, parents: Sequence[Staged]) -> None:
    """Take rows out of the staging table that refer to nothing, break the file's rule or repeat
    an id, and note them in the rejects table."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE UNLOGGED TABLE {staged.rejects_table}"
            " (n bigint PRIMARY KEY, column_name text, reason text)"
        )
        if staged.kind.rule:
            _take_out(
                cursor,
                staged,
                f"NOT ({staged.kind.rule})",
                staged.kind.rule_column,
                staged.kind.rule_reason,
            )
        for column in staged.columns:
            if column.parent:
                orphaned = _orphaned(column, parents)
                _take_out(cursor, staged, orphaned, column.name, "missing_parent")
        _take_out_repeated(cursor, staged)
        cursor.execute(f"SELECT reason, count(*) FROM {staged.rejects_table} GROUP BY reason")
        for reason, count in cursor.fetchall():
            if reason == "duplicate":
                staged.report.duplicate += count
            else:
                staged.report.rejects[reason] += count
        cursor.execute(f"DELETE FROM {staged.rejects_table} WHERE reason = 'duplicate'")


def _orphaned(column: Column, parents: Sequence[Staged]) -> str:
    conditions = [f"NOT EXISTS (SELECT FROM {KINDS[column.parent].table} parent"]
    conditions += [
        f"NOT EXISTS (SELECT FROM {parent.table} parent"
        for parent in parents
        if parent.kind.name == column.parent
    ]
    return " AND ".join(f"{each} WHERE parent.id = staged.{column.name})" for each in conditions)


def _take_out(
    cursor: CursorWrapper, staged: Staged, condition: str, column: str, reason: str
) -> None:
    cursor.execute(
        f"""
        WITH gone AS (DELETE FROM {staged.table} staged WHERE {condition} RETURNING staged.n)
        INSERT INTO {staged.rejects_table} SELECT n, %s, %s FROM gone
        """,
        [column, reason],
    )


def _take_out_repeated(cursor: CursorWrapper, staged: Staged) -> None:
    """Of rows with one id the first stays; a later one is a duplicate, or contradicts it."""
    rest = [column.name for column in staged.columns if column.name != "id"]
    same = " AND ".join(f"staged.{name} IS NOT DISTINCT FROM kept.{name}" for name in rest)
    cursor.execute(
        f"""
        WITH repeated AS (
            SELECT id FROM {staged.table} GROUP BY id HAVING count(*) > 1
        ), kept AS (
            SELECT DISTINCT ON (id) * FROM {staged.table} JOIN repeated USING (id) ORDER BY id, n
        ), gone AS (
            DELETE FROM {staged.table} staged USING kept
            WHERE staged.id = kept.id AND staged.n > kept.n
            RETURNING staged.n, ({same}) AS same
        )
        INSERT INTO {staged.rejects_table}
        SELECT n, 'id', CASE WHEN same THEN 'duplicate' ELSE 'conflicting_id' END FROM gone
        """
    )


def write_rejects(staged: Staged, rejects: RejectsFile) -> None:
    """Write down the rows that the checks took out, with their original lines."""
    with staged.path.open("rb") as stream:
        lines = Lines(stream)
        for ordinal, column, reason in _noted(staged):
            number = staged.origins.line_of(ordinal)
            lines.skip(number - 1 - lines.number)
            span = staged.origins.spans.get(number, 1)
            original = b"\n".join((lines.line() or b"") for _ in range(span))
            rejects.write(staged.path.name, number, column, reason, original)


def _noted(staged: Staged) -> Iterator[tuple[int, str, str]]:
    last = 0
    with connection.cursor() as cursor:
        while True:
            cursor.execute(
                f"SELECT n, column_name, reason FROM {staged.rejects_table}"
                f" WHERE n > %s ORDER BY n LIMIT {FETCHED_ROWS}",
                [last],
            )
            rows = cursor.fetchall()
            if not rows:
                return
            yield from rows
            last = rows[-1][0]
