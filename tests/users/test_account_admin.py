"""Accounts in the admin: found by exact userid or address, changed through the service."""

import pytest

from atelier.core.models import Delivery
from tests.factories.users import AccountFactory, AdminFactory, TenantFactory
from tests.staff import form_data, retagged
from users.models import Account

pytestmark = pytest.mark.django_db

LIST = "/admin/users/account/"


@pytest.fixture
def staff(client):
    client.force_login(AdminFactory())
    return client


@pytest.fixture
def account(canada):
    return AccountFactory(userid=1, ip="192.0.2.7")


def found(page):
    return [row.pk for row in page.context["cl"].result_list]


def test_accounts_are_found_by_userid_and_by_address(staff, account):
    AccountFactory(userid=2, ip="2001:db8::1")
    for term, expected in [
        ("1", [1]),
        ("192.0.2.7", [1]),
        ("2001:DB8::1", [2]),
        ("2001:db8::1%eth0", []),
        ("192.0.2", []),
        ("x", []),
        ("9" * 40, []),
        ("", [2, 1]),
    ]:
        assert found(staff.get(LIST, {"q": term})) == expected, term


@pytest.mark.parametrize(("address", "status"), [("192.0.2.7", 200), ("x", 400), ("::1%eth0", 400)])
def test_a_query_by_what_is_no_address_is_refused(staff, account, address, status):
    assert staff.get(LIST, {"ip": address}).status_code == status


def test_the_list_counts_nothing_and_asks_as_often_for_fifty(
    staff, account, django_assert_max_num_queries
):
    for userid in range(2, 52):
        AccountFactory(userid=userid, region=account.region)
    with django_assert_max_num_queries(6) as queries:
        assert len(found(staff.get(LIST))) == 50
    listed = [query["sql"] for query in queries if "users_account" in query["sql"]]
    assert len(listed) == 1
    assert "COUNT(" not in listed[0].upper()


def test_a_change_goes_through_the_service_and_shows_at_once(staff, account, redis, settings):
    settings.CALLBACK_URL = "https://client.example/logins"
    settings.OPEN_WITHOUT_TOKENS = True
    TenantFactory()
    staff.get("/user/1")
    assert staff.get("/user/1").json()["status"] == "cache get success"
    page = staff.get(f"{LIST}1/change/")
    form = {**form_data(page), "ip": "123.200.14.9", "subscription_status": "Subscribed"}
    with retagged() as scopes:
        assert staff.post(f"{LIST}1/change/", form).status_code == 302
    assert scopes == {"user:1"}
    row = Account.objects.get()
    assert (row.ip, row.subscription_status) == ("123.200.14.9", "Subscribed")
    assert row.region.code == "CA"
    assert row.last_login_at is None
    assert staff.get("/user/1").json() == {
        "status": "postgres get success",
        "data": [{"userid": 1, "subscriptionstatus": "Subscribed", "region": "Canada"}],
    }
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("x", "Enter a valid IPv4 or IPv6 address."),
        ("fe80::1%eth0", "An address with a zone is not one of a visitor."),
    ],
)
def test_a_form_that_is_refused_says_why_and_changes_no_tag(staff, account, redis, address, told):
    form = {**form_data(staff.get(f"{LIST}1/change/")), "ip": address}
    with retagged() as scopes:
        page = staff.post(f"{LIST}1/change/", form)
    assert page.context["adminform"].form.errors == {"ip": [told]}
    assert scopes == set()
    assert Account.objects.get().ip == "192.0.2.7"


def test_accounts_are_made_by_logins_and_not_deleted_here(staff, account):
    assert staff.get(f"{LIST}add/").status_code == 403
    assert staff.post(f"{LIST}1/delete/", {"post": "yes"}).status_code == 403
    assert Account.objects.exists()


def test_the_menu_leads_to_accounts_and_deliveries(staff):
    content = staff.get("/admin/").content.decode()
    assert LIST in content
    assert "/admin/core/delivery/" in content
