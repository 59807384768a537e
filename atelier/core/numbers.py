"""Numbers as strangers write them."""

MAX_ID = 2**63 - 1


def whole_number(value: object) -> int | None:
    """A positive id that a bigint holds, from an int or ASCII digits; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 30:
        value = int(value)
    return value if isinstance(value, int) and 0 < value <= MAX_ID else None
