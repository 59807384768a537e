"""Errors become answers in one place: plain text on legacy routes, RFC 9457 elsewhere."""

import orjson
import pytest
from django.core.exceptions import PermissionDenied
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404
from django.test import RequestFactory
from rest_framework import exceptions

from atelier import failures
from atelier.core import errors
from atelier.core.exception_handler import LEGACY_FAILURE, handle, pointers, status_of
from atelier.core.viewsets import PublicViewSet

STATUSES = [
    (errors.NotFound("No such row."), 404, "not_found", "No such row."),
    (errors.Invalid("Not so."), 422, "invalid", "Not so."),
    (errors.Conflict("Changed."), 409, "conflict", "Changed."),
    (Http404("secret path"), 404, "not_found", "There is nothing here."),
    (PermissionDenied("secret"), 403, "forbidden", "This is not allowed."),
    (exceptions.ParseError("Not JSON."), 400, "parse_error", "Not JSON."),
    (exceptions.NotAuthenticated("Who?"), 401, "not_authenticated", "Who?"),
    (exceptions.MethodNotAllowed("PUT"), 405, "method_not_allowed", 'Method "PUT" not allowed.'),
    (
        OperationalError("secret host"),
        503,
        "unavailable",
        "The service is busy. Try again shortly.",
    ),
    (InterfaceError("secret"), 503, "unavailable", "The service is busy. Try again shortly."),
]


def context(view=None):
    request = RequestFactory().get("/")
    request.request_id = "r-1"
    return {"view": view, "request": request}


@pytest.mark.parametrize(("error", "status", "code", "detail"), STATUSES)
def test_an_error_outside_the_legacy_routes_is_a_problem_document(error, status, code, detail):
    response = handle(error, context())
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    body = orjson.loads(response.content)
    assert list(body) == ["type", "title", "status", "detail", "code", "request_id"]
    assert body["type"] == "about:blank"
    assert (body["status"], body["code"], body["detail"]) == (status, code, detail)
    assert body["request_id"] == "r-1"


@pytest.mark.parametrize(("error", "status", "code", "detail"), STATUSES)
def test_an_error_on_a_legacy_route_is_a_plain_sentence(error, status, code, detail):
    response = handle(error, context(PublicViewSet()))
    assert response.status_code == status
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    expected = LEGACY_FAILURE if status >= 500 else detail
    assert response.content.decode() == expected


@pytest.mark.parametrize("view", [None, PublicViewSet()])
def test_a_busy_database_says_when_to_come_back(view):
    assert handle(OperationalError(), context(view))["Retry-After"] == "1"
    assert "Retry-After" not in handle(errors.NotFound("No."), context(view))


def test_a_validation_error_points_at_each_field():
    error = exceptions.ValidationError(
        {"name": ["Required.", "Too short."], "rows": [{}, {"price": ["Not a number."]}]}
    )
    response = handle(error, context())
    assert response.status_code == 400
    assert orjson.loads(response.content)["errors"] == [
        {"pointer": "/name", "detail": "Required."},
        {"pointer": "/name", "detail": "Too short."},
        {"pointer": "/rows/1/price", "detail": "Not a number."},
    ]
    legacy = handle(error, context(PublicViewSet()))
    assert legacy.content == b"The request is not valid."


def test_pointers_of_a_flat_list_point_at_the_whole():
    assert pointers(["No."]) == [{"pointer": "", "detail": "No."}]


@pytest.mark.parametrize(
    "error", [ValueError(), DataError(), IntegrityError(), KeyError("x"), RecursionError()]
)
def test_the_unexpected_stays_a_loud_500(error):
    assert status_of(error) is None
    assert handle(error, context()) is None


def test_a_broken_view_answers_the_legacy_sentence(client, monkeypatch):
    def explode(*args, **kwargs):
        raise ValueError("secret")

    monkeypatch.setattr("products.sql.related_ids", explode)
    client.raise_request_exception = False
    response = client.get("/products/1/related")
    assert response.status_code == 500
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response.content.decode() == LEGACY_FAILURE


@pytest.mark.parametrize("path", ["/nothing", "/products/1/x", "/qa/questions", "/cart"])
def test_an_unknown_path_is_a_problem_document(client, path):
    response = client.get(path)
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    body = orjson.loads(response.content)
    assert body["code"] == "not_found"
    assert body["request_id"] == response["X-Request-ID"]


def test_an_unknown_host_is_refused(client):
    response = client.get("/products", headers={"host": "evil.example"})
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert b"evil" not in response.content


def test_a_forbidden_request_is_a_problem_document():
    response = failures.forbidden(context()["request"], PermissionDenied())
    assert response.status_code == 403
    assert orjson.loads(response.content)["code"] == "forbidden"
