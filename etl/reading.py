"""From a file's lines to blocks of rows that may be loaded as they are, every line accounted for.

A block's rows are clean, refer to rows that are there, and repeat no id. What is not so is handed
out on the way: rejected lines, and rows whose id came before.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

import numpy as np

from etl.cleaning import Cleaner, Rejection
from etl.columns import INSTANT, Column
from etl.files import FileKind, SourceError
from etl.fingerprints import Fingerprints
from etl.keys import (
    Block,
    Flags,
    IdSet,
    Integers,
    Known,
    PairSet,
    paired,
    shared_within,
    spell_instants,
    with_column_respelled,
)
from etl.lines import Lines
from etl.records import Record, Records, Run
from etl.report import FileReport

BLOCK_BYTES = 1 << 19
# Rounds over rows that wait for each other.
MOST_TURNS = 50
_ID = re.compile(rb'[ "]*0*([1-9]\d{0,8})[ "\r]*')


@dataclass(frozen=True, slots=True)
class Reject:
    """A line that cannot be loaded. original: its bytes; value: what was refused of it."""

    line: int
    column: str
    reason: str
    value: str
    original: bytes


@dataclass(frozen=True, slots=True)
class Repeat:
    """A row whose id came before; `row` is the cleaned line."""

    line: int
    original: bytes
    row: bytes


def read_header(kind: FileKind, header: bytes, name: str) -> list[Column]:
    """The file's columns in its order. Raises SourceError naming what is missing or unknown.

    Case, blanks and underscores do not matter: `productId`, ` product_id` and `product_id` are one.
    """
    names = _names(header)
    known = {_plain(column.name): column for column in kind.columns}
    found = [known.get(_plain(name)) for name in names]
    unknown = [name for name, column in zip(names, found, strict=True) if column is None]
    missing = [
        column.name for column in kind.columns if column not in found and not column.is_optional
    ]
    plain = [_plain(name) for name in names]
    doubled = sorted({name for name in plain if name and plain.count(name) > 1})
    if unknown or missing or doubled:
        expected = ",".join(column.name for column in kind.columns)
        raise SourceError(
            f"{name}: the header is not that of {kind.name}.csv"
            + (f"; missing: {', '.join(missing)}" if missing else "")
            + (f"; unknown: {', '.join(name[:40] for name in unknown[:12])}" if unknown else "")
            + (f"; more than once: {', '.join(doubled)}" if doubled else "")
            + f". Expected {expected}."
        )
    return [column for column in found if column is not None]


def kind_by_header(header: bytes, kinds: Sequence[FileKind]) -> FileKind | None:
    """The kind whose columns these are; no two kinds have the same."""
    names = {_plain(name) for name in _names(header)}

    def fits(kind: FileKind) -> bool:
        required = {_plain(column.name) for column in kind.columns if not column.is_optional}
        return required <= names <= {_plain(column.name) for column in kind.columns}

    return next((kind for kind in kinds if fits(kind)), None)


def _names(header: bytes) -> list[str]:
    return header.decode("utf-8", "replace").rstrip("\r").split(",")


def _plain(name: str) -> str:
    return name.strip().strip('"').strip().lower().replace("_", "")


@dataclass(slots=True)
class _Pending:
    """Rows that wait to become a block, and where each of them came from."""

    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    rows: int = 0
    # Where lines follow each other: the first row of each stretch, and its line.
    first_rows: list[int] = field(default_factory=list)
    first_lines: list[int] = field(default_factory=list)
    # The original of a stretch that was changed; of a row by itself, the record.
    originals: dict[int, bytes] = field(default_factory=dict)
    # First rows, and those behind the last, of stretches that are as they were last time.
    known: list[tuple[int, int]] = field(default_factory=list)

    def add(
        self,
        text: bytes,
        rows: int,
        line: int,
        original: bytes | None = None,
        *,
        is_known: bool = False,
    ) -> None:
        if is_known:
            self.known.append((self.rows, self.rows + rows))
        if original is not None:
            self.originals[self.rows] = original
        self.first_rows.append(self.rows)
        self.first_lines.append(line)
        self.parts.append(text)
        self.size += len(text)
        self.rows += rows

    def known_rows(self) -> Flags:
        known = np.zeros(self.rows, np.bool_)
        for start, stop in self.known:
            known[start:stop] = True
        return known

    def origin(self, row: int, block: Block) -> tuple[int, bytes]:
        """The line that a row came from, and its original bytes."""
        stretch = bisect_right(self.first_rows, row) - 1
        first = self.first_rows[stretch]
        line = self.first_lines[stretch] + row - first
        original = self.originals.get(first)
        if original is None:
            return line, block.line(row)
        ends = self.first_rows[stretch + 1 :] or [self.rows]
        if ends[0] - first == 1:
            return line, original
        return line, original.split(b"\n")[row - first]


@dataclass(frozen=True, slots=True)
class Contested:
    """A row whose pair other rows of the table have; `row` is the cleaned line."""

    line: int
    original: bytes
    row: bytes
    holders: tuple[int, ...]


class Contest(Protocol):
    """What a table that is compared says of pairs, and the rows that wait for the file's end."""

    def holders(
        self, ids: Integers, ones: Integers, others: Integers
    ) -> Mapping[int, tuple[int, ...]]:
        """By place, the ids of the table's other rows that have the pair, where the row itself has
        it not already."""

    def hold(self, contested: Contested) -> None: ...

    def held(self) -> Iterator[Contested]:
        """Those that wait, in their order; those held from here on wait for the next call."""

    def waiting(self, ids: Integers) -> Flags:
        """Whose rows wait, or waited when `held` was called last."""

    def stays(self, holder: int) -> bool:
        """Whether that row keeps its pair for all that is decided so far: the file does not change
        it, nor delete it."""


class Reader:
    """Reads the records of one file, whose header `lines` has passed.

    columns: in the file's order; known: the ids that may be referred to, by the kind's name;
    accepted: gets the ids of the rows that may be loaded; refused: those of rejected lines, where
    they are wanted and can be read; `reject` and `repeat` get the others. contest: of a kind with
    pairs, the table that the file is compared with.
    Of accepted rows those are handed out that are new or have changed by their fingerprints: all,
    without them. Lines that are as they were are not even looked at.
    """

    def __init__(
        self,
        kind: FileKind,
        columns: Sequence[Column],
        lines: Lines,
        report: FileReport,
        *,
        header: bytes,
        known: Mapping[str, Known],
        accepted: IdSet,
        refused: IdSet | None,
        reject: Callable[[Reject], None],
        repeat: Callable[[Repeat], None],
        fingerprints: Fingerprints | None = None,
        contest: Contest | None = None,
    ) -> None:
        self._kind = kind
        self._lines = lines
        self._report = report
        self._known = known
        self._accepted = accepted
        self._refused = refused
        self._reject = reject
        self._repeat = repeat
        self._fingerprints = fingerprints
        self._contest = contest
        # The lines that are next, how many came before them, and for each of them how many from
        # it on are as they were last time, or, if negative, are not.
        self._window_begin = 0
        self._runs: list[int] = []
        self._window = Block(b"")
        self._returns = self._window.returns()
        self._cleaner = Cleaner(columns)
        self._records = Records(*(lines, self._cleaner, report), header=header, refuse=self._refuse)
        self._order = [list(columns).index(column) for column in kind.columns]
        self._is_reordered = self._order != sorted(self._order)
        self._instant = next(
            (place for place, column in enumerate(kind.columns) if column.kind is INSTANT), None
        )
        self._digits = 1 + max([0, *(kind.position(column.name) for column in kind.references)])
        self._pairs = PairSet()
        self._pending = _Pending()

    def blocks(self) -> Iterator[tuple[bytes, int]]:
        """Blocks of rows as CSV, the columns in the order of the kind, and their numbers of rows.
        Counts each line in the report."""
        records = self._records
        while not records.at_end:
            if self._pending.size >= BLOCK_BYTES:
                yield self._finish_block()
            if self._looks_back and self._take_known():
                continue
            taken = records.take(self._unknown_bytes())
            if isinstance(taken, Run):
                self._add_run(taken)
            elif taken is not None:
                self._add_record(taken)
        if self._pending.rows:
            yield self._finish_block()
        if self._contest is not None:
            yield from self._settle_contested(self._contest)

    @property
    def _looks_back(self) -> bool:
        # The numbers are those of lines in the order of the kind.
        prints = self._fingerprints
        return prints is not None and prints.has_stored and not self._is_reordered

    def _take_known(self) -> bool:
        """Take the lines that follow and are as they were last time; false where there are none."""
        lines = self._lines
        place = lines.number - self._window_begin
        if place >= len(self._window):
            self._open_window()
            place = 0
        count = self._runs[place] if place < len(self._window) else 0
        if count <= 0:
            return False
        window = self._window
        start = int(window.starts[place])
        stop = int(window.ends[place + count - 1]) + 1
        text = window.data[start:stop]
        first = lines.number + 1
        lines.take(stop - start, count)
        self._report.read += count
        original = None
        returns = int(np.count_nonzero(self._returns[place : place + count]))
        if returns:
            original = text.removesuffix(b"\n")
            self._report.repairs["crlf"] += returns
            text = text.replace(b"\r\n", b"\n")
        self._pending.add(text, count, first, original, is_known=True)
        return True

    def _open_window(self) -> None:
        self._window_begin = self._lines.number
        self._window = Block(self._lines.window())
        self._returns = self._window.returns()
        known = self._fingerprints.known(self._window) if self._fingerprints else None
        self._runs = [] if known is None else _runs(known)

    def _unknown_bytes(self) -> int:
        """How far the lines go that have to be looked at; 0 for all."""
        place = self._lines.number - self._window_begin
        if not self._looks_back or place >= len(self._window):
            return 0
        last = place - self._runs[place] - 1
        return int(self._window.ends[last]) + 1 - int(self._window.starts[place])

    def _add_run(self, run: Run) -> None:
        text = run.text
        if self._is_reordered:
            text = self._cleaner.reordered(text, self._order)
        original = None if text is run.original else run.original.removesuffix(b"\n")
        self._pending.add(text, run.rows, run.first, original)

    def _add_record(self, record: Record) -> None:
        text = record.row.as_csv(self._order)
        if record.row.lines > 1:
            # One row is one line of a block, and clean text holds no NUL.
            text = text[:-1].replace(b"\n", b"\0") + b"\n"
        self._pending.add(text, 1, record.first, record.original)

    def _refuse(self, line: int, rejection: Rejection, original: bytes) -> None:
        self._report.rejects[rejection.reason] += 1
        if self._refused is not None:
            self._refused.add(np.array(self._possible_ids(original), np.int64))
        self._reject(Reject(line, rejection.column, rejection.reason, rejection.value, original))

    def _possible_ids(self, original: bytes) -> list[int]:
        """What may be the id of a line that was rejected, counted from its beginning or from its
        end: quotes and commas may be out of place, and one row too many stays rather than one too
        few."""
        fields = original.split(b",")
        place = self._order[0]
        found = (
            _ID.fullmatch(fields[at])
            for at in {place, place - len(self._order) + len(fields)}
            if 0 <= at < len(fields)
        )
        return [int(match[1]) for match in found if match]

    def _finish_block(self) -> tuple[bytes, int]:
        """The rows that wait, less those that cannot be loaded."""
        pending, self._pending = self._pending, _Pending()
        block = Block(b"".join(pending.parts))
        columns = self._digit_columns(block)
        refused = self._refuse_references(pending, block, columns)
        if self._kind.pair:
            refused |= self._hold_contested(pending, block, columns, self._kind.pair, refused)
            refused |= self._refuse_pairs(pending, block, columns, self._kind.pair, refused)
        repeated = refused.copy()
        repeated[~refused] = self._accepted.add(columns["id"][~refused])
        repeated &= ~refused
        kept = ~(refused | repeated)
        self._report.accepted += int(np.count_nonzero(kept))
        handed = kept
        if self._fingerprints is not None:
            handed = self._fingerprints.note(block, columns["id"], kept & ~pending.known_rows())
        wanted = handed | repeated
        rows = block if wanted.all() else Block(_those(block, wanted))
        text = self._spelled(rows)
        if repeated.any():
            rows = Block(text)
            places = np.cumsum(wanted) - 1
            for row in np.flatnonzero(repeated).tolist():
                line, original = pending.origin(row, block)
                self._repeat(Repeat(line, original, _with_newlines(rows.line(places[row]))))
            text = _those(rows, handed[wanted])
        return _with_newlines(text), int(np.count_nonzero(handed))

    def _spelled(self, block: Block) -> bytes:
        """The rows with instants as PostgreSQL reads them."""
        if self._instant is None or not len(block):
            return block.data
        values, starts = block.integers(self._instant + 1)
        texts = spell_instants(values[-1])
        return with_column_respelled(block, starts[-2], starts[-1] - 1, texts)

    def _refuse_references(
        self, pending: _Pending, block: Block, columns: Mapping[str, Integers]
    ) -> Flags:
        """Rows that refer to nothing, or to the same twice, and are rejected for it."""
        refused = np.zeros(len(block), np.bool_)
        if self._kind.pair:
            one, other = self._kind.pair
            same = columns[one] == columns[other]
            self._refuse_rows(pending, block, same, "self_relation", other, columns[other])
            refused |= same
        for column in self._kind.references:
            ids = columns[column.name]
            orphaned = ~self._known[column.parent].contains(ids) & ~refused
            self._refuse_rows(pending, block, orphaned, "missing_parent", column.name, ids)
            refused |= orphaned
        return refused

    def _hold_contested(
        self,
        pending: _Pending,
        block: Block,
        columns: Mapping[str, Integers],
        pair: tuple[str, str],
        refused: Flags,
    ) -> Flags:
        """Rows whose pair another row of the table has, which the file may still change, and
        further rows with the id of one that waits: they wait for the file's end."""
        held = np.zeros(len(block), np.bool_)
        if self._contest is None:
            return held
        places = np.flatnonzero(~refused & ~pending.known_rows())
        ids, ones, others = (columns[name][places] for name in ("id", *pair))
        found = self._contest.holders(ids, ones, others)
        holders = {int(places[place]): rows for place, rows in found.items()}
        every = columns["id"]
        of_held = np.isin(every, every[list(holders)]) | self._contest.waiting(every)
        waiting: set[int] = set()
        for row in np.flatnonzero(of_held & ~refused).tolist():
            row_id = int(every[row])
            is_repeated = row_id in waiting or bool(self._contest.waiting(every[row : row + 1])[0])
            if row in holders or is_repeated:
                waiting.add(row_id)
                held[row] = True
                line, original = pending.origin(row, block)
                contested = Contested(line, original, block.line(row), holders.get(row, ()))
                self._contest.hold(contested)
        return held

    def _settle_contested(self, contest: Contest) -> Iterator[tuple[bytes, int]]:
        """At the end of the file, the rows that waited, in rounds: each is decided when it is known
        what becomes of those that it waits for. Where all of them wait for each other, the first is
        rejected; after many rounds each of them is."""
        is_stuck = False
        for turn in count():
            is_forced, is_stuck = is_stuck, True
            left: set[int] = set()
            for contested in contest.held():
                row_id = int(contested.row.partition(b",")[0])
                waits = row_id in left or self._waits(contested, contest)
                if waits and not is_forced and turn < MOST_TURNS:
                    left.add(row_id)
                    contest.hold(contested)
                    continue
                is_forced = is_stuck = False
                is_free = not waits and not any(map(contest.stays, contested.holders))
                if self._take(contested, is_free=is_free):
                    yield contested.row + b"\n", 1
            if not left:
                return

    def _waits(self, contested: Contested, contest: Contest) -> bool:
        """Whether a row that may still be accepted has its pair."""
        holders = np.array(contested.holders, np.int64)
        undecided = contest.waiting(holders) & ~self._accepted.contains(holders)
        return bool(undecided.any())

    def _take(self, contested: Contested, *, is_free: bool) -> bool:
        """Accept a row that waited, unless its pair is not free, or its id or its pair is in the
        file already."""
        block = Block(contested.row + b"\n")
        columns = self._digit_columns(block)
        one, other = self._kind.pair or ("", "")
        ids, pairs = columns["id"], paired(columns[one], columns[other])
        if self._accepted.contains(ids)[0]:
            self._repeat(Repeat(contested.line, contested.original, contested.row))
            return False
        if not is_free or self._pairs.contains(pairs)[0]:
            refusal = Rejection("repeated_pair", other, str(columns[other][0]))
            self._refuse(contested.line, refusal, contested.original)
            return False
        self._accepted.add(ids)
        self._pairs.add(pairs)
        self._report.accepted += 1
        if self._fingerprints is not None:
            self._fingerprints.note(block, ids, np.ones(1, np.bool_))
        return True

    def _digit_columns(self, block: Block) -> dict[str, Integers]:
        """The numbers of the columns that stand first, by their names."""
        values, _ = block.integers(self._digits)
        return {column.name: ids for column, ids in zip(self._kind.columns, values, strict=False)}

    def _refuse_pairs(
        self,
        pending: _Pending,
        block: Block,
        columns: Mapping[str, Integers],
        pair: tuple[str, str],
        refused: Flags,
    ) -> Flags:
        """Rows whose pair an accepted row has already, but for those whose id came before too."""
        one, other = pair
        ids, pairs = columns["id"], paired(columns[one], columns[other])
        old_ids, old_pairs = self._accepted.contains(ids), self._pairs.contains(pairs)
        repeated = np.zeros(len(block), np.bool_)
        kept = ~refused
        # One row after the other, where it matters which of them comes first.
        unclear = kept & (old_ids | old_pairs | shared_within(ids) | shared_within(pairs))
        kept_ids: set[int] = set()
        kept_pairs: set[int] = set()
        for row in np.flatnonzero(unclear).tolist():
            row_id, row_pair = int(ids[row]), int(pairs[row])
            if old_ids[row] or row_id in kept_ids:
                kept[row] = False
            elif old_pairs[row] or row_pair in kept_pairs:
                repeated[row] = True
            else:
                kept_ids.add(row_id)
                kept_pairs.add(row_pair)
        self._pairs.add(pairs[kept & ~repeated])
        self._refuse_rows(pending, block, repeated, "repeated_pair", other, columns[other])
        return repeated

    def _refuse_rows(
        self, pending: _Pending, block: Block, flags: Flags, reason: str, column: str, ids: Integers
    ) -> None:
        for row in np.flatnonzero(flags).tolist():
            line, original = pending.origin(row, block)
            self._refuse(line, Rejection(reason, column, str(ids[row])), original)


def _runs(flags: Flags) -> list[int]:
    """For each place, how many like it follow from there on, itself included; negative where it is
    false."""
    edges = np.flatnonzero(flags[1:] != flags[:-1]) + 1
    bounds = np.concatenate(([0], edges, [len(flags)]))
    stops = np.repeat(bounds[1:], np.diff(bounds))
    lengths = stops - np.arange(len(flags))
    runs: list[int] = np.where(flags, lengths, -lengths).tolist()
    return runs


def _those(block: Block, rows: Flags) -> bytes:
    """Some lines of the block, cut out or left over, whichever are fewer cuts."""
    count = int(np.count_nonzero(rows))
    if count == len(block):
        return block.data
    if 2 * count < len(block):
        return b"".join(block.line(row) + b"\n" for row in np.flatnonzero(rows).tolist())
    parts, start = [], 0
    for row in np.flatnonzero(~rows).tolist():
        parts.append(block.data[start : block.starts[row]])
        start = block.ends[row] + 1
    parts.append(block.data[start:])
    return b"".join(parts)


def _with_newlines(text: bytes) -> bytes:
    return text.replace(b"\0", b"\n") if b"\0" in text else text
