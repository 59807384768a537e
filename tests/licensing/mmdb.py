"""A writer of small MMDB files (the format is MaxMind DB 2.0), for tests of those who read them."""

import ipaddress
from pathlib import Path

MARKER = b"\xab\xcd\xefMaxMind.com"
SEPARATOR = bytes(16)
# What stands before unsigned numbers of 16, 32 and 64 bits.
_NUMBERS = {2: bytes([5 << 5 | 2]), 4: bytes([6 << 5 | 4]), 8: bytes([8, 9 - 7])}


def write(path: Path, countries: dict[str, str]) -> None:
    """Networks of IPv4 or IPv6, none within another, to alpha-2 codes."""
    tree: list[list[int | str | None]] = [[None, None]]
    for text, code in countries.items():
        network = ipaddress.ip_network(text)
        # Addresses of IPv4 stand in the last 32 bits of the tree.
        number, length = int(network.network_address), network.prefixlen
        if network.version == 4:
            length += 96
        node = 0
        for depth in range(length - 1):
            side = number >> (127 - depth) & 1
            if tree[node][side] is None:
                tree.append([None, None])
                tree[node][side] = len(tree) - 1
            node = int(tree[node][side])
        tree[node][number >> (128 - length) & 1] = code
    data, places = b"", {}
    for code in sorted(set(countries.values())):
        places[code] = len(data)
        data += _map({"country": {"iso_code": code}})
    nodes = b"".join(_record(side, len(tree), places).to_bytes(3) for node in tree for side in node)
    metadata = {
        "node_count": len(tree).to_bytes(4),
        "record_size": (24).to_bytes(2),
        "ip_version": (6).to_bytes(2),
        "database_type": "Test-Country",
        "languages": [],
        "binary_format_major_version": (2).to_bytes(2),
        "binary_format_minor_version": (0).to_bytes(2),
        "build_epoch": (1).to_bytes(8),
        "description": {},
    }
    path.write_bytes(nodes + SEPARATOR + data + MARKER + _map(metadata))


def _record(side: int | str | None, count: int, places: dict[str, int]) -> int:
    if side is None:
        return count
    return side if isinstance(side, int) else count + len(SEPARATOR) + places[side]


def _map(values: dict[str, object]) -> bytes:
    return bytes([7 << 5 | len(values)]) + b"".join(
        _text(name) + _value(value) for name, value in values.items()
    )


def _value(value: object) -> bytes:
    if isinstance(value, dict):
        return _map(value)
    if isinstance(value, list):
        return bytes([len(value), 11 - 7])
    if isinstance(value, bytes):
        return _NUMBERS[len(value)] + value
    return _text(str(value))


def _text(text: str) -> bytes:
    data = text.encode()
    return bytes([2 << 5 | len(data)]) + data
