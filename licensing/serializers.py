"""Wire shapes of the licensing routes."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from atelier.core.schema import ID

_PROBLEM = "application/problem+json"


class RegionEntry(serializers.Serializer):
    code = serializers.CharField(help_text="ISO 3166-1 alpha-2.")
    name = serializers.CharField()


class RegionAnswer(serializers.Serializer):
    ip = serializers.CharField()
    region = RegionEntry(allow_null=True)
    # DRF's own fields have an attribute of this name.
    source = serializers.CharField(  # type: ignore[assignment]
        help_text="`override`, `mmdb`, `ranges NAME`, `policy`, or `none`."
    )
    network = serializers.CharField(help_text="The source's network or range, or nothing.")


class LicenceAnswer(serializers.Serializer):
    product_id = serializers.IntegerField()
    region = serializers.CharField(allow_null=True)
    allowed = serializers.BooleanField()
    until = serializers.DateTimeField(
        allow_null=True, help_text="When `allowed` changes; null where it never does."
    )
    reason = serializers.CharField()


def _problem(description: str) -> OpenApiResponse:
    return OpenApiResponse({"type": "object"}, description=description)


_BUSY: dict[Any, OpenApiResponse] = {
    304: OpenApiResponse(description="The caller's `If-None-Match` names the current answer."),
    (503, _PROBLEM): _problem("The database is busy; ask again after `Retry-After` seconds."),
}

REGION_SCHEMA: dict[str, Any] = {
    "operation_id": "licensing_region",
    "summary": "The region of an IP address, and why",
    "description": "Of the caller's own address where none is given.",
    "parameters": [OpenApiParameter("ip", str, description="IPv4 or IPv6.")],
    "responses": {
        (200, "application/json"): RegionAnswer,
        (422, _PROBLEM): _problem("This is no IP address."),
        **_BUSY,
    },
}
PRODUCT_SCHEMA: dict[str, Any] = {
    "operation_id": "licensing_product",
    "summary": "May a product be shown in a region, and until when",
    "description": "In the caller's own region where none is given.",
    "parameters": [
        OpenApiParameter("product_id", ID, OpenApiParameter.PATH),
        OpenApiParameter("region", str, description="ISO 3166-1 alpha-2, such as CA."),
    ],
    "responses": {
        (200, "application/json"): LicenceAnswer,
        (404, _PROBLEM): _problem("There is no such product."),
        (422, _PROBLEM): _problem("No region has this code."),
        **_BUSY,
    },
}
