"""The account routes, in the exact words of the legacy API (contract 3)."""

import orjson
import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from procrastinate.contrib.django.models import ProcrastinateJob

from atelier.core.exception_handler import LEGACY_FAILURE
from atelier.core.models import CacheScope, Delivery
from atelier.core.numbers import MAX_ID
from atelier.core.publishing import publish
from tests.factories.users import AccountFactory, TenantFactory, bearer, give_token
from users.models import Account, user_scope

pytestmark = pytest.mark.django_db

IP = "123.200.14.8"


def log_in(client, **body):
    return client.post("/login", orjson.dumps(body), content_type="application/json")


@pytest.fixture(autouse=True)
def opened(settings):
    """Who may ask is another matter: see test_matrix.py."""
    settings.OPEN_WITHOUT_TOKENS = True
    TenantFactory()


@pytest.fixture
def account(canada):
    return AccountFactory(userid=1, region=canada)


def test_a_login_without_a_userid_makes_an_account(client, canada, golden, redis):
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval(pg_get_serial_sequence('users_account', 'userid'), 1, false)")
    response = log_in(client, ip=IP, subscriptionstatus="None")
    assert response.status_code == 201
    assert response.content == golden("account_created")
    assert response["Content-Type"] == "application/json; charset=utf-8"
    row = Account.objects.get()
    assert (row.userid, row.ip, row.subscription_status, row.region) == (1, IP, "None", canada)
    assert row.last_login_at >= row.created_at == row.updated_at


def test_a_login_of_a_known_account_changes_it(client, account, golden, redis):
    response = log_in(client, userid=1, ip=IP, subscriptionstatus="Subscribed")
    assert response.status_code == 200
    assert response.content == golden("account_updated")
    row = Account.objects.get()
    assert (row.ip, row.subscription_status, row.region.code) == (IP, "Subscribed", "CA")
    assert row.last_login_at
    assert row.updated_at >= account.created_at


def test_a_login_of_an_unknown_account_changes_nothing(client, account, golden, redis):
    before = set(CacheScope.objects.values_list("key", "tag"))
    response = log_in(client, userid=2, ip=IP, subscriptionstatus="Subscribed")
    assert response.status_code == 404
    assert response.content == golden("account_unknown")
    assert Account.objects.get().ip == account.ip
    assert set(CacheScope.objects.values_list("key", "tag")) == before


def test_an_account_comes_from_postgresql_and_then_from_the_cache(client, account, golden, redis):
    for name in (golden("account_from_postgres"), golden("account_from_cache")):
        response = client.get("/user/1")
        assert response.status_code == 200
        assert response.content == name
    assert golden("account_from_cache") == client.get("/user/1/").content


def test_a_cached_account_costs_no_query(
    client, account, redis, settings, django_assert_num_queries, no_news
):
    settings.OPEN_WITHOUT_TOKENS = False
    token = bearer(give_token(scopes=["accounts"]))
    assert client.get("/user/1", headers=token).status_code == 200
    with django_assert_num_queries(0):
        assert client.get("/user/1", headers=token).content.startswith(b'{"status":"cache')


def test_a_login_shows_at_once(client, account, redis):
    for status in ("Subscribed", "None", "Expired"):
        client.get("/user/1")
        assert client.get("/user/1").json()["status"] == "cache get success"
        log_in(client, userid=1, ip="198.51.100.1", subscriptionstatus=status)
        assert client.get("/user/1").json() == {
            "status": "postgres get success",
            "data": [{"userid": 1, "subscriptionstatus": status, "region": None}],
        }


def test_an_account_whose_region_nobody_knows_has_none(client, canada, redis):
    account = AccountFactory()
    assert client.get(f"/user/{account.pk}").json()["data"][0]["region"] is None


@pytest.mark.parametrize("userid", ["2", "0", "-1", "x", "1.0", "9" * 40, "%00", str(MAX_ID)])
def test_who_does_not_exist_is_a_404(client, account, golden, redis, userid):
    for _ in range(2):
        response = client.get(f"/user/{userid}")
        assert response.status_code == 404
        assert response.content == golden("account_unknown")


def test_an_account_that_was_unknown_is_found_as_soon_as_it_is_there(client, canada, redis):
    assert client.get("/user/77").status_code == 404
    AccountFactory(userid=77)
    assert client.get("/user/77").status_code == 200


GOOD = {"ip": IP, "subscriptionstatus": "None"}
BAD = [
    {},
    {"ip": IP},
    {"subscriptionstatus": "None"},
    *({**GOOD, "ip": ip} for ip in ["", "1.2.3", "1.2.3.4/24", "::1%eth0", "x", 1, None, [], "\0"]),
    *({**GOOD, "subscriptionstatus": status} for status in ["none", "", None, 1, ["None"], {}]),
    *({**GOOD, "userid": userid} for userid in [0, -1, 1.5, True, "x", "", [], {}, 2**63]),
]


@pytest.mark.parametrize("body", BAD, ids=str)
def test_f11_a_login_that_makes_no_sense_is_refused(client, account, redis, body):
    response = log_in(client, **body)
    assert response.status_code == 400
    answer = response.json()
    assert list(answer) == ["status", "message"]
    assert answer["status"] == "error"
    assert answer["message"]
    assert Account.objects.count() == 1


UNREADABLE = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"x"',
    b"\xff",
    b'{"ip":"1.2.3.4","subscriptionstatus":"None","userid":NaN}',
    b'{"ip":"\\ud800","subscriptionstatus":"None"}',
    b'{"ip":"1.2.3.4","subscriptionstatus":"None","userid":' + b"9" * 400 + b"}",
    b"[" * 5000,
]


@pytest.mark.parametrize("body", UNREADABLE, ids=range(len(UNREADABLE)))
def test_f11_what_is_no_json_object_is_refused(client, account, redis, body):
    response = client.post("/login", body, content_type="application/json")
    assert response.status_code == 400
    assert response.json()["status"] == "error"
    assert Account.objects.count() == 1


def test_f14_a_login_sets_nothing_but_what_it_says(client, account, redis):
    body = {"region": 4, "region_id": 4, "created_at": "2000-01-01", "last_login_at": None}
    log_in(client, userid="1", ip=IP, subscriptionstatus="None", **body)
    row = Account.objects.get()
    assert row.region.code == "CA"
    assert row.created_at == account.created_at
    assert row.last_login_at


@pytest.mark.parametrize(
    ("given", "kept"),
    [("::ffff:123.200.14.8", IP), ("2001:DB8:0::1", "2001:db8::1"), (" 123.200.14.8\n", IP)],
)
def test_addresses_are_kept_in_their_usual_form(client, canada, redis, given, kept):
    response = log_in(client, ip=given, subscriptionstatus="None")
    assert response.json()["data"][0]["ip"] == kept == Account.objects.get().ip


@pytest.mark.parametrize(("path", "method"), [("/login", "get"), ("/user/1", "post")])
def test_other_methods_are_told_so(client, account, path, method):
    response = getattr(client, method)(path)
    assert response.status_code == 405
    assert response["Allow"]
    assert response.json() == {"status": "error", "message": "Method not allowed"}


@pytest.mark.parametrize("path", ["/user/1", "/user/2"])
def test_f18_answers_are_their_callers_alone(client, account, redis, path):
    response = client.get(path, headers={"x-cache-scope": user_scope(1)})
    assert response["Cache-Control"] == "private, no-store"
    assert "X-Accel-Expires" not in response
    assert "ETag" not in response


def test_without_postgresql_the_answer_is_503_in_the_same_shape(
    client, account, redis, monkeypatch
):
    def away(userid):
        raise OperationalError("gone")

    monkeypatch.setattr("users.sql.accounts.account", away)
    response = client.get("/user/1")
    assert response.status_code == 503
    assert response["Retry-After"]
    assert response.json() == {"status": "error", "message": LEGACY_FAILURE}


def test_a_login_is_announced_in_its_own_transaction(client, account, redis, settings):
    settings.CALLBACK_URL = "https://client.example/logins"
    log_in(client, userid=1, ip=IP, subscriptionstatus="Subscribed")
    delivery = Delivery.objects.get()
    assert (delivery.event, delivery.url) == ("login", "https://client.example/logins")
    assert delivery.payload == '{"userid":1,"region":"Canada","subscriptionStatus":"Subscribed"}'
    assert ProcrastinateJob.objects.get().args == {"delivery_id": str(delivery.pk)}


def test_a_new_account_is_announced_too(client, canada, redis, settings):
    settings.CALLBACK_URL = "https://client.example/logins"
    made = log_in(client, ip="198.51.100.1", subscriptionstatus="None").json()["data"][0]
    announced = orjson.loads(Delivery.objects.get().payload)
    assert announced == {"userid": made["userid"], "region": None, "subscriptionStatus": "None"}


def test_what_was_refused_is_not_announced(client, account, redis, settings):
    settings.CALLBACK_URL = "https://client.example/logins"
    log_in(client, userid=2, ip=IP, subscriptionstatus="Subscribed")
    log_in(client, userid=1, ip="x", subscriptionstatus="Subscribed")
    assert not Delivery.objects.exists()
    assert not ProcrastinateJob.objects.exists()


def test_without_a_callback_url_nothing_is_announced(client, account, redis):
    log_in(client, userid=1, ip=IP, subscriptionstatus="Subscribed")
    assert not Delivery.objects.exists()


def test_postgresql_refuses_a_change_outside_the_write_door(account):
    for write in (
        lambda: Account.objects.filter(pk=1).update(subscription_status="None"),
        lambda: Account.objects.filter(pk=1).delete(),
    ):
        with pytest.raises(IntegrityError, match="outside the write door"), transaction.atomic():
            write()
    with publish(user_scope(1)):
        assert Account.objects.filter(pk=1).update(subscription_status="None") == 1


def test_postgresql_knows_three_statuses(account):
    with (
        pytest.raises(IntegrityError, match="account_status_is_known"),
        publish(user_scope(1)),
        transaction.atomic(),
    ):
        Account.objects.filter(pk=1).update(subscription_status="none")


def test_the_table_has_no_index_without_a_use(account):
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname FROM pg_indexes WHERE tablename = 'users_account'")
        assert {name for (name,) in cursor} == {"users_account_pkey", "account_by_ip"}
