"""Middleware of every route."""

import re
import uuid
from collections.abc import Callable

import structlog
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import get_resolver

WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestIdMiddleware:
    """Take the request's id from nginx, or make one; bind it to the logs and answer with it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = given if WELL_FORMED.fullmatch(given) else uuid.uuid4().hex
        request.request_id = request_id  # type: ignore[attr-defined]
        bound = structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            response = self.get_response(request)
        finally:
            structlog.contextvars.reset_contextvars(**bound)
        response.headers["X-Request-ID"] = request_id
        return response


class PublicRoutesMiddleware:
    """Answer the routes of a PublicViewSet here, past the middleware below.

    They take no session, account, form or message. The headers that protect browsers are nginx's
    part, which adds them to every answer.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            match = get_resolver().resolve(request.path_info)
        except Http404:
            return self.get_response(request)
        if not getattr(match.func, "is_public", False):
            return self.get_response(request)
        request.get_host()  # refuses a host that is not ours
        request.resolver_match = match
        response = match.func(request, *match.args, **match.kwargs)
        response.headers["Content-Length"] = str(len(response.content))
        return response


def _policy(**sources: str) -> str:
    return "; ".join(f"{name.replace('_', '-')} {value}" for name, value in sources.items())


def content_policy(form_action: str) -> str:
    """The policy of a page without scripts, whose forms lead to these sources."""
    return _policy(
        default_src="'none'",
        style_src="'self'",
        img_src="'self'",
        form_action=form_action,
        base_uri="'none'",
        frame_ancestors="'none'",
    )


# By the beginning of the path. Nothing is loaded from elsewhere, and no inline script runs.
CONTENT_POLICIES = {
    "/admin": _policy(
        default_src="'none'",
        # Alpine.js compiles the expressions in unfold's templates.
        script_src="'self' 'unsafe-eval'",
        # Unfold writes its colours into a style element, Alpine.js and htmx styles of their own.
        style_src="'self' 'unsafe-inline'",
        img_src="'self' data:",
        font_src="'self'",
        connect_src="'self'",
        form_action="'self'",
        base_uri="'none'",
        frame_ancestors="'none'",
    ),
    "/docs": _policy(
        default_src="'none'",
        script_src="'self'",
        style_src="'self'",
        # The icons of Swagger UI.
        img_src="'self' data:",
        connect_src="'self'",
        form_action="'none'",
        base_uri="'none'",
        frame_ancestors="'none'",
    ),
    # The page that asks for consent adds where its form leads.
    "/oauth": content_policy("'self'"),
}
PAGES = tuple(CONTENT_POLICIES)


class ContentSecurityMiddleware:
    """A content-security policy for the pages that browsers show; the API's answers need none."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith(PAGES):
            prefix = next(filter(request.path.startswith, CONTENT_POLICIES))
            response.headers.setdefault("Content-Security-Policy", CONTENT_POLICIES[prefix])
        return response
