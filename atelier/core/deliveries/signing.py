"""How a receiver knows that a delivery is ours, and fresh."""

import hashlib
import hmac
from collections.abc import Sequence


def signature_of(body: bytes, *, at: int, keys: Sequence[str]) -> str:
    """`t=<at>,v1=<hex>`, the hex being HMAC-SHA256 over `<at>.<body>`; a `v1` for each key.

    `at` is in seconds since 1970. While keys are rotated a receiver may hold either.
    """
    return ",".join([f"t={at}", *(f"v1={_digest(body, at, key)}" for key in keys)])


def verifies(signature: str, body: bytes, *, key: str, now: int, tolerance: int = 300) -> bool:
    """What a receiver does with the header: one `v1` fits its key, and the time is near its own."""
    pairs = [part.partition("=")[::2] for part in signature.split(",")]
    times = [value for name, value in pairs if name == "t"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit()):
        return False
    at = int(times[0])
    expected = _digest(body, at, key).encode()
    fits = [
        hmac.compare_digest(expected, value.encode("utf-8", "replace"))
        for name, value in pairs
        if name == "v1"
    ]
    return any(fits) and abs(now - at) <= tolerance


def _digest(body: bytes, at: int, key: str) -> str:
    return hmac.new(key.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
