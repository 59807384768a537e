"""What an instance lets nginx answer by itself, and for how long."""

import re
import time

import pytest
from django.http import HttpResponse

from atelier.core import callers, throttling
from atelier.core.callers import permit, require
from tests.factories.users import ClientFactory, bearer, give_token
from users.services import tokens
from users.services.tokens import Verifier

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh(monkeypatch, patient_redis):
    """A process that knows no token and has taken no share."""
    verifier = Verifier()
    monkeypatch.setattr(callers, "_verifier", lambda: verifier)
    monkeypatch.setattr(throttling, "_shares", throttling._Shares())
    monkeypatch.setattr(throttling, "breaker", throttling.Breaker())
    return verifier


def permitted(rf, token, **headers):
    request = rf.get("/user/1", headers={"x-cache-permit": "0", **bearer(token), **headers})
    caller = require(request, "accounts")
    response = HttpResponse()
    permit(request, response, caller, "-")
    return response.headers.get("X-Accel-Permit")


def test_a_permit_says_until_when_how_often_and_as_what_reader(rf, settings):
    settings.CLIENT_RATE = 500
    began = time.time()
    given = permitted(rf, give_token())
    # As nginx reads it.
    trusted, counted, number, reader = re.fullmatch(
        r"(\d+\.\d+) (\d+\.\d+) (\d+) (\S+)", given
    ).groups()
    assert began < float(trusted) <= time.time() + tokens.TRUST_SECONDS
    assert began < float(counted) <= int(time.time()) + 1
    assert (number, reader) == ("50", "-")


def test_what_nginx_holds_is_not_counted_again(rf, settings):
    settings.CLIENT_RATE = 500
    token = give_token()
    numbers = [
        permitted(rf, token, **{"x-cache-permit": held}).split()[2] for held in ("20", "50", "80")
    ]
    assert numbers == ["30", "0", "0"]


@pytest.mark.parametrize("held", ["", "-1", "wanted", "1.5"])
def test_what_is_no_number_asks_for_nothing(rf, held):
    assert permitted(rf, give_token(), **{"x-cache-permit": held}) is None


def test_nobody_is_permitted_who_was_not_asked_for(rf):
    token = give_token()
    request = rf.get("/user/1", headers=bearer(token))
    response = HttpResponse()
    permit(request, response, require(request, "accounts"), "-")
    assert "X-Accel-Permit" not in response.headers


def test_a_request_without_a_token_gets_no_permit(rf, settings):
    settings.OPEN_WITHOUT_TOKENS = True
    ClientFactory()
    request = rf.get("/user/1", headers={"x-cache-permit": "0"})
    response = HttpResponse()
    permit(request, response, require(request, "accounts"), "-")
    assert "X-Accel-Permit" not in response.headers


def test_a_used_up_rate_permits_nothing(rf, settings, monkeypatch):
    settings.CLIENT_RATE = 1
    second = int(time.time())
    monkeypatch.setattr(throttling.time, "time", lambda: second)
    assert permitted(rf, give_token()) is None


def test_a_token_that_is_not_trusted_is_not_counted_ahead(rf, fresh, monkeypatch):
    monkeypatch.setattr(fresh, "seconds_to_trust", lambda token, caller: 0.0)
    monkeypatch.setattr(callers, "take_ahead", lambda *asked: pytest.fail("was counted"))
    assert permitted(rf, give_token()) is None


def test_a_wait_for_redis_lengthens_no_trust(rf, fresh, monkeypatch):
    began = []

    def slow(client, held):
        began.append(time.time())
        time.sleep(0.3)
        return 1, time.time() + 1

    monkeypatch.setattr(callers, "take_ahead", slow)
    monkeypatch.setattr(fresh, "seconds_to_trust", lambda token, caller: 0.5)
    trusted = float(permitted(rf, give_token()).split()[0])
    # To the millisecond, as nginx reads it.
    assert trusted <= began[0] + 0.5 + 0.001


def test_f16_who_is_refused_gets_no_permit(client, settings):
    told = {"x-cache-permit": "0"}
    narrow = give_token(scopes=["moderation"])
    for headers in ({}, bearer("wrong"), bearer(narrow), {**bearer(give_token()), "ntenant": "x"}):
        response = client.get("/user/1", headers={**told, **headers})
        assert response.status_code in (401, 403)
        assert "X-Accel-Permit" not in response.headers
