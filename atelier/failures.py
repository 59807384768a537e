"""Answers for requests that reach no view, or break one."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from atelier.core.exception_handler import legacy, problem


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _whole(problem(request, 400, detail="The request cannot be read.", code="bad_request"))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem(request, 403, detail="This is not allowed.", code="forbidden")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem(request, 404, detail="There is nothing here.", code="not_found")


def server_error(request: HttpRequest) -> HttpResponse:
    return _whole(legacy(500, ""))


def reads_only(view: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    """GET and HEAD reach the view; any other method is told so in the house's error shape."""

    def guarded(request: HttpRequest) -> HttpResponse:
        if request.method in {"GET", "HEAD"}:
            return view(request)
        answer = problem(request, 405, detail="Only GET and HEAD.", code="method_not_allowed")
        answer.headers["Allow"] = "GET, HEAD"
        return answer

    return csrf_exempt(guarded)


def _whole(response: HttpResponse) -> HttpResponse:
    """With its length: what breaks above the middleware that adds it would go out in chunks."""
    response.headers["Content-Length"] = str(len(response.content))
    return response
