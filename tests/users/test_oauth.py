"""The routes /oauth and below, as RFC 6749, 7009, 7636 and 7662 have them."""

import base64
import hashlib
import re
from urllib.parse import parse_qs, urlencode, urlsplit

import orjson
import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from oauth2_provider.models import AccessToken, Grant, RefreshToken

from tests.factories.users import (
    SECRET,
    AdminFactory,
    ClientFactory,
    PersonClientFactory,
    TenantFactory,
    UserFactory,
    bearer,
    give_token,
)
from users.models import Client, Revocation, Scope, User
from users.services.tokens import digest_of

pytestmark = pytest.mark.django_db

VERIFIER = "a-verifier-that-is-at-least-forty-three-characters-long"
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
)
CALLBACK = "https://office.example/callback"
FORM = "application/x-www-form-urlencoded"


def post(client, path, headers=None, **form):
    return client.post(path, urlencode(form), FORM, headers=headers or {})


def ask(client, **form):
    return post(client, "/oauth/token", **form)


def basic(name, secret=SECRET):
    text = base64.b64encode(f"{name}:{secret}".encode()).decode()
    return {"authorization": f"Basic {text}"}


def test_a_service_gets_a_token_for_its_credentials(client):
    ClientFactory(client_id="desk", allowed_scopes=["moderation", "catalogue:write"])
    response = post(client, "/oauth/token", basic("desk"), grant_type="client_credentials")
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    body = orjson.loads(response.content)
    assert body.keys() == {"access_token", "expires_in", "token_type", "scope"}
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 3600
    assert set(body["scope"].split()) == {"moderation", "catalogue:write"}
    answer = client.patch("/reviews/1", b"{}", headers=bearer(body["access_token"]))
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "name", ["user", "client", "scopes", "client_id", "expires_in", "resource"]
)
def test_f14_parameters_set_nothing_of_a_token(client, name):
    desk = ClientFactory(client_id="desk", allowed_scopes=["moderation"])
    form = {"grant_type": "client_credentials", "scope": "moderation", name: "1"}
    response = client.post("/oauth/token", urlencode(form), FORM, headers=basic("desk"))
    assert response.status_code in {200, 400, 401}
    for token in AccessToken.objects.all():
        assert (token.application, token.user, token.scope) == (desk, None, "moderation")
        assert token.resource == []


def test_credentials_may_stand_in_the_body_and_the_path_end_in_a_slash(client):
    ClientFactory(client_id="desk")
    form = {"client_id": "desk", "client_secret": SECRET, "grant_type": "client_credentials"}
    assert post(client, "/oauth/token/", **form).status_code == 200


def test_a_client_gets_the_scopes_it_asks_for_and_none_beyond_its_row(client):
    ClientFactory(client_id="desk", allowed_scopes=["moderation", "accounts"])
    form = {"grant_type": "client_credentials"}
    given = post(client, "/oauth/token", basic("desk"), scope="moderation", **form)
    assert orjson.loads(given.content)["scope"] == "moderation"
    for scope in ("catalogue:write", "moderation catalogue:write", "unheard-of", "*"):
        refused = post(client, "/oauth/token", basic("desk"), scope=scope, **form)
        assert refused.status_code == 400
        assert orjson.loads(refused.content)["error"] == "invalid_scope"


def test_a_token_and_a_secret_are_kept_as_digests_only(client):
    row = ClientFactory(client_id="desk")
    answer = post(client, "/oauth/token", basic("desk"), grant_type="client_credentials")
    token = orjson.loads(answer.content)["access_token"]
    stored = AccessToken.objects.get()
    assert stored.token == ""
    assert token not in str(AccessToken.objects.values())
    row.refresh_from_db()
    assert row.client_secret.startswith("client_secret$1$")
    assert SECRET not in row.client_secret


@pytest.mark.parametrize(
    ("form", "error", "status"),
    [
        ({}, "unsupported_grant_type", 400),
        (
            {"grant_type": "password", "username": "a", "password": "b"},
            "unsupported_grant_type",
            400,
        ),
        ({"grant_type": "implicit"}, "unsupported_grant_type", 400),
        (
            {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": "1"},
            "unsupported_grant_type",
            400,
        ),
        ({"grant_type": "authorization_code", "code": "x"}, None, 400),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant", 400),
        ({"grant_type": "client_credentials", "scope": "a\0b"}, "invalid_request", 400),
        ({"grant_type": "authorization_code", "code": "\0"}, "invalid_request", 400),
    ],
)
def test_other_grants_are_refused_in_json(client, form, error, status):
    ClientFactory(client_id="desk")
    response = post(client, "/oauth/token", basic("desk"), **form)
    assert response.status_code == status
    assert response["Content-Type"] == "application/json"
    assert error in {None, orjson.loads(response.content)["error"]}
    assert not AccessToken.objects.exists()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Basic %%%"},
        {"authorization": "Basic"},
        basic("desk", "wrong"),
        basic("desk", ""),
        basic("nobody"),
        basic("de\0sk"),
        basic("closed"),
        basic("shut"),
    ],
)
def test_f16_wrong_credentials_get_no_token(client, headers):
    ClientFactory(client_id="desk")
    ClientFactory(client_id="closed", is_active=False)
    ClientFactory(client_id="shut", tenant=TenantFactory(name="shut", is_active=False))
    response = post(client, "/oauth/token", headers, grant_type="client_credentials")
    assert response.status_code == 401
    assert orjson.loads(response.content)["error"] == "invalid_client"


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke", "/oauth/introspect"])
def test_only_post_is_answered(client, path):
    response = client.get(path)
    assert response.status_code == 405
    assert response["Allow"] == "POST"
    assert orjson.loads(response.content)["error"] == "invalid_request"


@pytest.fixture
def person(client):
    """Somebody of the staff who may do everything, signed in."""
    admin = AdminFactory()
    client.force_login(admin)
    return admin


def request_of(**more):
    given = {
        "response_type": "code",
        "client_id": "office",
        "redirect_uri": CALLBACK,
        "scope": "catalogue:write moderation",
        "state": "s-1",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **more,
    }
    return {name: value for name, value in given.items() if value is not None}


def consent(client, allow=True, **more):
    """Read the page, post its form as a browser does; the parameters that the client is sent."""
    asked = request_of(**more)
    page = client.get("/oauth/authorize", asked)
    assert page.status_code == 200, page.content
    text = page.content.decode()
    fields = re.findall(r'<input type="hidden" name="(\w+)" (?:value="([^"]*)")?', text)
    form = dict(fields) | ({"allow": "true"} if allow else {})
    response = client.post(f"/oauth/authorize?{urlencode(asked)}", form)
    assert response.status_code == 302, response.content
    assert response["Location"].startswith(CALLBACK)
    told = parse_qs(urlsplit(response["Location"]).query)
    return {name: value[0] for name, value in told.items()}


def redeem(client, code, verifier=VERIFIER, headers=None, **more):
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": verifier,
        **more,
    }
    return post(client, "/oauth/token", headers or basic("office"), **form)


def test_a_person_allows_a_client_and_it_acts_in_their_name(client, person):
    PersonClientFactory(client_id="office")
    answer = consent(client)
    assert answer["state"] == "s-1"
    assert answer["iss"] == "http://localhost"
    given = redeem(client, answer["code"])
    assert given.status_code == 200
    body = orjson.loads(given.content)
    assert set(body["scope"].split()) == {"catalogue:write", "moderation"}
    token = bearer(body["access_token"])
    assert client.delete("/products/404", headers=token).status_code == 404
    assert AccessToken.objects.get().user == person


def test_pkce_is_required_by_s256(client, person):
    PersonClientFactory(client_id="office")
    for bad in (
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
        {"code_challenge": "short"},
        {"code_challenge": "x" * 500},
    ):
        response = client.get("/oauth/authorize", request_of(**bad))
        assert response.status_code == 302
        assert "error=invalid_request" in response["Location"]
        assert response["Location"].endswith("iss=http%3A%2F%2Flocalhost")
        assert response["Location"].startswith(CALLBACK)
    assert not Grant.objects.exists()


@pytest.mark.parametrize("verifier", ["", "wrong" * 10, CHALLENGE])
def test_pkce_a_code_is_worth_nothing_without_its_verifier(client, person, verifier):
    PersonClientFactory(client_id="office")
    response = redeem(client, consent(client)["code"], verifier)
    assert response.status_code == 400
    assert not AccessToken.objects.exists()


def test_a_code_works_once_and_for_its_client_only(client, person):
    PersonClientFactory(client_id="office")
    PersonClientFactory(client_id="other")
    code = consent(client)["code"]
    assert redeem(client, code, headers=basic("other")).status_code == 400
    assert redeem(client, code).status_code == 200
    again = redeem(client, code)
    assert orjson.loads(again.content)["error"] == "invalid_grant"


def refresh(client, token):
    form = {"grant_type": "refresh_token", "refresh_token": token}
    return post(client, "/oauth/token", basic("office"), **form)


def test_a_code_that_is_used_twice_ends_all_that_came_of_it(client, person):
    """RFC 6749, 4.1.2; RFC 9700, 4.5: whoever came first may have stolen it."""
    PersonClientFactory(client_id="office")
    PersonClientFactory(client_id="other")
    kept = orjson.loads(redeem(client, consent(client)["code"]).content)
    code = consent(client)["code"]
    first = orjson.loads(redeem(client, code).content)
    second = orjson.loads(refresh(client, first["refresh_token"]).content)
    # Not the client that it was made for: this one cannot end them.
    assert redeem(client, code, headers=basic("other")).status_code == 400
    assert AccessToken.objects.count() == 2
    assert orjson.loads(redeem(client, code).content)["error"] == "invalid_grant"
    assert orjson.loads(refresh(client, second["refresh_token"]).content)["error"] == (
        "invalid_grant"
    )
    # Every process, and so nginx, hears of it.
    ended = Revocation.objects.values_list("subject", flat=True)
    assert {digest_of(first["access_token"]), digest_of(second["access_token"])} <= set(ended)
    # Those of another consent to the same client go on.
    assert AccessToken.objects.get().token_checksum == digest_of(kept["access_token"])
    assert refresh(client, kept["refresh_token"]).status_code == 200


def test_a_client_without_a_secret_is_known_by_pkce_alone(client, person):
    PersonClientFactory(client_id="office", client_type=Client.CLIENT_PUBLIC)
    code = consent(client)["code"]
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
        "client_id": "office",
    }
    assert ask(client, **form).status_code == 200


def test_a_refusal_is_told_to_the_client(client, person):
    PersonClientFactory(client_id="office")
    told = consent(client, allow=False)
    assert told["error"] == "access_denied"
    assert (told["state"], told["iss"]) == ("s-1", "http://localhost")
    assert not Grant.objects.exists()


def test_a_person_gives_of_what_is_asked_for_what_they_have(client):
    moderator = UserFactory(is_staff=True)
    wanted = ["change_review", "delete_review"]
    moderator.user_permissions.set(Permission.objects.filter(codename__in=wanted))
    client.force_login(moderator)
    PersonClientFactory(client_id="office")
    for scope in ("catalogue:write moderation", None):
        page = client.get("/oauth/authorize", request_of(scope=scope)).content.decode()
        assert Scope.MODERATION.label in page
        assert Scope.CATALOGUE_WRITE.label not in page
        given = orjson.loads(redeem(client, consent(client, scope=scope)["code"]).content)
        assert given["scope"] == "moderation"
    # Whatever the form says that comes back.
    asked = request_of()
    form = {**asked, "allow": "true"}
    told = client.post(f"/oauth/authorize?{urlencode(asked)}", form)["Location"]
    code = parse_qs(urlsplit(told).query)["code"][0]
    assert orjson.loads(redeem(client, code).content)["scope"] == "moderation"


@pytest.mark.parametrize("change", [{"is_active": False}, {"is_staff": False}])
def test_f16_a_person_who_was_closed_gets_no_more_tokens(client, person, change):
    PersonClientFactory(client_id="office")
    first = orjson.loads(redeem(client, consent(client)["code"]).content)
    code = consent(client)["code"]
    User.objects.filter(pk=person.pk).update(**change)
    for answer in (refresh(client, first["refresh_token"]), redeem(client, code)):
        assert answer.status_code == 400
        assert orjson.loads(answer.content)["error"] == "invalid_grant"
    assert AccessToken.objects.count() == 1


@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_allows_what_they_may_not_do_themselves(client, method):
    client.force_login(UserFactory())
    PersonClientFactory(client_id="office")
    asked = request_of()
    url = f"/oauth/authorize?{urlencode(asked)}"
    sent = client.get(url) if method == "get" else client.post(url, {**asked, "allow": "true"})
    assert sent.status_code == 302
    assert sent["Location"].startswith(CALLBACK)
    told = parse_qs(urlsplit(sent["Location"]).query)
    assert told["error"] == ["invalid_scope"]
    assert told["state"] == ["s-1"]
    assert "iss" in told
    assert not Grant.objects.exists()


@pytest.mark.parametrize("approval", ["auto", "force"])
def test_a_person_is_asked_each_time_whatever_the_client_wants(client, person, approval):
    PersonClientFactory(client_id="office")
    assert redeem(client, consent(client)["code"]).status_code == 200
    page = client.get("/oauth/authorize", request_of(approval_prompt=approval))
    assert page.status_code == 200
    assert b"Allow" in page.content
    assert not Grant.objects.exists()


def test_who_is_not_signed_in_and_shall_not_be_asked_ends_in_login_required(client):
    PersonClientFactory(client_id="office")
    told = client.get("/oauth/authorize", request_of(prompt="none"))["Location"]
    assert parse_qs(urlsplit(told).query)["error"] == ["login_required"]
    assert told.startswith(CALLBACK)


def test_the_answer_names_what_a_token_is_worth(client):
    """A right that was taken away is missing in it, and there again with the next refresh once the
    person has it again."""
    editor = UserFactory(is_staff=True)
    moderation = Permission.objects.filter(codename__in=["change_review", "delete_review"])
    reading = Permission.objects.filter(codename="view_profile")
    editor.user_permissions.set(moderation | reading)
    client.force_login(editor)
    PersonClientFactory(
        client_id="office", allowed_scopes=["moderation", "profiles:read", "accounts"]
    )

    def worth(answer):
        body = orjson.loads(answer.content)
        return body["refresh_token"], set(body["scope"].split())

    both = {"moderation", "profiles:read"}
    code = consent(client, scope="moderation profiles:read")["code"]
    kept, scopes = worth(redeem(client, code))
    assert scopes == both
    waiting = consent(client, scope="moderation profiles:read")["code"]
    editor.user_permissions.set(moderation)
    kept, scopes = worth(refresh(client, kept))
    assert scopes == {"moderation"}
    assert worth(redeem(client, waiting))[1] == {"moderation"}
    # Nothing of what they gave is theirs, though they are of the staff and have other rights.
    editor.user_permissions.set(Permission.objects.filter(codename="change_account"))
    refused = refresh(client, kept)
    assert (refused.status_code, orjson.loads(refused.content)["error"]) == (400, "invalid_grant")
    editor.user_permissions.set(moderation | reading)
    assert worth(refresh(client, kept))[1] == both


@pytest.mark.parametrize(
    "bad",
    [
        {"client_id": "nobody"},
        {"client_id": "of\0fice"},
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": f"{CALLBACK}/below"},
        {"redirect_uri": "javascript:alert(1)"},
    ],
)
def test_an_unknown_client_or_address_is_sent_nowhere(client, person, bad):
    PersonClientFactory(client_id="office")
    response = client.get("/oauth/authorize", request_of(**bad))
    assert response.status_code == 400
    assert "Location" not in response


def test_a_form_that_names_another_client_is_refused(client, person):
    for form in ({}, {"client_id": "nobody"}, request_of(client_id="nobody")):
        response = client.post("/oauth/authorize", {**form, "allow": "true"})
        assert response.status_code == 400
    assert not Grant.objects.exists()


@pytest.mark.parametrize("kind", ["token", "id_token", "code token"])
def test_there_is_no_implicit_grant(client, person, kind):
    PersonClientFactory(client_id="office")
    response = client.get("/oauth/authorize", request_of(response_type=kind))
    assert "access_token" not in str(response.headers)
    assert "error=" in response.get("Location", "error=")


def test_who_is_not_signed_in_is_sent_to_the_admins_login(client):
    PersonClientFactory(client_id="office")
    response = client.get("/oauth/authorize", request_of())
    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/?next=/oauth/authorize")


def test_the_page_may_lead_to_the_client_and_nowhere_else(client, person):
    PersonClientFactory(client_id="office", name="<b>Office</b>")
    page = client.get("/oauth/authorize", request_of())
    assert "form-action 'self' https://office.example;" in page["Content-Security-Policy"]
    assert "default-src 'none'" in page["Content-Security-Policy"]
    assert page["X-Frame-Options"] == "DENY"
    assert b"<b>Office</b>" not in page.content
    assert b"Create, change and delete products" in page.content


def test_a_form_of_another_site_allows_nothing(person):
    from django.test import Client as Browser

    PersonClientFactory(client_id="office")
    strict = Browser(enforce_csrf_checks=True, SERVER_NAME="localhost")
    strict.force_login(person)
    form = request_of() | {"allow": "true"}
    assert strict.post("/oauth/authorize", form).status_code == 403
    assert not Grant.objects.exists()


def test_a_refresh_token_works_once_and_its_reuse_ends_all(client, person):
    PersonClientFactory(client_id="office")
    first = orjson.loads(redeem(client, consent(client)["code"]).content)
    second = orjson.loads(refresh(client, first["refresh_token"]).content)
    assert second["access_token"] != first["access_token"]
    assert second["refresh_token"] != first["refresh_token"]
    stolen = refresh(client, first["refresh_token"])
    assert orjson.loads(stolen.content)["error"] == "invalid_grant"
    ended = refresh(client, second["refresh_token"])
    assert orjson.loads(ended.content)["error"] == "invalid_grant"
    assert not AccessToken.objects.exists()
    assert not RefreshToken.objects.filter(revoked=None).exists()


def test_a_client_revokes_its_own_tokens_only(client):
    own = ClientFactory(client_id="desk")
    ClientFactory(client_id="other")
    token = give_token(own)
    assert post(client, "/oauth/revoke", basic("other"), token=token).status_code == 200
    assert AccessToken.objects.exists()
    assert post(client, "/oauth/revoke", basic("desk"), token=token).status_code == 200
    assert not AccessToken.objects.exists()
    assert post(client, "/oauth/revoke", basic("desk", "wrong"), token=token).status_code == 401


def test_introspection_tells_a_client_of_the_same_tenant(client):
    ClientFactory(client_id="desk")
    peer = ClientFactory(client_id="peer", allowed_scopes=["moderation"])
    token = give_token(peer, seconds=100)
    body = orjson.loads(post(client, "/oauth/introspect", basic("desk"), token=token).content)
    assert body.pop("exp") > 1_700_000_000
    assert body == {
        "active": True,
        "scope": "moderation",
        "client_id": "peer",
        "token_type": "Bearer",
        "tenant": "default",
    }


def test_f15_introspection_tells_another_tenant_nothing(client):
    ClientFactory(client_id="north", tenant=TenantFactory(name="north"))
    PersonClientFactory(client_id="public", client_type=Client.CLIENT_PUBLIC)
    token = give_token(ClientFactory())
    told = post(client, "/oauth/introspect", basic("north"), token=token)
    assert orjson.loads(told.content) == {"active": False}
    assert post(client, "/oauth/introspect", {}, token=token).status_code == 401
    assert post(client, "/oauth/introspect", basic("public"), token=token).status_code == 403


@pytest.mark.parametrize("token", ["", "wrong", give_token])
def test_introspection_of_no_good_token_says_so(client, token):
    ClientFactory(client_id="desk")
    shown = token if isinstance(token, str) else token(seconds=-1)
    told = post(client, "/oauth/introspect", basic("desk"), token=shown)
    assert orjson.loads(told.content) == {"active": False}


def test_the_command_makes_a_client_once(capsys):
    TenantFactory()
    arguments = ("create_client", "Desk", "--id", "desk", "--scopes", "moderation")
    call_command(*arguments)
    said = capsys.readouterr().out
    assert re.fullmatch(r"client_id=desk\nclient_secret=[\w-]{64}\n", said)
    made = Client.objects.get()
    assert made.allowed_scopes == ["moderation"]
    assert made.tenant.name == "default"
    with pytest.raises(CommandError, match="already"):
        call_command(*arguments)
    assert Client.objects.count() == 1


@pytest.mark.parametrize(
    "uri",
    [
        *("javascript:alert(1)", "data:text/html,x", "ftp://x/y", "file:///etc/passwd", "/here"),
        *("http://shop.example/cb#part", "http://*.shop.example/cb"),
        *("https://ann@shop.example/cb", "https://ann:secret@shop.example/cb"),
        *("https://shop.example:x/cb", "http://[::1/cb"),
    ],
)
def test_a_client_has_no_redirect_uri_that_could_never_be_used(uri):
    TenantFactory()
    good = "https://office.example/callback"
    with pytest.raises(CommandError, match="redirect"):
        call_command("create_client", "Desk", "--redirect-uris", good, uri)
    assert not Client.objects.exists()


def test_the_command_refuses_a_weak_secret_and_an_unknown_tenant(monkeypatch):
    TenantFactory()
    with pytest.raises(CommandError, match="no tenant"):
        call_command("create_client", "Desk", "--tenant", "nowhere")
    monkeypatch.setenv("CLIENT_SECRET", "short")
    with pytest.raises(CommandError, match="32 characters"):
        call_command("create_client", "Desk")
    assert not Client.objects.exists()


def test_the_first_accounts_are_both_made_or_none(monkeypatch, capsys):
    TenantFactory()
    names = ("ADMIN_USERNAME", "ADMIN_EMAIL", "ADMIN_PASSWORD", "FIRST_CLIENT_ID")
    for name, value in zip(names, ("eve", "eve@shop.example", "secret", "desk"), strict=True):
        monkeypatch.setenv(name, value)
    for name, value, complaint in (
        ("FIRST_CLIENT_SECRET", "short", "32 characters"),
        ("FIRST_CLIENT_SECRET", "s" * 40, None),
        ("FIRST_CLIENT_ID", "a:b", "FIRST_CLIENT_ID is 'a:b'"),
        ("FIRST_CLIENT_ID", "c" * 300, "100 letters"),
        ("ADMIN_USERNAME", "e" * 200, "150"),
    ):
        monkeypatch.setenv(name, value)
        if complaint is None:
            call_command("create_first_accounts", "admin", "client")
            assert orjson.loads(capsys.readouterr().out) == {"admin": True, "client": True}
        else:
            with pytest.raises(CommandError, match=complaint):
                call_command("create_first_accounts", "admin", "client")
            assert User.objects.count() == Client.objects.count()
    assert User.objects.count() == 1


def test_a_client_has_known_scopes_and_grants_only():
    from django.db import IntegrityError, transaction

    for bad in (
        {"allowed_scopes": ["everything"]},
        {"authorization_grant_type": "password"},
        {"client_type": "public"},
        {"hash_client_secret": False},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            ClientFactory(**bad)
    assert set(Scope.values) == set(ClientFactory().allowed_scopes)
