"""What a column of accounts and profiles may hold (see etl.columns).

Texts may stand in quotes or without, as any CSV has them. An empty field is null, and so is the
bare word.
"""

import ipaddress
import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from uuid import UUID

from django.core.exceptions import ValidationError

from atelier.core.text import BLANK, HIDDEN, LINE, LINES, NAMED
from etl.columns import MAX_SHORT_BYTES, Cleaned, Field, Kind, Unclean

# Of what validators refuse, the reason of the line that is rejected.
REASONS = {BLANK: "missing_value", HIDDEN: "hidden_character"}

# Bytes of text that hides nothing: no controls, and none that a hidden character begins with.
# Quotes are not among them; where none hold the text, commas are not either.
_LETTERS = rb"\x80-\xbf\xc3-\xe1\xe3-\xee"
_PLAIN = rb"[\x20\x21\x23-\x7e" + _LETTERS + rb"]"
_BARE = rb"[\x20\x21\x23-\x2b\x2d-\x7e" + _LETTERS + rb"]"
_BARE_BLACK = rb"[\x21\x23-\x2b\x2d-\x7e]"
_IS_NULL = rb"null[,\r\n]"

_OCTET = rb"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4 = rb"\.".join([_OCTET] * 4)
_DAY = (
    rb"(?:19|20)\d\d-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])"
    rb"|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))"
)
_TIME = rb"[T ](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?(?:Z|\+00:00)"
_UUID = rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def _quoted_or_bare(pattern: bytes) -> bytes:
    return rb'(?:"' + pattern + rb'"|' + pattern + rb")"


def _is_empty(field: Field) -> bool:
    return field.text == "" or (field.text == "null" and not field.quoted)


def _empty(field: Field) -> Cleaned:
    return None, "null_form" if field.text else None


def _required(clean: Callable[[Field], Cleaned]) -> Callable[[Field], Cleaned]:
    def read(field: Field) -> Cleaned:
        if _is_empty(field) or not field.text.strip():
            raise Unclean("missing_value")
        return clean(field)

    return read


def _optional(clean: Callable[[Field], Cleaned]) -> Callable[[Field], Cleaned]:
    return lambda field: _empty(field) if _is_empty(field) else clean(field)


def _plain(field: Field) -> Cleaned:
    """Text that is judged by what is made of it."""
    return field.text, None


def _text(*rules: Callable[[str], None]) -> Callable[[Field], Cleaned]:
    """Text as the API has it, by its validators."""

    def read(field: Field) -> Cleaned:
        for rule in rules:
            try:
                rule(field.text)
            except ValidationError as error:
                raise Unclean(REASONS[str(error.code)]) from error
        return field.text, None

    return read


def _short_text(field: Field) -> Cleaned:
    if len(field.text.encode()) > MAX_SHORT_BYTES:
        raise Unclean("too_long")
    return _text(*NAMED)(field)


def _mobile(field: Field) -> Cleaned:
    """Blanks alone are no number."""
    return _text(*LINE)(Field(field.text.strip(), field.quoted))[0] or None, None


def _userid(field: Field) -> Cleaned:
    text = field.text.strip()
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise Unclean("bad_number")
    if not 0 < int(text) < 10**15:
        raise Unclean("out_of_range")
    return int(text), "number_form" if str(int(text)) != field.text else None


def _ip(field: Field) -> Cleaned:
    """As PostgreSQL and `licensing` spell it: an IPv4-mapped address is that of IPv4."""
    text = field.text.strip()
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise Unclean("bad_ip") from error
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            raise Unclean("bad_ip")
        address = address.ipv4_mapped or address
    return str(address), "ip_form" if text != field.text else None


def _status(field: Field) -> Cleaned:
    status = {"subscribed": "Subscribed", "expired": "Expired", "none": "None"}.get(
        field.text.strip().lower()
    )
    if status is None:
        raise Unclean("bad_status")
    return status, "status_form" if status != field.text else None


def _instant(field: Field) -> Cleaned:
    """A moment without a zone is UTC, a date its midnight."""
    try:
        instant = datetime.fromisoformat(field.text.strip())
    except ValueError as error:
        raise Unclean("bad_date") from error
    if not re.match(r"\s*[0-9]{4}-", field.text) or not 1900 <= instant.year <= 2999:
        raise Unclean("bad_date")
    if instant.tzinfo is not None:
        return instant.isoformat(), None
    return instant.replace(tzinfo=UTC).isoformat(), "date_form"


def _date(field: Field) -> Cleaned:
    """A day; of a moment the day that it names."""
    text = field.text.strip()
    try:
        day = date.fromisoformat(text[:10])
        datetime.fromisoformat(text)
    except ValueError as error:
        raise Unclean("bad_date") from error
    if not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) or not 1000 <= day.year <= 2999:
        raise Unclean("bad_date")
    return day.isoformat(), "date_form" if day.isoformat() != field.text else None


def _uuid(field: Field) -> Cleaned:
    try:
        found = str(UUID(field.text.strip()))
    except ValueError as error:
        raise Unclean("bad_uuid") from error
    return found, "uuid_form" if found != field.text else None


def _degrees(most: int) -> Callable[[Field], Cleaned]:
    def read(field: Field) -> Cleaned:
        text = field.text.strip()
        if not re.fullmatch(r"[+-]?[0-9]{1,9}(?:\.[0-9]{0,30})?(?:[eE][+-]?[0-9]{1,2})?", text):
            raise Unclean("bad_number")
        degrees = float(text)
        if not math.isfinite(degrees) or abs(degrees) > most:
            raise Unclean("out_of_range")
        return repr(degrees), "number_form" if text != field.text else None

    return read


_QUOTED = rb'"' + _PLAIN + rb'*+(?:(?>""' + _PLAIN + rb'*+))*+"'
# What is sure to show: ASCII, and letters of Latin, Greek, Cyrillic and Chinese.
_SHOWN = rb"(?=[\x21\x23-\x2b\x2d-\x7e\xc3-\xcb\xce-\xd1\xe4-\xe9])"
_NAME = rb'(?:"' + _SHOWN + _QUOTED[1:] + rb"|(?!" + _IS_NULL + rb")" + _SHOWN + _BARE + rb"++)"

USERID = Kind(_quoted_or_bare(rb"[1-9]\d{0,14}"), "bigint", _required(_userid))
NULL_USERID = Kind(rb"(?:[1-9]\d{0,14}|)", "bigint", _optional(_userid))
IP = Kind(_quoted_or_bare(_IPV4), "inet", _required(_ip))
STATUS = Kind(_quoted_or_bare(rb"(?:Subscribed|Expired|None)"), "text", _required(_status))
NULL_INSTANT = Kind(
    rb"(?:" + _quoted_or_bare(_DAY + _TIME) + rb"|)",
    "timestamp with time zone",
    _optional(_instant),
)
NULL_DATE = Kind(rb"(?:" + _quoted_or_bare(_DAY) + rb"|)", "date", _optional(_date))
NULL_UUID = Kind(rb"(?:" + _quoted_or_bare(_UUID) + rb"|)", "uuid", _optional(_uuid))
NAME = Kind(_NAME, "text", _required(_text(*NAMED)))
EMAIL = Kind(_quoted_or_bare(_BARE_BLACK + rb"++"), "text", _required(_plain))
NULL_MOBILE = Kind(rb"(?:" + _quoted_or_bare(rb"\+\d{5,18}") + rb"|)", "text", _optional(_mobile))
_TEXT = rb"(?:" + _QUOTED + rb"|(?!" + _IS_NULL + rb")" + _BARE + rb"*+)"
NULL_LINE = Kind(_TEXT, "text", _optional(_text(*LINE)))
NULL_LINES = Kind(_TEXT, "text", _optional(_text(*LINES)))
NULL_NAME = Kind(
    rb"(?:" + _quoted_or_bare(rb"\w[\w -]{0,59}") + rb"|)", "text", _optional(_short_text)
)
LATITUDE = Kind(
    rb"(?:-?(?:[0-8]?\d(?:\.\d{1,15})?|90)|)", "double precision", _optional(_degrees(90))
)
LONGITUDE = Kind(
    rb"(?:-?(?:(?:1[0-7]|\d)?\d(?:\.\d{1,15})?|180)|)", "double precision", _optional(_degrees(180))
)
