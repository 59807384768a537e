"""Writing what was imported as files that import to the same tables."""

import gzip
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from django.db import connection, transaction

from etl.columns import BOOLEAN, FIRST_OWN_ID, FLAG, INSTANT, NULL_PRICE, PRICE, Column
from etl.files import KINDS, FileKind
from etl.sources import ENDINGS

# Kinds whose values stand without quotes in the legacy files.
_BARE_SQL = {"bigint", "integer", "smallint", "boolean", "numeric(12,2)"}


class NotEmptyDirectory(Exception):
    """The directory holds CSV files already."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A file that was written. own: rows of the shop's own, which no file can hold."""

    kind: FileKind
    path: Path
    rows: int
    own: int


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
            rows = _export(kind, path, compresses=compresses)
            cursor.execute(f"SELECT count(*) FROM {kind.table} WHERE id >= {FIRST_OWN_ID}")
            exported.append(Exported(kind, path, rows, cursor.fetchone()[0]))
            told(exported[-1])
    return exported


def _export(kind: FileKind, path: Path, *, compresses: bool) -> int:
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
                for data in copy:
                    stream.write(data)
            rows = int(cursor.rowcount)
        if compresses:
            stream.close()
        stored.flush()
        os.fsync(stored.fileno())
    partial.replace(path)
    return rows


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
