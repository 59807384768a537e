"""The routes /products and below (contract 1.1)."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema

from atelier.core.callers import record, require
from atelier.core.errors import NotFound
from atelier.core.fields import read_body, read_json
from atelier.core.pagination import Page
from atelier.core.responses import changed, created, json_answer, no_content
from atelier.core.viewsets import PublicViewSet
from atelier.core.visitors import peer_address
from licensing import services as licensing
from products import serializers, services, sql
from products.filters import ProductFilter
from products.models import CATALOGUE_SCOPE, Product, ProductQuerySet, product_scope


class ProductViewSet(PublicViewSet):
    modern_actions = (
        "create",
        "update",
        "destroy",
        "replace_features",
        "replace_related",
        "create_style",
    )

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

    @extend_schema(**serializers.CREATE_SCHEMA)
    def create(self, request: HttpRequest) -> HttpResponse:
        caller = require(request, serializers.CATALOGUE_WRITE)
        given = read_body(request, serializers.NewProduct)
        product = services.create_product(**serializers.with_rows(given))
        record(caller, "product created", product_id=product.pk)
        return created(_detail(product.pk), location=f"/products/{product.pk}")

    @extend_schema(**serializers.UPDATE_SCHEMA)
    def update(self, request: HttpRequest, product_id: str) -> HttpResponse:
        caller = require(request, serializers.CATALOGUE_WRITE)
        known = serializers.product_id_of(product_id)
        changes = read_body(request, serializers.ProductChanges)
        services.update_product(product_id=known, changes=changes)
        record(caller, "product changed", product_id=known, changed=sorted(changes))
        return changed(_detail(known))

    @extend_schema(**serializers.DELETE_SCHEMA)
    def destroy(self, request: HttpRequest, product_id: str) -> HttpResponse:
        caller = require(request, serializers.CATALOGUE_WRITE)
        known = serializers.product_id_of(product_id)
        if not services.delete_products(product_ids=[known]):
            raise services.UnknownProduct
        record(caller, "product deleted", product_id=known)
        return no_content()

    @extend_schema(**serializers.FEATURES_SCHEMA)
    def replace_features(self, request: HttpRequest, product_id: str) -> HttpResponse:
        caller = require(request, serializers.CATALOGUE_WRITE)
        known = serializers.product_id_of(product_id)
        given = serializers.FEATURES.run_validation(read_json(request))
        services.replace_features(
            product_id=known, features=serializers.with_rows({"features": given})["features"]
        )
        record(caller, "features replaced", product_id=known, number=len(given))
        return no_content()

    @extend_schema(**serializers.REPLACE_RELATED_SCHEMA)
    def replace_related(self, request: HttpRequest, product_id: str) -> HttpResponse:
        caller = require(request, serializers.CATALOGUE_WRITE)
        known = serializers.product_id_of(product_id)
        given = serializers.RELATED_IDS.run_validation(read_json(request))
        services.replace_related(product_id=known, related_ids=given)
        record(caller, "related products replaced", product_id=known, number=len(given))
        return no_content()

    @extend_schema(**serializers.CREATE_STYLE_SCHEMA)
    def create_style(self, request: HttpRequest, product_id: str) -> HttpResponse:
        caller = require(request, serializers.CATALOGUE_WRITE)
        known = serializers.product_id_of(product_id)
        given = serializers.with_rows(read_body(request, serializers.NewStyle))
        style = services.create_style(product_id=known, **given)
        record(caller, "style created", product_id=known, style_id=style.pk)
        location = f"/products/{known}/styles/{style.pk}"
        return created(_style(known, style.pk).body, location=location)


class StyleViewSet(PublicViewSet):
    """One style of a product; the legacy API had only all of them."""

    speaks_legacy = False

    @extend_schema(**serializers.STYLE_SCHEMA)
    def retrieve(self, request: HttpRequest, product_id: str, style_id: str) -> HttpResponseBase:
        product, style = serializers.product_id_of(product_id), serializers.style_id_of(style_id)
        return _answer(request, _style(product, style), product)

    @extend_schema(**serializers.UPDATE_STYLE_SCHEMA)
    def update(self, request: HttpRequest, product_id: str, style_id: str) -> HttpResponse:
        caller = require(request, serializers.CATALOGUE_WRITE)
        product, style = serializers.product_id_of(product_id), serializers.style_id_of(style_id)
        given = serializers.with_rows(read_body(request, serializers.StyleChanges))
        lists = {name: given.pop(name, None) for name in ("photos", "skus")}
        services.update_style(product_id=product, style_id=style, changes=given, **lists)
        record(caller, "style changed", product_id=product, style_id=style)
        return changed(_style(product, style).body)

    @extend_schema(**serializers.DELETE_STYLE_SCHEMA)
    def destroy(self, request: HttpRequest, product_id: str, style_id: str) -> HttpResponse:
        caller = require(request, serializers.CATALOGUE_WRITE)
        product, style = serializers.product_id_of(product_id), serializers.style_id_of(style_id)
        services.delete_style(product_id=product, style_id=style)
        record(caller, "style deleted", product_id=product, style_id=style)
        return no_content()


def _detail(product_id: int) -> bytes:
    read = sql.product_detail(product_id, campus=_campus())
    if read is None:
        raise services.UnknownProduct
    return read.body


def _style(product_id: int, style_id: int) -> sql.Read:
    read = sql.product_style(product_id, style_id)
    if read is None:
        raise services.UnknownStyle
    return read


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
