"""Tenants with history, clients with a secret shown once, tokens that are revoked."""

import re

import pytest
from django.urls import reverse
from oauth2_provider.models import AccessToken, Grant

from tests.factories.users import ClientFactory, TenantFactory, UserFactory, give_token
from tests.staff import messages_of
from users.models import Client, Scope, Tenant
from users.services import tenants as services

pytestmark = pytest.mark.django_db

CHANGELIST = "admin:users_client_changelist"


def test_a_tenant_is_made_and_changed_with_its_history(admin_client, admin_user):
    url = reverse("admin:users_tenant_add")
    admin_client.post(url, {"name": "north", "title": "The north", "is_active": "on"})
    tenant = Tenant.objects.get(name="north")
    change = reverse("admin:users_tenant_change", args=[tenant.pk])
    admin_client.post(change, {"name": "north", "title": "The far north"})
    tenant.refresh_from_db()
    assert (tenant.title, tenant.is_active) == ("The far north", False)
    rows = list(tenant.history.order_by("history_id").values_list("history_type", "title"))
    assert rows == [("+", "The north"), ("~", "The far north")]
    assert {row.history_user for row in tenant.history.all()} == {admin_user}
    page = admin_client.get(reverse("admin:users_tenant_history", args=[tenant.pk]))
    assert page.status_code == 200


@pytest.mark.parametrize("name", ["", "North", "a b", "-a", "default", "é", "x" * 64])
def test_a_tenant_needs_a_name_of_its_own(admin_client, name):
    TenantFactory()
    page = admin_client.post(reverse("admin:users_tenant_add"), {"name": name})
    assert page.status_code == 200
    assert page.context["errors"]
    assert Tenant.objects.count() == 1


def test_a_tenant_is_never_deleted_in_the_admin(admin_client):
    tenant = TenantFactory()
    url = reverse("admin:users_tenant_delete", args=[tenant.pk])
    assert admin_client.post(url, {"post": "yes"}).status_code == 403


def test_a_name_is_taken_once_and_an_unknown_tenant_not_changed():
    tenant = TenantFactory()
    with pytest.raises(services.TenantExists):
        services.create_tenant(name=tenant.name)
    with pytest.raises(services.UnknownTenant):
        services.update_tenant(tenant_id="00000000-0000-0000-0000-000000000000", changes={})


def test_a_client_is_made_with_a_secret_that_is_shown_once(admin_client):
    form = {
        "name": "Desk",
        "tenant": str(TenantFactory().pk),
        "authorization_grant_type": Client.GRANT_CLIENT_CREDENTIALS,
        "client_type": Client.CLIENT_CONFIDENTIAL,
        "allowed_scopes": [Scope.MODERATION, Scope.ACCOUNTS],
        "is_active": "on",
    }
    page = admin_client.post(reverse("admin:users_client_add"), form, follow=True)
    made = Client.objects.get()
    assert made.allowed_scopes == ["accounts", "moderation"]
    shown = [told for told in messages_of(page) if made.client_id in told and "secret" in told]
    [secret] = re.findall(r"secret ([\w-]{64})\.", shown[0])
    assert secret not in str(Client.objects.values())
    assert not messages_of(admin_client.get(reverse(CHANGELIST)))


def test_a_client_is_changed_but_stays_with_its_tenant(admin_client):
    made = ClientFactory(redirect_uris="")
    other = TenantFactory(name="north")
    form = {"name": "Renamed", "allowed_scopes": ["moderation"], "tenant": str(other.pk)}
    url = reverse("admin:users_client_change", args=[made.pk])
    assert admin_client.post(url, form).status_code == 302
    kept = made.client_secret
    made.refresh_from_db()
    assert (made.name, made.allowed_scopes, made.is_active) == ("Renamed", ["moderation"], False)
    assert made.tenant.name == "default"
    assert made.client_secret == kept


@pytest.mark.parametrize(
    "wrong",
    [
        {"authorization_grant_type": "password"},
        {"authorization_grant_type": "authorization-code"},
        {"allowed_scopes": ["everything"]},
        {"redirect_uris": "javascript:alert(1)"},
        {"redirect_uris": "https://ann@shop.example/cb"},
        {"tenant": "00000000-0000-0000-0000-000000000000"},
    ],
)
def test_a_client_that_cannot_be_is_refused(admin_client, wrong):
    form = {
        "name": "Desk",
        "tenant": str(TenantFactory().pk),
        "authorization_grant_type": "client-credentials",
        "client_type": "confidential",
        "allowed_scopes": ["moderation"],
        **wrong,
    }
    page = admin_client.post(reverse("admin:users_client_add"), form)
    assert page.status_code == 200
    assert page.context["errors"]
    assert not Client.objects.exists()


def test_a_client_without_a_secret_acts_for_people_only(admin_client):
    form = {
        "name": "Desk",
        "tenant": str(TenantFactory().pk),
        "authorization_grant_type": "client-credentials",
        "client_type": "public",
        "allowed_scopes": ["moderation"],
    }
    page = admin_client.post(reverse("admin:users_client_add"), form)
    assert page.context["adminform"].form.errors == {
        "client_type": ["A client that acts for itself has a secret."]
    }
    assert not Client.objects.exists()


def test_tokens_are_revoked_and_show_no_secret(admin_client):
    token = give_token()
    give_token()
    url = reverse("admin:oauth2_provider_accesstoken_changelist")
    assert token not in admin_client.get(url).content.decode()
    row = AccessToken.objects.order_by("id")[0]
    data = {"action": "revoke", "_selected_action": [row.pk]}
    assert messages_of(admin_client.post(url, data, follow=True)) == ["Tokens revoked: 1."]
    assert AccessToken.objects.count() == 1


def test_staff_without_the_permission_revoke_nothing(client):
    give_token()
    client.force_login(UserFactory())
    url = reverse("admin:oauth2_provider_accesstoken_changelist")
    row = AccessToken.objects.get()
    data = {"action": "revoke", "_selected_action": [row.pk]}
    assert client.post(url, data).status_code == 403
    assert AccessToken.objects.exists()


def test_the_toolkits_own_pages_are_not_there():
    from django.contrib import admin

    assert Grant not in admin.site._registry


@pytest.mark.parametrize("model", ["users_tenant", "users_client", "oauth2_provider_accesstoken"])
def test_f25_a_list_takes_the_same_queries_for_many_rows(
    admin_client, model, django_assert_max_num_queries
):
    for number in range(12):
        give_token(ClientFactory(tenant=TenantFactory(name=f"tenant-{number}")))
    with django_assert_max_num_queries(10):
        page = admin_client.get(reverse(f"admin:{model}_changelist"))
    assert page.status_code == 200


def test_who_signs_in_without_having_asked_for_a_page_comes_to_the_index(client):
    UserFactory(username="ada", password="only-for-tests-1")
    given = {"username": "ada", "password": "only-for-tests-1"}
    response = client.post("/admin/login/", given)
    assert (response.status_code, response["Location"]) == (302, "/admin/")


def test_a_tenant_that_is_not_there_yet_has_no_age(admin_client):
    page = admin_client.get(reverse("admin:users_tenant_add"))
    assert page.status_code == 200
    assert "Created at" not in page.content.decode()
    made = TenantFactory()
    page = admin_client.get(reverse("admin:users_tenant_change", args=[made.pk]))
    assert "Created at" in page.content.decode()
