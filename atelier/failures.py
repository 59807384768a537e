"""Answers for requests that reach no view, or break one."""

from django.http import HttpRequest, HttpResponse

from atelier.core.exception_handler import legacy, problem


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem(request, 400, detail="The request cannot be read.", code="bad_request")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem(request, 403, detail="This is not allowed.", code="forbidden")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem(request, 404, detail="There is nothing here.", code="not_found")


def server_error(request: HttpRequest) -> HttpResponse:
    return legacy(500, "")
