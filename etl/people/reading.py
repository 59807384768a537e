"""From lines of accounts or profiles to a staging table: every line accounted for, every value as
PostgreSQL reads it, and the canonical spellings beside it. Whom a row refers to, and who else has
its keys, is settled later.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Protocol
from uuid import UUID

import numpy as np
from django.db import connection, transaction

from etl.cleaning import MAX_SHOWN, Cleaner, Rejection, Row
from etl.columns import Column, Value
from etl.files import SourceError
from etl.lines import Lines, Stream
from etl.models import ImportFile
from etl.people.files import People
from etl.reading import Reject
from etl.records import Record, Records, Run
from etl.staging import (
    COPY_REJECTS,
    Staged,
    copy_blocks,
    copy_spool,
    keeping_rejects,
    refuse_changed,
    spooled,
    write_reject,
)
from users.identities import InvalidEmail, InvalidMobile, canonical_email, canonical_mobile
from users.models import DEFAULT_TENANT
from users.terms import search_columns

BLOCK_BYTES = 1 << 19


class Derive(Protocol):
    """Makes the derived columns of a row, as CSV that ends in a comma, of the texts of others."""

    sources: tuple[str, ...]

    def __call__(self, *texts: str) -> bytes | Rejection: ...


class Nothing:
    """An account has no derived columns."""

    sources: tuple[str, ...] = ()

    def __call__(self, *texts: str) -> bytes:
        return b""


class ProfileKeys:
    """A profile's tenant, by its name, what identifies the person within it, and what the profile
    is found by."""

    sources: tuple[str, ...] = (
        *("tenant", "email_id", "mobile", "country_id"),
        *("full_name", "city_id"),
    )

    def __init__(self, tenants: Mapping[str, UUID]) -> None:
        self._tenants = {name: str(tenant) for name, tenant in tenants.items()}

    def __call__(self, *texts: str) -> bytes | Rejection:
        tenant, email, mobile, country, full_name, city = texts
        tenant_id = self._tenants.get(tenant or DEFAULT_TENANT)
        if tenant_id is None:
            return Rejection("unknown_tenant", "tenant", tenant[:MAX_SHOWN])
        try:
            email_key = canonical_email(email)
        except InvalidEmail:
            return Rejection("bad_email", "email_id", email[:MAX_SHOWN])
        try:
            mobile_key = canonical_mobile(mobile, country)
        except InvalidMobile:
            return Rejection("bad_mobile", "mobile", mobile[:MAX_SHOWN])
        found = search_columns(
            full_name=full_name,
            email_key=email_key,
            mobile=mobile,
            mobile_key=mobile_key,
            city=city,
            country=country,
        )
        spelled = (email_key, found["name_key"], found["search_words"])
        email_key, name_key, words = (
            text.replace('"', '""') if '"' in text else text for text in spelled
        )
        return f'{tenant_id},"{email_key}",{mobile_key or ""},"{name_key}","{words}",'.encode()


def stage(
    staged: Staged,
    file: ImportFile,
    people: People,
    derive: Derive,
    tick: Callable[[Staged], None],
) -> int:
    """Read the whole file into its staging table, its rejects into theirs, and save its account;
    the number of rows. All of it is there or nothing. `tick` is called after every block."""
    columns = [name for name, _ in people.derived]
    columns += [column.table_column for column in staged.columns]
    command = (
        f"COPY {people.staged} (line, span, {', '.join(columns)}) FROM STDIN (FORMAT csv, NULL '')"
    )
    with (
        spooled() as rejects,
        keeping_rejects(staged, file, rejects),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        file.save()
        typed = ", ".join(f"{name} {sql}" for name, sql in people.columns())
        cursor.execute(
            f"CREATE UNLOGGED TABLE {people.staged} (line bigint, span smallint, {typed})"
        )
        reader = Reader(staged, derive, lambda reject: write_reject(rejects, file, reject))
        copy_blocks(cursor, command, staged, reader.blocks(), tick)
        refuse_changed(staged)
        copy_spool(cursor, rejects, COPY_REJECTS)
        staged.report.check_read()
        staged.report.write_to(file)
        file.save()
        cursor.execute(f"ANALYZE {people.staged}")
    staged.file = file
    staged.text.close()
    return staged.report.accepted


class Reader:
    """Reads the records of one file, whose header is passed; `reject` gets those that are bad."""

    def __init__(self, staged: Staged, derive: Derive, reject: Callable[[Reject], None]) -> None:
        self._report = staged.report
        self._derive = derive
        self._reject = reject
        self._records = Records(
            *(staged.lines, Cleaner(staged.columns), staged.report),
            header=staged.header,
            refuse=self._refuse,
        )
        names = [column.name for column in staged.columns]
        # Of what the derived columns are made: their places in the file, and among those found.
        self._wanted = [names.index(name) if name in names else None for name in derive.sources]
        places = sorted(place for place in self._wanted if place is not None)
        self._found = [None if place is None else places.index(place) for place in self._wanted]
        self._finder = _finder(staged.columns, set(places)) if places else None
        self._parts: list[bytes] = []
        self._size = 0

    def blocks(self) -> Iterator[tuple[bytes, int]]:
        """Blocks of rows as CSV, line and span first, and their numbers of rows."""
        while not self._records.at_end:
            if self._size >= BLOCK_BYTES:
                yield self._finish_block()
            taken = self._records.take(BLOCK_BYTES)
            if isinstance(taken, Run):
                self._add_run(taken)
            elif taken is not None:
                self._add_record(taken)
        if self._parts:
            yield self._finish_block()

    def _finish_block(self) -> tuple[bytes, int]:
        parts, self._parts, self._size = self._parts, [], 0
        self._report.accepted += len(parts)
        return b"".join(parts), len(parts)

    def _add_run(self, run: Run) -> None:
        """Clean lines: they go to PostgreSQL as they stand."""
        lines = run.text.split(b"\n")
        del lines[-1]
        self._size += len(run.text)
        if self._finder is None:
            self._parts += [b"%d,1,%b\n" % numbered for numbered in zip(count(run.first), lines)]
            return
        originals = lines if run.text is run.original else run.original.split(b"\n")
        derive, add, places = self._derive, self._parts.append, self._found
        found_in = self._finder.findall(run.text)
        for row, (line, found) in enumerate(zip(lines, found_in, strict=True)):
            texts = ["" if place is None else _text(found[place]) for place in places]
            derived = derive(*texts)
            if isinstance(derived, bytes):
                add(b"%d,1,%b%b\n" % (run.first + row, derived, line))
            else:
                self._refuse(run.first + row, derived, originals[row])

    def _add_record(self, record: Record) -> None:
        row = record.row
        derived = self._derived(row)
        if isinstance(derived, Rejection):
            self._refuse(record.first, derived, record.original)
            return
        values = ",".join(map(_csv, row.values)).encode()
        self._parts.append(b"%d,%d,%b%b\n" % (record.first, row.lines, derived, values))
        self._size += len(values)

    def _derived(self, row: Row) -> bytes | Rejection:
        values = [None if place is None else row.values[place] for place in self._wanted]
        return self._derive(*("" if value is None else str(value) for value in values))

    def _refuse(self, line: int, rejection: Rejection, original: bytes) -> None:
        self._report.rejects[rejection.reason] += 1
        self._reject(Reject(line, rejection.column, rejection.reason, rejection.value, original))


def originals(stream: Stream, wanted: Iterator[tuple[int, int]]) -> Iterator[bytes]:
    """The records that begin at these lines, in ascending order, and are so many lines long.

    Raises SourceError where the stream ends before them.
    """
    lines = Lines(stream)
    for first, span in wanted:
        while (left := first - 1 - lines.number) > 0:
            window = lines.window()
            if not window:
                before = lines.number
                lines.skip(1)
                if lines.number == before:
                    raise SourceError("A file has lost lines since it was read. Start again.")
                continue
            ends = np.flatnonzero(np.frombuffer(window, np.uint8) == ord("\n"))
            taken = min(left, len(ends))
            lines.take(int(ends[taken - 1]) + 1, taken)
        yield b"\n".join(lines.peek(span))


def _finder(columns: list[Column], places: set[int]) -> re.Pattern[bytes]:
    """Finds the fields at these places in each line of a run of clean ones."""
    parts = [
        b"(" + column.kind.fast + b")" if place in places else column.kind.fast
        for place, column in enumerate(columns)
    ]
    return re.compile(b",".join(parts) + rb"\r?\n")


def _text(field: bytes) -> str:
    if field[:1] == b'"':
        field = field[1:-1].replace(b'""', b'"')
    return field.decode()


def _csv(value: Value) -> str:
    if value is None:
        return ""
    return '"' + value.replace('"', '""') + '"' if isinstance(value, str) else str(value)
