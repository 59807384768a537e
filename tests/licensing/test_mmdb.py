"""The operator's MMDB file: asked before imported ranges, opened anew when it changes."""

import os

import pytest

from licensing.services import region_of
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
