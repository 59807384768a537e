"""Files on their way into PostgreSQL: each goes into a table of the schema `etl`, of the same name
and with the same columns as the one it is for, in a transaction of its own.

Where the live table is empty that is its successor, which takes its place in the end; otherwise an
unlogged table with the file's columns, to be compared.
"""

import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import IO, Self

import numpy as np
import psycopg
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from etl import fingerprints
from etl.columns import FIRST_OWN_ID, INSTANT, Column
from etl.files import FileKind, SourceError
from etl.fingerprints import Fingerprints
from etl.keys import Flags, IdSet, Integers, Known
from etl.lines import Lines, TooLong
from etl.models import ImportFile, ImportReject
from etl.reading import Contested, Reader, Reject, Repeat, kind_by_header, read_header
from etl.report import FileReport, Unaccounted
from etl.sources import Found, Source, Text, names_of
from etl.tasks import DATABASE_FAILURES

SCHEMA = "etl"
# Lines that are set aside are kept in memory up to here, on disk beyond.
SPOOLED_BYTES = 4 << 20
COPIED_BYTES = 1 << 20
IDS_AT_ONCE = 1 << 16
BLOCKS_AHEAD = 4


@dataclass(slots=True)
class Staged:
    """A file, open behind its header, its columns in its own order, and its account."""

    kind: FileKind
    source: Source
    text: Text
    lines: Lines
    header: bytes
    columns: list[Column]
    report: FileReport
    size: int
    identity: str
    accepted: IdSet = field(default_factory=IdSet)
    # Of rejected lines, where anybody asks.
    refused: IdSet | None = None
    # Bytes of the file that were read.
    taken: int = 0
    # Its line in the record of the run, once it is read.
    file: ImportFile | None = None

    @property
    def table(self) -> str:
        return f"{SCHEMA}.{self.kind.table}"

    @property
    def touched(self) -> str:
        """The table that keeps which touched rows were known when the file was read."""
        return f"{SCHEMA}.touched_{self.kind.table}"


def open_files(
    found: Found,
    wanted: tuple[FileKind, ...],
    encoding: str = "",
    *,
    are_read_twice: bool = False,
) -> list[Staged]:
    """Open every file and read its header; parents come before their children.

    Raises SourceError before anything is touched.
    """
    opened: dict[str, Staged] = {}
    for kind, source in found.files:
        text = Text(source, encoding, is_read_twice=are_read_twice)
        staged = open_file(kind, source, wanted, text)
        other = opened.get(staged.kind.name)
        if other is not None:
            raise SourceError(
                f"{other.source.location} and {source.location} are both {staged.kind.name};"
                " give one."
            )
        opened[staged.kind.name] = staged
    return [opened[kind.name] for kind in wanted if kind.name in opened]


def open_file(
    kind: FileKind | None, source: Source, wanted: tuple[FileKind, ...], text: Text
) -> Staged:
    """Open a file and read its header, which tells of what kind it is where nothing else does."""
    size, identity = source.look()
    lines = Lines(text)
    try:
        header = (lines.line() or b"").rstrip(b"\r")
    except TooLong:
        header = b""
    if not header:
        raise SourceError(f"{source.location} is empty: its first line should be the header.")
    kind = kind or kind_by_header(header, wanted)
    if kind is None:
        raise SourceError(
            f"{source.location}: neither its name nor its header is known. {names_of(wanted)}"
        )
    columns = read_header(kind, header, source.location)
    report = FileReport(kind.name, source.location)
    report.encoding = text.encoding + (", gzip" if text.is_compressed else "")
    report.release = _release(header, columns, lines.peek(1))
    return Staged(kind, source, text, lines, header, columns, report, size, identity)


def _release(header: bytes, columns: list[Column], first: list[bytes]) -> str:
    """Which of the legacy releases wrote it: that of 2020 has blanks in headers, and ISO dates."""
    names = header.decode("utf-8", "replace").split(",")
    if any(name != name.strip() for name in names):
        return "2020"
    if any(name != name.lower() for name in names):
        return "2021"
    place = next((at for at, column in enumerate(columns) if column.kind is INSTANT), None)
    fields = first[0].split(b",") if first else []
    if place is None or place >= len(fields):
        return ""
    return "2021" if fields[place].isdigit() else "2020"


def has_rows(table: str, file: ImportFile) -> bool:
    """Whether a table is there, and has rows where the account of its file has: a crash of the
    server empties those that are not logged."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [table])
        if not cursor.fetchone()[0]:
            return False
        cursor.execute(f"SELECT EXISTS (SELECT FROM {table})")
        return bool(cursor.fetchone()[0]) == bool(file.accepted)


def fill(
    staged: Staged,
    file: ImportFile,
    *,
    is_successor: bool,
    known: Mapping[str, Known],
    tick: Callable[[Staged], None],
    stores: bool = True,
) -> int:
    """Read the whole file into its table, its rejects into theirs, and save its account; the
    number of rows that may be loaded. All of it is there or nothing.

    Where the live table's fingerprints are known, the table gets only rows that are new or have
    changed. New ones are stored for the run unless told otherwise. `tick` is called after every
    block.
    """
    with spooled() as rejects, keeping_rejects(staged, file, rejects):
        _fill(
            staged, file, rejects, is_successor=is_successor, known=known, tick=tick, stores=stores
        )
    staged.file = file
    staged.text.close()
    return staged.report.accepted


def _fill(
    staged: Staged,
    file: ImportFile,
    rejects: IO[bytes],
    *,
    is_successor: bool,
    known: Mapping[str, Known],
    tick: Callable[[Staged], None],
    stores: bool,
) -> None:
    live = staged.kind.table
    with (
        transaction.atomic(),
        connection.cursor() as cursor,
        spooled() as rest,
        ExitStack() as stack,
    ):
        file.save()
        _create(cursor, staged, is_successor=is_successor)
        prints = None
        has_prints = not is_successor and fingerprints.exist(live)
        if stores or has_prints:
            touched = fingerprints.take_touched(cursor, live, staged.touched)
            load = fingerprints.stored_stretch(cursor, live) if has_prints else _nothing
            prints = stack.enter_context(Fingerprints(load, touched, has_stored=has_prints))
        contest = None
        if staged.kind.pair and not is_successor:
            contest = stack.enter_context(LivePairs(cursor, staged, applies=stores))
        reader = Reader(
            staged.kind,
            staged.columns,
            staged.lines,
            staged.report,
            header=staged.header,
            known=known,
            accepted=staged.accepted,
            refused=staged.refused,
            reject=lambda reject: write_reject(rejects, file, reject),
            repeat=lambda repeat: _write_repeat(rest, repeat),
            fingerprints=prints,
            contest=contest,
        )
        # The session is asked for fingerprints, or for pairs, while the file is read.
        copy_rows = _copy_rows_later if has_prints or contest else _copy_rows
        copy_rows(cursor, staged, reader, tick)
        refuse_changed(staged)
        copy_spool(cursor, rejects, COPY_REJECTS)
        _settle_repeats(cursor, staged, file, rest)
        staged.report.check_read()
        if prints and stores:
            prints.save(cursor, file.run_id, live, is_anew=not has_prints)
        staged.report.write_to(file)
        file.save()
        if not is_successor:
            cursor.execute(f"ANALYZE {staged.table}")


@contextmanager
def keeping_rejects(staged: Staged, file: ImportFile, rejects: IO[bytes]) -> Iterator[None]:
    """Where the file cannot be read to its end, what was rejected of it so far is stored, with an
    account of the lines that were decided of."""
    try:
        yield
    except Exception:
        if staged.report.rejected:
            _store_rejects(staged, file, rejects)
        raise


def _store_rejects(staged: Staged, file: ImportFile, rejects: IO[bytes]) -> None:
    staged.report.write_to(file)
    file.read = file.accepted + file.duplicate + file.rejected
    with (
        suppress(*DATABASE_FAILURES, OSError),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        file.save(force_insert=True)
        copy_spool(cursor, rejects, COPY_REJECTS)


def _nothing(stretch: int) -> None:
    """No fingerprint was stored."""


def _create(cursor: CursorWrapper, staged: Staged, *, is_successor: bool) -> None:
    live = staged.kind.table
    if is_successor:
        create_successor(cursor, live)
    else:
        columns = ", ".join(staged.kind.table_columns)
        cursor.execute(
            f"CREATE UNLOGGED TABLE {staged.table} AS SELECT {columns} FROM {live} WHERE false"
        )


def create_successor(cursor: CursorWrapper, live: str) -> None:
    """A table like the live one, but for its keys, indexes, triggers and foreign keys.

    It is left alone by autovacuum, which would read it while it is filled and indexed, until it
    takes the live table's place.
    """
    options = ", ".join([*table_options(cursor, live), "autovacuum_enabled = off"])
    cursor.execute(
        f"CREATE TABLE {SCHEMA}.{live} (LIKE {live} INCLUDING DEFAULTS INCLUDING GENERATED"
        f" INCLUDING IDENTITY INCLUDING CONSTRAINTS INCLUDING STORAGE) WITH ({options})"
    )


def table_options(cursor: CursorWrapper, live: str) -> list[str]:
    """The storage parameters of a live table, as CREATE TABLE takes them, but for the one that
    switches autovacuum off."""
    cursor.execute(
        "SELECT option FROM pg_class, unnest(reloptions) option"
        " WHERE oid = %s::regclass AND option NOT LIKE 'autovacuum_enabled=%%'",
        [live],
    )
    return [row[0] for row in cursor.fetchall()]


def _copy_rows(
    cursor: CursorWrapper, staged: Staged, reader: Reader, tick: Callable[[Staged], None]
) -> None:
    columns = ", ".join(staged.kind.table_columns)
    # Frozen, since the table is of this transaction: nobody has to write its pages once more, be it
    # a vacuum or the first to read them.
    command = f"COPY {staged.table} ({columns}) FROM STDIN (FORMAT csv, NULL 'null', FREEZE)"
    copy_blocks(cursor, command, staged, reader.blocks(), tick)


def copy_blocks(
    cursor: CursorWrapper,
    command: str,
    staged: Staged,
    blocks: Iterator[tuple[bytes, int]],
    tick: Callable[[Staged], None],
) -> None:
    """Hand over blocks of so many rows. Raises Unaccounted where not as many are stored."""
    handed = 0
    writes: deque[Future[None]] = deque()
    with (
        cursor.copy(command) as copy,
        # The server takes a block while the next ones are read.
        ThreadPoolExecutor(max_workers=1) as writer,
    ):
        for block, rows in blocks:
            writes.append(writer.submit(copy.write, block))
            if len(writes) > BLOCKS_AHEAD:
                writes.popleft().result()
            handed += rows
            staged.taken = staged.text.taken
            tick(staged)
        for write in writes:
            write.result()
    _check_stored(staged, handed, cursor.rowcount)


def _copy_rows_later(
    cursor: CursorWrapper, staged: Staged, reader: Reader, tick: Callable[[Staged], None]
) -> None:
    """The same where the session is needed while the file is read; few rows are expected."""
    columns = ", ".join(staged.kind.table_columns)
    handed = 0
    with spooled() as spool:
        for block, rows in reader.blocks():
            spool.write(block)
            handed += rows
            staged.taken = staged.text.taken
            tick(staged)
        copy_spool(
            cursor, spool, f"COPY {staged.table} ({columns}) FROM STDIN (FORMAT csv, NULL 'null')"
        )
    _check_stored(staged, handed, cursor.rowcount)


def _check_stored(staged: Staged, handed: int, stored: int) -> None:
    if stored != handed:
        raise Unaccounted(f"{staged.source.name}: {handed} rows sent, but {stored} stored.")


def refuse_changed(staged: Staged) -> None:
    """Raises SourceError where the file is another since it was opened."""
    if staged.identity and staged.source.look()[1] != staged.identity:
        raise SourceError(f"{staged.source.location} was changed while it was read. Start again.")


@contextmanager
def spooled() -> Iterator[IO[bytes]]:
    with tempfile.SpooledTemporaryFile(max_size=SPOOLED_BYTES) as spool:
        yield spool


COPY_REJECTS = (
    f'COPY {ImportReject._meta.db_table} (file_id, line, "column", reason, value, original)'
    " FROM STDIN (FORMAT csv)"
)


def write_reject(spool: IO[bytes], file: ImportFile, reject: Reject) -> None:
    """Put a rejected line of a saved file aside, for COPY_REJECTS."""
    value = reject.value.replace('"', '""')
    head = f'{file.pk},{reject.line},"{reject.column}",{reject.reason},"{value}",'
    spool.write(head.encode() + _bytea(reject.original) + b"\n")


def _write_repeat(spool: IO[bytes], repeat: Repeat) -> None:
    spool.write(b"%d,%b,%b\n" % (repeat.line, _bytea(repeat.original), repeat.row))


def _bytea(data: bytes) -> bytes:
    return b"\\x" + data.hex().encode()


def copy_spool(cursor: CursorWrapper, spool: IO[bytes], command: str) -> None:
    """Hand over to COPY what was put aside."""
    spool.seek(0)
    with cursor.copy(command) as copy:
        while block := spool.read(COPIED_BYTES):
            copy.write(block)


def _settle_repeats(
    cursor: CursorWrapper, staged: Staged, file: ImportFile, spool: IO[bytes]
) -> None:
    """Of rows with one id the first was accepted; a later one is a duplicate, or contradicts it.

    The first is staged, or stands in the live table as it does in the file.
    """
    if not spool.tell():
        return
    names = staged.kind.table_columns
    columns = ", ".join(names)
    cursor.execute(
        "CREATE TEMPORARY TABLE repeated ON COMMIT DROP AS"
        f" SELECT 0::bigint AS line, ''::bytea AS original, {columns} FROM {staged.table}"
        " WHERE false"
    )
    copy_spool(
        cursor,
        spool,
        f"COPY repeated (line, original, {columns}) FROM STDIN (FORMAT csv, NULL 'null')",
    )
    same = " AND ".join(f"repeated.{name} IS NOT DISTINCT FROM kept.{name}" for name in names)
    cursor.execute(
        f"""
        WITH staged AS (
            SELECT {columns} FROM {staged.table} WHERE id IN (SELECT id FROM repeated)
        ), kept AS (
            SELECT * FROM staged
            UNION ALL
            SELECT {columns} FROM {staged.kind.table}
            WHERE id IN (SELECT id FROM repeated EXCEPT SELECT id FROM staged)
        ), settled AS (
            SELECT line, id, original, ({same}) AS is_same FROM repeated JOIN kept USING (id)
        ), contrary AS (
            INSERT INTO {ImportReject._meta.db_table}
                (file_id, line, "column", reason, value, original)
            SELECT %s, line, 'id', 'conflicting_id', id::text, original
            FROM settled WHERE NOT is_same
            RETURNING 1
        )
        SELECT count(*), count(*) FILTER (WHERE is_same), (SELECT count(*) FROM repeated)
        FROM settled
        """,
        [file.pk],
    )
    settled, duplicate, repeated = cursor.fetchone()
    if settled != repeated:
        raise Unaccounted(f"{staged.source.name}: {repeated} repeated ids, {settled} known ones.")
    staged.report.duplicate += duplicate
    if duplicate < settled:
        staged.report.rejects["conflicting_id"] += settled - duplicate


class LivePairs:
    """The pairs of a table that a file is compared with (etl.reading.Contest). Rows that wait are
    kept in memory or on disk.

    applies: whether rows of the table that differ are changed.
    """

    def __init__(self, cursor: CursorWrapper, staged: Staged, *, applies: bool) -> None:
        self._cursor = cursor
        self._staged = staged
        self._applies = applies
        self._waiting, self._waited = IdSet(), IdSet()
        self._stack = ExitStack()
        self._spool = self._stack.enter_context(spooled())
        kind = staged.kind
        one, other = (kind.columns[kind.position(name)].table_column for name in kind.pair or ())
        # Index: related_by_product, and the primary key.
        self._query = f"""
            SELECT given.place - 1, array_agg(live.id ORDER BY live.id)
            FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[])
                WITH ORDINALITY given (id, one, other, place)
            JOIN {kind.table} live ON live.{one} = given.one AND live.{other} = given.other
            WHERE live.id <> given.id AND NOT EXISTS (
                SELECT FROM {kind.table} own
                WHERE own.id = given.id AND own.{one} = given.one AND own.{other} = given.other
            )
            GROUP BY given.place ORDER BY given.place
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def holders(
        self, ids: Integers, ones: Integers, others: Integers
    ) -> Mapping[int, tuple[int, ...]]:
        if not len(ids):
            return {}
        self._cursor.execute(self._query, [ids.tolist(), ones.tolist(), others.tolist()])
        return {place: tuple(holders) for place, holders in self._cursor.fetchall()}

    def hold(self, contested: Contested) -> None:
        self._waiting.add(np.array([int(contested.row.partition(b",")[0])]))
        fields = (
            contested.line,
            contested.original.hex(),
            contested.row.hex(),
            " ".join(map(str, contested.holders)),
        )
        self._spool.write((",".join(map(str, fields)) + "\n").encode())

    def waiting(self, ids: Integers) -> Flags:
        return self._waiting.contains(ids) | self._waited.contains(ids)

    def held(self) -> Iterator[Contested]:
        self._waited, self._waiting = self._waiting, IdSet()
        waiting, self._spool = self._spool, self._stack.enter_context(spooled())
        waiting.seek(0)
        for text in waiting:
            line, original, row, holders = text.decode().rstrip("\n").split(",")
            yield Contested(
                int(line),
                bytes.fromhex(original),
                bytes.fromhex(row),
                tuple(map(int, holders.split())),
            )

    def stays(self, holder: int) -> bool:
        ids = np.array([holder])
        if holder < FIRST_OWN_ID and self._staged.accepted.contains(ids)[0]:
            # Its new pair is among those of the file.
            return not self._applies
        # What the file does not hold, not even in a line that was rejected, goes where absent rows
        # are deleted.
        refused = self._staged.refused
        return refused is None or holder >= FIRST_OWN_ID or bool(refused.contains(ids)[0])


def stored_ids(table: str) -> Iterator[Integers]:
    """The ids of a table's rows, but for the shop's own, some of them at a time."""
    connection.ensure_connection()
    with (
        transaction.atomic(),
        psycopg.ServerCursor(connection.connection, "stored_ids") as cursor,
    ):
        cursor.itersize = 16
        cursor.execute(
            f"SELECT string_agg(int8send(id), ''::bytea) FROM {table}"
            f" WHERE id < {FIRST_OWN_ID} GROUP BY id / {IDS_AT_ONCE}",
            binary=True,
        )
        for (packed,) in cursor:
            yield np.frombuffer(packed, ">i8").astype(np.int64)


def copy_ids(cursor: CursorWrapper, table: str, ids: Iterator[Integers]) -> None:
    """Fill a table of one column with ids."""
    with spooled() as spool:
        for some in ids:
            spool.write(b"".join(b"%d\n" % number for number in some.tolist()))
        copy_spool(cursor, spool, f"COPY {table} FROM STDIN (FORMAT csv)")
