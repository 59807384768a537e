"""Numbers as strangers write them, and ids in the order of time."""

import secrets
import time
from uuid import UUID

MAX_ID = 2**63 - 1


def whole_number(value: object) -> int | None:
    """A positive id that a bigint holds, from an int or ASCII digits; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 30:
        value = int(value)
    return value if isinstance(value, int) and 0 < value <= MAX_ID else None


def uuid7(at: float | None = None) -> UUID:
    """An id that sorts by its time, in seconds since 1970, and is else random (RFC 9562, 5.7)."""
    milliseconds = int((time.time() if at is None else at) * 1000)
    random = secrets.randbits(74)
    return UUID(
        int=milliseconds << 80 | 7 << 76 | (random >> 62) << 64 | 2 << 62 | random & (1 << 62) - 1
    )
