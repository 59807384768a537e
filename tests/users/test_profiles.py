"""The profile routes in the spelling of the legacy API (contract 4)."""

from uuid import UUID

import pytest

from atelier.core.publishing import EPOCH, publish
from tests.factories.users import (
    AccountFactory,
    AdminFactory,
    ClientFactory,
    PersonClientFactory,
    ProfileFactory,
    TenantFactory,
    bearer,
    give_token,
)
from tests.users.profiles import ANN, BO, NOBODY, TENANT, ann_and_bo, send, the_tenant
from users.models import Profile

pytestmark = pytest.mark.django_db


@pytest.fixture
def opened(settings):
    """Who may ask is another matter: see test_matrix.py."""
    settings.OPEN_WITHOUT_TOKENS = True
    return the_tenant()


@pytest.fixture
def people(settings):
    settings.OPEN_WITHOUT_TOKENS = True
    return ann_and_bo()


def row(profile_id=ANN):
    return Profile.objects.filter(pk=profile_id).values().get()


FULL = {
    "full_name": "Ann Lee",
    "gender": "female",
    "email_id": "Ann@Example.com",
    "mobile": "0151 23456789",
    "birth_date": "1990-12-31",
    "address": "Main Street 1",
    "city_id": "Berlin",
    "country_id": "DE",
    "latitude": 52.52,
    "longitude": 13.405,
}


def test_a_new_profile_is_answered_with_both_ids(client, opened):
    response = send(client, "POST", "/profiles", FULL)
    assert response.status_code == 200
    made = Profile.objects.get()
    assert response.content == f'{{"TenantID":"{TENANT}","ProfileID":"{made.pk}"}}'.encode()
    assert response["Content-Type"] == "application/json; charset=utf-8"
    assert made.pk.version == 7
    assert (made.full_name, made.gender, made.email) == ("Ann Lee", "female", "Ann@Example.com")
    assert (made.email_key, made.mobile_key) == ("ann@example.com", "+4915123456789")
    assert (made.mobile, made.birth_date.isoformat()) == ("0151 23456789", "1990-12-31")
    assert (made.address, made.city, made.country) == ("Main Street 1", "Berlin", "DE")
    assert (made.latitude, made.longitude) == (52.52, 13.405)
    assert (made.account_id, made.profile_type, made.is_active) == (None, "personal", True)
    assert (made.created_by, made.updated_by, made.deleted_by) == ("anonymous", "", "")
    assert made.created_at == made.updated_at


def test_name_and_address_alone_make_a_profile(client, opened):
    assert send(client, "POST", "/profiles/", {"full_name": "A", "email_id": "a@b.c"}).json()
    made = Profile.objects.get()
    assert (made.mobile, made.mobile_key, made.birth_date) == ("", None, None)
    assert (made.latitude, made.longitude) == (None, None)


@pytest.mark.parametrize("name", ["full_name", "email_id"])
@pytest.mark.parametrize("value", [None, "", [], {}, True, 1.5])
def test_name_and_address_have_to_be_there(client, opened, name, value):
    response = send(client, "POST", "/profiles", {**FULL, name: value})
    assert response.status_code == 400
    assert list(response.json()) == ["error"]
    assert response.json()["error"]
    assert not Profile.objects.exists()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"birthdate": "1990-12-31"}, "1990-12-31"),
        ({"birthdate": "1990-12-31T23:59:59Z"}, "1990-12-31"),
        ({"birth_date": "1990-12-31T23:59:59.123456789+05:30"}, "1990-12-31"),
        ({"birth_date": "1990-12-31 10:00:00"}, "1990-12-31"),
        ({"birth_date": "2000-02-29", "birthdate": "1990-12-31"}, "2000-02-29"),
        ({"birth_date": None, "birthdate": "1990-12-31"}, "1990-12-31"),
        ({"birth_date": ""}, None),
        ({"birth_date": None}, None),
    ],
)
def test_days_of_birth_are_taken_as_old_clients_write_them(client, opened, given, kept):
    body = {"full_name": "A", "email_id": "a@b.c", **given}
    assert send(client, "POST", "/profiles", body).status_code == 200
    found = Profile.objects.get().birth_date
    assert (found and found.isoformat()) == kept


def test_what_old_clients_leave_out_or_write_otherwise_is_taken(client, opened):
    body = {
        "full_name": "A",
        "email_id": "a@b.c",
        "latitude": "52.5",
        "longitude": "",
        "city_id": 7,
        "mobile": None,
        "gender": None,
        "profile_id": "x",
        "something": {"else": []},
    }
    assert send(client, "POST", "/profiles", body).status_code == 200
    made = Profile.objects.get()
    assert (made.latitude, made.longitude, made.city, made.mobile) == (52.5, None, "7", "")


NEW = {**FULL, "email_id": "new@b.c", "mobile": ""}
BAD = [
    {"email_id": "nobody"},
    {"email_id": "a@b@c"},
    {"email_id": "a" * 321},
    {"mobile": "call me"},
    {"mobile": "1"},
    {"full_name": " \u2003"},
    {"full_name": "a" * 256},
    {"full_name": "a\0b"},
    {"address": "a\0b"},
    {"address": "a" * 2001},
    {"birth_date": "31.12.1990"},
    {"birth_date": "1990-02-30"},
    {"birth_date": "0000-01-01"},
    {"birth_date": "1990-12-31Tx"},
    {"birth_date": "\u0661\u0669\u0669\u0660-12-31"},
    {"birth_date": 19901231},
    {"latitude": 90.1},
    {"latitude": "NaN"},
    {"latitude": "Infinity"},
    {"latitude": "1e999"},
    {"latitude": True},
    {"latitude": []},
    {"latitude": 2**63},
    {"longitude": -180.5},
    {"longitude": "9" * 5000},
    {"userid": 0},
    {"userid": 2**63},
    {"userid": "x"},
    {"userid": True},
    {"userid": 77},
    {"profile_type": " "},
    {"profile_type": "a" * 101},
    {"gender": ["x"]},
    {"country_id": 1.5},
    {"country_id": {"a": 1}},
]


@pytest.mark.parametrize("change", BAD, ids=str)
def test_f11_what_does_not_fit_is_refused(client, people, change):
    before = row()
    answers = [send(client, "POST", "/profiles", {**NEW, **change})]
    if not {"userid", "profile_type"} & change.keys():
        answers.append(send(client, "PUT", f"/profiles/{ANN}", change))
    for response in answers:
        assert response.status_code == 400, response.content
        assert list(response.json()) == ["error"]
        assert response["Content-Type"] == "application/json; charset=utf-8"
    assert Profile.objects.count() == 2
    assert row() == before


UNREADABLE = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"x"',
    b"7",
    b"\xff",
    b'{"full_name":"a","email_id":"a@b.c","latitude":NaN}',
    b'{"full_name":"a","email_id":"a@b.c","latitude":1e999}',
    b'{"full_name":"\\ud800","email_id":"a@b.c"}',
    b'{"full_name":"a","email_id":"\xed\xa0\x80@b.c"}',
    b'{"full_name":' + b"[" * 5000,
    b'{"full_name":' + b"[" * 900 + b"]" * 900 + b',"email_id":"a@b.c"}',
    b'{"full_name":"a","email_id":"a@b.c","userid":' + b"9" * 400 + b"}",
]


@pytest.mark.parametrize("body", UNREADABLE, ids=range(len(UNREADABLE)))
@pytest.mark.parametrize(("method", "path"), [("POST", "/profiles"), ("PUT", f"/profiles/{ANN}")])
def test_f11_what_is_no_json_object_is_refused(client, people, body, method, path):
    # A change says nothing of the account, and what is unknown is ignored.
    if method == "PUT" and b"userid" in body:
        body = b"["
    before = row()
    response = send(client, method, path, body)
    assert response.status_code == 400
    assert response.json()["error"]
    assert Profile.objects.count() == 2
    assert row() == before


def test_f11_a_body_over_a_megabyte_is_413(client, people):
    body = {**FULL, "address": "a" * 1_100_000}
    for method, path in [("POST", "/profiles"), ("PUT", f"/profiles/{ANN}")]:
        response = send(client, method, path, body)
        assert response.status_code == 413
        assert response.json() == {"error": "Request body too large"}


TWINS = ["A@x.org", " a@x.org ", "\uff21@x.org", "a@X.ORG", "a@\uff58.org"]


@pytest.mark.parametrize("twin", TWINS)
def test_addresses_that_mean_the_same_are_one_identity(client, opened, twin):
    send(client, "POST", "/profiles", {"full_name": "A", "email_id": "a@x.org"})
    response = send(client, "POST", "/profiles", {"full_name": "B", "email_id": twin})
    assert response.status_code == 409
    assert response.json() == {"error": "Another profile has this e-mail address."}
    assert Profile.objects.count() == 1


@pytest.mark.parametrize("twin", ["+4915123456789", "0151/234567-89", "+49 (151) 23456789"])
def test_numbers_that_mean_the_same_are_one_identity(client, people, twin):
    body = {"full_name": "B", "email_id": "b@x.org", "mobile": twin, "country_id": "de"}
    response = send(client, "POST", "/profiles", body)
    assert response.status_code == 409
    assert response.json() == {"error": "Another profile has this mobile number."}


def test_another_tenant_may_have_the_same_address_and_number(client, people):
    TenantFactory(name="north")
    response = send(client, "POST", "/profiles", FULL, ntenant="north")
    assert response.status_code == 200
    assert response.json()["TenantID"] != str(TENANT)
    assert Profile.objects.filter(email_key="ann@example.com").count() == 2


def test_an_account_has_several_profiles_of_different_types(client, people):
    body = {"full_name": "Ann", "email_id": "work@x.org", "userid": "1"}
    refused = send(client, "POST", "/profiles", body)
    assert refused.status_code == 409
    assert refused.json() == {"error": "The account has a profile of this type already."}
    made = send(client, "POST", "/profiles", {**body, "profile_type": "work"})
    assert made.status_code == 200
    kept = Profile.objects.get(pk=made.json()["ProfileID"])
    assert (kept.account_id, kept.profile_type) == (1, "work")


def test_a_change_sets_what_it_names_and_nothing_else(client, people, golden):
    before = row()
    response = send(
        client,
        "PUT",
        f"/profiles/{ANN}",
        {"full_name": "Ann Li", "birth_date": "", "city_id": "", "gender": None},
    )
    assert response.status_code == 200
    assert response.content == golden("profile_done")
    after = row()
    changed = {name for name in after if after[name] != before[name]}
    assert {"full_name", "birth_date", "city", "updated_by", "updated_at"} <= changed
    assert not {"gender", "email", "mobile", "mobile_key", "address", "country"} & changed
    assert (after["full_name"], after["birth_date"], after["city"]) == ("Ann Li", None, "")
    assert after["updated_by"] == "anonymous"
    assert after["updated_at"] > before["updated_at"]


def test_a_change_without_any_writes_nothing(client, people, golden):
    before = row()
    response = send(client, "PUT", f"/profiles/{ANN}/", {"unknown": 1, "gender": None})
    assert (response.status_code, response.content) == (200, golden("profile_done"))
    assert row() == before


def test_a_change_of_address_or_number_frees_the_old_and_holds_the_new(client, people):
    change = {"email_id": "NEW@example.com", "mobile": "+4915100000001"}
    assert send(client, "PUT", f"/profiles/{ANN}", change).status_code == 200
    kept = row()
    assert (kept["email_key"], kept["mobile_key"]) == ("new@example.com", "+4915100000001")
    old = {"email_id": "ann@example.com", "mobile": "+49 151 23456789"}
    assert send(client, "PUT", f"/profiles/{BO}", old).status_code == 200
    taken = send(client, "PUT", f"/profiles/{BO}", {"email_id": "new@EXAMPLE.com"})
    assert taken.status_code == 409
    assert taken.json() == {"error": "Another profile has this e-mail address."}
    assert send(client, "PUT", f"/profiles/{ANN}", {"mobile": ""}).status_code == 200
    assert (row()["mobile"], row()["mobile_key"]) == ("", None)


def test_a_number_follows_its_country(client, people):
    change = {"mobile": "0151 23456780"}
    assert send(client, "PUT", f"/profiles/{ANN}", change).status_code == 200
    assert row()["mobile_key"] == "+4915123456780"
    assert send(client, "PUT", f"/profiles/{ANN}", {"country_id": "AT"}).status_code == 200
    assert row()["mobile_key"] == "+4315123456780"
    assert send(client, "PUT", f"/profiles/{ANN}", {"country_id": "nowhere"}).status_code == 200
    assert row()["mobile_key"] == "015123456780"


def test_a_deleted_profile_is_gone_and_its_address_free(client, people, golden):
    response = send(client, "DELETE", f"/profiles/{ANN}")
    assert response.status_code == 200
    assert response.content == golden("profile_done")
    kept = row()
    assert kept["deleted_by"] == "anonymous"
    assert kept["deleted_at"]
    for method, path, body in [
        ("DELETE", f"/profiles/{ANN}", None),
        ("PUT", f"/profiles/{ANN}", {"full_name": "X"}),
        ("PUT", f"/profiles/{ANN}", {}),
        ("GET", f"/profiles/{ANN}", None),
    ]:
        assert send(client, method, path, body).status_code == 404
    assert row() == kept
    again = send(client, "POST", "/profiles", {**FULL, "userid": 1})
    assert again.status_code == 200
    assert again.json()["ProfileID"] != str(ANN)


ODD = [
    str(NOBODY),
    "1",
    "x",
    str(ANN).replace("-", ""),
    f"{{{ANN}}}",
    f"urn:uuid:{ANN}",
    str(ANN)[:-1],
    f"{ANN}0",
    "%00",
    "%F0%9F%98%80",
    "9" * 400,
]


@pytest.mark.parametrize("profile_id", ODD)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_who_does_not_exist_is_a_404(client, people, profile_id, method):
    response = send(client, method, f"/profiles/{profile_id}", {"full_name": "X"})
    assert response.status_code == 404
    assert response.json() == {"error": "There is no such profile."}
    assert Profile.objects.live().count() == 2


def test_ids_may_be_written_in_capitals(client, people):
    assert send(client, "PUT", f"/profiles/{str(ANN).upper()}", {"gender": ""}).status_code == 200


def names_of_columns():
    """Every column under its own name, its attribute's, and those of both spellings."""
    fields = Profile._meta.get_fields()
    names = {field.name for field in fields} | {getattr(field, "attname", "") for field in fields}
    legacy = {"tenant_id", "profile_id", "TenantID", "ProfileID", "ProfileImageURL", "Active"}
    legacy |= {"CreatedBy", "CreatedAt", "UpdatedBy", "UpdatedAt", "DeletedBy", "DeletedAt"}
    return (names | legacy | {"pk", "image_url"}) - {""}


SAID = {"full_name", "gender", "mobile", "birth_date", "address", "latitude", "longitude"}
# A value that no row of these tests has, for each kind of column.
STRANGE = "018f0000-0000-7000-8000-00000000000f"


@pytest.mark.parametrize("name", sorted(names_of_columns() - SAID - {"profile_type"}))
def test_f14_a_change_sets_no_other_column(client, people, name):
    before = row()
    response = send(client, "PUT", f"/profiles/{ANN}", {name: STRANGE})
    assert response.status_code == 200
    assert row() == before


@pytest.mark.parametrize("name", sorted(names_of_columns() - SAID - {"profile_type"}))
def test_f14_a_new_profile_sets_no_other_column(client, people, name):
    plain = {"full_name": "C", "email_id": "c@x.org"}
    made = send(client, "POST", "/profiles", plain).json()["ProfileID"]
    expected = row(made)
    with publish(EPOCH):
        Profile.objects.filter(pk=made).delete()
    again = send(client, "POST", "/profiles", {**plain, name: STRANGE})
    assert again.status_code == 200
    assert again.json()["TenantID"] == str(TENANT)
    found = row(again.json()["ProfileID"])
    different = {key for key in found if found[key] != expected[key]}
    assert different <= {"id", "created_at", "updated_at"}
    assert found["id"] != UUID(STRANGE)


def test_f14_the_columns_that_matter_are_among_those_tried():
    assert {
        "id",
        "tenant_id",
        "created_by",
        "deleted_at",
        "email_key",
        "image",
    } < names_of_columns()


def test_the_doer_is_the_client_or_the_person_it_acts_for(client, people):
    service = ClientFactory(client_id="desk")
    as_client = bearer(give_token(service))
    assert send(client, "PUT", f"/profiles/{ANN}", {"gender": "x"}, **as_client).status_code == 200
    assert row()["updated_by"] == "desk"
    person = AdminFactory(username="eve")
    as_person = bearer(give_token(PersonClientFactory(), user=person))
    assert send(client, "DELETE", f"/profiles/{ANN}", **as_person).status_code == 200
    assert row()["deleted_by"] == "eve"


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/profiles"), ("POST", f"/profiles/{ANN}"), ("POST", "/_health"), ("PUT", "/")],
)
def test_other_methods_are_told_so(client, people, method, path):
    response = send(client, method, path)
    assert response.status_code == 405
    assert response["Allow"]
    assert response.json() == {"error": "Method not allowed"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/profiles/{ANN}/restore"),
        ("POST", f"/profiles/{ANN}/preferences"),
        ("PATCH", f"/profiles/{ANN}/preferences/a"),
        ("PUT", "/products/1/styles/1"),
    ],
)
def test_other_methods_of_routes_of_our_own_are_a_problem(client, people, method, path):
    response = send(client, method, path)
    assert (response.status_code, response["Content-Type"]) == (405, "application/problem+json")
    assert response["Allow"]
    assert response.json()["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    ("path", "body"),
    [("/", b'{"Greet":"hello"}'), ("/_health", b'{"Status":"green"}'), ("/_health/", None)],
)
def test_the_greeting_and_the_health_ask_nobody(client, path, body, django_assert_num_queries):
    with django_assert_num_queries(0):
        response = client.get(path)
    assert response.status_code == 200
    assert body is None or response.content == body


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/profiles/{ANN}"),
        ("GET", f"/profiles/{NOBODY}"),
        ("GET", "/profiles"),
        ("GET", "/profiles?limit=x"),
        ("GET", f"/profiles/{ANN}/preferences"),
        ("GET", f"/profiles/{ANN}/preferences/x"),
        ("PUT", f"/profiles/{ANN}"),
        ("DELETE", f"/profiles/{NOBODY}"),
    ],
)
def test_f18_answers_are_their_callers_alone(client, people, method, path):
    response = send(client, method, path)
    assert response["Cache-Control"] == "private, no-store"
    assert "X-Accel-Expires" not in response
    assert "ETag" not in response


def test_f16_without_a_good_token_nothing_is_told(client):
    ann_and_bo()
    for headers, status in [
        ({}, 401),
        ({"authorization": "Bearer x"}, 401),
        (bearer(give_token(seconds=-1)), 401),
        (bearer(give_token(scopes=["accounts"])), 403),
        ({**bearer(give_token()), "ntenant": "north"}, 403),
    ]:
        for method, path in [("POST", "/profiles"), ("DELETE", f"/profiles/{ANN}")]:
            response = send(client, method, path, FULL, **headers)
            assert response.status_code == status
            assert list(response.json()) == ["error"]
            assert response["Cache-Control"] == "private, no-store"
    assert Profile.objects.live().count() == 2


def test_a_conflict_leaves_the_row_as_it_was(client, people):
    before = row(BO)
    change = {"full_name": "Bobby", "email_id": "ann@example.com"}
    assert send(client, "PUT", f"/profiles/{BO}", change).status_code == 409
    assert row(BO) == before


def test_a_change_costs_few_queries(client, people, django_assert_max_num_queries):
    token = bearer(give_token())
    send(client, "GET", f"/profiles/{ANN}", **token)
    with django_assert_max_num_queries(9):
        send(client, "PUT", f"/profiles/{ANN}", {"full_name": "X"}, **token)


def test_profiles_of_accounts_stay_when_nobody_names_them(client, people):
    AccountFactory(userid=2)
    ProfileFactory(tenant=people[0].tenant, account_id=2, profile_type="work")
    assert send(client, "PUT", f"/profiles/{ANN}", {"gender": "m"}).status_code == 200
    assert row()["account_id"] == 1


@pytest.mark.parametrize(
    ("field", "text", "told"),
    [
        ("full_name", "\u200b", "This field may not be blank."),
        ("full_name", "\u2800 \ufeff", "This field may not be blank."),
        ("profile_type", "\u200b", "This field may not be blank."),
        ("full_name", "\u0301", "This field may not be blank."),
        ("full_name", "Ann\uffff", "The character U+FFFF is not allowed"),
        ("full_name", "Ann\u202eeeL", "The character U+202E is not allowed"),
        ("city_id", "Ber\u2067lin", "The character U+2067 is not allowed"),
        ("gender", "f\x1b", "The character U+001B is not allowed"),
        ("full_name", "Ann\nLee", "The character U+000A is not allowed"),
        ("address", "1 Road\u202d", "The character U+202D is not allowed"),
    ],
)
def test_text_that_does_not_show_as_what_it_is_is_refused(client, people, field, text, told):
    before = row()
    new = {"full_name": "A", "email_id": "a@x.org", field: text}
    tries = [("POST", "/profiles", new)]
    if field != "profile_type":
        tries.append(("PUT", f"/profiles/{ANN}", {field: text}))
    for method, path, body in tries:
        response = send(client, method, path, body)
        assert response.status_code == 400
        assert response.json()["error"].startswith(f"{field}: {told}")
    name = {"city_id": "city"}.get(field, field)
    response = send(client, "PATCH", f"/profiles/{ANN}", {name: text})
    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == f"/{name}"
    assert row() == before
    assert Profile.objects.count() == 2


@pytest.mark.parametrize("name", ["ن\u200cا", "ශ\u200dරී", "محمد \u200fعلی"])
def test_names_keep_the_joiners_that_they_are_spelled_with(client, opened, name):
    body = {"full_name": name, "email_id": "a@x.org", "address": "1 Road\r\n\tBerlin"}
    assert send(client, "POST", "/profiles", body).status_code == 200
    made = Profile.objects.get()
    assert (made.full_name, made.address) == (name, "1 Road\r\n\tBerlin")
