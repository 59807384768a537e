from django.urls import re_path

from products.views import ProductViewSet, StyleViewSet

urlpatterns = [
    re_path(
        r"^products/(?P<product_id>[^/]+)/styles/?$",
        ProductViewSet.as_view({"get": "styles", "post": "create_style"}),
        name="product-styles",
    ),
    re_path(
        r"^products/(?P<product_id>[^/]+)/?$",
        ProductViewSet.as_view({"get": "retrieve", "patch": "update", "delete": "destroy"}),
        name="product-detail",
    ),
    re_path(
        r"^products/?$",
        ProductViewSet.as_view({"get": "list", "post": "create"}),
        name="product-list",
    ),
    re_path(
        r"^products/(?P<product_id>[^/]+)/related/?$",
        ProductViewSet.as_view({"get": "related", "put": "replace_related"}),
        name="product-related",
    ),
    re_path(
        r"^products/(?P<product_id>[^/]+)/features/?$",
        ProductViewSet.as_view({"put": "replace_features"}),
        name="product-features",
    ),
    re_path(
        r"^products/(?P<product_id>[^/]+)/styles/(?P<style_id>[^/]+)/?$",
        StyleViewSet.as_view({"get": "retrieve", "patch": "update", "delete": "destroy"}),
        name="product-style",
    ),
]
