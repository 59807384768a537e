"""Answers made of bytes that PostgreSQL built."""

from hashlib import blake2b

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response

_CONDITIONS = frozenset(
    {
        "HTTP_IF_MATCH",
        "HTTP_IF_NONE_MATCH",
        "HTTP_IF_MODIFIED_SINCE",
        "HTTP_IF_UNMODIFIED_SINCE",
    }
)


def json_answer(request: HttpRequest, body: bytes, *, scope: str | None) -> HttpResponseBase:
    """200 with an ETag of the bytes, or 304 where the caller has them already.

    `no-cache` lets a browser keep the answer but makes it ask each time: a write must show at
    once, and a 304 is cheap. nginx may store the answer only where the scope whose tag it put
    into its key is the scope that was served: the two read addresses by rules of their own.
    What depends on who asks has no scope, None, and is stored nowhere but in the caller's browser.
    """
    etag = f'"{blake2b(body, digest_size=12).hexdigest()}"'
    response = HttpResponse(body, content_type="application/json; charset=utf-8")
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "private, no-cache" if scope is None else "no-cache"
    if scope is not None and request.META.get("HTTP_X_CACHE_SCOPE") == scope:
        response.headers["X-Accel-Expires"] = str(settings.CACHE_SECONDS)
    if _CONDITIONS.isdisjoint(request.META):
        return response
    conditional = get_conditional_response(request, etag=etag, response=response)
    return conditional if conditional is not None else response


def private_json(body: bytes, *, status: int = 200) -> HttpResponse:
    """JSON that is meant for its caller alone: nobody in between may keep it."""
    response = HttpResponse(body, status=status, content_type="application/json; charset=utf-8")
    response.headers["Cache-Control"] = "private, no-store"
    return response


def no_content() -> HttpResponse:
    """204, without the content type that nothing would have."""
    response = HttpResponse(status=204)
    del response.headers["Content-Type"]
    return response


def changed(body: bytes) -> HttpResponse:
    """200 with what a write has left."""
    return HttpResponse(
        body,
        content_type="application/json; charset=utf-8",
        headers={"Cache-Control": "no-store"},
    )


def created(body: bytes, *, location: str) -> HttpResponse:
    """201 with what was made, and the path where it is."""
    response = changed(body)
    response.status_code = 201
    response.headers["Location"] = location
    return response
