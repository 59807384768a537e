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
from products.models import CATALOGUE_SCOPE, Product, product_scope


class ProductViewSet(PublicViewSet):
    @extend_schema(**serializers.LIST_SCHEMA)
    def list(self, request: HttpRequest) -> HttpResponseBase:
        page = Page.from_query(request.GET)
        campus = settings.CATALOGUE_CAMPUS
        if ProductFilter.base_filters.keys().isdisjoint(request.GET):
            body = sql.product_page(page, campus=campus)
        else:
            filters = ProductFilter(request.GET, queryset=Product.objects.all())
            serializers.check_filters(filters)
            body = sql.product_list(filters.qs.ids_of(page), campus=campus)
        return json_answer(request, body, scope=CATALOGUE_SCOPE)

    @extend_schema(**serializers.DETAIL_SCHEMA)
    def retrieve(self, request: HttpRequest, product_id: str) -> HttpResponseBase:
        known = serializers.product_id_of(product_id)
        body = sql.product_detail(known, campus=settings.CATALOGUE_CAMPUS)
        if body is None:
            raise NotFound(serializers.UNKNOWN_PRODUCT)
        return json_answer(request, body, scope=product_scope(known))

    @extend_schema(**serializers.STYLES_SCHEMA)
    def styles(self, request: HttpRequest, product_id: str) -> HttpResponseBase:
        known = serializers.product_id_of(product_id)
        return json_answer(request, sql.product_styles(known), scope=product_scope(known))

    @extend_schema(**serializers.RELATED_SCHEMA)
    def related(self, request: HttpRequest, product_id: str) -> HttpResponseBase:
        known = serializers.product_id_of(product_id)
        return json_answer(request, sql.related_ids(known), scope=product_scope(known))
