"""Who a visitor is, where one vote a visitor counts."""

import hashlib
import hmac
import uuid
from ipaddress import ip_address

import jwt
from django.conf import settings
from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase

COOKIE = "visitor"
COOKIE_SECONDS = 365 * 24 * 3600
_SALT = "atelier.visitor"


def visitor_of(request: HttpRequest) -> uuid.UUID:
    """The visitor behind a request, as an id that tells nothing about the person.

    In this order:

    1. the subject of a token, `Authorization: Bearer <JWT>` checked with TOKEN_KEY;
    2. `X-Visitor-Id: <id>.<hex HMAC-SHA256 of the id under VISITOR_ID_KEY>`, which a
       storefront's proxy may pass for a visitor it knows;
    3. the signed cookie `visitor`, which an earlier write set;
    4. the peer's address and user agent.

    A credential that does not hold is passed over, since clients of the legacy API send tokens
    of their own making. The cookie carries the id found by rule 4, so setting it does not give
    a visitor a second vote.
    """
    subject = _token_subject(request)
    if subject:
        return _identify("token", subject)
    stated = _stated_id(request)
    if stated:
        return _identify("stated", stated)
    return _cookie_id(request) or _identify(
        "peer", f"{peer_address(request)}\n{request.headers.get('User-Agent', '')}"
    )


def remember(request: HttpRequest, response: HttpResponseBase, visitor: uuid.UUID) -> None:
    """Set the visitor's cookie where the request brought none that holds."""
    if _cookie_id(request) is None:
        response.set_cookie(
            COOKIE,
            signing.Signer(salt=_SALT).sign(visitor.hex),
            max_age=COOKIE_SECONDS,
            httponly=True,
            samesite="Lax",
            secure=settings.HTTPS,
        )


def peer_address(request: HttpRequest) -> str:
    """The client's address as our own nginx saw it; empty where nobody trustworthy says one.

    X-Forwarded-For is believed from nginx only: from a Unix socket, which has no peer address and
    whose folder nobody else may enter, and from the peers in NGINX_ADDRESSES. nginx replaces the
    header by the one address of its peer, so what is no single address is not nginx's.
    """
    peer = str(request.META.get("REMOTE_ADDR", ""))
    if peer and peer not in settings.NGINX_ADDRESSES:
        return peer
    forwarded = request.headers.get("X-Forwarded-For", "").strip()
    try:
        ip_address(forwarded)
    except ValueError:
        return peer
    return forwarded


def _token_subject(request: HttpRequest) -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if not settings.TOKEN_KEY or scheme.lower() != "bearer":
        return None
    try:
        claims = jwt.decode(
            token.strip(),
            settings.TOKEN_KEY,
            algorithms=[settings.TOKEN_ALGORITHM],
            audience=settings.TOKEN_AUDIENCE or None,
            options={"require": ["sub", "exp"]},
        )
    except jwt.PyJWTError:
        return None
    return str(claims["sub"]) or None


def _stated_id(request: HttpRequest) -> str | None:
    stated, _, signature = request.headers.get("X-Visitor-Id", "").rpartition(".")
    if not (settings.VISITOR_ID_KEY and stated):
        return None
    expected = hmac.new(settings.VISITOR_ID_KEY.encode(), stated.encode(), hashlib.sha256)
    holds = hmac.compare_digest(expected.hexdigest().encode(), signature.lower().encode())
    return stated if holds else None


def _cookie_id(request: HttpRequest) -> uuid.UUID | None:
    signed = request.COOKIES.get(COOKIE)
    if not signed:
        return None
    try:
        return uuid.UUID(hex=signing.Signer(salt=_SALT).unsign(signed))
    except (signing.BadSignature, ValueError):
        return None


def _identify(kind: str, value: str) -> uuid.UUID:
    digest = hmac.new(
        settings.SECRET_KEY.encode(), f"{kind}\n{value}".encode("utf-8", "replace"), hashlib.sha256
    )
    return uuid.UUID(bytes=digest.digest()[:16])
