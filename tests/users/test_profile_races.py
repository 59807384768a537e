"""F22: whoever races for an identity, one profile has it, and the others are told so."""

from collections import Counter
from functools import partial

import pytest
from django.test import Client

from atelier.core.publishing import publish
from tests.factories.users import ProfileFactory, TenantFactory
from tests.threads import Crew
from tests.users.profiles import send
from users.identities import canonical_mobile
from users.models import Profile, profile_scope
from users.services.profiles import delete_profile

pytestmark = pytest.mark.django_db(transaction=True)

CREW = 10
ROUNDS = pytest.mark.parametrize("rounds", [8, pytest.param(100, marks=pytest.mark.long)])
TWINS = ["A{}@x.org", "a{}@X.org ", "\uff21{}@x.org", " a{}@\uff58.org", "a{}@x.org"] * 2


@pytest.fixture(autouse=True)
def tenant(settings):
    settings.OPEN_WITHOUT_TOKENS = True
    return TenantFactory()


@pytest.fixture
def crew():
    with Crew(CREW) as crew:
        yield crew


def ask(method, path, body=None):
    """A request of a browser of its own: the status, and what was told."""
    response = send(Client(SERVER_NAME="localhost"), method, path, body)
    return response.status_code, response.json().get("error", "")


def outcomes(statuses):
    return Counter(status for status, _ in statuses)


@pytest.mark.parametrize("creates", [100, pytest.param(1_000, marks=pytest.mark.long)])
def test_f22_of_many_creates_of_one_identity_one_row_is_left(crew, creates):
    def create(twin):
        body = {"full_name": "A", "email_id": twin.format("nn")}
        return [ask("POST", "/profiles", body) for _ in range(creates // CREW)]

    answers = [one for many in crew.run([partial(create, twin) for twin in TWINS]) for one in many]
    assert outcomes(answers) == {200: 1, 409: creates - 1}
    told = {text for status, text in answers if status == 409}
    assert told == {"Another profile has this e-mail address."}
    assert Profile.objects.get().email_key == "ann@x.org"


@ROUNDS
def test_f22_twins_of_an_address_at_the_same_moment_are_one(crew, rounds):
    for number in range(rounds):
        bodies = [{"full_name": "A", "email_id": twin.format(number)} for twin in TWINS]
        answers = crew.run([partial(ask, "POST", "/profiles", body) for body in bodies])
        assert outcomes(answers) == {200: 1, 409: CREW - 1}
    assert Profile.objects.count() == rounds


@ROUNDS
def test_f22_twins_of_a_number_at_the_same_moment_are_one(crew, rounds):
    for number in range(rounds):
        spellings = [f"0151 2345{number:04}", f"+49 (151) 2345-{number:04}"] * (CREW // 2)
        bodies = [
            {"full_name": "A", "email_id": f"{n}@{number}.org", "mobile": one, "country_id": "DE"}
            for n, one in enumerate(spellings)
        ]
        answers = crew.run([partial(ask, "POST", "/profiles", body) for body in bodies])
        assert outcomes(answers) == {200: 1, 409: CREW - 1}
        assert {text for status, text in answers if status == 409} == {
            "Another profile has this mobile number."
        }
    assert Profile.objects.count() == rounds


@ROUNDS
def test_f22_creates_changes_and_restores_race_for_one_address(crew, tenant, rounds):
    for number in range(rounds):
        email = f"ann{number}@x.org"
        deleted = [ProfileFactory(tenant=tenant, email=f"{n}.{email}") for n in range(3)]
        for one in deleted:
            with publish(profile_scope(one.pk)):
                Profile.objects.filter(pk=one.pk).update(email=email, email_key=one.email_key[2:])
            delete_profile(tenant_id=tenant.pk, profile_id=one.pk, by="tests")
        others = [ProfileFactory(tenant=tenant) for _ in range(4)]
        tasks = [partial(ask, "POST", f"/profiles/{one.pk}/restore") for one in deleted]
        tasks += [
            partial(ask, "PUT", f"/profiles/{one.pk}", {"email_id": email.upper()})
            for one in others
        ]
        tasks += [partial(ask, "POST", "/profiles", {"full_name": "A", "email_id": email})] * 3
        assert outcomes(crew.run(tasks)) == {200: 1, 409: CREW - 1}
        assert Profile.objects.live().filter(email_key=email).count() == 1


@ROUNDS
def test_changes_of_different_columns_at_the_same_moment_all_hold(crew, tenant, rounds):
    profile = ProfileFactory(tenant=tenant)
    path = f"/profiles/{profile.pk}"
    for number in range(rounds):
        mobile, country = f"0151 2345{number:04}", "DE" if number % 2 else "AT"
        changes = [
            {"full_name": f"Ann {number}"},
            {"gender": str(number)},
            {"email_id": f"a{number}@x.org"},
            {"mobile": mobile},
            {"country_id": country},
            {"city_id": f"City {number}"},
            {"address": f"Street {number}"},
            {"latitude": number % 90},
            {"longitude": number % 180},
            {"birth_date": f"19{number % 100:02}-01-02"},
        ]
        answers = crew.run([partial(ask, "PUT", path, change) for change in changes])
        assert outcomes(answers) == {200: CREW}
        row = Profile.objects.get(pk=profile.pk)
        kept = (row.full_name, row.gender, row.email, row.mobile, row.country, row.city)
        assert kept == (
            f"Ann {number}",
            str(number),
            f"a{number}@x.org",
            mobile,
            country,
            f"City {number}",
        )
        assert (row.address, row.latitude, row.longitude) == (
            f"Street {number}",
            number % 90,
            number % 180,
        )
        assert row.birth_date.year == 1900 + number % 100
        assert row.email_key == f"a{number}@x.org"
        assert row.mobile_key == canonical_mobile(mobile, country)


@ROUNDS
def test_f22_preferences_set_at_the_same_moment_are_one(crew, tenant, rounds):
    profile = ProfileFactory(tenant=tenant)
    for number in range(rounds):

        def put(value, number=number):
            path = f"/profiles/{profile.pk}/preferences/k{number % 50}"
            return send(Client(SERVER_NAME="localhost"), "PUT", path, value).status_code

        assert crew.run([partial(put, value) for value in range(CREW)]) == [204] * CREW
    assert profile.preferences.count() == min(rounds, 50)
