"""The viewset that public routes share."""

from collections.abc import Collection
from http import HTTPStatus
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.viewsets import ViewSet

from atelier.core.errors import Invalid
from atelier.core.exception_handler import LEGACY_FAILURE
from atelier.core.responses import private_json


class PublicViewSet(ViewSet):
    """A viewset whose dispatch does only what a public route needs.

    Public routes take no credentials, negotiate nothing and answer bytes, so handlers get
    Django's own request and return Django's own responses. Routing, method handling, the
    schema and the exception handler are DRF's.
    """

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    # Errors of the routes that the legacy API had are plain text. Actions that it did not have are
    # named here: they answer in `application/problem+json`.
    speaks_legacy = True
    modern_actions: Collection[str] = ()

    @classmethod
    def as_view(cls, *args: Any, **kwargs: Any) -> Any:
        """Marked for `PublicRoutesMiddleware`."""
        view = super().as_view(*args, **kwargs)
        view.is_public = True  # type: ignore[attr-defined]
        return view

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.request, self.args, self.kwargs = request, args, kwargs  # type: ignore[assignment]
        self.headers: dict[str, str] = {}
        method = (request.method or "").lower()
        # A method named like an attribute, such as DISPATCH, must not reach it.
        known = method if method in self.http_method_names else "http_method_not_allowed"
        handler = getattr(self, known, self.http_method_not_allowed)
        if self.modern_actions and self._asks_modern(method):
            self.speaks_legacy = False
        try:
            self.admit(request)
            return handler(request, *args, **kwargs)
        except Exception as error:
            return self.handle_exception(error)

    def _asks_modern(self, method: str) -> bool:
        """Whether the action is one of those; for a method that the address has not, whether all
        that it has are."""
        if method in self.action_map:
            return self.action_map[method] in self.modern_actions
        return all(action in self.modern_actions for action in self.action_map.values())

    def admit(self, request: HttpRequest) -> None:
        """Raise the error that is to be answered to a caller who may not ask."""

    def get_exception_handler_context(self) -> dict[str, Any]:
        return {"view": self, "args": self.args, "kwargs": self.kwargs, "request": self.request}

    def http_method_not_allowed(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        answer = self.handle_exception(MethodNotAllowed(request.method, "Method not allowed"))
        answer.headers["Allow"] = ", ".join(self.allowed_methods)
        return answer

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        return HttpResponse(status=204, headers={"Allow": ", ".join(self.allowed_methods)})


class ServiceViewSet(PublicViewSet):
    """Routes that other services call: as quick as public ones, and never stored by nginx.

    Their errors are JSON as the legacy API had it, which knows no 422. Who may ask is said by
    overriding `admit`.
    """

    @staticmethod
    def legacy_error(status: int, message: str) -> HttpResponse:
        """`{"status":"error","message":...}`."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            message = LEGACY_FAILURE
        if status == HTTPStatus.UNPROCESSABLE_ENTITY:
            status = HTTPStatus.BAD_REQUEST
        return private_json(orjson.dumps({"status": "error", "message": message}), status=status)


def json_body(request: HttpRequest, *, complaint: str) -> Any:
    """The request's body read as JSON, whatever its content type says.

    Raises Invalid with the complaint for anything that is not JSON in UTF-8, nesting past the
    parser's limit included.
    """
    try:
        return orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise Invalid(complaint) from error
