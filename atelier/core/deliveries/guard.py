"""Where a delivery may go: no further into our own network than a setting allows.

A name is resolved once, every address it has is judged, and `sending` connects to the addresses
that were judged. A name that answers differently the next time gains nothing.
"""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolver = Callable[[str, int], Sequence[str]]

PORTS = {"http": 80, "https": 443}
# The well-known prefix carries an IPv4 address in its last 32 bits, the local one anywhere.
NAT64 = IPv6Network("64:ff9b::/96")
LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
IPV4_COMPATIBLE = IPv6Network("::/96")
# Among them those for documentation, and of relays that are no more.
NOT_PUBLIC = (
    *(LOCAL_NAT64, IPV4_COMPATIBLE, IPv6Network("3fff::/20")),
    IPv4Network("192.88.99.0/24"),
)


class Refused(Exception):
    """Nothing is sent to this URL, now or later."""


class Unresolved(Exception):
    """The name has no address at the moment."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart. `host` is the name in ASCII, without brackets; `path` has the query."""

    secure: bool
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """As the Host header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS["https" if self.secure else "http"] else self.netloc

    @property
    def netloc(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def target_of(url: str) -> Target:
    """Raises Refused for anything but a plain http or https URL without a password."""
    if not url.isascii() or not url.isprintable() or " " in url:
        raise Refused("The URL holds characters that must be escaped.")
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").rstrip(".")
    except ValueError as error:
        raise Refused(f"The URL cannot be read: {error}.") from error
    if port == 0:
        raise Refused("Nothing listens on port 0.")
    if parts.scheme not in PORTS:
        raise Refused("The URL must start with http:// or https://.")
    if "@" in parts.netloc or not host or "%" in host or "\\" in url:
        raise Refused("The URL must name a host, and no user.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(
        parts.scheme == "https", host, PORTS[parts.scheme] if port is None else port, path
    )


def resolve(host: str, port: int) -> list[str]:
    """The host's addresses as the system resolves them; decimal and hex spellings are addresses."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unresolved(f"{host} cannot be resolved: {error}") from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def checked_addresses(
    target: Target, *, allowed: Sequence[Network], resolver: Resolver = resolve
) -> list[str]:
    """The addresses to connect to, resolved just now and each fit to be connected to.

    One that is not refuses them all: Refused. Raises Unresolved where there is none.
    """
    addresses = list(resolver(target.host, target.port))
    if not addresses:
        raise Unresolved(f"{target.host} has no address.")
    for address in addresses:
        if not is_fit(address, allowed):
            raise Refused(f"{target.host} is {address}, which is not a public address.")
    return addresses


def is_fit(text: str, allowed: Sequence[Network]) -> bool:
    """Whether the address lies in an allowed network, or is public in all that it stands for."""
    try:
        meant = _meant(ipaddress.ip_address(text))
    except ValueError:
        return False
    return all(_is_within(address, allowed) or _is_public(address) for address in meant)


def _meant(address: Address) -> list[Address]:
    """The address itself, or the IPv4 address that a translation makes of it."""
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    if address in NAT64:
        return [IPv4Address(int(address) & 0xFFFFFFFF)]
    if address.sixtofour:
        return [address, address.sixtofour]
    return [address]


def _is_public(address: Address) -> bool:
    if _is_within(address, NOT_PUBLIC):
        return False
    if isinstance(address, IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback
    )


def _is_within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
