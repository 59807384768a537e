"""The one place that maps errors to HTTP answers.

Legacy routes answer in plain text, as their clients expect; all others speak
`application/problem+json` (RFC 9457).
"""

from http import HTTPStatus
from math import ceil
from typing import Any

import orjson
import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions

from atelier.core import errors
from atelier.core.callers import challenge

logger = structlog.get_logger(__name__)

LEGACY_FAILURE = "An error occurred. If this error persists, contact your instruction team."
RETRY_AFTER_SECONDS = "1"

STATUS_OF: dict[type[Exception], int] = {
    errors.NotFound: 404,
    errors.Invalid: 422,
    errors.Conflict: 409,
    errors.Withheld: 451,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.Unavailable: 503,
    Http404: 404,
    PermissionDenied: 403,
    RequestDataTooBig: 413,
    # The database is away, or over its deadline: worth another try.
    OperationalError: 503,
    InterfaceError: 503,
}


def handle(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """Answer for an error that a view let through; None for the unexpected, which stays a 500."""
    status = status_of(error)
    if status is None:
        return None
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        what = "service" if isinstance(error, errors.Unavailable) else "database"
        logger.error(f"{what} unavailable", reason=str(error.__cause__ or error).strip())
    view, request = context.get("view"), context["request"]
    if getattr(view, "speaks_legacy", False):
        response = getattr(view, "legacy_error", legacy)(status, _message(error))
    else:
        response = problem(request, status, detail=_message(error), code=_code(error))
        if isinstance(error, exceptions.ValidationError):
            response.content = _problem_body(
                request, status, "The request is not valid.", "invalid", pointers(error.detail)
            )
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = RETRY_AFTER_SECONDS
    if isinstance(error, errors.Withheld):
        response.headers["Link"] = f'<{error.blocked_by}>; rel="blocked-by"'
        # It holds for this caller only, and a cache may keep it otherwise.
        response.headers["Cache-Control"] = "private, no-store"
    if isinstance(error, exceptions.Throttled):
        response.headers["Retry-After"] = str(ceil(getattr(error, "wait", None) or 1))
    if isinstance(error, errors.Unauthenticated | errors.InsufficientScope):
        response.headers["WWW-Authenticate"] = challenge(error)
    return response


def status_of(error: Exception) -> int | None:
    if isinstance(error, exceptions.APIException):
        return int(error.status_code)
    return next((code for kind, code in STATUS_OF.items() if isinstance(error, kind)), None)


def legacy(status: int, message: str) -> HttpResponse:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        message = LEGACY_FAILURE
    return HttpResponse(message, status=status, content_type="text/plain; charset=utf-8")


def problem(request: HttpRequest, status: int, *, detail: str, code: str) -> HttpResponse:
    return HttpResponse(
        _problem_body(request, status, detail, code),
        status=status,
        content_type="application/problem+json",
    )


def pointers(detail: Any, path: str = "") -> list[dict[str, str]]:
    """A validation error's tree as a flat list, each entry with its JSON pointer."""
    if isinstance(detail, dict):
        return [row for key, value in detail.items() for row in pointers(value, f"{path}/{key}")]
    if isinstance(detail, list):
        return [
            row
            for index, value in enumerate(detail)
            for row in pointers(value, path if isinstance(value, str) else f"{path}/{index}")
        ]
    return [{"pointer": path, "detail": str(detail)}]


def _problem_body(
    request: HttpRequest,
    status: int,
    detail: str,
    code: str,
    error_rows: list[dict[str, str]] | None = None,
) -> bytes:
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": getattr(request, "request_id", None),
    }
    if error_rows:
        body["errors"] = error_rows
    return orjson.dumps(body)


def _message(error: Exception) -> str:
    if isinstance(error, errors.AtelierError):
        return error.message
    if isinstance(error, exceptions.APIException):
        return str(error.detail) if isinstance(error.detail, str) else "The request is not valid."
    if isinstance(error, Http404):
        return "There is nothing here."
    if isinstance(error, PermissionDenied):
        return "This is not allowed."
    if isinstance(error, RequestDataTooBig):
        return "Request body too large"
    return "The service is busy. Try again shortly."


CODES: dict[type[Exception], str] = {
    Http404: "not_found",
    PermissionDenied: "forbidden",
    RequestDataTooBig: "too_large",
}


def _code(error: Exception) -> str:
    if isinstance(error, errors.AtelierError):
        return error.code
    if isinstance(error, exceptions.APIException):
        return str(error.default_code)
    return CODES.get(type(error), "unavailable")
