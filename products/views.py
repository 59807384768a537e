"""The routes /products and below (contract 1.1)."""

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema

from atelier.core.errors import NotFound
from atelier.core.pagination import Page
from atelier.core.responses import json_answer
from atelier.core.viewsets import PublicViewSet
from atelier.core.visitors import peer_address
from licensing import services as licensing
from products import serializers, sql
from products.filters import ProductFilter
from products.models import CATALOGUE_SCOPE, Product, ProductQuerySet, product_scope


class ProductViewSet(PublicViewSet):
    @extend_schema(**serializers.LIST_SCHEMA)
    def list(self, request: HttpRequest) -> HttpResponseBase:
        page, among, campus = Page.from_query(request.GET), _chosen(request), _campus()
        read = sql.product_page(page, among=among, campus=campus)
        if not read.is_restricted:
            return json_answer(request, read.body, scope=CATALOGUE_SCOPE)
        region_id = licensing.visitors_region(peer_address(request))
        body = sql.product_page_shown(page, among=among, campus=campus, region_id=region_id)
        return json_answer(request, body, scope=None)

    @extend_schema(**serializers.DETAIL_SCHEMA)
    def retrieve(self, request: HttpRequest, product_id: str) -> HttpResponseBase:
        known = serializers.product_id_of(product_id)
        read = sql.product_detail(known, campus=_campus())
        if read is None:
            raise NotFound(serializers.UNKNOWN_PRODUCT)
        return _answer(request, read, known)

    @extend_schema(**serializers.STYLES_SCHEMA)
    def styles(self, request: HttpRequest, product_id: str) -> HttpResponseBase:
        known = serializers.product_id_of(product_id)
        return _answer(request, sql.product_styles(known), known)

    @extend_schema(**serializers.RELATED_SCHEMA)
    def related(self, request: HttpRequest, product_id: str) -> HttpResponseBase:
        known = serializers.product_id_of(product_id)
        read = sql.related_ids(known)
        if not read.is_restricted:
            return json_answer(request, read.body, scope=product_scope(known))
        region_id = licensing.require_licence(product_id=known, address=peer_address(request))
        return json_answer(request, sql.related_ids_shown(known, region_id=region_id), scope=None)


def _answer(request: HttpRequest, read: sql.Read, product_id: int) -> HttpResponseBase:
    """What is said of one product, to visitors to whom it may be said."""
    if not read.is_restricted:
        return json_answer(request, read.body, scope=product_scope(product_id))
    licensing.require_licence(product_id=product_id, address=peer_address(request))
    return json_answer(request, read.body, scope=None)


def _chosen(request: HttpRequest) -> ProductQuerySet | None:
    """The products that the query's filters leave; None without filters."""
    if ProductFilter.base_filters.keys().isdisjoint(request.GET):
        return None
    filters = ProductFilter(request.GET, queryset=Product.objects.all())
    serializers.check_filters(filters)
    return filters.qs


def _campus() -> str:
    return str(settings.CATALOGUE_CAMPUS)
