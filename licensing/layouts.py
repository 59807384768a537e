"""Lines of the tables that give addresses to countries, in the layouts of those who make them.

Lines are read as bytes and no longer than LONGEST, so that no file fills the memory. A range is
given by two keys: numbers of seventeen bytes, the first of which is the version of IP, so that they
sort as addresses do and both versions stand in one row of numbers.
"""

import csv
import ipaddress
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

LONGEST = 4096
IPV4, IPV6 = 4 << 128, 6 << 128

# Codes that makers of such tables write for "no one country".
UNPLACED = frozenset({"", "??", "A1", "A2", "AP", "EU", "O1", "XX", "ZZ"})
ALIASES = {"UK": "GB"}


class BadLine(ValueError):
    """Why a line cannot be read, as a short code."""


class BadFile(Exception):
    """A file that is no table of the layout, with the sentence that says so."""


@dataclass(frozen=True, slots=True)
class Range:
    """Keys of the first and the last address; `code` is empty where no country is named."""

    first: int
    last: int
    code: str


Parse = Callable[[str], Range | None]
Line = tuple[int, bytes, Range | str | None]


def key_of(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> int:
    """An IPv4-mapped IPv6 address counts as IPv4."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            raise BadLine("bad_address")
        mapped = address.ipv4_mapped
        return IPV6 + int(address) if mapped is None else IPV4 + int(mapped)
    return IPV4 + int(address)


def address_of(key: int) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if key < IPV6:
        return ipaddress.IPv4Address(key - IPV4)
    return ipaddress.IPv6Address(key - IPV6)


def lines_of(file: BinaryIO, parse: Parse) -> Iterator[Line]:
    """Each line with its number: its range, the code of its fault, or None for what holds no data.

    A line that is too long is one bad line, of which the beginning is kept.
    """
    number = 0
    while line := file.readline(LONGEST):
        number += 1
        kept, is_long = line, not line.endswith(b"\n") and len(line) == LONGEST
        while is_long and line and not line.endswith(b"\n"):
            line = file.readline(LONGEST)
        if is_long:
            yield number, kept, "too_long"
            continue
        try:
            text = kept.decode().removeprefix("\ufeff" if number == 1 else "").strip()
            yield number, kept, None if not text or text[0] == "#" else parse(text)
        except UnicodeDecodeError:
            yield number, kept, "not_utf8"
        except BadLine as error:
            yield number, kept, str(error)


def geoip(text: str) -> Range | None:
    """`start,end,country` of Debian's tor-geoipdb: integers for IPv4, addresses for IPv6."""
    fields = text.split(",")
    if len(fields) != 3:
        raise BadLine("columns")
    return _range(fields[0], fields[1], fields[2])


def own(text: str) -> Range | None:
    """The operator's: `network,code`, or `start,end,code`."""
    fields = _fields(text)
    if len(fields) == 2:
        return _network(fields[0], fields[1])
    if len(fields) == 3:
        return _range(fields[0], fields[1], fields[2])
    raise BadLine("columns")


def maxmind(locations: dict[str, str]) -> Parse:
    """Lines of GeoLite2-Country-Blocks; where an address is used goes before where it is
    registered.
    """

    def parse(text: str) -> Range | None:
        fields = _fields(text)
        if fields[0] == "network":
            return None
        if len(fields) < 3:
            raise BadLine("columns")
        place = fields[1].strip() or fields[2].strip()
        if place and place not in locations:
            raise BadLine("unknown_location")
        return _network(fields[0], locations.get(place, ""))

    return parse


def locations_of(file: BinaryIO) -> dict[str, str]:
    """Codes by the ids of GeoLite2-Country-Locations; empty for a place that is no country.

    Raises BadFile.
    """
    rows = csv.DictReader(line.decode("utf-8-sig", "replace") for line in file)
    if not {"geoname_id", "country_iso_code"} <= set(rows.fieldnames or ()):
        raise BadFile("The file of locations has no columns geoname_id and country_iso_code.")
    return {row["geoname_id"]: row["country_iso_code"] or "" for row in rows}


def _fields(text: str) -> Sequence[str]:
    try:
        return next(csv.reader([text], strict=True))
    except (csv.Error, StopIteration) as error:
        raise BadLine("quotes") from error


def _range(first: str, last: str, code: str) -> Range:
    begin, end = _key(first.strip()), _key(last.strip())
    if (begin < IPV6) != (end < IPV6):
        raise BadLine("mixed_versions")
    if begin > end:
        raise BadLine("reversed")
    return Range(begin, end, country_code(code))


def _network(text: str, code: str) -> Range:
    try:
        network = ipaddress.ip_network(text.strip())
    except ValueError as error:
        raise BadLine("bad_network") from error
    first, last = key_of(network[0]), key_of(network[-1])
    if first > last:
        # A network of IPv6 that begins below the mapped addresses and ends within them.
        raise BadLine("bad_network")
    return Range(first, last, country_code(code))


def _key(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 10:
        number = int(text)
        if number >> 32:
            raise BadLine("bad_address")
        return IPV4 + number
    try:
        return key_of(ipaddress.ip_address(text))
    except ValueError as error:
        raise BadLine("bad_address") from error


def country_code(text: str) -> str:
    """As regions are named; empty for what names no one country."""
    code = text.strip().upper()
    return "" if code in UNPLACED else ALIASES.get(code, code)


PLAIN: dict[str, Parse] = {"geoip": geoip, "own": own}
LAYOUTS = ("geoip", "maxmind", "own")


def is_locations(head: bytes) -> bool:
    """Whether a file that begins so is MaxMind's file of locations."""
    return head.removeprefix(b"\xef\xbb\xbf").startswith(b"geoname_id,")
