from django.urls import re_path

from licensing.views import LicensingViewSet

urlpatterns = [
    re_path(
        r"^licensing/region/?$",
        LicensingViewSet.as_view({"get": "region"}),
        name="licensing-region",
    ),
    re_path(
        r"^licensing/products/(?P<product_id>[^/]+)/?$",
        LicensingViewSet.as_view({"get": "product"}),
        name="licensing-product",
    ),
]
