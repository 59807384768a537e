"""Wire shapes of the product routes: what a path or query may hold, and the documented answers."""

from typing import Any

from django_filters import FilterSet
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from atelier.core.errors import NotFound
from atelier.core.numbers import whole_number
from atelier.core.schema import ID, LEGACY_TEXT, PAGE_PARAMETERS, READ, WITHHELD

UNKNOWN_PRODUCT = "Error: invalid product id provided"


def product_id_of(text: str) -> int:
    """The product id of a path; NotFound with the legacy sentence where it cannot be one."""
    product_id = whole_number(text)
    if product_id is None:
        raise NotFound(UNKNOWN_PRODUCT)
    return product_id


def check_filters(filters: FilterSet) -> None:
    """ValidationError naming each filter that cannot be read."""
    if not filters.is_valid():
        raise ValidationError({name: list(errors) for name, errors in filters.errors.items()})


class ProductEntry(serializers.Serializer):
    id = serializers.IntegerField()
    campus = serializers.CharField()
    name = serializers.CharField()
    slogan = serializers.CharField()
    description = serializers.CharField()
    category = serializers.CharField()
    default_price = serializers.CharField(help_text="Two decimals, such as 140.00.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class FeatureEntry(serializers.Serializer):
    feature = serializers.CharField()
    value = serializers.CharField(allow_null=True)


class ProductDetail(ProductEntry):
    features = FeatureEntry(many=True)


class PhotoEntry(serializers.Serializer):
    thumbnail_url = serializers.CharField(allow_null=True)
    url = serializers.CharField(allow_null=True)


class SkuEntry(serializers.Serializer):
    quantity = serializers.IntegerField(allow_null=True)
    size = serializers.CharField(allow_null=True)


class StyleEntry(serializers.Serializer):
    style_id = serializers.IntegerField()
    name = serializers.CharField()
    original_price = serializers.CharField()
    sale_price = serializers.CharField(allow_null=True)
    photos = PhotoEntry(many=True)
    skus = serializers.DictField(child=SkuEntry(), help_text="Keyed by sku id, or by 'null'.")

    def get_fields(self) -> dict[str, serializers.Field]:
        fields = super().get_fields()
        rest = [fields.pop("photos"), fields.pop("skus")]
        fields["default?"] = serializers.BooleanField()
        fields["photos"], fields["skus"] = rest
        return fields


class StylesAnswer(serializers.Serializer):
    product_id = serializers.CharField()
    results = StyleEntry(many=True)


_PRODUCT_ID = OpenApiParameter("product_id", ID, OpenApiParameter.PATH)
_UNKNOWN = OpenApiResponse(LEGACY_TEXT, description=UNKNOWN_PRODUCT)
_NO_ID = OpenApiResponse(LEGACY_TEXT, description=f"{UNKNOWN_PRODUCT}: it cannot be an id.")

_PRICE = {"type": "number", "minimum": 0}

LIST_SCHEMA: dict[str, Any] = {
    "operation_id": "products_list",
    "summary": "Products by id, a page at a time",
    "description": "In ascending order of their ids. A page past the last product is empty.",
    "parameters": [
        *PAGE_PARAMETERS,
        OpenApiParameter("category", str, description="Exactly this category."),
        OpenApiParameter("min_price", _PRICE, description="Inclusive."),
        OpenApiParameter("max_price", _PRICE, description="Inclusive."),
        OpenApiParameter(
            "name",
            {"type": "string", "maxLength": 200},
            description="Beginnings of words of the name; each has to occur.",
        ),
    ],
    "responses": {
        (200, "application/json"): ProductEntry(many=True),
        (400, "text/plain"): OpenApiResponse(LEGACY_TEXT, description="A filter is malformed."),
        **READ,
    },
}
DETAIL_SCHEMA: dict[str, Any] = {
    "operation_id": "products_detail",
    "summary": "A product with its features",
    "description": "As in the list, with `features`.",
    "parameters": [_PRODUCT_ID],
    "responses": {
        (200, "application/json"): ProductDetail,
        (404, "text/plain"): _UNKNOWN,
        **WITHHELD,
        **READ,
    },
}
STYLES_SCHEMA: dict[str, Any] = {
    "operation_id": "products_styles",
    "summary": "The styles of a product, with photos and skus",
    "description": (
        "A style without photos has one photo of nulls, one without skus the sku `null`. "
        "An unknown product has no results."
    ),
    "parameters": [_PRODUCT_ID],
    "responses": {
        (200, "application/json"): StylesAnswer,
        (404, "text/plain"): _NO_ID,
        **WITHHELD,
        **READ,
    },
}
RELATED_SCHEMA: dict[str, Any] = {
    "operation_id": "products_related",
    "summary": "Ids of related products; repeats occur",
    "description": "An unknown product has none.",
    "parameters": [_PRODUCT_ID],
    "responses": {
        (200, "application/json"): serializers.ListSerializer(child=serializers.IntegerField()),
        (404, "text/plain"): _NO_ID,
        **WITHHELD,
        **READ,
    },
}
