"""The route of search, in the words of the legacy API; what is found is tested with the service."""

import pytest

from tests.factories.users import TenantFactory
from tests.users.profiles import TENANT, ann_and_bo, send, the_tenant
from users.models import Profile
from users.services.profiles import create_profile

pytestmark = pytest.mark.django_db

SEARCH = "/profiles/_search"


@pytest.fixture
def opened(settings):
    settings.OPEN_WITHOUT_TOKENS = True
    return the_tenant()


@pytest.fixture
def crowd(opened):
    """Twelve, made by the service, named and sorted by number."""
    return [
        str(
            create_profile(
                tenant_id=TENANT,
                by="tests",
                full_name=f"Person {number:02}",
                email=f"p{number:02}@x.org",
                gender="female" if number % 2 else "male",
                city="Paris" if number % 3 == 0 else "",
            )
        )
        for number in range(12)
    ]


def found(client, **body):
    response = send(client, "POST", SEARCH, body)
    assert response.status_code == 200, response.content
    return [entry["profile_id"] for entry in response.json()]


def test_whole_profiles_are_answered_in_the_legacy_spelling(client, settings, golden):
    settings.OPEN_WITHOUT_TOKENS = True
    ann_and_bo()
    response = send(client, "POST", SEARCH, {"query": "", "sort_by": "full_name ASC"})
    assert response.status_code == 200
    ann, bo = golden("profile_legacy"), golden("profile_legacy_bare")
    assert response.content == b"[" + ann + b"," + bo + b"]"
    assert response["Content-Type"] == "application/json; charset=utf-8"
    assert response["Cache-Control"] == "private, no-store"


def test_a_profile_is_found_as_soon_as_it_is_there_and_as_it_is_now(client, opened):
    body = {"full_name": "Ann Lee", "email_id": "ann@x.org", "city_id": "Berlin"}
    made = send(client, "POST", "/profiles", body).json()["ProfileID"]
    for query in ("ann", "LEE an", "ann@x.org", "ann@", "ber lee", ""):
        assert found(client, query=query) == [made], query
    change = {"full_name": "Eve", "email_id": "eve@x.org", "mobile": "+4915123456789"}
    send(client, "PUT", f"/profiles/{made}", change)
    assert found(client, query="ann") == found(client, query="lee") == []
    for query in ("eve", "eve@x.org", "+49151", "4915123456789", "berl"):
        assert found(client, query=query) == [made], query
    send(client, "PATCH", f"/profiles/{made}", {"city": "Paris"})
    assert (found(client, query="berlin"), found(client, query="paris")) == ([], [made])
    send(client, "DELETE", f"/profiles/{made}")
    assert found(client, query="eve") == found(client) == []
    send(client, "POST", f"/profiles/{made}/restore")
    assert found(client, query="eve") == [made]


def test_pages_lead_on_by_what_the_last_one_says(client, crowd):
    body, seen = {"query": "person", "sort_by": "full_name ASC", "limit": 5}, []
    for number in (5, 5, 2):
        response = send(client, "POST", SEARCH, body)
        rows = [entry["profile_id"] for entry in response.json()]
        assert len(rows) == number
        seen += rows
        assert ("X-Next-After" in response.headers) is (number == 5)
        body["after"] = response.headers.get("X-Next-After")
    assert seen == crowd


@pytest.mark.parametrize("after", [1, "x", "", ["a"], "\u00e4", "W10"])
def test_f11_what_does_not_lead_on_is_400(client, crowd, after):
    assert send(client, "POST", SEARCH, {"query": "person", "after": after}).status_code == 400


def test_nobody_is_found_by_another_tenant(client, crowd):
    TenantFactory(name="north")
    assert send(client, "POST", SEARCH, {}, ntenant="north").json() == []


def test_the_newest_come_first_and_ten_of_them(client, crowd):
    assert found(client) == crowd[:1:-1]
    assert found(client, query=None, sort_by=None, limit=None, offset=None) == crowd[:1:-1]


@pytest.mark.parametrize(
    ("sort_by", "first"),
    [
        ("full_name", 0),
        ("full_name ASC", 0),
        ("FULL_NAME desc", 11),
        ("email_id DESC", 11),
        ("created_at asc", 0),
        (" created_at  DESC ", 11),
    ],
)
def test_orders_of_the_list_are_taken(client, crowd, sort_by, first):
    assert found(client, sort_by=sort_by, limit=1) == [crowd[first]]


ATTACKS = [
    "relevance",
    "undefined",
    "gender DESC, id",
    "gender DESC; DROP TABLE users_profile",
    "(SELECT 1)",
    "created_at ASC--",
    "full_name ASC\0",
    "deleted_at",
    "id",
    "tenant_id",
    7,
    [],
    {},
    True,
]


@pytest.mark.parametrize("sort_by", ATTACKS, ids=str)
def test_f13_any_other_order_is_the_default_one(client, crowd, sort_by):
    assert found(client, sort_by=sort_by) == found(client)
    assert Profile.objects.count() == 12


@pytest.mark.parametrize(
    "query",
    ["' OR '1'='1", "'; DROP TABLE users_profile; --", "%", "_", "\\", "p%n", "per_on", ":*", "!x"],
)
def test_f13_an_injected_query_is_only_words(client, crowd, query):
    plain = query in {"%", "_", "\\", ":*"}
    assert len(found(client, query=query)) in ({0, 10} if plain else {0})
    assert Profile.objects.count() == 12


@pytest.mark.parametrize(
    ("asked", "number"),
    [
        ({"limit": 3}, 3),
        ({"limit": "3"}, 3),
        ({"limit": 0}, 0),
        ({"limit": "0"}, 0),
        ({"limit": 0, "query": "person"}, 0),
        ({"limit": None}, 10),
        ({"limit": -5}, 10),
        ({"limit": 101}, 12),
        ({"limit": 9007199254740991}, 12),
        ({"limit": 3.0}, 3),
        ({"limit": 1e30}, 12),
        ({"limit": 1e300}, 12),
        ({"limit": 2.5}, 10),
        ({"limit": -1e30}, 10),
        ({"limit": "1e30"}, 10),
        ({"limit": "9" * 400}, 12),
        ({"limit": "many"}, 10),
        ({"limit": [3]}, 10),
        ({"limit": True}, 10),
        ({"offset": 11}, 1),
        ({"offset": "11"}, 1),
        ({"offset": -1}, 10),
        ({"offset": 12}, 0),
        ({"offset": 10**15}, 0),
        ({"offset": "9" * 400}, 0),
        ({"offset": None}, 10),
        ({"something": "else"}, 10),
    ],
    ids=str,
)
def test_f12_numbers_are_clamped(client, crowd, asked, number):
    assert len(found(client, **asked)) == number


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"query":[]}',
        b'{"query":{}}',
        b'{"query":true}',
        b'{"query":"\\u0000"}',
        b'{"query":"\\ud800"}',
        b'{"query":"' + b"a" * 1001 + b'"}',
        b'{"query":' + b"[" * 5000,
    ],
    ids=range(11),
)
def test_f11_a_search_that_cannot_be_read_is_400(client, crowd, body):
    response = send(client, "POST", SEARCH, body)
    assert response.status_code == 400
    assert list(response.json()) == ["error"]


def test_a_number_is_searched_for_as_text(client, opened):
    body = {"full_name": "A 1984", "email_id": "a@x.org"}
    made = send(client, "POST", "/profiles", body).json()["ProfileID"]
    assert found(client, query=1984) == [made]
