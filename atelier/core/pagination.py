"""Pages of the legacy routes: any query string is served, never refused.

Clients send page=0, count=9007199254740991 and count=undefined; the first means page 1, the
second is clamped, the third is the default. Nothing here raises.
"""

from dataclasses import dataclass

from django.http import QueryDict

DEFAULT_COUNT = 5
MAX_COUNT = 1000
# Echoed numbers stay exact in JavaScript; offsets stay within a PostgreSQL bigint.
MAX_SAFE_INTEGER = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Page:
    """number: 1-based page; count: as asked, for the echo; limit, offset: what is read."""

    number: int
    count: int
    limit: int
    offset: int

    @classmethod
    def from_query(cls, query: QueryDict) -> "Page":
        number = max(1, whole(query.get("page"), default=1))
        count = whole(query.get("count"), default=DEFAULT_COUNT)
        limit = min(count, MAX_COUNT)
        return cls(number, count, limit, (number - 1) * limit)


def whole(value: str | None, *, default: int) -> int:
    """A non-negative integer of a query string, clamped; anything else is the default."""
    if value is None or not (value.isascii() and value.isdigit()):
        return default
    return MAX_SAFE_INTEGER if len(value) > 16 else min(int(value), MAX_SAFE_INTEGER)
