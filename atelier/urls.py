"""Table of contents of the site, the busiest routes first: they are tried in this order."""

from django.contrib import admin
from django.urls import path, re_path
from django.views.generic import RedirectView

from atelier import docs, failures, health
from products.urls import urlpatterns as product_routes
from reviews.urls import urlpatterns as review_routes
from users.urls import urlpatterns as user_routes

urlpatterns = [
    *product_routes,
    *review_routes,
    *user_routes,
    re_path(r"^healthz/?$", health.healthz, name="healthz"),
    re_path(r"^readyz/?$", health.readyz, name="readyz"),
    re_path(r"^docs/?$", docs.swagger, name="docs"),
    path("openapi.yaml", docs.openapi, name="openapi"),
    path("admin", RedirectView.as_view(url="/admin/")),
    path("admin/", admin.site.urls),
]

handler400 = failures.bad_request
handler403 = failures.forbidden
handler404 = failures.not_found
handler500 = failures.server_error
