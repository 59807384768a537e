"""The routes /licensing and below."""

from typing import Any

import orjson
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema

from atelier.core.numbers import whole_number
from atelier.core.responses import json_answer
from atelier.core.viewsets import PublicViewSet
from atelier.core.visitors import peer_address
from licensing import serializers, services


class LicensingViewSet(PublicViewSet):
    speaks_legacy = False

    @extend_schema(**serializers.REGION_SCHEMA)
    def region(self, request: HttpRequest) -> HttpResponseBase:
        found = services.region_of(request.GET.get("ip") or peer_address(request))
        return _answer(request, _found(found))

    @extend_schema(**serializers.PRODUCT_SCHEMA)
    def product(self, request: HttpRequest, product_id: str) -> HttpResponseBase:
        region_id, code = _asked(request)
        answer = services.licence_answer(
            product_id=_id_of(product_id), region_id=region_id, code=code
        )
        return _answer(request, _licence(answer))


def _asked(request: HttpRequest) -> tuple[int | None, str | None]:
    """Id and code of the region in the query, or of the caller's own, which may be unknown."""
    code = request.GET.get("region")
    if code:
        region = services.region_named(code)
        return region.pk, region.code
    found = services.region_of_visitor(peer_address(request))
    if found is None or found.region is None:
        return None, None
    return found.region_id, found.region.code


def _id_of(text: str) -> int:
    """The product id of a path; UnknownProduct where it cannot be one."""
    product_id = whole_number(text)
    if product_id is None:
        raise services.UnknownProduct("There is no such product.")
    return product_id


def _found(found: services.Found) -> dict[str, Any]:
    region = found.region
    return {
        "ip": found.address,
        "region": None if region is None else {"code": region.code, "name": region.name},
        "source": found.source,
        "network": found.network,
    }


def _licence(answer: services.Answer) -> dict[str, Any]:
    return {
        "product_id": answer.product_id,
        "region": answer.region,
        "allowed": answer.decision.is_allowed,
        "until": answer.decision.until,
        "reason": answer.decision.reason,
    }


def _answer(request: HttpRequest, content: dict[str, Any]) -> HttpResponseBase:
    return json_answer(request, orjson.dumps(content), scope=None)
