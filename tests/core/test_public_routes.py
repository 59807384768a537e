"""Public routes pass by sessions, accounts and forms."""

import uuid

import pytest
from django.conf import settings as site
from django.core.cache import cache
from django.test import Client

from atelier.core.exception_handler import LEGACY_FAILURE

pytestmark = pytest.mark.django_db

READS = ["/products", "/products/1/styles", "/products/1/related", "/reviews?product_id=1"]
HEADERS = {
    "Content-Type": "application/json; charset=utf-8",
    "Cache-Control": "no-cache",
    "X-Request-ID": "r-1",
}


@pytest.mark.parametrize("path", READS)
def test_a_read_has_exactly_these_headers(client, path):
    response = client.get(path, headers={"x-request-id": "r-1"})
    headers = dict(response.headers)
    assert headers.pop("ETag")
    assert headers.pop("Content-Length") == str(len(response.content))
    assert headers == HEADERS


SCOPES = {
    "/products": "catalogue",
    "/products/1/styles": "product:1",
    "/products/1/related": "product:1",
    "/reviews?product_id=1": "reviews:1",
    "/reviews/meta?product_id=1": "reviews_meta:1",
}


@pytest.mark.parametrize("path", SCOPES)
def test_f18_only_the_scope_that_was_served_may_be_stored(client, settings, path):
    settings.CACHE_SECONDS = 120
    for scope in {*SCOPES.values(), "product:2", ""}:
        stored = client.get(path, headers={"x-cache-scope": scope}).get("X-Accel-Expires")
        assert stored == ("120" if scope == SCOPES[path] else None), scope


@pytest.mark.parametrize("path", ["/products/abc", "/reviews", "/products?min_price=x"])
def test_a_refusal_says_its_length(client, path):
    response = client.get(path)
    assert 400 <= response.status_code < 500
    assert response["Content-Length"] == str(len(response.content))


def test_a_public_read_looks_at_no_session(client, django_assert_num_queries):
    """A cookie that asks for a session would cost a look into the cache and the database."""
    client.cookies[site.SESSION_COOKIE_NAME] = uuid.uuid4().hex
    with django_assert_num_queries(1):
        response = client.get("/products/1/styles")
    assert not hasattr(response.wsgi_request, "session")
    assert not hasattr(response.wsgi_request, "user")
    assert "Cookie" not in response.get("Vary", "")


def test_the_admin_still_has_sessions_accounts_and_forms(client, admin_user):
    client.force_login(admin_user)
    response = client.get("/admin/")
    assert response.status_code == 200
    assert response.wsgi_request.user == admin_user
    assert response["Content-Security-Policy"]
    strict = Client(enforce_csrf_checks=True, SERVER_NAME="localhost")
    assert strict.post("/admin/login/", {"username": "a", "password": "b"}).status_code == 403
    cache.clear()


@pytest.mark.parametrize("path", ["/products/1/styles", "/products/1//", "/healthz", "/docs"])
def test_an_unknown_host_is_refused_everywhere(client, path):
    assert client.get(path, headers={"host": "elsewhere.example"}).status_code == 400


def test_an_unexpected_error_is_a_500_in_the_legacy_words(client, monkeypatch):
    def broken(product_id):
        raise ZeroDivisionError

    monkeypatch.setattr("products.sql.product_styles", broken)
    client.raise_request_exception = False
    response = client.get("/products/1/styles", headers={"x-request-id": "r-1"})
    assert response.status_code == 500
    assert response.content.decode() == LEGACY_FAILURE
    assert response["X-Request-ID"] == "r-1"


@pytest.mark.parametrize("path", ["/products/1//", "/products/1/styles/2/3", "/reviews/1/votes"])
def test_a_path_below_a_public_one_that_is_none_is_an_ordinary_404(client, path):
    response = client.get(path)
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
