"""The routes of this app: where an address is, and whether a product may be shown."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from django.test import Client

from tests.factories.licensing import IpRangeFactory, licence
from tests.factories.products import ProductFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("regions")]

CANADIAN = "192.0.2.7"


def problem(response, status):
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    return orjson.loads(response.content)


@pytest.fixture
def ranges():
    IpRangeFactory(source__name="geoip")


def test_the_region_of_an_address_and_why(get_json, ranges):
    expected = {
        "ip": "192.0.2.9",
        "region": {"code": "CA", "name": "Canada"},
        "source": "ranges geoip",
        "network": "192.0.2.0/24",
    }
    assert get_json("/licensing/region", {"ip": "192.0.2.9"}) == expected
    assert get_json("/licensing/region/", {"ip": "::ffff:192.0.2.9"}) == expected


def test_the_callers_own_region_is_the_default(ranges):
    answer = Client(SERVER_NAME="localhost", REMOTE_ADDR=CANADIAN).get("/licensing/region")
    assert orjson.loads(answer.content)["ip"] == CANADIAN
    assert answer["Cache-Control"] == "private, no-cache"


def test_an_unknown_region_is_null(get_json):
    assert get_json("/licensing/region", {"ip": "::1"}) == {
        "ip": "::1",
        "region": None,
        "source": "none",
        "network": "",
    }


@pytest.mark.parametrize("ip", ["x", "1.2.3", "192.0.2.0/24", "\0"])
def test_what_is_no_address_is_a_problem(client, ip):
    found = problem(client.get("/licensing/region", {"ip": ip}), 422)
    assert (found["code"], found["detail"]) == ("invalid_address", "This is no IP address.")


def test_f17_headers_of_a_client_do_not_move_it(ranges):
    spoofed = {
        "X-Forwarded-For": "192.0.2.9",
        "X-Real-IP": "192.0.2.9",
        "Forwarded": "for=192.0.2.9",
        "True-Client-IP": "192.0.2.9",
        "CF-Connecting-IP": "192.0.2.9",
    }
    for headers in ({}, spoofed):
        answer = Client(SERVER_NAME="localhost", REMOTE_ADDR="203.0.113.5").get(
            "/licensing/region", headers=headers
        )
        assert orjson.loads(answer.content)["ip"] == "203.0.113.5"
    by_nginx = Client(SERVER_NAME="localhost", REMOTE_ADDR="").get(
        "/licensing/region", headers={"X-Forwarded-For": "192.0.2.9"}
    )
    assert orjson.loads(by_nginx.content)["region"]["code"] == "CA"


def test_a_product_without_licences_is_free_everywhere(get_json):
    ProductFactory(id=1)
    assert get_json("/licensing/products/1", {"region": "ca"}) == {
        "product_id": 1,
        "region": "CA",
        "allowed": True,
        "until": None,
        "reason": "unrestricted",
    }


@pytest.mark.django_db(transaction=True)
def test_until_when_a_product_may_be_shown(get_json):
    ProductFactory(id=1)
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    licence(1, "EU", valid_from=end - timedelta(days=9), valid_until=end)
    answer = get_json("/licensing/products/1", {"region": "FR"})
    assert (answer["allowed"], answer["reason"]) == (True, "allowed by group")
    assert datetime.fromisoformat(answer["until"]) == end
    answer = get_json("/licensing/products/1/", {"region": "CA"})
    assert (answer["allowed"], answer["until"]) == (False, None)
    assert answer["reason"] == "licensed elsewhere"
    # The caller's own region is unknown here.
    answer = get_json("/licensing/products/1")
    assert (answer["region"], answer["allowed"]) == (None, False)


@pytest.mark.parametrize("product", ["99", "0", "x", "9" * 40, "1.5"])
def test_an_unknown_product_is_a_problem(client, product):
    found = problem(client.get(f"/licensing/products/{product}"), 404)
    assert found["code"] == "unknown_product"


@pytest.mark.parametrize("region", ["QQ", "Canada", "\0", "é", "C'"])
def test_an_unknown_region_is_a_problem(client, region):
    ProductFactory(id=1)
    found = problem(client.get("/licensing/products/1", {"region": region}), 422)
    assert found["code"] == "unknown_region"


@pytest.mark.parametrize("path", ["/licensing/region", "/licensing/products/1"])
def test_nothing_is_written_here(client, path):
    answer = client.post(path)
    assert problem(answer, 405)["code"] == "method_not_allowed"
    assert "GET" in answer["Allow"]
