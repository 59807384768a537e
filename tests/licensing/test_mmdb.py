"""The operator's MMDB file: asked before imported ranges, opened anew when it changes."""

import os

import pytest
from django.db import connection

from licensing.services import country_in_file, has_country_file, region_expression, region_of
from tests.factories.licensing import IpRangeFactory, NetworkOverrideFactory, region
from tests.licensing import mmdb

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("regions")]


@pytest.fixture
def file(settings, tmp_path):
    path = tmp_path / "countries.mmdb"
    mmdb.write(path, {"192.0.2.0/24": "DE", "2001:db8::/32": "FR", "198.51.100.0/24": "QQ"})
    settings.GEOIP_MMDB = str(path)
    return path


def found(address):
    answer = region_of(address)
    return (answer.region and answer.region.code, answer.source, answer.network)


def test_the_file_goes_before_ranges_and_after_overrides(file):
    IpRangeFactory()
    assert found("192.0.2.7") == ("DE", "mmdb", "192.0.2.0/24")
    assert found("2001:db8::7") == ("FR", "mmdb", "2001:db8::/32")
    NetworkOverrideFactory(network="192.0.2.7/32", region=region("IT"))
    assert found("192.0.2.7")[:2] == ("IT", "override")


def test_what_the_file_does_not_know_or_names_strangely_is_asked_of_the_ranges(file):
    IpRangeFactory(first_address="198.51.100.0", last_address="203.0.113.255")
    assert found("203.0.113.7")[0] == "CA"
    assert found("198.51.100.7")[0] == "CA"


def test_codes_are_read_as_those_of_tables_are(file):
    IpRangeFactory(first_address="192.0.2.0", last_address="192.0.2.255")
    mmdb.write(file, {"192.0.2.0/25": "uk", "192.0.2.128/25": "EU"})
    assert found("192.0.2.7") == ("GB", "mmdb", "192.0.2.0/25")
    assert country_in_file("192.0.2.7") == "GB"
    # No one country.
    assert country_in_file("192.0.2.200") is None
    assert found("192.0.2.200")[0] == "CA"


def test_another_file_in_its_place_is_opened(file):
    assert found("192.0.2.7")[0] == "DE"
    fresh = file.with_name("fresh.mmdb")
    mmdb.write(fresh, {"192.0.2.0/24": "IT"})
    os.replace(fresh, file)
    assert found("192.0.2.7")[0] == "IT"


def test_a_broken_or_missing_file_counts_as_one_that_knows_nothing(file):
    IpRangeFactory()
    file.write_bytes(b"nothing of the kind")
    assert found("192.0.2.7")[:1] == ("CA",)
    file.unlink()
    assert found("192.0.2.7")[:1] == ("CA",)
    mmdb.write(file, {"192.0.2.0/24": "IT"})
    assert found("192.0.2.7")[0] == "IT"


def test_many_at_once_have_the_regions_that_each_has_alone(file, settings):
    """What an import asks in one statement."""
    settings.UNKNOWN_REGION = "JP"
    low = IpRangeFactory(
        source__precedence=1, first_address="203.0.113.0", last_address="203.0.113.9"
    )
    IpRangeFactory(
        source__precedence=2,
        first_address="203.0.113.5",
        last_address="203.0.113.20",
        region=region("IT"),
    )
    IpRangeFactory(
        source=low.source,
        first_address="2001:db9::",
        last_address="2001:db9::f",
        region=region("ES"),
    )
    NetworkOverrideFactory(network="192.0.2.128/25", region=region("BR"))
    addresses = [
        *("192.0.2.1", "192.0.2.200", "198.51.100.7", "203.0.113.0", "203.0.113.9", "203.0.113.10"),
        *("203.0.113.20", "203.0.113.21", "2001:db8::7", "2001:db9::f", "2001:db9::10", "::"),
    ]
    assert has_country_file()
    codes = [country_in_file(address) for address in addresses]
    expression = region_expression("given.ip", mmdb_code="given.code")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {expression} FROM unnest(%s::inet[], %s::text[])"
            " WITH ORDINALITY given (ip, code, place) ORDER BY place",
            [addresses, codes],
        )
        found_at_once = [row[0] for row in cursor.fetchall()]
    assert found_at_once == [region_of(address).region_id for address in addresses]
    assert len(set(found_at_once)) == 7
