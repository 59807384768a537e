"""A code and a refresh token work once, whoever races for them."""

from functools import partial

import orjson
import pytest
from django.test import Client as Browser
from oauth2_provider.models import AccessToken, Grant, RefreshToken

from tests.factories.users import AdminFactory, PersonClientFactory
from tests.threads import Aside, Crew
from tests.users.test_oauth import consent, redeem, refresh
from tests.waiting import second_connection, wait_for_blocked

pytestmark = pytest.mark.django_db(transaction=True)

CREW = 6
ROUNDS = pytest.mark.parametrize("rounds", [5, pytest.param(100, marks=pytest.mark.long)])


@pytest.fixture
def crew():
    with Crew(CREW) as crew:
        yield crew


@pytest.fixture
def browser():
    PersonClientFactory(client_id="office")
    browser = Browser(SERVER_NAME="localhost")
    browser.force_login(AdminFactory())
    return browser


def anew():
    return Browser(SERVER_NAME="localhost")


def statuses(responses):
    return sorted(response.status_code for response in responses)


def assert_nothing_is_left():
    assert not AccessToken.objects.exists()
    assert not RefreshToken.objects.filter(revoked=None).exists()
    assert not Grant.objects.exists()


@ROUNDS
def test_of_many_uses_of_one_code_one_is_answered_and_none_lasts(crew, browser, rounds):
    for _ in range(rounds):
        code = consent(browser)["code"]
        answers = crew.run([partial(redeem, anew(), code)] * CREW)
        assert statuses(answers) == [200] + [400] * (CREW - 1)
        assert_nothing_is_left()


@ROUNDS
def test_of_many_uses_of_one_refresh_token_one_is_answered_and_none_lasts(crew, browser, rounds):
    for _ in range(rounds):
        given = orjson.loads(redeem(browser, consent(browser)["code"]).content)
        tasks = [partial(refresh, anew(), given["refresh_token"])] * CREW
        assert statuses(crew.run(tasks)) == [200] + [400] * (CREW - 1)
        assert_nothing_is_left()


@ROUNDS
def test_no_token_is_refreshed_past_the_end_of_its_family(crew, browser, rounds):
    def refresh_on(token):
        """One after the other, for as long as there is another."""
        while (answer := refresh(anew(), token)).status_code == 200:
            token = orjson.loads(answer.content)["refresh_token"]

    for _ in range(rounds):
        codes = [consent(browser)["code"] for _ in range(CREW // 2)]
        given = [orjson.loads(redeem(browser, code).content) for code in codes]
        refreshing = [partial(refresh_on, one["refresh_token"]) for one in given]
        crew.run(refreshing + [partial(redeem, anew(), code) for code in codes])
        assert_nothing_is_left()


def test_reuse_of_a_refresh_token_ends_what_a_refresh_under_way_gives(browser):
    first = orjson.loads(redeem(browser, consent(browser)["code"]).content)["refresh_token"]
    second = orjson.loads(refresh(browser, first).content)["refresh_token"]
    with second_connection() as other:
        other.execute("BEGIN")
        other.execute("SELECT FROM oauth2_provider_refreshtoken WHERE revoked IS NULL FOR UPDATE")
        with Aside(partial(refresh, anew(), second)) as refreshing:
            wait_for_blocked(1)
            with Aside(partial(refresh, anew(), first)) as reusing:
                wait_for_blocked(2)
                other.execute("ROLLBACK")
                assert refreshing.result().status_code == 200
                assert reusing.result().status_code == 400
    assert_nothing_is_left()
