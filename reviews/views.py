"""The routes /reviews and below (contract 1.2 to 1.4)."""

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema

from atelier.core.callers import record, require
from atelier.core.fields import read_body
from atelier.core.pagination import Page
from atelier.core.responses import changed, json_answer, no_content
from atelier.core.viewsets import PublicViewSet, json_body
from atelier.core.visitors import peer_address, remember, visitor_of
from licensing import services as licensing
from reviews import serializers, services, sql
from reviews.models import meta_scope, reviews_scope


class ReviewViewSet(PublicViewSet):
    modern_actions = ("moderate", "destroy")

    @extend_schema(**serializers.LIST_SCHEMA)
    def list(self, request: HttpRequest) -> HttpResponseBase:
        product_id = serializers.product_id_of(request.GET)
        page = Page.from_query(request.GET)
        read = sql.review_list(
            product_id,
            order=serializers.order_of(request.GET),
            page=page.number - 1,
            count=page.count,
            limit=page.limit,
            offset=page.offset,
        )
        return _answer(request, *read, product_id=product_id, scope=reviews_scope(product_id))

    @extend_schema(**serializers.META_SCHEMA)
    def meta(self, request: HttpRequest) -> HttpResponseBase:
        product_id = serializers.product_id_of(request.GET)
        read = sql.review_meta(product_id)
        return _answer(request, *read, product_id=product_id, scope=meta_scope(product_id))

    @extend_schema(**serializers.CREATE_SCHEMA)
    def create(self, request: HttpRequest) -> HttpResponse:
        body = json_body(request, complaint=serializers.INVALID_REVIEW)
        services.create_review(**serializers.new_review(body), address=peer_address(request))
        return HttpResponse("Created", status=201, content_type="text/plain; charset=utf-8")

    @extend_schema(**serializers.HELPFUL_SCHEMA)
    def helpful(self, request: HttpRequest, review_id: str) -> HttpResponse:
        return self._count(request, review_id, services.mark_helpful)

    @extend_schema(**serializers.REPORT_SCHEMA)
    def report(self, request: HttpRequest, review_id: str) -> HttpResponse:
        return self._count(request, review_id, services.report_review)

    @extend_schema(**serializers.MODERATE_SCHEMA)
    def moderate(self, request: HttpRequest, review_id: str) -> HttpResponse:
        caller = require(request, serializers.MODERATION)
        known = serializers.review_id_of(review_id)
        changes = read_body(request, serializers.ReviewChanges)
        review = services.change_review(review_id=known, changes=changes)
        record(caller, "review moderated", review_id=known, changed=sorted(changes))
        return changed(serializers.moderated_review(review))

    @extend_schema(**serializers.DELETE_SCHEMA)
    def destroy(self, request: HttpRequest, review_id: str) -> HttpResponse:
        caller = require(request, serializers.MODERATION)
        known = serializers.review_id_of(review_id)
        product_id = services.delete_review(review_id=known)
        record(caller, "review deleted", review_id=known, product_id=product_id)
        return no_content()

    def _count(
        self, request: HttpRequest, review_id: str, count: services.CountOnce
    ) -> HttpResponse:
        visitor = visitor_of(request)
        count(
            review_id=serializers.review_id_of(review_id),
            visitor=visitor,
            address=peer_address(request),
        )
        response = no_content()
        remember(request, response, visitor)
        return response


def _answer(
    request: HttpRequest, is_restricted: bool, body: bytes, *, product_id: int, scope: str
) -> HttpResponseBase:
    """What is said of one product, to visitors to whom it may be said."""
    if not is_restricted:
        return json_answer(request, body, scope=scope)
    licensing.require_licence(product_id=product_id, address=peer_address(request))
    return json_answer(request, body, scope=None)
