"""Wire shapes of the product routes: what a path or query may hold, and the documented answers."""

from typing import Any

from django.core.validators import URLValidator
from django_filters import FilterSet
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from atelier.core.errors import NotFound
from atelier.core.fields import MOST_ROWS, Changes, Rows, StrictSerializer, TextField
from atelier.core.numbers import MAX_ID, whole_number
from atelier.core.schema import (
    GUARDED,
    ID,
    LEGACY_TEXT,
    PAGE_PARAMETERS,
    READ,
    WITHHELD,
    problems,
    secured,
)

UNKNOWN_PRODUCT = "Error: invalid product id provided"
UNKNOWN_STYLE = "The product has no such style."
CATALOGUE_WRITE = "catalogue:write"

MAX_NAME, MAX_TEXT, MAX_URL = 1_000, 20_000, 4_000
MAX_QUANTITY = 2**31 - 1


def product_id_of(text: str) -> int:
    """The product id of a path; NotFound with the legacy sentence where it cannot be one."""
    product_id = whole_number(text)
    if product_id is None:
        raise NotFound(UNKNOWN_PRODUCT)
    return product_id


def style_id_of(text: str) -> int:
    """The style id of a path; NotFound where it cannot be one."""
    style_id = whole_number(text)
    if style_id is None:
        raise NotFound(UNKNOWN_STYLE)
    return style_id


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


class Price(serializers.DecimalField):
    """Not negative, with two decimals at most; as text or as a number."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=12, decimal_places=2, min_value=0, **kwargs)


class NewFeature(StrictSerializer):
    feature = TextField(max_length=MAX_NAME)
    value = TextField(max_length=MAX_TEXT, allow_null=True, allow_blank=True, default=None)


class ProductFields(StrictSerializer):
    name = TextField(max_length=MAX_NAME)
    slogan = TextField(max_length=MAX_TEXT, allow_blank=True, required=False)
    description = TextField(max_length=MAX_TEXT, allow_blank=True, required=False)
    category = TextField(max_length=MAX_NAME, allow_blank=True, required=False)
    default_price = Price()


class NewProduct(ProductFields):
    features = Rows(NewFeature(), required=False)


class ProductChanges(Changes, ProductFields):
    """What a product has beside its features, relations and styles."""


# Ids of products, in the order in which they are shown; features likewise.
RELATED_IDS = Rows(serializers.IntegerField(min_value=1, max_value=MAX_ID))
FEATURES = Rows(NewFeature())


class NewPhoto(StrictSerializer):
    url = TextField(max_length=MAX_URL, validators=[URLValidator(["https", "http"])])
    thumbnail_url = TextField(
        max_length=MAX_URL,
        validators=[URLValidator(["https", "http"])],
        allow_null=True,
        default=None,
    )


class NewSku(StrictSerializer):
    size = TextField(max_length=MAX_NAME, allow_null=True)
    quantity = serializers.IntegerField(min_value=0, max_value=MAX_QUANTITY)


class NewStyle(StrictSerializer):
    """As the styles answer has it, but for the skus, whose ids are made here."""

    name = TextField(max_length=MAX_NAME)
    original_price = Price()
    sale_price = Price(allow_null=True, required=False)
    photos = Rows(NewPhoto(), required=False)
    skus = Rows(NewSku(), required=False)

    def get_fields(self) -> dict[str, serializers.Field]:
        fields = super().get_fields()
        fields["default?"] = serializers.BooleanField(source="is_default", required=False)
        return fields


class StyleChanges(Changes, NewStyle):
    """Photos, or skus, that are given replace all of them."""


def with_rows(given: dict[str, Any]) -> dict[str, Any]:
    """What a service takes, out of a validated body: entries of lists as tuples."""
    rows = {
        "features": ("feature", "value"),
        "photos": ("url", "thumbnail_url"),
        "skus": ("size", "quantity"),
    }
    return {
        name: [tuple(entry[key] for key in rows[name]) for entry in value]
        if name in rows
        else value
        for name, value in given.items()
    }


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

_STYLE_ID = OpenApiParameter("style_id", ID, OpenApiParameter.PATH)
_LOCATION = OpenApiParameter("Location", str, OpenApiParameter.HEADER, response=[201])
_REPLACED: dict[Any, OpenApiResponse] = {204: OpenApiResponse(description="Done.")}

CREATE_SCHEMA: dict[str, Any] = {
    "operation_id": "products_create",
    "summary": "Add a product",
    "description": "Under an id of the shop's own range. It shows at once.",
    "parameters": [_LOCATION],
    "request": NewProduct,
    "responses": {
        (201, "application/json"): ProductDetail,
        **problems(400, 413, *GUARDED),
    },
    **secured(CATALOGUE_WRITE),
}
UPDATE_SCHEMA: dict[str, Any] = {
    "operation_id": "products_update",
    "summary": "Change a product",
    "description": "What is not named stays as it is.",
    "parameters": [_PRODUCT_ID],
    "request": ProductChanges,
    "responses": {
        (200, "application/json"): ProductDetail,
        **problems(400, 404, 413, *GUARDED),
    },
    **secured(CATALOGUE_WRITE),
}
DELETE_SCHEMA: dict[str, Any] = {
    "operation_id": "products_delete",
    "summary": "Delete a product with its features, styles and relations",
    "description": "One that has reviews stays.",
    "parameters": [_PRODUCT_ID],
    "request": None,
    "responses": {**_REPLACED, **problems(404, 409, *GUARDED)},
    **secured(CATALOGUE_WRITE),
}
FEATURES_SCHEMA: dict[str, Any] = {
    "operation_id": "products_features_replace",
    "summary": "Replace the features of a product",
    "description": "All of them, in the order given.",
    "parameters": [_PRODUCT_ID],
    "request": NewFeature(many=True),
    "responses": {**_REPLACED, **problems(400, 404, 413, *GUARDED)},
    **secured(CATALOGUE_WRITE),
}
REPLACE_RELATED_SCHEMA: dict[str, Any] = {
    "operation_id": "products_related_replace",
    "summary": "Replace the related products of a product",
    "description": "All of them, in the order given.",
    "parameters": [_PRODUCT_ID],
    "request": {
        "application/json": {
            "type": "array",
            "maxItems": MOST_ROWS,
            "items": ID,
        }
    },
    "responses": {**_REPLACED, **problems(400, 404, 413, 422, *GUARDED)},
    **secured(CATALOGUE_WRITE),
}
STYLE_SCHEMA: dict[str, Any] = {
    "operation_id": "products_style",
    "summary": "One style of a product",
    "description": "As in the styles answer.",
    "parameters": [_PRODUCT_ID, _STYLE_ID],
    "responses": {
        (200, "application/json"): StyleEntry,
        304: READ[304],
        **problems(404, 503),
    },
}
CREATE_STYLE_SCHEMA: dict[str, Any] = {
    "operation_id": "products_style_create",
    "summary": "Add a style to a product, with photos and skus",
    "description": "Photos and skus are kept in the order given.",
    "parameters": [_PRODUCT_ID, _LOCATION],
    "request": NewStyle,
    "responses": {
        (201, "application/json"): StyleEntry,
        **problems(400, 404, 413, *GUARDED),
    },
    **secured(CATALOGUE_WRITE),
}
UPDATE_STYLE_SCHEMA: dict[str, Any] = {
    "operation_id": "products_style_update",
    "summary": "Change a style of a product",
    "description": (
        "What is not named stays as it is; photos, or skus, that are given replace all of them."
    ),
    "parameters": [_PRODUCT_ID, _STYLE_ID],
    "request": StyleChanges,
    "responses": {
        (200, "application/json"): StyleEntry,
        **problems(400, 404, 413, *GUARDED),
    },
    **secured(CATALOGUE_WRITE),
}
DELETE_STYLE_SCHEMA: dict[str, Any] = {
    "operation_id": "products_style_delete",
    "summary": "Delete a style of a product with its photos and skus",
    "description": "For good, unless an import brings it again.",
    "parameters": [_PRODUCT_ID, _STYLE_ID],
    "request": None,
    "responses": {**_REPLACED, **problems(404, *GUARDED)},
    **secured(CATALOGUE_WRITE),
}
