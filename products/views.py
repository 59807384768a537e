"""The routes /products and below (contract 1.1)."""

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema

from atelier.core.errors import NotFound
from atelier.core.pagination import Page
from atelier.core.responses import json_answer
from atelier.core.viewsets import PublicViewSet
from products import serializers, sql
from products.filters import ProductFilter
from products.models import Product


class ProductViewSet(PublicViewSet):
    @extend_schema(**serializers.LIST_SCHEMA)
    def list(self, request: HttpRequest) -> HttpResponseBase:
        page = Page.from_query(request.GET)
        filters = ProductFilter(request.GET, queryset=Product.objects.all())
        serializers.check_filters(filters)
        ids = filters.qs.ids_of(page)
        return json_answer(request, sql.product_list(ids, campus=settings.CATALOGUE_CAMPUS))

    @extend_schema(**serializers.DETAIL_SCHEMA)
    def retrieve(self, request: HttpRequest, product_id: str) -> HttpResponseBase:
        known = serializers.product_id_of(product_id)
        body = sql.product_detail(known, campus=settings.CATALOGUE_CAMPUS)
        if body is None:
            raise NotFound(serializers.UNKNOWN_PRODUCT)
        return json_answer(request, body)

    @extend_schema(**serializers.STYLES_SCHEMA)
    def styles(self, request: HttpRequest, product_id: str) -> HttpResponseBase:
        return json_answer(request, sql.product_styles(serializers.product_id_of(product_id)))

    @extend_schema(**serializers.RELATED_SCHEMA)
    def related(self, request: HttpRequest, product_id: str) -> HttpResponseBase:
        return json_answer(request, sql.related_ids(serializers.product_id_of(product_id)))
