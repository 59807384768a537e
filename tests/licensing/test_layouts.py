"""What lines of the tables say, and what is wrong with others."""

import io

import pytest

from licensing.layouts import (
    IPV4,
    IPV6,
    LONGEST,
    BadFile,
    BadLine,
    Range,
    address_of,
    geoip,
    lines_of,
    locations_of,
    maxmind,
    own,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("16777216,16777471,AU", Range(IPV4 + 16777216, IPV4 + 16777471, "AU")),
        ("0,4294967295,us", Range(IPV4, IPV4 + 4294967295, "US")),
        ("2001:db8::,2001:db8::ff,FR", Range(IPV6 + (0x20010DB8 << 96), None, "FR")),
        ("1.0.0.0,1.0.0.255,UK", Range(IPV4 + 16777216, IPV4 + 16777471, "GB")),
        ("15726992,15726999,??", Range(IPV4 + 15726992, IPV4 + 15726999, "")),
        ("1,2,EU", Range(IPV4 + 1, IPV4 + 2, "")),
    ],
)
def test_lines_of_debians_tables(text, expected):
    found = geoip(text)
    assert (found.first, found.code) == (expected.first, expected.code)
    assert found.last == (found.first + 0xFF if expected.last is None else expected.last)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1,2", "columns"),
        ("1,2,US,x", "columns"),
        ("4294967296,4294967297,US", "bad_address"),
        ("-1,2,US", "bad_address"),
        ("1,,US", "bad_address"),
        ("1.0.0,1.0.0.1,US", "bad_address"),
        ("fe80::1%eth0,fe80::2,US", "bad_address"),
        ("2,1,US", "reversed"),
        ("1.0.0.0,2001:db8::,US", "mixed_versions"),
    ],
)
def test_faults_of_debians_tables(text, reason):
    with pytest.raises(BadLine, match=f"^{reason}$"):
        geoip(text)


def test_lines_of_the_operators_own():
    network, ends = own("192.0.2.0/24,CA"), own('192.0.2.0,"192.0.2.255", ca ')
    assert network == ends == Range(IPV4 + 0xC0000200, IPV4 + 0xC00002FF, "CA")
    assert own("2001:db8::/32,FR").last - own("2001:db8::/32,FR").first == 2**96 - 1
    assert own("::ffff:192.0.2.0/120,CA") == network
    for text, reason in (("192.0.2.1/24,CA", "bad_network"), ("x", "columns"), ('"x,y', "quotes")):
        with pytest.raises(BadLine, match=f"^{reason}$"):
            own(text)


def test_lines_of_maxminds_form():
    head = "geoname_id,locale_code,continent_code,continent_name,country_iso_code,country_name\n"
    rows = '6251999,en,NA,"North America",CA,Canada\n6255148,en,EU,Europe,,\n'
    parse = maxmind(locations_of(io.BytesIO((head + rows).encode())))
    assert parse("network,geoname_id,registered_country_geoname_id,represented") is None
    assert parse("192.0.2.0/24,6251999,6255148,,0,0").code == "CA"
    assert parse("192.0.2.0/24,,6251999,,0,0").code == "CA"
    assert parse("192.0.2.0/24,6255148,,,0,0").code == ""
    assert parse("192.0.2.0/24,,,,0,0").code == ""
    with pytest.raises(BadLine, match="unknown_location"):
        parse("192.0.2.0/24,7,,,0,0")
    with pytest.raises(BadFile):
        locations_of(io.BytesIO(b"network,geoname_id\n"))


def test_every_line_is_accounted_for():
    data = b"\xef\xbb\xbf# head\r\n\n1,2,US\r\n\xff,2,US\n" + b"x" * (3 * LONGEST) + b"\n3,4,FR"
    found = list(lines_of(io.BytesIO(data), geoip))
    assert [number for number, _, _ in found] == [1, 2, 3, 4, 5, 6]
    results = [result.code if isinstance(result, Range) else result for _, _, result in found]
    assert results == [None, None, "US", "not_utf8", "too_long", "FR"]
    assert len(found[4][1]) == LONGEST


def test_a_key_is_its_address_again():
    for text in ("0.0.0.1", "255.255.255.255", "::", "ffff::1"):
        parsed = own(f"{text},{text},CA")
        assert str(address_of(parsed.first)) == text
