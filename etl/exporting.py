"""Writing what was imported as files that import to the same tables.

Staff may have entered what no file can bring back. Each row is read as an import would read it, and
those that would come back otherwise, or not at all, are counted and named.
"""

import gzip
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, cast

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from etl.cleaning import Cleaner, Row
from etl.columns import BOOLEAN, FIRST_OWN_ID, FLAG, INSTANT, NULL_PRICE, PRICE, Column
from etl.files import KINDS, FileKind
from etl.lines import MAX_LINE_BYTES
from etl.sources import ENDINGS

# How many ids of a file's rows are named.
SHOWN_IDS = 5
ROWS_AT_ONCE = 4096
# Kinds whose values stand without quotes in the legacy files.
_BARE_SQL = {"bigint", "integer", "smallint", "boolean", "numeric(12,2)"}


class NotEmptyDirectory(Exception):
    """The directory holds CSV files already."""


@dataclass(slots=True)
class Unfaithful:
    """Rows that no import would bring back as they are; the ids of some of them."""

    count: int = 0
    ids: list[int] = field(default_factory=list)

    def add(self, row_id: int) -> None:
        self.count += 1
        if len(self.ids) < SHOWN_IDS:
            self.ids.append(row_id)


@dataclass(frozen=True, slots=True)
class Exported:
    """A file that was written. own: rows of the shop's own, which no file can hold."""

    kind: FileKind
    path: Path
    rows: int
    own: int
    unfaithful: Unfaithful


def export_dataset(
    directory: Path,
    *,
    compresses: bool = False,
    overwrites: bool = False,
    told: Callable[[Exported], None] = lambda exported: None,
) -> list[Exported]:
    """Write every file, all of one moment, in the legacy shape and in the order of the ids.

    Each appears whole or not at all. Raises NotEmptyDirectory unless told to overwrite; OSError.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if not overwrites and any(path.name.endswith(ENDINGS) for path in directory.iterdir()):
        raise NotEmptyDirectory(f"{directory} holds CSV files already.")
    exported = []
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute("SET LOCAL statement_timeout = 0")
        for kind in KINDS.values():
            path = directory / f"{kind.name}.csv{'.gz' if compresses else ''}"
            unfaithful = _finer_than_milliseconds(cursor, kind)
            rows = _export(kind, path, unfaithful, compresses=compresses)
            cursor.execute(f"SELECT count(*) FROM {kind.table} WHERE id >= {FIRST_OWN_ID}")
            exported.append(Exported(kind, path, rows, cursor.fetchone()[0], unfaithful))
            told(exported[-1])
    return exported


def _finer_than_milliseconds(cursor: CursorWrapper, kind: FileKind) -> Unfaithful:
    """Rows with an instant that the files cannot spell."""
    found = Unfaithful()
    for column in kind.columns:
        if column.kind is INSTANT:
            name = column.table_column
            cursor.execute(
                f"SELECT id FROM {kind.table} WHERE id < {FIRST_OWN_ID}"
                f" AND date_trunc('milliseconds', {name}) <> {name} ORDER BY id"
            )
            for (row_id,) in cursor.fetchall():
                found.add(row_id)
    return found


def _check(cleaner: Cleaner, rows: list[bytes], unfaithful: Unfaithful) -> None:
    """Count the rows that an import would not read as they were written."""
    if _are_clean(cleaner, rows):
        return
    for row in rows:
        if not _are_clean(cleaner, [row]) and not _is_faithful(cleaner, row):
            unfaithful.add(int(row.partition(b",")[0]))


def _are_clean(cleaner: Cleaner, rows: list[bytes]) -> bool:
    return max(map(len, rows)) <= MAX_LINE_BYTES and bool(cleaner.fast.fullmatch(b"".join(rows)))


def _is_faithful(cleaner: Cleaner, row: bytes) -> bool:
    lines = row.removesuffix(b"\n").split(b"\n")
    if any(len(line) > MAX_LINE_BYTES for line in lines):
        return False
    read = cleaner.clean(lines[0], lambda count: lines[1 : 1 + count])
    written = cleaner.typed(b"\n".join(lines).decode())
    return (
        isinstance(read, Row)
        and isinstance(written, Row)
        and read.values == written.values
        # A text of several lines is counted wherever it is read; anything else is a change.
        and set(read.repairs) <= {"newline_in_field"}
    )


def _export(kind: FileKind, path: Path, unfaithful: Unfaithful, *, compresses: bool) -> int:
    cleaner = Cleaner(kind.columns)
    partial = path.with_name(f".{path.name}.partial")
    # Reviews hold e-mail addresses.
    stored = os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640), "wb")
    with stored:
        stream: IO[bytes] = stored
        if compresses:
            stream = cast(IO[bytes], gzip.GzipFile(fileobj=stored, mode="wb", filename="", mtime=0))
        stream.write(",".join(column.name for column in kind.columns).encode() + b"\n")
        with connection.cursor() as cursor:
            with cursor.copy(_copy_out(kind)) as copy:
                # The server sends a row at a time.
                rows = map(bytes, copy)
                while some := list(islice(rows, ROWS_AT_ONCE)):
                    stream.write(b"".join(some))
                    _check(cleaner, some, unfaithful)
            count = int(cursor.rowcount)
        if compresses:
            stream.close()
        stored.flush()
        os.fsync(stored.fileno())
    partial.replace(path)
    return count


def _copy_out(kind: FileKind) -> str:
    values = ", ".join(f"{_spelled(column)} AS {column.name}" for column in kind.columns)
    quoted = ", ".join(column.name for column in kind.columns if column.kind.sql not in _BARE_SQL)
    forced = f", FORCE_QUOTE ({quoted})" if quoted else ""
    return (
        f"COPY (SELECT {values} FROM {kind.table} WHERE id < {FIRST_OWN_ID} ORDER BY id)"
        f" TO STDOUT (FORMAT csv, NULL 'null'{forced})"
    )


def _spelled(column: Column) -> str:
    """SQL that spells a value as the legacy files do, so that it is read without repair."""
    name = column.table_column
    if column.kind is INSTANT:
        return f"(extract(epoch FROM {name}) * 1000)::bigint"
    if column.kind in {PRICE, NULL_PRICE}:
        return f"CASE WHEN {name} = trunc({name}) THEN trunc({name}) ELSE {name} END"
    if column.kind is FLAG:
        return f"{name}::integer"
    if column.kind is BOOLEAN:
        return f"CASE WHEN {name} THEN 'true' ELSE 'false' END"
    return name
