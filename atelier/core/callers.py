"""Who calls a route that is not for everybody.

A view asks `require(request, scope)` before it does anything. What a token is worth is known above
the kernel: the setting CALLER_VERIFIER names an object that tells.
"""

import time
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from typing import Protocol
from uuid import UUID

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string

from atelier.core.errors import Forbidden, InsufficientScope, InvalidToken, Unauthenticated
from atelier.core.throttling import check_rate, take_ahead

logger = structlog.get_logger(__name__)

TENANT_HEADER = "HTTP_NTENANT"


@dataclass(frozen=True, slots=True)
class Caller:
    """A client, the tenant it belongs to, the person it acts for if any, and what it may do.

    `client_id` is empty where OPEN_WITHOUT_TOKENS let a request pass without a token.
    """

    client_id: str
    tenant_id: UUID
    tenant: str
    user_id: int | None
    scopes: frozenset[str]


class Stranger(Enum):
    """Why a request without a token is nobody's."""

    NO_TOKEN = auto()
    NO_TENANT = auto()


class WrongTenant(Forbidden):
    code = "wrong_tenant"


class Verifier(Protocol):
    def caller_of(self, token: str) -> Caller | None:
        """Whose the token is; None for one that does not hold."""

    def seconds_to_trust(self, token: str, caller: Caller) -> float:
        """For how long what was just said, that it is this caller's, holds without asking again."""

    def stranger(self, scope: str, tenant: str) -> Caller | Stranger:
        """Whom a request without a token is taken for; `tenant` is empty where none is named."""


def require(request: HttpRequest, scope: str) -> Caller:
    """The caller, who may use the scope.

    The tenant is the token's; a header `ntenant` may say so, but may name no other. Counts the
    request against the client's rate. Raises Unauthenticated without a token, InvalidToken for one
    that is unknown, expired or revoked, WrongTenant, InsufficientScope, and Throttled of DRF.
    """
    named = request.META.get(TENANT_HEADER, "")
    token = _bearer(request)
    if token is None:
        return _stranger(scope, named)
    caller = _verifier().caller_of(token)
    if caller is None:
        raise InvalidToken("The token is unknown, expired or revoked.")
    if named and named != caller.tenant:
        raise WrongTenant("The token does not belong to the tenant that ntenant names.")
    check_rate(caller.client_id)
    if scope not in caller.scopes:
        raise InsufficientScope(scope)
    return caller


def permit(request: HttpRequest, response: HttpResponse, caller: Caller, reader: str) -> None:
    """Let nginx answer the next look-ups of the same token and route out of Redis, if it asked to.

    It asks by the number of requests that it may let pass already. `X-Accel-Permit` says until when
    the token holds and until when the client's rate does (Unix times), how many more are let pass,
    and as what reader of `atelier.core.lookups`: what an instance would decide within that time,
    and has counted already.
    """
    held = request.META.get("HTTP_X_CACHE_PERMIT", "")
    token = _bearer(request)
    if not held.isdecimal() or token is None:
        return
    seconds = _verifier().seconds_to_trust(token, caller)
    if seconds <= 0:
        return
    # Before Redis is waited for.
    trusted_until = time.time() + seconds
    number, counted_until = take_ahead(caller.client_id, int(held))
    if number > 0 or int(held) > 0:
        permitted = f"{trusted_until:.3f} {counted_until:.3f} {number} {reader}"
        response.headers["X-Accel-Permit"] = permitted


def record(caller: Caller, event: str, **subject: object) -> None:
    """Write to the log what a caller has done, with who it was."""
    logger.info(
        event, client=caller.client_id, tenant=caller.tenant, user_id=caller.user_id, **subject
    )


def challenge(error: Unauthenticated | InsufficientScope) -> str:
    """The value of WWW-Authenticate (RFC 6750, section 3)."""
    if isinstance(error, InsufficientScope):
        return f'Bearer realm="atelier", error="insufficient_scope", scope="{error.scope}"'
    if error.credentials_failed:
        return f'Bearer realm="atelier", error="invalid_token", error_description="{error.message}"'
    return 'Bearer realm="atelier"'


def _stranger(scope: str, named: str) -> Caller:
    found = _verifier().stranger(scope, named)
    if found is Stranger.NO_TENANT:
        raise WrongTenant("There is no such tenant.")
    if isinstance(found, Stranger):
        raise Unauthenticated("This needs a token: Authorization: Bearer <token>.")
    return found


def _bearer(request: HttpRequest) -> str | None:
    """The token of the request; None without one, or with credentials of another scheme."""
    scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


@cache
def _verifier() -> Verifier:
    return import_string(settings.CALLER_VERIFIER)
