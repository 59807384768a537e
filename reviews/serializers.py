"""Wire shapes of the review routes."""

from typing import Any

import orjson
from django.http import QueryDict
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema_field,
    extend_schema_serializer,
)
from rest_framework import serializers

from atelier.core.errors import Invalid, NotFound
from atelier.core.fields import Changes, TextField
from atelier.core.numbers import whole_number
from atelier.core.schema import (
    BUSY,
    GUARDED,
    ID,
    ID_OR_DIGITS,
    LEGACY_TEXT,
    PAGE_PARAMETERS,
    READ,
    WITHHELD,
    problems,
    secured,
)
from reviews.models import Moderation, Review

INVALID_PRODUCT = "Error: invalid product_id provided"
INVALID_REVIEW = "Error: Review body contains invalid entries"
INVALID_REVIEW_ID = "Error: invalid review id provided"

# Far above what the legacy forms allowed (60, 1000, 60, 5), which live data exceeds.
MAX_SUMMARY, MAX_BODY, MAX_NAME, MAX_PHOTOS, MAX_URL = 1_000, 10_000, 255, 20, 4_000


def product_id_of(query: QueryDict) -> int:
    """The query's product_id; Invalid with the legacy sentence where it is missing or bad."""
    product_id = whole_number(query.get("product_id"))
    if product_id is None:
        raise Invalid(INVALID_PRODUCT)
    return product_id


def review_id_of(text: str) -> int:
    """The review id of a path; NotFound with the legacy sentence where it cannot be one."""
    review_id = whole_number(text)
    if review_id is None:
        raise NotFound(INVALID_REVIEW_ID)
    return review_id


def order_of(query: QueryDict) -> str:
    """`newest`, or else `helpful`: relevant, unknown and missing orders are that as well."""
    return "newest" if query.get("sort") == "newest" else "helpful"


@extend_schema_field(ID_OR_DIGITS)
class IdField(serializers.Field):
    """An id as a number or as digits."""

    def to_internal_value(self, data: Any) -> int:
        number = whole_number(data)
        if number is None:
            raise serializers.ValidationError("Not an id.")
        return number

    def to_representation(self, value: int) -> int:
        return value


class NewReview(serializers.Serializer):
    product_id = IdField()
    rating = serializers.IntegerField(min_value=1, max_value=5)
    summary = TextField(allow_blank=True, max_length=MAX_SUMMARY, default="")
    body = TextField(max_length=MAX_BODY)
    recommend = serializers.BooleanField()
    name = TextField(max_length=MAX_NAME)
    email = TextField(max_length=MAX_NAME)
    photos = serializers.ListField(
        child=serializers.URLField(max_length=MAX_URL), max_length=MAX_PHOTOS, default=list
    )
    characteristics = serializers.DictField(
        child=serializers.IntegerField(min_value=1, max_value=5), default=dict
    )

    def validate_characteristics(self, given: dict[str, int]) -> dict[int, int]:
        known = {whole_number(key): value for key, value in given.items()}
        if None in known or len(known) != len(given):
            raise serializers.ValidationError("Keys must be ids of characteristics.")
        return {key: value for key, value in known.items() if key is not None}


def new_review(data: Any) -> dict[str, Any]:
    """The arguments of `services.create_review`; Invalid with the legacy sentence."""
    serializer = NewReview(data=data)
    if not serializer.is_valid():
        raise Invalid(INVALID_REVIEW)
    fields = dict(serializer.validated_data)
    fields["reviewer_name"] = fields.pop("name")
    fields["reviewer_email"] = fields.pop("email")
    fields["photo_urls"] = fields.pop("photos")
    return fields


class ReviewChanges(Changes):
    """What a moderator may change; what a visitor wrote stays as it is."""

    moderation = serializers.ChoiceField(choices=Moderation.choices)
    response = TextField(max_length=MAX_BODY, allow_null=True, allow_blank=False)


class ModeratedReview(serializers.Serializer):
    review_id = serializers.IntegerField(source="id")
    product_id = serializers.IntegerField()
    moderation = serializers.ChoiceField(choices=Moderation.choices)
    listed = serializers.BooleanField(source="is_listed")
    response = serializers.CharField(allow_null=True, source="staff_response")


def moderated_review(review: Review) -> bytes:
    """A review as its moderator is shown it, as JSON."""
    return orjson.dumps(ModeratedReview(review).data)


class ReviewPhotoEntry(serializers.Serializer):
    id = serializers.IntegerField()
    url = serializers.CharField()


class ReviewEntry(serializers.Serializer):
    review_id = serializers.IntegerField()
    rating = serializers.IntegerField(min_value=1, max_value=5)
    summary = serializers.CharField()
    recommend = serializers.BooleanField()
    response = serializers.CharField(allow_null=True)
    body = serializers.CharField()
    date = serializers.DateTimeField(help_text="Midnight UTC of the day.")
    reviewer_name = serializers.CharField()
    helpfulness = serializers.IntegerField()
    photos = ReviewPhotoEntry(many=True)


# Not a list itself, though a list action answers it.
@extend_schema_serializer(many=False)
class ReviewListAnswer(serializers.Serializer):
    product = serializers.CharField()
    page = serializers.IntegerField(help_text="One less than asked for.")
    count = serializers.IntegerField(help_text="As asked for; at most 1000 rows come.")
    results = ReviewEntry(many=True)


class CharacteristicEntry(serializers.Serializer):
    id = serializers.IntegerField()
    value = serializers.CharField(allow_null=True, help_text="The mean, with 16 decimals.")


class ReviewMetaAnswer(serializers.Serializer):
    product_id = serializers.CharField()
    ratings = serializers.DictField(child=serializers.CharField())
    recommended = serializers.DictField(child=serializers.CharField())
    characteristics = serializers.DictField(child=CharacteristicEntry())


_PRODUCT_ID = OpenApiParameter("product_id", ID, required=True)
_REVIEW_ID = OpenApiParameter("review_id", ID, OpenApiParameter.PATH)
_INVALID_PRODUCT = OpenApiResponse(LEGACY_TEXT, description=INVALID_PRODUCT)
_ONCE = (
    "A visitor is the subject of a token, else a signed visitor id, else a signed cookie, else "
    "address and user agent. An unknown review is answered like a counted one."
)
_DONE: dict[Any, OpenApiResponse] = {
    204: OpenApiResponse(description="Counted, or counted before."),
    (404, "text/plain"): OpenApiResponse(
        LEGACY_TEXT, description=f"{INVALID_REVIEW_ID}: it cannot be an id."
    ),
    **WITHHELD,
    **BUSY,
}

LIST_SCHEMA: dict[str, Any] = {
    "operation_id": "reviews_list",
    "summary": "Reviews of a product; reported ones are hidden",
    "description": "An unknown product has no results.",
    "parameters": [
        _PRODUCT_ID,
        OpenApiParameter(
            "sort",
            str,
            description="`newest`, or else the most helpful first, as for `relevant`, the default.",
        ),
        *PAGE_PARAMETERS,
    ],
    "responses": {
        (200, "application/json"): ReviewListAnswer,
        (422, "text/plain"): _INVALID_PRODUCT,
        **WITHHELD,
        **READ,
    },
}
META_SCHEMA: dict[str, Any] = {
    "operation_id": "reviews_meta",
    "summary": "Ratings, recommendations and characteristics of a product",
    "description": (
        "Reported reviews count, rejected ones do not. What does not occur is left out; a "
        "characteristic without ratings has the value null."
    ),
    "parameters": [_PRODUCT_ID],
    "responses": {
        (200, "application/json"): ReviewMetaAnswer,
        (422, "text/plain"): _INVALID_PRODUCT,
        **WITHHELD,
        **READ,
    },
}
CREATE_SCHEMA: dict[str, Any] = {
    "operation_id": "reviews_create",
    "summary": "Add a review",
    "description": (
        "It shows at once. The keys of `characteristics` are ids out of the product's meta. "
        "Unknown keys of the body are ignored."
    ),
    "request": NewReview,
    "responses": {
        (201, "text/plain"): OpenApiResponse(LEGACY_TEXT, description="Created"),
        (413, "text/plain"): OpenApiResponse(LEGACY_TEXT, description="The body is over 1 MB."),
        (422, "text/plain"): OpenApiResponse(LEGACY_TEXT, description=INVALID_REVIEW),
        **WITHHELD,
        **BUSY,
    },
}
HELPFUL_SCHEMA: dict[str, Any] = {
    "operation_id": "reviews_helpful",
    "summary": "Vote a review helpful, once a visitor",
    "description": _ONCE,
    "parameters": [_REVIEW_ID],
    "request": None,
    "responses": _DONE,
}
REPORT_SCHEMA: dict[str, Any] = {
    **HELPFUL_SCHEMA,
    "operation_id": "reviews_report",
    "summary": "Report a review, once a visitor",
    "description": f"Hides it, unless a moderator has approved it. {_ONCE}",
}
MODERATION = "moderation"
MODERATE_SCHEMA: dict[str, Any] = {
    "operation_id": "reviews_moderate",
    "summary": "Approve, reject or answer a review",
    "description": (
        "A rejected review leaves list and meta; an approved one shows, whatever is reported. The "
        "response null shows the imported one again. An unknown key is refused."
    ),
    "parameters": [_REVIEW_ID],
    "request": ReviewChanges,
    "responses": {
        (200, "application/json"): ModeratedReview,
        **problems(400, 404, 413, *GUARDED),
    },
    **secured(MODERATION),
}
DELETE_SCHEMA: dict[str, Any] = {
    "operation_id": "reviews_delete",
    "summary": "Delete a review with its votes and reports",
    "description": (
        "An imported review comes back with the next import that holds it; one that is rejected "
        "stays away."
    ),
    "parameters": [_REVIEW_ID],
    "request": None,
    "responses": {
        204: OpenApiResponse(description="Deleted."),
        **problems(404, *GUARDED),
    },
    **secured(MODERATION),
}
