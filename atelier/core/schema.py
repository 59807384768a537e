"""Parts that the OpenAPI descriptions of several apps share."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

LEGACY_TEXT = OpenApiTypes.STR

PAGE_PARAMETERS = [
    OpenApiParameter("page", OpenApiTypes.INT64, description="From 1; 0 is 1."),
    OpenApiParameter("count", OpenApiTypes.INT64, description="Rows a page, 5 by default."),
]
