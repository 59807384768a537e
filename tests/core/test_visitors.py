"""Who a visitor is. That votes follow these rules is tested with the votes."""

import uuid

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from atelier.core.visitors import COOKIE, peer_address, remember, visitor_of


def request(**extra):
    return RequestFactory().get("/", **extra)


@pytest.mark.parametrize(
    ("extra", "address"),
    [
        ({"REMOTE_ADDR": "192.0.2.1"}, "192.0.2.1"),
        ({"REMOTE_ADDR": ""}, ""),
        ({"REMOTE_ADDR": "", "HTTP_X_FORWARDED_FOR": "198.51.100.7"}, "198.51.100.7"),
        ({"REMOTE_ADDR": "", "HTTP_X_FORWARDED_FOR": " 2001:db8::7 "}, "2001:db8::7"),
        ({"REMOTE_ADDR": "192.0.2.1", "HTTP_X_FORWARDED_FOR": "1.1.1.1, 2.2.2.2"}, "192.0.2.1"),
        ({"REMOTE_ADDR": "192.0.2.1", "HTTP_X_FORWARDED_FOR": ""}, "192.0.2.1"),
        # A peer on TCP that is not known to be nginx speaks for itself.
        ({"REMOTE_ADDR": "192.0.2.1", "HTTP_X_FORWARDED_FOR": "198.51.100.7"}, "192.0.2.1"),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "198.51.100.7"}, "127.0.0.1"),
        ({"REMOTE_ADDR": "10.0.0.9", "HTTP_X_FORWARDED_FOR": "198.51.100.7"}, "198.51.100.7"),
        ({"REMOTE_ADDR": "10.0.0.9", "HTTP_X_FORWARDED_FOR": "1.1.1.1, 2.2.2.2"}, "10.0.0.9"),
        ({"REMOTE_ADDR": "10.0.0.9", "HTTP_X_REAL_IP": "198.51.100.7"}, "10.0.0.9"),
        # nginx sends one address or nothing; from its socket anything else is nobody.
        ({"REMOTE_ADDR": "", "HTTP_X_FORWARDED_FOR": "1.1.1.1, 2.2.2.2"}, ""),
        ({"REMOTE_ADDR": "", "HTTP_X_FORWARDED_FOR": "unix:"}, ""),
        ({"REMOTE_ADDR": "", "HTTP_FORWARDED": "for=198.51.100.7"}, ""),
    ],
)
def test_f17_the_address_is_the_one_that_nginx_saw(settings, extra, address):
    settings.NGINX_ADDRESSES = frozenset({"10.0.0.9"})
    assert peer_address(request(**extra)) == address


def test_a_visitor_is_the_same_id_each_time_and_tells_nothing_of_the_person():
    first = visitor_of(request(REMOTE_ADDR="192.0.2.1", HTTP_USER_AGENT="agent"))
    again = visitor_of(request(REMOTE_ADDR="192.0.2.1", HTTP_USER_AGENT="agent"))
    assert isinstance(first, uuid.UUID)
    assert first == again
    assert first != visitor_of(request(REMOTE_ADDR="192.0.2.1", HTTP_USER_AGENT="other"))


def test_another_secret_key_makes_other_ids(settings):
    before = visitor_of(request())
    settings.SECRET_KEY = "another"
    assert visitor_of(request()) != before


def test_address_and_agent_are_kept_apart():
    assert visitor_of(request(REMOTE_ADDR="1\n2", HTTP_USER_AGENT="3")) == visitor_of(
        request(REMOTE_ADDR="1\n2", HTTP_USER_AGENT="3")
    )
    assert visitor_of(request(REMOTE_ADDR="12", HTTP_USER_AGENT="3")) != visitor_of(
        request(REMOTE_ADDR="1", HTTP_USER_AGENT="23")
    )


@pytest.mark.parametrize("agent", ["", "é\udcff", "x" * 100_000, "\x00"])
def test_any_user_agent_is_a_visitor(agent):
    assert visitor_of(request(HTTP_USER_AGENT=agent))


@pytest.mark.parametrize("https", [True, False])
def test_the_cookie_is_closed_to_scripts_and_lasts(settings, https):
    settings.HTTPS = https
    response, visitor = HttpResponse(), uuid.uuid4()
    remember(request(), response, visitor)
    cookie = response.cookies[COOKIE]
    assert cookie["httponly"] is True
    assert cookie["samesite"] == "Lax"
    assert bool(cookie["secure"]) is https
    assert cookie["max-age"] == 365 * 24 * 3600
    back = request(HTTP_COOKIE=f"{COOKIE}={cookie.value}")
    assert visitor_of(back) == visitor


def test_a_cookie_that_holds_is_not_set_again_and_a_broken_one_is():
    response = HttpResponse()
    remember(request(), response, uuid.uuid4())
    signed = response.cookies[COOKIE].value
    for value, is_set in [(signed, False), (signed[:-1], True), ("", True)]:
        again = HttpResponse()
        remember(request(HTTP_COOKIE=f"{COOKIE}={value}"), again, uuid.uuid4())
        assert (COOKIE in again.cookies) is is_set


def test_a_cookie_signed_with_the_key_before_the_last_holds(settings):
    response, visitor = HttpResponse(), uuid.uuid4()
    remember(request(), response, visitor)
    old, settings.SECRET_KEY = settings.SECRET_KEY, "the next key"
    cookie = {"HTTP_COOKIE": f"{COOKIE}={response.cookies[COOKIE].value}"}
    assert visitor_of(request(**cookie)) != visitor
    settings.SECRET_KEY_FALLBACKS = [old]
    assert visitor_of(request(**cookie)) == visitor
