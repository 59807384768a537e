"""The operator's MMDB file, such as one of MaxMind's or DB-IP's."""

import os
import threading
from ipaddress import IPv4Address, IPv6Address, ip_network

import maxminddb
import structlog
from django.conf import settings

from licensing.layouts import country_code

logger = structlog.get_logger(__name__)

Stamp = tuple[int, int, int]


class CountryFile:
    """A file that is opened when it is first asked, and again when another takes its place.

    A file that cannot be read counts as one without the address, and is tried again once it has
    changed. Safe in threads.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._stamp: Stamp | None = None
        self._reader: maxminddb.Reader | None = None
        self._lock = threading.Lock()

    def find(self, address: IPv4Address | IPv6Address) -> tuple[str, str] | None:
        """The code of the country and the network that the file has for the address."""
        reader = self._current()
        if reader is None:
            return None
        try:
            record, prefix = reader.get_with_prefix_len(address)
        except ValueError:
            # A file of IPv4 only, asked for IPv6.
            return None
        code = _code_of(record)
        if code is None:
            return None
        return code, str(ip_network((address, prefix), strict=False))

    def _current(self) -> maxminddb.Reader | None:
        stamp = _stamp_of(self._path)
        if stamp == self._stamp:
            return self._reader
        with self._lock:
            if stamp != self._stamp:
                # Threads that still read the one before keep it alive, so it is not closed here.
                self._reader, self._stamp = _opened(self._path), stamp
        return self._reader


def find(address: IPv4Address | IPv6Address) -> tuple[str, str] | None:
    """What the configured file says; None where there is none, or it does not know."""
    path = settings.GEOIP_MMDB
    if not path:
        return None
    file = _files.get(path)
    if file is None:
        file = _files.setdefault(path, CountryFile(path))
    return file.find(address)


_files: dict[str, CountryFile] = {}


def _stamp_of(path: str) -> Stamp | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _opened(path: str) -> maxminddb.Reader | None:
    try:
        return maxminddb.open_database(path)
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        logger.error("GEOIP_MMDB cannot be read", path=path, reason=str(error))
        return None


def _code_of(record: object) -> str | None:
    country = record.get("country") if isinstance(record, dict) else None
    code = country.get("iso_code") if isinstance(country, dict) else None
    return (country_code(code) or None) if isinstance(code, str) else None
