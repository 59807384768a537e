"""From a line that is not plainly clean to a row, or to the reason why it cannot be one.

Repairs are made only where one reading is certain: the columns' types decide where a field ends
that lost its quote, and two readings of equal merit are a rejection.
"""

import dataclasses
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from etl.columns import Column, Field, Unclean, Value
from etl.lines import MAX_LINE_BYTES

# A record may go on over further lines inside quotes, within these bounds.
MAX_CONTINUATION = 100
# Longer lines are not searched for a reading: the search grows with the square of their commas.
MAX_TOKENS = 60
MAX_MENDED = 8_192
# Of a refused value, characters.
MAX_SHOWN = 100

_FIELD = re.compile(r'[ \t]*"((?:(?>[^"]|""))*+)"[ \t]*(?=,|\Z)|([^",]*+)(?=,|\Z)')
_OPEN_FIELD = re.compile(r'[ \t]*"(?:(?>[^"]|""))*+\Z')


@dataclass(frozen=True, slots=True)
class Row:
    """values: in the file's column order; repairs: codes; lines: physical lines it took."""

    values: list[Value]
    repairs: list[str]
    lines: int = 1

    def as_csv(self, order: Sequence[int]) -> bytes:
        """A line of the values at these places."""
        return (",".join(_csv(self.values[place]) for place in order) + "\n").encode()


@dataclass(frozen=True, slots=True)
class Rejection:
    """`value` is the beginning of what was refused, where it is one field: for people to read."""

    reason: str
    column: str = ""
    value: str = dataclasses.field(default="", compare=False)


Following = Callable[[int], Sequence[bytes]]


class Cleaner:
    """Cleans the records of one file; `columns` in the file's order."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = columns
        one_line = b",".join(column.kind.fast for column in columns)
        # Possessive: a run is matched in one pass, and no line is tried twice.
        self.fast = re.compile(rb"(?:(?>" + one_line + rb"\r?\n))*+")
        self._fields = re.compile(
            rb",".join(rb"(" + column.kind.fast + rb")" for column in columns) + rb"\r?\n"
        )

    def reordered(self, run: bytes, order: Sequence[int]) -> bytes:
        """A run of clean lines with its columns in another order."""
        return self._fields.sub(
            b",".join(b"\\g<%d>" % (place + 1) for place in order) + rb"\n", run
        )

    def clean(self, line: bytes, following: Following) -> Row | Rejection:
        """A row or a rejection of this line; `following(n)` shows the lines after it."""
        repairs = []
        if line.endswith(b"\r"):
            line, repairs = line[:-1], ["crlf"]
        if b"\0" in line:
            return Rejection("nul_byte")
        try:
            text = line.decode()
        except UnicodeDecodeError:
            return Rejection("invalid_utf8")
        fields = split(text)
        if fields is not None:
            return self._typed(fields, repairs)
        # A record that goes on over the next lines comes first: mended, it would lose its end.
        return (
            self._continued(text, following, repairs)
            or self._mend(text, following, repairs)
            or self._hopeless(text)
        )

    def typed(self, text: str) -> Row | Rejection:
        """The row of a whole record without broken quotes, over however many lines."""
        fields = split(text)
        return self._hopeless(text) if fields is None else self._typed(fields, [])

    def _typed(
        self, fields: Sequence[Field], repairs: list[str], lines: int = 1
    ) -> Row | Rejection:
        if len(fields) != len(self.columns):
            return Rejection("wrong_column_count")
        values: list[Value] = []
        repairs = list(repairs)
        for column, field in zip(self.columns, fields, strict=True):
            try:
                value, repair = column.kind.clean(field)
            except Unclean as unclean:
                return Rejection(unclean.reason, column.name, field.text[:MAX_SHOWN])
            values.append(value)
            if repair is not None:
                repairs.append(repair)
        return Row(values, list(dict.fromkeys(repairs)), lines)

    def _mend(self, text: str, following: Following, repairs: list[str]) -> Row | None:
        """The one cheapest reading of a line whose quotes are broken; None without or with two.

        The last line of a file may have been cut off, so an open quote there is not mended.
        """
        tokens = text.split(",")
        if not len(self.columns) <= len(tokens) <= MAX_TOKENS or len(text) > MAX_MENDED:
            return None
        if is_open(text) and not following(1):
            return None
        readings = _Readings(self.columns, tokens).best()
        if len(readings) != 1:
            return None
        row = self._typed([field for field, _ in readings[0]], repairs)
        if isinstance(row, Rejection):
            return None
        mends = [mend for _, mend in readings[0] if mend]
        return Row(row.values, list(dict.fromkeys(mends + row.repairs)))

    def _continued(self, text: str, following: Following, repairs: list[str]) -> Row | None:
        """The record with the lines that follow, where its open quote closes on one of them."""
        if not is_open(text):
            return None
        parts = [text]
        size = len(text)
        for line in following(MAX_CONTINUATION):
            part = _decoded(line)
            size += len(line)
            if part is None or size > MAX_LINE_BYTES or self._is_record(part):
                return None
            parts.append(part)
            if '"' not in part.replace('""', ""):
                continue
            if not is_open("\n".join(parts)):
                fields = split("\n".join(parts))
                break
        else:
            return None
        if fields is None:
            return None
        row = self._typed(fields, [*repairs, "newline_in_field"], lines=len(parts))
        return row if isinstance(row, Row) else None

    def _is_record(self, text: str) -> bool:
        fields = split(text)
        return fields is not None and isinstance(self._typed(fields, []), Row)

    def _hopeless(self, text: str) -> Rejection:
        return Rejection("unclosed_quote" if text.count('"') % 2 else "broken_quotes")


def is_open(text: str) -> bool:
    """Whether the text is well-formed up to a quoted field that does not end."""
    position = 0
    while True:
        match = _FIELD.match(text, position)
        if match is None:
            return _OPEN_FIELD.match(text, position) is not None
        position = match.end() + 1
        if position > len(text):
            return False


def _decoded(line: bytes) -> str | None:
    """The text of a line that may continue a record; None where no text can hold it."""
    try:
        text = line.removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        return None
    # COPY takes a line of these two characters for the end of its data.
    return None if "\0" in text or text == r"\." else text


def split(text: str) -> list[Field] | None:
    """The fields of a well-formed record; None where a quote is out of place."""
    fields = []
    position = 0
    while True:
        match = _FIELD.match(text, position)
        if match is None:
            return None
        quoted, bare = match.groups()
        if quoted is not None:
            fields.append(Field(quoted.replace('""', '"'), quoted=True))
        else:
            fields.append(Field(bare, quoted=False))
        position = match.end()
        if position == len(text):
            return fields
        position += 1


Reading = tuple[tuple[Field, str | None], ...]


class _Readings:
    """The ways to deal a broken line's comma-separated tokens to its columns, cheapest first.

    A well-formed field costs nothing, a field with one mend costs one. Only single fields may be
    joined from several tokens, and those must open with a quote.
    """

    MAX_COST = 2

    def __init__(self, columns: Sequence[Column], tokens: Sequence[str]) -> None:
        self.columns = columns
        self.tokens = tokens
        self._from = lru_cache(maxsize=None)(self._uncached_from)

    def best(self) -> list[Reading]:
        """The readings of the least cost, at most two of them."""
        return self._from(0, 0)[1]

    def _uncached_from(self, column: int, token: int) -> tuple[int, list[Reading]]:
        if column == len(self.columns):
            return (0, [()]) if token == len(self.tokens) else (self.MAX_COST + 1, [])
        least = self.MAX_COST + 1
        readings: list[Reading] = []
        last = len(self.tokens) - (len(self.columns) - column - 1)
        for stop in range(token + 1, last + 1):
            for field, mend in self._fields(column, token, stop):
                cost, rests = self._from(column + 1, stop)
                cost += mend is not None
                if cost > self.MAX_COST or cost > least or not rests:
                    continue
                if cost < least:
                    least, readings = cost, []
                readings += [((field, mend), *rest) for rest in rests]
        return least, readings[:2]

    def _fields(self, column: int, start: int, stop: int) -> list[tuple[Field, str | None]]:
        raw = ",".join(self.tokens[start:stop]).strip(" \t")
        if self.columns[column].kind.sql == "numeric(12,2)":
            # A price may stand behind its column's quoted name; its own rule reads that.
            return [
                pair for pair in [(Field(raw, quoted=False), None)] if self._fits(column, pair[0])
            ]
        fields: list[tuple[Field, str | None]]
        opened, closed = raw.startswith('"'), len(raw) > 1 and raw.endswith('"')
        if not opened:
            if '"' in raw or stop > start + 1:
                return []
            field = Field(raw, quoted=False)
            is_mended = self._repair(column, field) == "unquoted_text"
            fields = [(field, "unquoted_text" if is_mended else None)]
        else:
            inner = raw[1:-1] if closed else raw[1:]
            bare = inner.replace('""', "")
            if '"' in bare and (not closed or '",' in bare or ',"' in bare):
                return []
            mend = "stray_quote" if '"' in bare else None if closed else "missing_quote"
            fields = [(Field(inner.replace('""', '"'), quoted=True), mend)]
        return [pair for pair in fields if self._fits(column, pair[0])]

    def _repair(self, column: int, field: Field) -> str | None:
        """The repair of a field that can be read, if it takes one."""
        try:
            return self.columns[column].kind.clean(field)[1]
        except Unclean:
            return None

    def _fits(self, column: int, field: Field) -> bool:
        try:
            self.columns[column].kind.clean(field)
        except Unclean:
            return False
        return True


def _csv(value: Value) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return str(value)
    return '"' + value.replace('"', '""') + '"'
