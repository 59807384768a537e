"""Addresses to regions: every source, their precedence, and what is no address."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from licensing import services
from licensing.services import InvalidAddress, Place, region_of
from tests.factories.licensing import (
    IpRangeFactory,
    NetworkOverrideFactory,
    RangeSourceFactory,
    region,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("regions")]

CANADA = Place("CA", "Canada")


def found(address):
    answer = region_of(address)
    return (answer.region and answer.region.code, answer.source, answer.network)


def test_an_address_that_no_source_knows_has_no_region():
    answer = region_of("198.51.100.7")
    assert (answer.region, answer.region_id) == (None, None)
    assert (answer.source, answer.network, answer.address) == ("none", "", "198.51.100.7")


def test_the_policy_places_what_no_source_knows(settings):
    settings.UNKNOWN_REGION = "US"
    answer = region_of("198.51.100.7")
    assert (answer.region, answer.source) == (Place("US", "United States"), "policy")
    settings.UNKNOWN_REGION = "QQ"
    assert region_of("198.51.100.7").region is None


def test_an_imported_range_holds_its_first_and_last_address_and_no_other():
    IpRangeFactory(source__name="geoip", first_address="192.0.2.16", last_address="192.0.2.20")
    expected = ("CA", "ranges geoip", "192.0.2.16 - 192.0.2.20")
    assert found("192.0.2.16") == found("192.0.2.18") == found("192.0.2.20") == expected
    for outside in ("192.0.2.15", "192.0.2.21", "255.255.255.255", "0.0.0.1", "::", "ff::"):
        assert found(outside) == (None, "none", "")
    answer = region_of("192.0.2.16")
    assert (answer.region, answer.region_id) == (CANADA, region("CA").pk)


def test_a_range_that_is_a_network_is_named_as_one():
    IpRangeFactory(source__name="geoip")
    assert found("192.0.2.1") == ("CA", "ranges geoip", "192.0.2.0/24")


def test_ipv6_ranges_stand_beside_those_of_ipv4():
    source = RangeSourceFactory(name="geoip")
    IpRangeFactory(source=source)
    IpRangeFactory(
        source=source,
        first_address="2001:db8::",
        last_address="2001:db8::ffff",
        region=region("FR"),
    )
    assert found("2001:db8::8") == ("FR", "ranges geoip", "2001:db8::/112")
    assert found("2001:db8::1:0") == (None, "none", "")
    assert found("192.0.2.8") == ("CA", "ranges geoip", "192.0.2.0/24")


def test_a_mapped_address_counts_as_ipv4():
    IpRangeFactory(source__name="geoip")
    assert region_of("::ffff:192.0.2.8") == region_of("192.0.2.8")


def test_sources_are_asked_by_precedence_and_then_by_name():
    for name, precedence, code in (("b", 5, "FR"), ("a", 7, "DE"), ("c", 5, "IT")):
        IpRangeFactory(
            source=RangeSourceFactory(name=name, precedence=precedence), region=region(code)
        )
    assert found("192.0.2.1") == ("FR", "ranges b", "192.0.2.0/24")


def test_a_source_that_does_not_know_leaves_the_word_to_the_next():
    RangeSourceFactory(name="empty", precedence=1)
    IpRangeFactory(source=RangeSourceFactory(name="full", precedence=2))
    assert found("192.0.2.1")[1] == "ranges full"


def test_an_override_beats_ranges_and_the_most_specific_network_wins():
    IpRangeFactory()
    NetworkOverrideFactory(network="192.0.0.0/16", region=region("DE"))
    NetworkOverrideFactory(network="192.0.2.8/32", region=region("FR"))
    NetworkOverrideFactory(network="192.0.2.0/28", region=region("IT"))
    assert found("192.0.2.8") == ("FR", "override", "192.0.2.8/32")
    assert found("192.0.2.9") == ("IT", "override", "192.0.2.0/28")
    assert found("192.0.2.99") == ("DE", "override", "192.0.0.0/16")


@pytest.mark.parametrize(
    "text",
    ["", "x", "192.0.2", "192.0.2.256", "192.0.2.0/24", "1.2.3.4, 5.6.7.8", "fe80::1%eth0", "\0"],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(InvalidAddress):
        region_of(text)
    assert services.visitors_region(text) is None


def test_a_look_up_is_one_statement():
    IpRangeFactory()
    with CaptureQueriesContext(connection) as captured:
        region_of("192.0.2.1")
    assert len(captured.captured_queries) == 1
