"""What a column may hold: how it is spelled when clean, and how a dirty value is repaired.

A clean spelling goes to PostgreSQL as it stands; `fast` is the pattern of bytes that recognises it.
Everything else goes through `clean`, which repairs a value whose meaning is certain, names the
repair, and raises `Unclean` for the rest.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

# Ids from here on are the shop's own.
FIRST_OWN_ID = 1_000_000_000
# Votes are added to imported counters, and the sum must stay an integer.
MAX_COUNT = 1_000_000_000
# Of text that stands in an index.
MAX_SHORT_BYTES = 2_000

# Any byte but quote, line feed, carriage return and NUL, and none of white space either. `re` takes
# a third longer with a set of what is not in.
_PLAIN = rb"[\x01-\x09\x0b\x0c\x0e-\x21\x23-\xff]"
_PLAIN_BLACK = rb"[\x01-\x08\x0e-\x1f\x21\x23-\xff]"
# The inner group is atomic as well: before 3.11.5 `re` lost the position of a possessive group
# whose last repetition failed half-way.
_REST = _PLAIN + rb'*+(?:(?>""' + _PLAIN + rb'*+))*+"'
_FAST_TEXT = rb'"' + _REST
_FAST_NULL_TEXT = rb'(?:null|"(?!null"|NULL"|"(?!"))' + _REST + rb")"
_FAST_URL = rb'"https?://' + _PLAIN_BLACK + rb'++"'

Value = int | str | bool | Decimal | None


class Unclean(Exception):
    """A value whose meaning is not certain; `reason` is the code that reports count by."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Field:
    """A field as it stands in the line: its text without the quotes, and whether it had them."""

    text: str
    quoted: bool


Cleaned = tuple[Value, str | None]


@dataclass(frozen=True, slots=True)
class Kind:
    """fast: the clean spelling; sql: the staging type; clean: value and repair of any spelling."""

    fast: bytes
    sql: str
    clean: Callable[[Field], Cleaned]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a file. `target` is the column of the table; `parent` the file it refers to."""

    name: str
    kind: Kind
    target: str = ""
    parent: str = ""
    # Whether files may come without it.
    is_optional: bool = False

    @property
    def table_column(self) -> str:
        return self.target or self.name


def is_null(field: Field) -> bool:
    return field.text.strip() in {"", "null", "NULL"}


def _null(field: Field) -> Cleaned:
    return None, None if not field.quoted and field.text == "null" else "null_form"


def _digits(field: Field, reason: str) -> tuple[int, str | None]:
    text = field.text.strip()
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise Unclean(reason)
    clean = not field.quoted and text == field.text and str(int(text)) == text
    return int(text), None if clean else "number_form"


def _own_id(field: Field) -> Cleaned:
    number, repair = _digits(field, "bad_number")
    if number >= FIRST_OWN_ID:
        raise Unclean("reserved_id")
    if number < 1:
        raise Unclean("out_of_range")
    return number, repair


def _reference(field: Field) -> Cleaned:
    number, repair = _digits(field, "bad_number")
    if number == 0:
        raise Unclean("zero_reference")
    if number >= FIRST_OWN_ID:
        raise Unclean("reserved_id")
    if number < 0:
        raise Unclean("out_of_range")
    return number, repair


def _from_1_to_5(field: Field) -> Cleaned:
    number, repair = _digits(field, "bad_number")
    if not 1 <= number <= 5:
        raise Unclean("out_of_range")
    return number, repair


def _count(field: Field) -> Cleaned:
    number, repair = _digits(field, "bad_number")
    if not 0 <= number <= MAX_COUNT:
        raise Unclean("out_of_range")
    return number, repair


def _text(field: Field) -> Cleaned:
    """Text that cannot be null: a bare null, or nothing at all, is empty text."""
    if field.quoted:
        return field.text, None
    return ("", "null_form") if is_null(field) else (field.text, "unquoted_text")


def _short_text(field: Field) -> Cleaned:
    if len(field.text.encode()) > MAX_SHORT_BYTES:
        raise Unclean("too_long")
    return _text(field)


def _url(field: Field) -> Cleaned:
    text = field.text.strip()
    repair = None if field.quoted and text == field.text else "url_form"
    if text.startswith(("uhttps://", "uhttp://")):
        text, repair = text[1:], "url_form"
    if not re.match(r'(?:https?://|data:image/)[^\s"\0]+\Z', text, re.ASCII | re.IGNORECASE):
        raise Unclean("bad_url")
    return text, repair


def _price(field: Field) -> Cleaned:
    text = re.sub(r'^"*default_price"*:', "", field.text.strip().strip('"')).strip()
    text = text.removeprefix("$").strip()
    if not re.fullmatch(r"[0-9]{1,10}(?:\.[0-9]+)?", text):
        raise Unclean("bad_price")
    try:
        price = Decimal(text)
        exact = price.quantize(Decimal("0.01"))
    except InvalidOperation as error:
        raise Unclean("bad_price") from error
    if exact != price:
        raise Unclean("bad_price")
    is_clean = not field.quoted and re.fullmatch(r"[0-9]+(?:\.[0-9]{2})?", field.text)
    return exact, None if is_clean else "price_form"


def _boolean_reader(clean: frozenset[str]) -> Callable[[Field], Cleaned]:
    meanings = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}

    def read(field: Field) -> Cleaned:
        value = meanings.get(field.text.strip().lower())
        if value is None:
            raise Unclean("bad_boolean")
        return value, None if not field.quoted and field.text in clean else "boolean_form"

    return read


def _instant(field: Field) -> Cleaned:
    """Milliseconds since 1970. An ISO date is midnight UTC; an instant without a zone is UTC."""
    text = field.text.strip()
    if re.fullmatch(r"[0-9]{12,13}", text):
        return int(text), None if not field.quoted and text == field.text else "number_form"
    if re.fullmatch(r"[0-9](?:\.[0-9]+)?[eE]\+1[12]", text):
        return int(Decimal(text)), "date_form"
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise Unclean("bad_date") from error
    if not re.match(r"[0-9]{4}-", text) or not 1970 <= instant.year <= 2999:
        raise Unclean("bad_date")
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    milliseconds = round(instant.timestamp() * 1000)
    if milliseconds < 0:
        raise Unclean("bad_date")
    return milliseconds, "date_form"


def _nullable(clean: Callable[[Field], Cleaned]) -> Callable[[Field], Cleaned]:
    return lambda field: _null(field) if is_null(field) else clean(field)


def _nullable_text(field: Field) -> Cleaned:
    """White space alone is text here: only the word null and emptiness mean null."""
    return _null(field) if field.text in {"", "null", "NULL"} else _text(field)


OWN_ID = Kind(rb"[1-9]\d{0,8}", "bigint", _own_id)
REFERENCE = Kind(rb"[1-9]\d{0,8}", "bigint", _reference)
SCORE = Kind(rb"[1-5]", "smallint", _from_1_to_5)
COUNT = Kind(rb"(?:0|[1-9]\d{0,8})", "integer", _count)
NULL_COUNT = Kind(rb"(?:null|0|[1-9]\d{0,8})", "integer", _nullable(_count))
TEXT = Kind(_FAST_TEXT, "text", _text)
SHORT_TEXT = Kind(rb'"' + _PLAIN + rb'{0,500}+"', "text", _short_text)
NULL_TEXT = Kind(_FAST_NULL_TEXT, "text", _nullable_text)
URL = Kind(_FAST_URL, "text", _url)
NULL_URL = Kind(rb"(?:null|" + _FAST_URL + rb")", "text", _nullable(_url))
PRICE = Kind(rb"\d{1,10}(?:\.\d\d)?", "numeric(12,2)", _price)
NULL_PRICE = Kind(rb"(?:null|\d{1,10}(?:\.\d\d)?)", "numeric(12,2)", _nullable(_price))
BOOLEAN = Kind(rb"(?:true|false)", "boolean", _boolean_reader(frozenset({"true", "false"})))
# The style files have always spelled their one flag in digits.
FLAG = Kind(
    rb"(?:true|false|[01])", "boolean", _boolean_reader(frozenset({"true", "false", "0", "1"}))
)
INSTANT = Kind(rb"\d{12,13}", "bigint", _instant)
