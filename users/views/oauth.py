"""The routes /oauth and below (RFC 6749, 7009, 7636 and 7662)."""

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, QueryDict
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from oauth2_provider import views as toolkit
from oauth2_provider.exceptions import OAuthToolkitError
from oauth2_provider.settings import oauth2_settings
from oauth2_provider.views.mixins import OAuthLibMixin
from oauthlib.common import Request
from oauthlib.oauth2.rfc6749.errors import InvalidScopeError

from atelier.core.middleware import content_policy

# Named in settings: loaded with these views, of the same version, and not with the first token.
from users import authorization, hashers  # noqa: F401
from users.models import Client
from users.services.tokens import digest_of, read_token, scopes_of


class FormOnly:
    """Refuses what is no POST, and parameters that no column could hold, as RFC 6749 has it."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != "POST":
            return refusal("invalid_request", "Only POST.", status=405, Allow="POST")
        if any("\0" in value for values in request.POST.lists() for value in values[1]):
            return refusal("invalid_request", "A parameter holds a NUL.")
        return super().dispatch(request, *args, **kwargs)  # type: ignore[misc]


@method_decorator(csrf_exempt, name="dispatch")
class TokenView(FormOnly, OAuthLibMixin, View):
    """A token for a client's credentials, for a code with its verifier, or for a refresh token.

    Not the toolkit's view, which reads the token anew: a code that is used twice has ended it.
    """

    def post(self, request: HttpRequest) -> HttpResponse:
        _, headers, body, status = self.create_token_response(request)
        return HttpResponse(body, status=status, headers=headers)


@method_decorator(csrf_exempt, name="dispatch")
class RevokeView(FormOnly, toolkit.RevokeTokenView):
    """Ends a token of the asking client, with what came of it; 200 for an unknown one as well."""


@method_decorator(csrf_exempt, name="dispatch")
class IntrospectView(FormOnly, OAuthLibMixin, View):
    """Tells a client what a token of its own tenant is worth."""

    def post(self, request: HttpRequest) -> HttpResponse:
        core = self.get_oauthlib_core()
        asked = Request(*core._extract_params(request))
        if not core.server.request_validator.authenticate_client(asked):
            return refusal("invalid_client", "", 401, **{"WWW-Authenticate": "Basic"})
        if asked.client.client_type != asked.client.CLIENT_CONFIDENTIAL:
            return refusal("unauthorized_client", "A client without a secret may not ask.", 403)
        found = read_token(digest_of(request.POST.get("token", "")))
        if found is None or found[0].tenant_id != asked.client.tenant_id:
            return JsonResponse({"active": False})
        caller, _, expires = found
        return JsonResponse(
            {
                "active": True,
                "scope": " ".join(sorted(caller.scopes)),
                "client_id": caller.client_id,
                "token_type": "Bearer",
                "exp": expires,
                "tenant": caller.tenant,
            }
            | ({} if caller.user_id is None else {"sub": str(caller.user_id)})
        )


class AuthorizeView(toolkit.AuthorizationView):
    """Asks a signed-in person whether a client may act in their name."""

    template_name = "users/authorize.html"
    http_method_names = ["get", "head", "post", "options"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        parameters = [*request.GET.lists(), *request.POST.lists()]
        if any("\0" in value for values in parameters for value in values[1]):
            return refusal("invalid_request", "A parameter holds a NUL.")
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Asks each time: by `approval_prompt=auto` any program of the person's machine that knows
        the id of a client they allowed once could have a code in silence (RFC 8252, 8.6)."""
        told = request.GET.lists()
        kept = [(name, values) for name, values in told if name != "approval_prompt"]
        request.GET = QueryDict(urlencode(kept, doseq=True))
        return super().get(request, *args, **kwargs)

    def validate_authorization_request(
        self, request: HttpRequest
    ) -> tuple[list[str], dict[str, Any]]:
        """What is shown are the scopes that the person has of those asked for: the others they
        cannot give. Where they have none the client is told `invalid_scope` at once."""
        scopes, credentials = super().validate_authorization_request(request)
        own = scopes_of(request.user)
        shown = [scope for scope in scopes if scope in own]
        if not shown and request.user.is_authenticated:
            refused = InvalidScopeError(state=credentials["state"])
            raise OAuthToolkitError(refused, redirect_uri=credentials["redirect_uri"])
        return shown, credentials

    def form_valid(self, form: Any) -> HttpResponse:
        """The form's fields come from the browser: they may name a client that does not exist."""
        if not Client.objects.filter(client_id=form.cleaned_data["client_id"]).exists():
            return refusal("invalid_client", "There is no such client.")
        return super().form_valid(form)

    def redirect(self, redirect_to: str, application: Client | None) -> HttpResponse:
        """With `iss` in refusals as well (RFC 9207, 2): the toolkit adds it to codes only."""
        issuer = oauth2_settings.oauth2_authorization_server_issuer(self.request)
        parts = urlsplit(redirect_to)
        told = [(name, value) for name, value in parse_qsl(parts.query, True) if name != "iss"]
        query = urlencode([*told, ("iss", issuer)])
        return super().redirect(urlunsplit(parts._replace(query=query)), application)

    def form_invalid(self, form: Any) -> HttpResponse:
        return refusal("invalid_request", "The form is not the one that was shown.")

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """The form leads back to the client, which browsers hold to the page's policy."""
        response = super().render_to_response(context, **kwargs)
        target = urlsplit(str(context.get("redirect_uri") or ""))
        origin = f" {target.scheme}://{target.netloc}" if target.netloc else ""
        response.headers["Content-Security-Policy"] = content_policy(f"'self'{origin}")
        response.headers["Cache-Control"] = "no-store"
        return response


def refusal(error: str, description: str, status: int = 400, **headers: str) -> HttpResponse:
    """An error in the words of RFC 6749, section 5.2."""
    body = {"error": error} | ({"error_description": description} if description else {})
    return JsonResponse(body, status=status, headers={"Cache-Control": "no-store", **headers})
