"""The preferences of a profile: any JSON under a key."""

import orjson
import pytest

from tests.factories.users import PreferenceFactory, bearer, give_token
from tests.users.profiles import ANN, BO, NOBODY, ann_and_bo, send
from users.models import Preference
from users.services.preferences import MOST_PREFERENCES

pytestmark = pytest.mark.django_db

ALL = f"/profiles/{ANN}/preferences"


@pytest.fixture(autouse=True)
def people(settings):
    settings.OPEN_WITHOUT_TOKENS = True
    return ann_and_bo()


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -1.5,
        1e22,
        "",
        "dark",
        "\\u0000",
        [],
        {},
        {"a": [1, {"b": None}]},
        "ß\U0001f600",
        "x" * 16_000,
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_value_comes_back_as_it_was(client, value):
    response = send(client, "PUT", f"{ALL}/theme", orjson.dumps(value))
    assert (response.status_code, response.content) == (204, b"")
    assert client.get(f"{ALL}/theme/").json() == value
    assert client.get(ALL).json() == {"theme": value}


def test_a_value_replaces_the_one_before(client):
    for value in ("dark", "light"):
        send(client, "PUT", f"{ALL}/theme", value)
    assert client.get(ALL).json() == {"theme": "light"}
    assert Preference.objects.count() == 1


def test_preferences_are_one_profiles_own(client, people):
    PreferenceFactory(profile=people[1])
    send(client, "PUT", f"{ALL}/theme", "light")
    send(client, "PUT", f"{ALL}/a.b-c_D", 1)
    assert client.get(ALL).json() == {"theme": "light", "a.b-c_D": 1}
    assert client.get(f"/profiles/{BO}/preferences").json() == {"theme": "dark"}


def test_a_profile_without_any_has_an_empty_object(client):
    assert client.get(ALL).content == b"{}"


def test_a_preference_is_removed(client, people):
    PreferenceFactory(profile=people[0])
    PreferenceFactory(profile=people[1])
    assert send(client, "DELETE", f"{ALL}/theme").status_code == 204
    assert client.get(ALL).json() == {}
    assert send(client, "DELETE", f"{ALL}/theme").status_code == 404
    assert Preference.objects.count() == 1


@pytest.mark.parametrize("key", ["x", "x" * 100, "...x", "-"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_key_that_is_not_there_is_a_404(client, key, method):
    response = send(client, method, f"{ALL}/{key}")
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["detail"] == "The profile has no such preference."


@pytest.mark.parametrize("profile_id", [NOBODY, "x"])
def test_preferences_of_nobody_are_a_404(client, profile_id):
    path = f"/profiles/{profile_id}/preferences"
    for method, target in [("GET", path), ("PUT", f"{path}/x"), ("DELETE", f"{path}/x")]:
        assert send(client, method, target, 1).status_code == 404


def test_a_deleted_profile_shows_and_takes_none(client, people):
    PreferenceFactory(profile=people[0])
    send(client, "DELETE", f"/profiles/{ANN}")
    assert client.get(ALL).status_code == 404
    assert client.get(f"{ALL}/theme").status_code == 404
    assert send(client, "PUT", f"{ALL}/theme", 1).status_code == 404
    assert send(client, "DELETE", f"{ALL}/theme").status_code == 404
    send(client, "POST", f"/profiles/{ANN}/restore")
    assert client.get(ALL).json() == {"theme": "dark"}


@pytest.mark.parametrize(
    "key", ["x" * 101, "a%20b", "a%00", "%C3%A9", "a,b", ".", "..", "%2e%2e", "..."]
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_key_that_cannot_be_is_refused_with_the_reason(client, method, key):
    response = send(client, method, f"{ALL}/{key}", 1)
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["detail"] == (
        "A key has at most 100 letters, digits, dots, hyphens and underscores, and not dots alone."
    )
    assert not Preference.objects.exists()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"NaN", 400),
        (b"1e999", 400),
        (b"dark", 400),
        (b"\xff", 400),
        (b'"\\ud800"', 400),
        (b'"\\u0000"', 400),
        (b'{"a":["\\u0000"]}', 400),
        (b'{"\\u0000":1}', 400),
        (b"[" * 33 + b"]" * 33, 400),
        (b"[" * 900 + b"]" * 900, 400),
        (b"[" * 5000, 400),
        (b'"' + b"x" * 16_383 + b'"', 413),
        (b'"' + b"x" * 2_000_000 + b'"', 413),
    ],
    ids=range(15),
)
def test_f11_a_value_that_cannot_be_kept_is_refused(client, body, status):
    response = send(client, "PUT", f"{ALL}/theme", body)
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    assert not Preference.objects.exists()


def test_a_profile_has_a_hundred_at_most(client, people):
    for number in range(MOST_PREFERENCES):
        PreferenceFactory(profile=people[0], key=f"k{number}")
    response = send(client, "PUT", f"{ALL}/one-more", 1)
    assert response.status_code == 409
    assert response.json()["code"] == "too_many_preferences"
    assert send(client, "PUT", f"{ALL}/k7", "new").status_code == 204
    assert Preference.objects.count() == MOST_PREFERENCES


def test_reading_costs_one_query(client, people, django_assert_num_queries, no_news):
    PreferenceFactory(profile=people[0])
    token = bearer(give_token())
    client.get(ALL, headers=token)
    for path in (ALL, f"{ALL}/theme"):
        with django_assert_num_queries(1):
            assert client.get(path, headers=token).status_code == 200
