"""The OpenAPI file and Swagger UI, both from local files."""

from functools import cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from atelier.failures import reads_only

OPENAPI_FILE = settings.BASE_DIR / "docs" / "openapi.yaml"


@reads_only
def swagger(request: HttpRequest) -> HttpResponse:
    """Swagger UI. Not drf-spectacular's page, whose inline parts a strict policy would block."""
    return render(request, "core/docs.html")


@reads_only
def openapi(request: HttpRequest) -> HttpResponse:
    """The built file; `make check` fails where it says something else than the code."""
    return HttpResponse(_openapi_text(), content_type="application/yaml; charset=utf-8")


@cache
def _openapi_text() -> str:
    return OPENAPI_FILE.read_text()
