"""What django-oauth-toolkit and oauthlib are held to.

Two grants and their refresh: client credentials for services, an authorization code with PKCE by
S256 for people. A token holds no scope that its client's row does not allow, nor one that the
person behind it could not use in the admin.
"""

import re
from typing import Any

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
from users.services.tokens import scopes_of

# A SHA-256 in base64url, which is all that S256 can make.
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


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
            default_grant_type="authorization_code",
            grant_types={
                "authorization_code": code,
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
        known = "\0" not in code
        return known and super().validate_code(client_id, code, client, request, *args, **kwargs)

    def validate_scopes(
        self,
        client_id: str,
        scopes: list[str],
        client: Client,
        request: Any,
        *args: Any,
        **kwargs: Any,
    ) -> bool:
        allowed = set(client.allowed_scopes)
        # A parameter of this name is text.
        if isinstance(request.user, User):
            allowed &= scopes_of(request.user)
        return bool(scopes) and set(scopes) <= allowed

    def _create_authorization_code(self, request: Any, code: Any, expires: Any = None) -> Any:
        # Parts of protocols that are not spoken here.
        request.nonce = request.claims = None
        request.resource = []
        return super()._create_authorization_code(request, code, expires)

    def _check_and_set_request_resource(self, request: Any) -> None:
        """No token is bound to a resource server (RFC 8707): there is one."""
        request.resource = []
