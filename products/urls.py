from django.urls import re_path

from products.views import ProductViewSet

urlpatterns = [
    re_path(
        r"^products/(?P<product_id>[^/]+)/styles/?$",
        ProductViewSet.as_view({"get": "styles"}),
        name="product-styles",
    ),
    re_path(
        r"^products/(?P<product_id>[^/]+)/?$",
        ProductViewSet.as_view({"get": "retrieve"}),
        name="product-detail",
    ),
    re_path(r"^products/?$", ProductViewSet.as_view({"get": "list"}), name="product-list"),
    re_path(
        r"^products/(?P<product_id>[^/]+)/related/?$",
        ProductViewSet.as_view({"get": "related"}),
        name="product-related",
    ),
]
