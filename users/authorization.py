"""What django-oauth-toolkit and oauthlib are held to.

Two grants and their refresh: client credentials for services, an authorization code with PKCE by
S256 for people. A token holds no scope that its client's row does not allow, nor one that the
person behind it could not use in the admin. Codes and refresh tokens work once: a second use ends
every token that came of the same consent.
"""

import re
from typing import Any
from uuid import UUID

from django.db import transaction
from oauth2_provider.models import Grant, RefreshToken
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauth2_provider.scopes import BaseScopes
from oauthlib.oauth2.rfc6749 import errors
from oauthlib.oauth2.rfc6749.endpoints import (
    AuthorizationEndpoint,
    ResourceEndpoint,
    RevocationEndpoint,
    TokenEndpoint,
)
from oauthlib.oauth2.rfc6749.grant_types import (
    AuthorizationCodeGrant,
    ClientCredentialsGrant,
    RefreshTokenGrant,
)
from oauthlib.oauth2.rfc6749.grant_types.authorization_code import code_challenge_method_s256
from oauthlib.oauth2.rfc6749.tokens import BearerToken

from users.models import Client, Scope, User
from users.services.tokens import digest_of, end_family, family_of_code, scopes_of
from users.sql.tokens import lock_family

# A SHA-256 in base64url, which is all that S256 can make.
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
CODE = "authorization_code"


class CodeGrant(AuthorizationCodeGrant):
    """An authorization code whose challenge is S256 and nothing else."""

    _code_challenge_methods = {"S256": code_challenge_method_s256}

    def validate_authorization_request(self, request: Any) -> Any:
        answer = super().validate_authorization_request(request)
        # After the redirect URI was checked: an error is sent there.
        if not CHALLENGE.fullmatch(request.code_challenge):
            raise errors.InvalidRequestError(
                description="The code_challenge is no SHA-256 in base64url.", request=request
            )
        return answer

    def validate_token_request(self, request: Any) -> None:
        try:
            super().validate_token_request(request)
        except Grant.DoesNotExist as error:
            # Another request has used it up meanwhile.
            end_family(family_of_code(request.code))
            raise errors.InvalidGrantError(request=request) from error


class Server(AuthorizationEndpoint, TokenEndpoint, ResourceEndpoint, RevocationEndpoint):
    """oauthlib's server without the implicit, password and device grants."""

    def __init__(
        self,
        request_validator: OAuth2Validator,
        token_expires_in: int | None = None,
        token_generator: Any = None,
        refresh_token_generator: Any = None,
        **ignored: Any,
    ) -> None:
        code = CodeGrant(request_validator)
        bearer = BearerToken(
            request_validator, token_generator, token_expires_in, refresh_token_generator
        )
        AuthorizationEndpoint.__init__(
            self,
            default_response_type="code",
            response_types={"code": code},
            default_token_type=bearer,
        )
        TokenEndpoint.__init__(
            self,
            default_grant_type=CODE,
            grant_types={
                CODE: code,
                "client_credentials": ClientCredentialsGrant(request_validator),
                "refresh_token": RefreshTokenGrant(request_validator),
            },
            default_token_type=bearer,
        )
        ResourceEndpoint.__init__(self, "Bearer", {"Bearer": bearer})
        RevocationEndpoint.__init__(self, request_validator)


class ClientScopes(BaseScopes):
    """A client may ask for the scopes of its row; it gets all of them where it names none."""

    def get_all_scopes(self) -> dict[str, str]:
        return dict(Scope.choices)

    def get_available_scopes(
        self, application: Client | None = None, request: Any = None, *args: Any, **kwargs: Any
    ) -> list[str]:
        return list(application.allowed_scopes) if application else []

    def get_default_scopes(
        self, application: Client | None = None, request: Any = None, *args: Any, **kwargs: Any
    ) -> list[str]:
        return self.get_available_scopes(application)


class Validator(OAuth2Validator):
    """Refuses what PostgreSQL could not even be asked for, and scopes beyond the person's own."""

    def _load_application(self, client_id: str | None, request: Any) -> Client | None:
        if client_id is None or "\0" in client_id:
            return None
        return super()._load_application(client_id, request)

    def validate_code(
        self, client_id: str, code: str, client: Client, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        if "\0" in code:
            return False
        if super().validate_code(client_id, code, client, request, *args, **kwargs):
            return True
        # Used before, by this client: whoever came first may have stolen it (RFC 9700, 4.5).
        family = family_of_code(code)
        if RefreshToken.objects.filter(token_family=family, application=client).exists():
            end_family(family)
        return False

    def validate_refresh_token(
        self, refresh_token: str, client: Client, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        if super().validate_refresh_token(refresh_token, client, request, *args, **kwargs):
            return True
        # Of a token that was used before, the library has ended the family, but for what a refresh
        # under way is about to give.
        used = RefreshToken.objects.filter(token_checksum=digest_of(refresh_token))
        family = used.exclude(revoked=None).values_list("token_family", flat=True).first()
        if family is not None:
            end_family(family)
        return False

    def save_bearer_token(
        self, token: dict[str, Any], request: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Use up what the token is given for in the transaction that saves it.

        The answer names what the token is worth today: it keeps what the person gave, for when they
        have it again. Raises InvalidGrantError where that is nothing, since they were closed, say,
        and, having ended the family, where another request was quicker.
        """
        given = token["scope"].split()
        if isinstance(request.user, User):
            own = scopes_of(request.user)
            given = [scope for scope in given if scope in own]
            if not given:
                raise errors.InvalidGrantError(request=request)
        family = _family_of(request)
        with transaction.atomic():
            if family is not None:
                lock_family(family)
            if _use_up(request):
                super().save_bearer_token(token, request, *args, **kwargs)
                token["scope"] = " ".join(given)
                return
        if family is not None:
            end_family(family)
        raise errors.InvalidGrantError(request=request)

    def invalidate_authorization_code(
        self, client_id: str, code: str, request: Any, *args: Any, **kwargs: Any
    ) -> None:
        """`save_bearer_token` has done so."""

    def _create_refresh_token(
        self, request: Any, refresh_token_code: str, access_token: Any, previous: Any
    ) -> Any:
        made = super()._create_refresh_token(request, refresh_token_code, access_token, previous)
        if request.grant_type == CODE:
            made.token_family = family_of_code(request.code)
            made.save(update_fields=["token_family"])
        return made

    def validate_scopes(
        self,
        client_id: str,
        scopes: list[str],
        client: Client,
        request: Any,
        *args: Any,
        **kwargs: Any,
    ) -> bool:
        if not scopes or not set(scopes) <= set(client.allowed_scopes):
            return False
        # Of what they are asked for, people give what they have. A parameter of this name is text.
        if isinstance(request.user, User):
            own = scopes_of(request.user)
            request.scopes = [scope for scope in scopes if scope in own]
            return bool(request.scopes)
        return True

    def _create_authorization_code(self, request: Any, code: Any, expires: Any = None) -> Any:
        # Parts of protocols that are not spoken here.
        request.nonce = request.claims = None
        request.resource = []
        return super()._create_authorization_code(request, code, expires)

    def _check_and_set_request_resource(self, request: Any) -> None:
        """No token is bound to a resource server (RFC 8707): there is one."""
        request.resource = []


def _family_of(request: Any) -> UUID | None:
    """Which tokens end together with the one that is asked for; None where it stands alone."""
    if request.grant_type == CODE:
        return family_of_code(request.code)
    used = getattr(request, "refresh_token_instance", None)
    return used.token_family if used else None


def _use_up(request: Any) -> bool:
    """False where the code or the refresh token ended since it was judged."""
    if request.grant_type == CODE:
        grants = Grant.objects.filter(code=request.code, application=request.client)
        return bool(grants.delete()[0])
    used = getattr(request, "refresh_token_instance", None)
    live = RefreshToken.objects.filter(revoked=None)
    return used is None or live.select_for_update().filter(pk=used.pk).first() is not None
