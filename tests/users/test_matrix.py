"""F15: every route, every method, and who may use it.

A route that is not in ROUTES makes the first test fail: whoever adds one says here who may use it.
"""

from dataclasses import dataclass, field

import pytest
from django.test import Client as Browser
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse

from tests.factories.products import ProductFactory, StyleFactory
from tests.factories.reviews import ReviewFactory, recount
from tests.factories.users import (
    AccountFactory,
    AdminFactory,
    ClientFactory,
    PreferenceFactory,
    ProfileFactory,
    TenantFactory,
    bearer,
    give_token,
)
from tests.users.profiles import ANN

pytestmark = pytest.mark.django_db

ADMIN = "admin"
ACTORS = ("anonymous", "tenant A", "tenant B", "staff", "expired token")


@dataclass(frozen=True)
class Row:
    """A route's method: path, body, what it answers who may, and which scope it asks for.

    `scope` is empty for a route that is everybody's, where tokens are not looked at.
    """

    path: str
    status: int
    scope: str = ""
    body: str = ""
    # Where staff that are signed in are answered otherwise.
    staff: int | None = None
    expected: dict[str, int] = field(default_factory=dict)

    def status_for(self, actor):
        if actor in self.expected:
            return self.expected[actor]
        if actor == "staff" and self.staff is not None:
            return self.staff
        if not self.scope or actor in {"tenant A", "tenant B"}:
            return self.status
        # A session is no token: forms of other sites could use it.
        return 401


def write(path, status, body="", scope="catalogue:write"):
    return Row(path, status, scope, body)


def of_tenant_a(below, status, scope, body=""):
    """A route of the profile that the tenant of the first token has."""
    return Row(f"/profiles/{ANN}{below}", status, scope, body, expected={"tenant B": 404})


READ, WRITE = "profiles:read", "profiles:write"
PRODUCT = '{"name":"Coat","default_price":"1.00"}'
ROUTES = {
    ("product-list", "get"): Row("/products", 200),
    ("product-list", "post"): write("/products", 201, PRODUCT),
    ("product-detail", "get"): Row("/products/1", 200),
    ("product-detail", "patch"): write("/products/1", 200, '{"name":"Hat"}'),
    ("product-detail", "delete"): write("/products/2", 204),
    ("product-styles", "get"): Row("/products/1/styles", 200),
    ("product-styles", "post"): write(
        "/products/1/styles", 201, '{"name":"Red","original_price":"1"}'
    ),
    ("product-style", "get"): Row("/products/1/styles/1", 200),
    ("product-style", "patch"): write("/products/1/styles/1", 200, '{"name":"Red"}'),
    ("product-style", "delete"): write("/products/1/styles/1", 204),
    ("product-related", "get"): Row("/products/1/related", 200),
    ("product-related", "put"): write("/products/1/related", 204, "[2]"),
    ("product-features", "put"): write("/products/1/features", 204, "[]"),
    ("review-list", "get"): Row("/reviews?product_id=1", 200),
    ("review-list", "post"): Row("/reviews", 422, body="{}"),
    ("review-meta", "get"): Row("/reviews/meta?product_id=1", 200),
    ("review-helpful", "put"): Row("/reviews/1/helpful", 204),
    ("review-report", "put"): Row("/reviews/1/report", 204),
    ("review-detail", "patch"): write("/reviews/1", 200, '{"response":"Thanks."}', "moderation"),
    ("review-detail", "delete"): write("/reviews/1", 204, "", "moderation"),
    ("account-login", "post"): Row(
        "/login", 200, "accounts", '{"userid":1,"ip":"192.0.2.1","subscriptionstatus":"None"}'
    ),
    ("account-detail", "get"): Row("/user/1", 200, "accounts"),
    # Tenant A's profiles do not exist for tenant B.
    ("profile-list", "get"): Row("/profiles", 200, READ),
    ("profile-list", "post"): Row(
        "/profiles", 200, WRITE, '{"full_name":"C","email_id":"c@x.org"}'
    ),
    ("profile-search", "post"): Row("/profiles/_search", 200, READ, "{}"),
    ("profile-detail", "get"): of_tenant_a("", 200, READ),
    ("profile-detail", "put"): of_tenant_a("", 200, WRITE, '{"gender":"x"}'),
    ("profile-detail", "patch"): of_tenant_a("", 200, WRITE, '{"gender":"x"}'),
    ("profile-detail", "delete"): of_tenant_a("", 200, WRITE),
    ("profile-restore", "post"): of_tenant_a("/restore", 200, WRITE),
    ("preference-list", "get"): of_tenant_a("/preferences", 200, READ),
    ("preference-detail", "get"): of_tenant_a("/preferences/theme", 200, READ),
    ("preference-detail", "put"): of_tenant_a("/preferences/theme", 204, WRITE, "1"),
    ("preference-detail", "delete"): of_tenant_a("/preferences/theme", 204, WRITE),
    # A picture is looked at before its profile is.
    ("profile-upload", "put"): Row(f"/profiles/{ANN}/_upload", 400, WRITE, "x"),
    ("greeting", "get"): Row("/", 200),
    ("greeting-health", "get"): Row("/_health", 200),
    ("licensing-region", "get"): Row("/licensing/region?ip=192.0.2.1", 200),
    ("licensing-product", "get"): Row("/licensing/products/1", 200),
    # These take a client's credentials, and no token.
    ("oauth-token", "post"): Row("/oauth/token", 400),
    ("oauth-revoke", "post"): Row("/oauth/revoke", 400),
    ("oauth-introspect", "post"): Row("/oauth/introspect", 401),
    # This asks a person of the staff, who is signed in.
    ("oauth-authorize", "get"): Row("/oauth/authorize", 302, staff=400),
    ("oauth-authorize", "post"): Row("/oauth/authorize", 302, staff=400),
    ("healthz", "get"): Row("/healthz", 200),
    ("readyz", "get"): Row("/readyz", 200),
    ("docs", "get"): Row("/docs", 200),
    ("openapi", "get"): Row("/openapi.yaml", 200),
    (ADMIN, "get"): Row("/admin", 302),
}


def routes():
    """Name and methods of every pattern but the admin's own, which have a test of theirs."""
    for pattern in get_resolver().url_patterns:
        if isinstance(pattern, URLResolver):
            assert pattern.namespace == ADMIN, pattern
            continue
        for method in methods_of(pattern):
            yield pattern.name or ADMIN, method


def methods_of(pattern: URLPattern):
    view = pattern.callback
    if hasattr(view, "actions"):
        return [method for method in view.actions if method != "head"]
    made = getattr(view, "view_class", None)
    if made is None or pattern.name is None:
        return ["get"]
    every = {"get", "post", "put", "patch", "delete"} & set(made.http_method_names)
    known = [name for name in sorted(every) if hasattr(made, name)]
    # The forms' views refuse what is no POST.
    return [name for name in known if pattern.name == "oauth-authorize" or name == "post"]


def test_f15_every_route_is_in_the_matrix():
    assert set(routes()) == set(ROUTES)


@pytest.fixture
def shop():
    product = ProductFactory(id=1)
    StyleFactory(id=1, product=product)
    ProductFactory(id=2)
    ReviewFactory(id=1, product=product)
    recount()
    AccountFactory(userid=1)
    PreferenceFactory(profile=ProfileFactory(id=ANN))


@pytest.fixture
def actors(client):
    """A browser and the headers of each actor."""
    staff = Browser(SERVER_NAME="localhost")
    staff.force_login(AdminFactory())
    north = ClientFactory(tenant=TenantFactory(name="north"))
    return {
        "anonymous": (client, {}),
        "tenant A": (client, bearer(give_token())),
        "tenant B": (client, bearer(give_token(north))),
        "staff": (staff, {}),
        "expired token": (client, bearer(give_token(seconds=-1))),
    }


def send(row, method, browser, headers):
    return browser.generic(method.upper(), row.path, row.body, "application/json", headers=headers)


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize(("name", "method"), ROUTES)
def test_f15_who_may_use_a_route(shop, actors, name, method, actor):
    row = ROUTES[name, method]
    response = send(row, method, *actors[actor])
    assert response.status_code == row.status_for(actor), response.content


GUARDED = [key for key, row in ROUTES.items() if row.scope]


@pytest.mark.parametrize(("name", "method"), GUARDED)
def test_f15_a_guarded_route_asks_for_its_scope_alone(shop, client, name, method):
    row = ROUTES[name, method]
    scopes = {"accounts", "profiles:read", "profiles:write", "catalogue:write", "moderation"}
    without = bearer(give_token(scopes=scopes - {row.scope}))
    refused = send(row, method, client, without)
    assert refused.status_code == 403
    assert f'scope="{row.scope}"' in refused["WWW-Authenticate"]
    assert (
        send(row, method, client, bearer(give_token(scopes=[row.scope]))).status_code == row.status
    )


@pytest.mark.parametrize(("name", "method"), GUARDED)
def test_f15_a_guarded_route_refuses_a_tenant_that_is_not_the_tokens(shop, client, name, method):
    TenantFactory(name="north")
    headers = {**bearer(give_token()), "ntenant": "north"}
    assert send(ROUTES[name, method], method, client, headers).status_code == 403


def test_f15_pages_of_the_admin_are_for_signed_in_staff(client, actors):
    """Those that need no id; none of them looks at a token."""
    [admin] = [found for found in get_resolver().url_patterns if isinstance(found, URLResolver)]
    paths = set()
    for name in admin.reverse_dict:
        try:
            paths.add(reverse(f"admin:{name}"))
        except NoReverseMatch:  # it needs an id
            continue
    paths -= {reverse("admin:login"), reverse("admin:jsi18n"), reverse("admin:logout")}
    assert reverse("admin:users_tenant_changelist") in paths
    for path in sorted(paths):
        for actor in ACTORS:
            if actor == "staff":
                continue
            browser, headers = actors[actor]
            response = browser.get(path, headers=headers)
            assert response.status_code == 302, (path, actor)
            assert "/login/" in response["Location"]
