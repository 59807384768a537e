"""Ways to spoil one line: small functions from a clean line to the bytes of a dirty one."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from etl.dataset.layout import COLUMNS, header

FIELD = re.compile(rb'(?:^|,)("(?:[^"]|"")*"|[^,"]*)')
BETWEEN_WORDS = re.compile(rb"(?<=[a-z]) (?=[a-z])")
PLAIN_TEXT = b'"Fits well and looks just as good as it does in the picture"'


@dataclass(slots=True)
class Line:
    """A clean line taken apart, and what a spoiler may want to know besides.

    `fields` are raw: quoted text keeps its quotes. `serial` is different for every
    spoiled line of a file.
    """

    name: str
    fields: list[bytes]
    serial: int
    rng: random.Random

    @classmethod
    def parse(cls, name: str, line: bytes, serial: int, rng: random.Random) -> "Line":
        return cls(name, FIELD.findall(line), serial, rng)

    def __getitem__(self, column: str) -> bytes:
        return self.fields[COLUMNS[self.name].index(column)]

    def __setitem__(self, column: str, value: bytes) -> None:
        self.fields[COLUMNS[self.name].index(column)] = value

    def joined(self) -> bytes:
        return b",".join(self.fields)

    def text(self, column: str) -> bytes:
        """The field as quoted text of a few plain words, without quotes inside."""
        value = b'"' + self[column][1:-1].replace(b'""', b"") + b'"'
        return value if len(BETWEEN_WORDS.findall(value)) > 2 else PLAIN_TEXT


Spoil = Callable[[Line], bytes]


def rewritten(column: str, form: Callable[[bytes], bytes]) -> Spoil:
    """The column's value in another form."""

    def spoil(line: Line) -> bytes:
        line[column] = form(line[column])
        return line.joined()

    return spoil


def replaced(column: str, value: bytes) -> Spoil:
    return rewritten(column, lambda _: value)


def numbered(column: str, start: int) -> Spoil:
    """The column holds a number of its own, counted from `start`."""

    def spoil(line: Line) -> bytes:
        line[column] = b"%d" % (start + line.serial)
        return line.joined()

    return spoil


def copied(column: str, source: str) -> Spoil:
    def spoil(line: Line) -> bytes:
        line[column] = line[source]
        return line.joined()

    return spoil


def dropped(column: str) -> Spoil:
    def spoil(line: Line) -> bytes:
        del line.fields[COLUMNS[line.name].index(column)]
        return line.joined()

    return spoil


def appended(value: bytes) -> Spoil:
    return lambda line: line.joined() + b"," + value


def ended(value: bytes) -> Spoil:
    """The line ends with `value` before its line feed."""
    return lambda line: line.joined() + value


def infixed(column: str, value: bytes) -> Spoil:
    """`value` stands in the middle of the column's text."""

    def spoil(line: Line) -> bytes:
        field = line[column] if line[column].startswith(b'"') else PLAIN_TEXT
        text = field[1:-1].replace(b'""', b"").decode()
        middle = len(text) // 2
        line[column] = b'"' + text[:middle].encode() + value + text[middle:].encode() + b'"'
        return line.joined()

    return spoil


def unclosed(column: str) -> Spoil:
    """The column's text has lost its closing quote; all columns are there."""

    def spoil(line: Line) -> bytes:
        line[column] = line[column][:-1]
        return line.joined()

    return spoil


def broken_off(column: str) -> Spoil:
    """The line stops within the column's text: no closing quote, no further columns."""

    def spoil(line: Line) -> bytes:
        kept = line.fields[: COLUMNS[line.name].index(column)]
        return b",".join([*kept, b'"' + line[column][1:-1].replace(b'""', b"")])

    return spoil


def stray_quote(column: str) -> Spoil:
    """A lone quote after a word, in the middle of the text."""
    return _between_words(column, b'" ', 1)


def with_newlines(column: str, count: int) -> Spoil:
    """The text runs over `count` further physical lines."""
    return _between_words(column, b"\n", count)


def _between_words(column: str, value: bytes, count: int) -> Spoil:
    def spoil(line: Line) -> bytes:
        text = line.text(column)
        spaces = [match.start() for match in BETWEEN_WORDS.finditer(text)]
        for place in sorted(line.rng.sample(spaces, count), reverse=True):
            text = text[:place] + value + text[place + 1 :]
        line[column] = text
        return line.joined()

    return spoil


def header_again(line: Line) -> bytes:
    return header(line.name)


def differing(column: str, *values: bytes) -> Spoil:
    """The column holds the first of `values` that it does not hold yet."""
    return rewritten(column, lambda old: next(value for value in values if value != old))


def other_relation(line: Line) -> bytes:
    """Another product among 1, 2 and 3, and not the line's own."""
    taken = (line["current_product_id"], line["related_product_id"])
    line["related_product_id"] = next(n for n in (b"1", b"2", b"3") if n not in taken)
    return line.joined()


def in_quotes(value: bytes) -> bytes:
    return b'"' + (b"7" if value == b"null" else value) + b'"'


def in_blanks(value: bytes) -> bytes:
    return b" " + (b"7" if value == b"null" else value) + b" "


def in_capitals(value: bytes) -> bytes:
    return value.upper()


def in_title_case(value: bytes) -> bytes:
    return value.title()


def as_digit(value: bytes) -> bytes:
    return b"1" if value == b"true" else b"0"


def as_date(pattern: str) -> Callable[[bytes], bytes]:
    """Epoch milliseconds as a UTC date or time, by `strftime` pattern."""

    def form(value: bytes) -> bytes:
        moment = datetime.fromtimestamp(int(value) // 1000, tz=UTC)
        return moment.strftime(pattern).encode()

    return form


def in_full_width(value: bytes) -> bytes:
    """Letters and digits before the `@` as the full-width forms that East Asian text has."""
    local, at, domain = value.decode().partition("@")
    wide = "".join(chr(ord(each) + 0xFEE0) if each.isalnum() else each for each in local)
    return f"{wide}{at}{domain}".encode()


def without(line: Line, *columns: str) -> bytes:
    """The line with nothing in these columns."""
    for column in columns:
        line[column] = b""
    return line.joined()
