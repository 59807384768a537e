"""Parts that the OpenAPI descriptions of several apps share."""

from collections.abc import Callable
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from atelier.core.numbers import MAX_ID
from atelier.core.pagination import DEFAULT_COUNT, MAX_COUNT

LEGACY_TEXT = OpenApiTypes.STR

# An id in a path or a query.
ID = {"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX_ID}
# An id in a body, where clients send it either way.
ID_OR_DIGITS = {"oneOf": [ID, {"type": "string", "pattern": "^[0-9]{1,30}$"}]}

PAGE_PARAMETERS = [
    OpenApiParameter(
        "page",
        {"type": "integer", "format": "int64", "minimum": 0, "default": 1},
        description="From 1; 0 is 1. What is no such number counts as 1.",
    ),
    OpenApiParameter(
        "count",
        {"type": "integer", "format": "int64", "minimum": 0, "default": DEFAULT_COUNT},
        description=f"Rows a page, at most {MAX_COUNT}. "
        f"What is no such number counts as {DEFAULT_COUNT}.",
    ),
]


class LegacyFailure(serializers.Serializer):
    """An error of the account routes."""

    status = serializers.CharField(help_text="`error`")
    message = serializers.CharField()


BUSY: dict[Any, OpenApiResponse] = {
    (503, "text/plain"): OpenApiResponse(
        LEGACY_TEXT, description="The database is busy; ask again after `Retry-After` seconds."
    ),
}
# The same of routes whose errors are JSON.
# Answers of every GET: they carry an ETag.
READ: dict[Any, OpenApiResponse] = {
    304: OpenApiResponse(description="The caller's `If-None-Match` names the current answer."),
    **BUSY,
}

# Answers about one product, whatever is asked of it.
WITHHELD: dict[Any, OpenApiResponse] = {
    (451, "text/plain"): OpenApiResponse(
        LEGACY_TEXT,
        description="The product is not licensed in the caller's region; `Link` says why.",
    ),
}

Endpoint = tuple[str, str, str, Callable[..., Any]]


def without_trailing_slash(endpoints: list[Endpoint]) -> list[Endpoint]:
    """Each route once, though it answers with and without the slash."""
    return [
        (path.rstrip("/") or "/", regex, method, view) for path, regex, method, view in endpoints
    ]


def secured(scope: str) -> dict[str, Any]:
    """Parts of the description of a route that `require(request, scope)` guards."""
    return {"auth": [{"oauth2": [scope]}, {"bearer": []}]}


def problems(*statuses: int) -> dict[Any, OpenApiResponse]:
    """Failures of a route that speaks `application/problem+json`."""
    return {
        (status, "application/problem+json"): OpenApiResponse(
            OpenApiTypes.OBJECT, description=PROBLEMS[status]
        )
        for status in statuses
    }


PROBLEMS = {
    400: "The body is no JSON, has an unknown field, or one that does not fit: see `errors`.",
    401: "There is no token, or it is unknown, expired or revoked: see `WWW-Authenticate`.",
    403: "The token lacks the scope, or `ntenant` names a tenant that is not the token's.",
    404: "There is no such row.",
    409: "Other rows stand in the way; nothing was changed.",
    413: "The body is over 1 MB.",
    422: "A row that the body points at does not exist, or may not be pointed at.",
    429: "The client has used up its rate; ask again after `Retry-After` seconds.",
    503: "The database is busy; ask again after `Retry-After` seconds.",
}
# Failures of every route that needs a token.
GUARDED = (401, 403, 429, 503)

# Failures of a guarded route that the legacy API had, in the shape that it gave them.
GUARDED_JSON: dict[Any, OpenApiResponse] = {
    (status, "application/json"): OpenApiResponse(LegacyFailure, description=PROBLEMS[status])
    for status in GUARDED
}
