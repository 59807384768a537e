"""The profile routes beside the legacy spelling: one, changes, restoring, the list."""

import re

import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories.users import AccountFactory, ProfileFactory, TenantFactory, bearer, give_token
from tests.users.profiles import ANN, BO, NOBODY, ann_and_bo, send
from users.models import Account, Profile
from users.sql import profiles as sql

pytestmark = pytest.mark.django_db

PROBLEM = "application/problem+json"


@pytest.fixture
def people(settings):
    settings.OPEN_WITHOUT_TOKENS = True
    return ann_and_bo()


@pytest.fixture
def crowd(people):
    """Twelve, beside Ann and Bo, of whom every third is in Paris."""
    return [
        ProfileFactory(
            tenant=people[0].tenant,
            full_name=f"Person {number}",
            email=f"p{number}@x.org",
            city="Paris" if number % 3 == 0 else "",
            gender="male",
        )
        for number in range(12)
    ]


def row(profile_id=ANN):
    return Profile.objects.filter(pk=profile_id).values().get()


def test_a_profile_in_full(client, people, golden):
    response = client.get(f"/profiles/{ANN}")
    assert response.status_code == 200
    assert response.content == golden("profile_detail")
    assert response["Content-Type"] == "application/json; charset=utf-8"
    assert response["Cache-Control"] == "private, no-store"


def test_a_profile_of_which_little_is_known(client, people, golden):
    assert client.get(f"/profiles/{BO}/").content == golden("profile_detail_bare")


def test_a_profile_costs_one_query(client, people):
    token = bearer(give_token())
    client.get(f"/profiles/{ANN}", headers=token)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(f"/profiles/{ANN}", headers=token).status_code == 200
    # Twice a second there is one more, for revoked tokens.
    [asked] = [query["sql"] for query in queries if "users_revocation" not in query["sql"]]
    assert "FROM users_profile" in asked


@pytest.mark.parametrize("method", ["GET", "PATCH"])
@pytest.mark.parametrize("profile_id", [NOBODY, "x", "1", "%00", str(ANN)[:-1], f"{ANN}0"])
def test_who_does_not_exist_is_a_404(client, people, method, profile_id):
    response = send(client, method, f"/profiles/{profile_id}", {"full_name": "X"})
    assert response.status_code == 404
    assert response["Content-Type"] == PROBLEM
    assert response.json()["detail"] == "There is no such profile."


def test_profiles_of_another_tenant_do_not_exist(client, people):
    TenantFactory(name="north")
    before = row()
    for method, path, body in [
        ("GET", f"/profiles/{ANN}", None),
        ("PATCH", f"/profiles/{ANN}", {"gender": "x"}),
        ("PUT", f"/profiles/{ANN}", {"gender": "x"}),
        ("DELETE", f"/profiles/{ANN}", None),
        ("POST", f"/profiles/{ANN}/restore", None),
        ("GET", f"/profiles/{ANN}/preferences", None),
        ("PUT", f"/profiles/{ANN}/preferences/x", 1),
        ("GET", f"/profiles/{ANN}/preferences/x", None),
        ("DELETE", f"/profiles/{ANN}/preferences/x", None),
    ]:
        assert send(client, method, path, body, ntenant="north").status_code == 404, path
    assert send(client, "GET", "/profiles", None, ntenant="north").json()["results"] == []
    assert row() == before


CHANGES = {
    "account": None,
    "profile_type": "work",
    "full_name": "Ann Li",
    "email": "li@example.com",
    "mobile": "+4915100000001",
    "gender": "",
    "birth_date": None,
    "address": "",
    "city": "Köln",
    "country": "AT",
    "latitude": None,
    "longitude": 0,
    "is_active": False,
}


def test_a_change_of_everything(client, people):
    response = send(client, "PATCH", f"/profiles/{ANN}", CHANGES)
    assert response.status_code == 200
    answer = response.json()
    assert {name: answer[name] for name in CHANGES} == CHANGES
    assert answer["updated_by"] == "anonymous"
    assert answer["updated_at"] > answer["created_at"]
    assert answer == client.get(f"/profiles/{ANN}").json()
    assert row()["mobile_key"] == "+4915100000001"


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_one_field_leaves_the_others(client, people, name):
    before = client.get(f"/profiles/{ANN}").json()
    response = send(client, "PATCH", f"/profiles/{ANN}", {name: CHANGES[name]})
    after = response.json()
    assert {key for key in after if after[key] != before[key]} == {name, "updated_by", "updated_at"}


BAD = [
    {},
    {"full_name": ""},
    {"full_name": " "},
    {"full_name": None},
    {"full_name": 7},
    {"full_name": "a\0"},
    {"email": ""},
    {"email": None},
    {"mobile": None},
    {"birth_date": "31.12.1990"},
    {"birth_date": ""},
    {"latitude": 91},
    {"latitude": "NaN"},
    {"latitude": True},
    {"longitude": "Infinity"},
    {"is_active": "perhaps"},
    {"account": 0},
    {"account": 2**63},
    {"profile_type": ""},
    [],
    None,
    "x",
]


@pytest.mark.parametrize("body", BAD, ids=str)
def test_f11_a_change_that_does_not_fit_is_400(client, people, body):
    before = row()
    response = send(client, "PATCH", f"/profiles/{ANN}", orjson.dumps(body))
    assert response.status_code == 400
    assert response["Content-Type"] == PROBLEM
    assert response["Cache-Control"] == "private, no-store"
    assert row() == before


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"email": "nobody"}, 422, "invalid_email"),
        ({"mobile": "call me"}, 422, "invalid_mobile"),
        ({"country": "AT", "mobile": "1"}, 422, "invalid_mobile"),
        ({"account": 77}, 422, "unknown_account"),
        ({"email": " BO@example.com"}, 409, "email_taken"),
        ({"account": 1}, 409, "profile_type_taken"),
        ({"mobile": "+4915123456789"}, 409, "mobile_taken"),
    ],
)
def test_a_change_that_cannot_be_names_why(client, people, body, status, code):
    path = f"/profiles/{ANN if code == 'email_taken' else BO}"
    before = [row(ANN), row(BO)]
    response = send(client, "PATCH", path, body)
    assert response.status_code == status
    assert response["Content-Type"] == PROBLEM
    assert response.json()["code"] == code
    assert [row(ANN), row(BO)] == before


def test_f14_a_change_with_any_other_field_is_400(client, people):
    fields = Profile._meta.get_fields()
    names = {field.name for field in fields} | {getattr(field, "attname", "id") for field in fields}
    others = sorted((names | {"image_url", "pk", "profile_id"}) - CHANGES.keys())
    assert {"id", "tenant", "tenant_id", "email_key", "created_by", "deleted_at"} <= set(others)
    before = row()
    for name in others:
        response = send(client, "PATCH", f"/profiles/{ANN}", {"full_name": "X", name: "x"})
        assert response.status_code == 400, name
        assert response.json()["errors"] == [{"pointer": f"/{name}", "detail": "Unknown field."}]
    assert row() == before


def test_a_deleted_profile_is_restored(client, people):
    before = client.get(f"/profiles/{ANN}").json()
    send(client, "DELETE", f"/profiles/{ANN}")
    response = send(client, "POST", f"/profiles/{ANN}/restore")
    assert response.status_code == 200
    after = response.json()
    assert {key for key in after if after[key] != before[key]} == {"updated_by", "updated_at"}
    assert after == client.get(f"/profiles/{ANN}").json()
    assert (row()["deleted_by"], row()["deleted_at"]) == ("", None)


def test_restoring_the_living_changes_nothing(client, people):
    before = row()
    assert send(client, "POST", f"/profiles/{ANN}/restore").status_code == 200
    assert row() == before


@pytest.mark.parametrize(
    ("taken", "code"),
    [
        ({"email": "ANN@example.com"}, "email_taken"),
        ({"mobile": "+4915123456789"}, "mobile_taken"),
        ({"account_id": 1}, "profile_type_taken"),
    ],
)
def test_a_profile_whose_place_is_taken_is_not_restored(client, people, taken, code):
    send(client, "DELETE", f"/profiles/{ANN}")
    ProfileFactory(tenant=people[0].tenant, **taken)
    before = row()
    response = send(client, "POST", f"/profiles/{ANN}/restore")
    assert response.status_code == 409
    assert response.json()["code"] == code
    assert row() == before


def test_restoring_nobody_is_a_404(client, people):
    assert send(client, "POST", f"/profiles/{NOBODY}/restore").status_code == 404


def listed(client, **query):
    response = client.get("/profiles", query)
    assert response.status_code == 200, response.content
    return response.json()


def test_the_list_has_whole_profiles_by_age(client, people, golden):
    response = client.get("/profiles")
    ann, bo = golden("profile_detail"), golden("profile_detail_bare")
    assert response.content == b'{"results":[' + bo + b"," + ann + b'],"next":null}'


def test_the_list_is_walked_by_pages(client, crowd):
    found, after = [], None
    for _ in range(20):
        page = listed(client, limit=4, **({"after": after} if after else {}))
        found += [entry["id"] for entry in page["results"]]
        after = page["next"]
        if after is None:
            break
    assert found == [str(BO), str(ANN), *(str(one.pk) for one in crowd)]
    assert after is None


def test_the_deleted_are_in_no_list(client, people):
    send(client, "DELETE", f"/profiles/{ANN}")
    assert [entry["id"] for entry in listed(client)["results"]] == [str(BO)]


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ({"city": "Paris"}, 4),
        ({"city": "paris"}, 0),
        ({"gender": "male"}, 12),
        ({"gender": "male", "city": "Paris"}, 4),
        ({"gender": "female"}, 1),
        ({"country": "DE"}, 1),
        ({"account": "1"}, 1),
        ({"account": "2"}, 0),
        ({"email": " ANN@EXAMPLE.com"}, 1),
        ({"email": "p3@x.org", "city": "Paris"}, 1),
        ({"email": "p3@x.org", "gender": "female"}, 0),
        ({"mobile": "+49 151 234-56789"}, 1),
        ({"mobile": "0151 23456789", "country": "DE"}, 1),
        ({"mobile": "0151 23456789"}, 0),
        ({"is_active": "false"}, 1),
        ({"is_active": "true"}, 13),
        ({"profile_type": "personal"}, 14),
        ({"profile_type": "work"}, 0),
    ],
)
def test_filters_narrow_the_list(client, crowd, query, number):
    page = listed(client, limit=100, **query)
    assert len(page["results"]) == number
    assert page["next"] is None


def test_a_page_looks_at_so_many_and_leads_on(client, crowd, monkeypatch):
    statement = sql._list("").replace(str(sql.MOST_WALKED - 1), "4").replace("10000", "5")
    monkeypatch.setattr(sql, "_list", lambda chosen: statement)
    found, after, pages = [], None, 0
    while after or not pages:
        page = listed(client, city="Paris", limit=3, **({"after": after} if after else {}))
        assert len(page["results"]) <= 3
        found += [entry["full_name"] for entry in page["results"]]
        after, pages = page["next"], pages + 1
    assert found == ["Person 0", "Person 3", "Person 6", "Person 9"]
    assert pages == 3


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "9" * 400},
        {"limit": "x"},
        {"after": "x"},
        {"after": "\0"},
        {"after": str(ANN)},
        {"after": f"2026-02-30T00:00:00.000000Z_{ANN}"},
        {"account": "0"},
        {"account": "x"},
        {"account": "1e30"},
        {"account": "NaN"},
        {"account": "1.5"},
        {"city": "a\0b"},
        {"city": "a" * 256},
        {"emali": "a@b.c"},
        {"tenant": "north"},
        {"deleted_at": ""},
        {"city": ""},
        {"email": " "},
        {"account": ""},
        {"is_active": ""},
        {"is_active": "0"},
        {"is_active": "maybe"},
    ],
)
def test_f12_f13_a_query_that_cannot_be_read_is_400(client, people, query):
    response = client.get("/profiles", query)
    assert response.status_code == 400
    assert response["Content-Type"] == PROBLEM
    [error] = response.json()["errors"][:1]
    assert error["pointer"].startswith(f"/{next(iter(query))}")


@pytest.mark.parametrize("query", [{"email": "nobody"}, {"mobile": "call me"}])
def test_a_filter_that_is_no_address_is_422(client, people, query):
    assert client.get("/profiles", query).status_code == 422


@pytest.mark.parametrize("attack", ["' OR '1'='1", "x'; DROP TABLE users_profile; --", "%' OR 1=1"])
@pytest.mark.parametrize("name", ["city", "gender", "country", "profile_type"])
def test_f13_an_injected_filter_finds_nothing(client, people, name, attack):
    assert listed(client, **{name: attack}) == {"results": [], "next": None}
    assert Profile.objects.count() == 2


def plan_of(statement, **values):
    for name, value in values.items():
        statement = statement.replace(f"%({name})s", f"'{value}'")
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {statement}")
        return "\n".join(line for (line,) in cursor)


def test_reads_use_their_indexes(people):
    """Among enough rows for it to matter."""
    tenant = people[0].tenant_id
    Account.objects.bulk_create(AccountFactory.build(userid=10 + n) for n in range(3_000))
    Profile.objects.bulk_create(
        (
            Profile(
                tenant_id=tenant,
                account_id=10 + number,
                full_name="A",
                email=f"{number}@x.org",
                email_key=f"{number}@x.org",
                mobile=f"+4915{number:09}",
                mobile_key=f"+4915{number:09}",
                city=f"City {number % 100}",
                created_by="tests",
            )
            for number in range(3_000)
        ),
        batch_size=1_000,
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE users_profile")
    one = plan_of(sql._PROFILE, profile_id=ANN, tenant_id=tenant, tenant="x", pictures="")
    assert "users_profile_pkey" in one
    for chosen, index in {
        "": "profile_by_created_at",
        "email_key": "one_live_profile_an_email",
        "mobile_key": "one_live_profile_a_mobile",
        # Either of two serves: an account has few profiles, whatever their tenant.
        "account": r"Index Cond: \(+account_id = ",
    }.items():
        with connection.cursor() as cursor:
            # All of these rows are of one tenant, and few: sorting them would do.
            cursor.execute(f"SET LOCAL enable_sort = {'on' if chosen else 'off'}")
        walk = sql._WALK.format(columns="*", condition=sql._SELECTIVE.get(chosen, ""))
        plan = plan_of(
            f"{walk} LIMIT {sql.MOST_WALKED}",
            tenant_id=tenant,
            after=sql.FIRST[0],
            after_id=sql.FIRST[1],
            email_key="7@x.org",
            mobile_key="+4915000000007",
            account="17",
        )
        assert re.search(index, plan), plan


def test_f25_the_list_costs_one_query_whatever_it_holds(
    client, crowd, django_assert_num_queries, no_news
):
    token = bearer(give_token())
    client.get("/profiles", headers=token)
    for limit in (1, 50):
        with django_assert_num_queries(1):
            client.get("/profiles", {"limit": limit}, headers=token)
