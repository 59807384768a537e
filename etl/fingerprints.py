"""What was imported last, as a number of 64 bits for each row, so that a refresh passes over rows
that are as they were.

A stretch holds the numbers of 16,384 neighbouring ids. A row whose number is the same is in its
table as it stands in the file: whoever else changes or deletes it is noted by a trigger
(`TouchedRow`), and its number counts no more. All others are compared by PostgreSQL.
docs/adr/0011-fingerprints.md tells why that is enough.
"""

import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

import numpy as np
import psycopg
from django.db import connection
from django.db.backends.utils import CursorWrapper
from numpy.typing import NDArray

from etl.columns import FIRST_OWN_ID
from etl.keys import Block, Flags, Integers
from etl.models import Fingerprint, TouchedRow

Numbers = NDArray[np.uint64]

STRETCH = 1 << 14
STRETCH_BYTES = 8 * STRETCH
KEPT_STRETCHES = 256
# Ids so far apart, or so far from sorted, that stretches are read more often than this for each
# stretch's worth of rows are not worth it.
READS_A_STRETCH, FREE_READS = 16, 256

STORED = Fingerprint._meta.db_table
TOUCHED = TouchedRow._meta.db_table
# As the id of a touched row: all of its table's.
EVERY_ROW = 0
# As a stretch: what the table had before counts no more.
ANEW = -1


class Fingerprints:
    """Those of one file's rows, while it is read.

    `load` answers the stored stretch of a number. Changed stretches are kept on disk till `save`.
    """

    def __init__(
        self, load: Callable[[int], bytes | None], touched: Integers, *, has_stored: bool
    ) -> None:
        self.has_stored = has_stored
        self._load = load
        self._touched = np.unique(touched)
        self._untidy = {int(stretch) for stretch in np.unique(self._touched // STRETCH)}
        self._kept: OrderedDict[int, Numbers] = OrderedDict()
        self._dirty: set[int] = set()
        # Where each changed stretch was put down last.
        self._places: dict[int, int] = {}
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._rows = self._reads = 0
        self.is_given_up = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._spool.close()

    def known(self, block: Block) -> Flags:
        """Which lines of a block, read by nobody yet, are as they were accepted last time."""
        known = np.zeros(len(block), np.bool_)
        if self.is_given_up or not len(block):
            return known
        ids = block.integers(1)[0][0]
        places = np.flatnonzero((ids > 0) & (ids < FIRST_OWN_ID))
        numbers, ids = block.hashes(places, block.returns()), ids[places]
        for stretch, chosen in self._by_stretch(ids):
            stored = self._stretch(stretch)
            known[places[chosen]] = stored[ids[chosen] % STRETCH] == numbers[chosen]
        return known

    def note(self, block: Block, ids: Integers, rows: Flags) -> Flags:
        """Note these rows of the block; true for those of them that are new or have changed."""
        if self.is_given_up:
            return rows
        places = np.flatnonzero(rows)
        numbers, ids = block.hashes(places), ids[places]
        changed = np.zeros(len(rows), np.bool_)
        for stretch, chosen in self._by_stretch(ids):
            stored = self._stretch(stretch)
            within = ids[chosen] % STRETCH
            differs = stored[within] != numbers[chosen]
            if differs.any():
                stored[within] = numbers[chosen]
                self._dirty.add(stretch)
                changed[places[chosen][differs]] = True
        if self.is_given_up:
            return rows
        return changed

    def _by_stretch(self, ids: Integers) -> Iterator[tuple[int, Flags | slice]]:
        """The stretches of these ids, and which of them are in each."""
        if not len(ids):
            return
        stretches = ids // STRETCH
        self._rows += len(ids)
        low, high = int(stretches.min()), int(stretches.max())
        if low == high:
            yield low, slice(None)
        else:
            for stretch in np.unique(stretches).tolist():
                yield stretch, stretches == stretch
        if self._reads > FREE_READS + READS_A_STRETCH * self._rows // STRETCH:
            self._give_up()

    def save(self, cursor: CursorWrapper, run: int, table: str, *, is_anew: bool) -> None:
        """Store the changed stretches for the run, to count when it is done; anew, without those
        that were there."""
        session = cursor.cursor.connection
        if self.is_given_up:
            self._places = {}
        else:
            self._put_everything_down()
        with psycopg.Cursor(session).copy(
            f"COPY {STORED} (run, table_name, stretch, numbers) FROM STDIN (FORMAT binary)"
        ) as copy:
            copy.set_types(["int8", "text", "int4", "bytea"])
            if is_anew or self.is_given_up:
                copy.write_row((run, table, ANEW, b""))
            for stretch, place in sorted(self._places.items()):
                self._spool.seek(place)
                copy.write_row((run, table, stretch, self._spool.read(STRETCH_BYTES)))

    def _put_everything_down(self) -> None:
        # The numbers of touched rows count no more, whether the file holds the rows or not.
        for stretch in sorted(self._untidy):
            self._stretch(stretch)
        for stretch in list(self._kept):
            self._put_down(stretch)

    def _stretch(self, stretch: int) -> Numbers:
        numbers = self._kept.get(stretch)
        if numbers is not None:
            self._kept.move_to_end(stretch)
            return numbers
        self._reads += 1
        place = self._places.get(stretch)
        if place is not None:
            self._spool.seek(place)
            numbers = np.frombuffer(bytearray(self._spool.read(STRETCH_BYTES)), np.uint64)
        else:
            data = self._load(stretch)
            numbers = np.zeros(STRETCH, np.uint64)
            if data is not None:
                numbers[:] = np.frombuffer(data, np.uint64)
        if stretch in self._untidy:
            self._untidy.discard(stretch)
            low, high = np.searchsorted(
                self._touched, [stretch * STRETCH, (stretch + 1) * STRETCH]
            ).tolist()
            numbers[self._touched[low:high] % STRETCH] = 0
            self._dirty.add(stretch)
        self._kept[stretch] = numbers
        if len(self._kept) > KEPT_STRETCHES:
            self._put_down(next(iter(self._kept)))
        return numbers

    def _put_down(self, stretch: int) -> None:
        numbers = self._kept.pop(stretch)
        if stretch in self._dirty:
            self._dirty.discard(stretch)
            self._spool.seek(0, 2)
            self._places.setdefault(stretch, self._spool.tell())
            self._spool.seek(self._places[stretch])
            self._spool.write(numbers.tobytes())

    def _give_up(self) -> None:
        self.is_given_up = True
        self._kept.clear()
        self._dirty.clear()
        self._places.clear()


def stored_stretch(cursor: CursorWrapper, table: str) -> Callable[[int], bytes | None]:
    """Reads the newest stretch of a finished import."""

    def load(stretch: int) -> bytes | None:
        # Index: fingerprint_by_stretch.
        cursor.execute(
            f"SELECT numbers FROM {STORED} WHERE table_name = %s AND stretch = %s AND run IS NULL"
            " ORDER BY id DESC LIMIT 1",
            [table, stretch],
        )
        row = cursor.fetchone()
        return None if row is None else bytes(row[0])

    return load


def exist(table: str) -> bool:
    """Whether the last import of the table left any, and they still count."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT EXISTS (SELECT FROM {STORED} WHERE table_name = %(table)s AND run IS NULL)"
            f" AND NOT EXISTS (SELECT FROM {TOUCHED} WHERE table_name = %(table)s"
            f" AND row_id = {EVERY_ROW})",
            {"table": table},
        )
        return bool(cursor.fetchone()[0])


def take_touched(cursor: CursorWrapper, table: str, noted: str) -> Integers:
    """The ids of rows touched since the last import; `noted` becomes a table of the entries."""
    cursor.execute(f"DROP TABLE IF EXISTS {noted}")
    cursor.execute(
        f"CREATE UNLOGGED TABLE {noted} AS SELECT id, row_id FROM {TOUCHED} WHERE table_name = %s",
        [table],
    )
    cursor.execute(f"SELECT row_id FROM {noted}")
    return np.fromiter((row[0] for row in cursor.fetchall()), np.int64)


def were_touched(table: str) -> bool:
    """Whether anybody changed or deleted rows of the table after the last import had read it, that
    import's own deletions included."""
    return TouchedRow.objects.filter(table_name=table).exists()


def were_touched_since(table: str, noted: str, *, parents: Sequence[str]) -> bool:
    """Whether others have touched rows of the table since `noted` was made, or perhaps of these
    that it refers to: what an attempt has read may no longer be so."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [noted])
        known = f"SELECT id FROM {noted}" if cursor.fetchone()[0] else "SELECT 0 WHERE false"
        cursor.execute(
            f"SELECT EXISTS (SELECT FROM {TOUCHED} WHERE table_name = %s AND id NOT IN ({known}))"
            f" OR EXISTS (SELECT FROM {TOUCHED} WHERE table_name = ANY(%s)"
            f" AND id > coalesce((SELECT max(id) FROM ({known}) noted), 0))",
            [table, list(parents)],
        )
        return bool(cursor.fetchone()[0])


def count_from_now_on(run: int, table: str, noted: str) -> None:
    """Within the final transaction: what the run has stored counts, and what it knew of touched
    rows is done with."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {STORED} WHERE table_name = %s AND run = %s AND stretch = {ANEW}",
            [table, run],
        )
        if cursor.rowcount:
            cursor.execute(f"DELETE FROM {STORED} WHERE table_name = %s AND run IS NULL", [table])
        cursor.execute(
            f"UPDATE {STORED} SET run = NULL WHERE table_name = %s AND run = %s", [table, run]
        )
        cursor.execute(
            f"DELETE FROM {TOUCHED} touched USING {noted} noted WHERE touched.id = noted.id"
        )


def forget_unfinished(keeping: list[str]) -> None:
    """Drop what runs stored that did not end well, but not that of the tables named."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {STORED} WHERE run IS NOT NULL AND table_name <> ALL(%s)", [keeping]
        )


def forget_older() -> None:
    """Drop the stretches that newer ones have taken the place of."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {STORED} older USING {STORED} newer"
            " WHERE older.table_name = newer.table_name AND older.stretch = newer.stretch"
            " AND older.run IS NULL AND newer.run IS NULL AND older.id < newer.id"
        )


def import_is_writing() -> None:
    """From here to the end of the transaction, updates touch no row."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('atelier.import', 'on', true)")
