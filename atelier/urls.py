"""Table of contents of the site."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from atelier import docs, failures, health

urlpatterns = [
    re_path(r"^healthz/?$", health.healthz, name="healthz"),
    re_path(r"^readyz/?$", health.readyz, name="readyz"),
    path("", include("products.urls")),
    path("", include("reviews.urls")),
    re_path(r"^docs/?$", docs.swagger, name="docs"),
    path("openapi.yaml", docs.openapi, name="openapi"),
    path("admin", RedirectView.as_view(url="/admin/")),
    path("admin/", admin.site.urls),
]

handler400 = failures.bad_request
handler403 = failures.forbidden
handler404 = failures.not_found
handler500 = failures.server_error
