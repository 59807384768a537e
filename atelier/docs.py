"""The OpenAPI file and Swagger UI, both from local files."""

from functools import cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from drf_spectacular.views import SpectacularSwaggerView

OPENAPI_FILE = settings.BASE_DIR / "docs" / "openapi.yaml"

swagger = SpectacularSwaggerView.as_view(url="/openapi.yaml", authentication_classes=[])


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_openapi_text(), content_type="application/yaml; charset=utf-8")


@cache
def _openapi_text() -> str:
    return OPENAPI_FILE.read_text()
