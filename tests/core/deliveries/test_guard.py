"""F19: where deliveries may go."""

import ipaddress

import pytest

from atelier.core.deliveries import guard
from atelier.core.deliveries.guard import Refused, Unresolved, checked_addresses, target_of

PUBLIC = ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822"]
INNER = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",  # noqa: S104 - nothing listens there
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd12:3456::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "3fff::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:a9fe:a9fe",
    "::127.0.0.1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2001:0:53aa:64c:0:fbff:f5ff:fffe",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b:1::5db8:d822",
    "not an address",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_f19_public_addresses_are_fit(address):
    assert guard.is_fit(address, [])


@pytest.mark.parametrize("address", INNER)
def test_f19_no_inner_address_is_fit(address):
    assert not guard.is_fit(address, [])


SPELLINGS = [
    "127.0.0.1",
    "localhost",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "127.1",
    "0",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "127.0.0.1.",
]


@pytest.mark.parametrize("host", SPELLINGS)
def test_f19_loopback_is_refused_however_it_is_spelled(host):
    """By the system's own resolver, which is what deliveries use."""
    with pytest.raises((Refused, Unresolved)):
        checked_addresses(target_of(f"http://{host}/x"), allowed=[])


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0x7f000001", "localhost"])
def test_f19_these_spellings_do_resolve(host):
    """So that the test above refuses addresses, and not names without any."""
    loopback = [ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1")]
    addresses = checked_addresses(target_of(f"http://{host}/"), allowed=loopback)
    assert {*addresses} <= {"127.0.0.1", "::1"}


def test_f19_one_inner_address_among_public_ones_refuses_all():
    def resolver(host, port):
        return [PUBLIC[0], "10.0.0.1", PUBLIC[1]]

    with pytest.raises(Refused, match=r"10\.0\.0\.1"):
        checked_addresses(target_of("https://shop.example/"), allowed=[], resolver=resolver)


def test_an_allowed_network_is_fit_and_its_neighbour_is_not():
    allowed = [ipaddress.ip_network("10.1.0.0/16")]
    assert guard.is_fit("10.1.2.3", allowed)
    assert guard.is_fit("::ffff:10.1.2.3", allowed)
    assert not guard.is_fit("10.2.0.1", allowed)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://shop.example/",
        "file:///etc/passwd",
        "gopher://shop.example/",
        "shop.example/x",
        "//shop.example/x",
        "http://",
        "http:///x",
        "http://user@shop.example/",
        "http://user:word@shop.example/",
        "http://127.0.0.1\\@shop.example/",
        "http://shop.example:99999/",
        "http://shop.example:0/",
        "http://shop.example:x/",
        "http://[::1/",
        "http://[fe80::1%25eth0]/",
        "http://shop.example/a b",
        "http://shop.example/\r\nHost: other",
        "http://shop.example/ü",
        "http://shöp.example/",
        "",
    ],
)
def test_f19_what_is_no_plain_web_address_is_refused(url):
    with pytest.raises(Refused):
        target_of(url)


@pytest.mark.parametrize(
    ("url", "authority", "path"),
    [
        ("https://Shop.example/hook?a=1#part", "shop.example", "/hook?a=1"),
        ("http://shop.example", "shop.example", "/"),
        ("http://shop.example:443/", "shop.example:443", "/"),
        ("https://shop.example:443/", "shop.example", "/"),
        ("http://[2606:2800::1]:8080/", "[2606:2800::1]:8080", "/"),
    ],
)
def test_a_url_is_taken_apart_as_http_wants_it(url, authority, path):
    target = target_of(url)
    assert (target.authority, target.path) == (authority, path)


def test_a_name_without_an_address_may_have_one_later():
    with pytest.raises(Unresolved):
        checked_addresses(target_of("http://nowhere.invalid/"), allowed=[])
    with pytest.raises(Unresolved):
        checked_addresses(
            target_of("http://shop.example/"), allowed=[], resolver=lambda host, port: []
        )
