"""F16: what a token is worth, and that it is worth nothing within a second of its end."""

import time

import orjson
import pytest
from django.conf import settings as site
from django.core.management import call_command
from django.db import connection
from oauth2_provider.models import AccessToken, revoke_access_token
from procrastinate.contrib.django import app

from tests.factories.products import ProductFactory
from tests.factories.users import (
    ClientFactory,
    PersonClientFactory,
    TenantFactory,
    UserFactory,
    bearer,
    give_token,
)
from tests.threads import Aside
from tests.waiting import second_connection
from users import tasks
from users.models import Client, Revocation, Scope
from users.services import tenants as tenant_services
from users.services import tokens
from users.services.tokens import Verifier, digest_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def verifier(monkeypatch):
    """One that asks for news each time."""
    monkeypatch.setattr(tokens, "NEWS_SECONDS", 0)
    return Verifier()


def change(client, token=None, **headers):
    """A request that needs `catalogue:write`; 404 says that it was let in."""
    shown = bearer(token) if token is not None else {}
    return client.patch(
        "/products/404", b'{"name":"Coat"}', "application/json", headers={**shown, **headers}
    )


def test_f16_without_a_token_nobody_is_let_in(client):
    response = change(client)
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Bearer realm="atelier"'
    assert response["Content-Type"] == "application/problem+json"
    assert orjson.loads(response.content)["code"] == "token_missing"


@pytest.mark.parametrize("shown", ["ghp_0123456789", "Basic Zm9vOmJhcg==", "Token abc"])
def test_f16_credentials_of_another_kind_are_none(client, shown):
    assert change(client, authorization=shown).status_code == 401


@pytest.mark.parametrize("token", ["", "wrong", "ä", "x" * 5000, "a b", "\udcff"])
def test_f16_a_wrong_token_is_refused(client, token):
    response = change(client, token)
    assert response.status_code == 401
    assert 'error="invalid_token"' in response["WWW-Authenticate"]


def test_f16_an_expired_token_is_refused(client):
    assert change(client, give_token(seconds=-1)).status_code == 401


@pytest.mark.django_db(transaction=True)
def test_f16_a_token_expires_while_it_is_kept():
    verifier = Verifier()
    token = give_token(seconds=3)
    assert verifier.caller_of(token) is not None
    time.sleep(3.1)
    assert verifier.caller_of(token) is None


def test_f16_a_token_without_the_scope_is_refused(client):
    response = change(client, give_token(scopes=["moderation", "profiles:read"]))
    assert response.status_code == 403
    assert response["WWW-Authenticate"] == (
        'Bearer realm="atelier", error="insufficient_scope", scope="catalogue:write"'
    )
    assert orjson.loads(response.content)["code"] == "insufficient_scope"


def test_f16_a_scope_that_the_client_may_not_have_is_worth_nothing(client):
    narrow = ClientFactory(allowed_scopes=["moderation"])
    assert change(client, give_token(narrow)).status_code == 403


def test_f16_a_good_token_is_let_in(client):
    assert change(client, give_token()).status_code == 404


def test_f16_a_token_says_its_tenant_and_no_other(client):
    token = give_token(ClientFactory(tenant=TenantFactory(name="north")))
    TenantFactory(name="south")
    assert change(client, token, ntenant="north").status_code == 404
    for other in ("south", "default", "nowhere", "North", "north "):
        response = change(client, token, ntenant=other)
        assert response.status_code == 403, other
        assert orjson.loads(response.content)["code"] == "wrong_tenant"


def test_f16_a_person_without_the_permission_gets_nothing_by_a_token(client):
    person = UserFactory()
    token = give_token(PersonClientFactory(), user=person)
    assert change(client, token).status_code == 403


def test_f16_who_left_the_staff_gets_nothing_by_a_token(client):
    person = UserFactory(is_superuser=True, is_staff=False)
    assert change(client, give_token(PersonClientFactory(), user=person)).status_code == 403


def test_f16_a_person_who_may_is_known_as_the_caller(verifier):
    person = UserFactory(is_superuser=True)
    caller = verifier.caller_of(give_token(PersonClientFactory(), user=person))
    assert caller.user_id == person.pk
    assert caller.scopes == set(Scope.values)


def test_a_kept_token_costs_no_query(django_assert_num_queries, no_news):
    verifier = Verifier()
    token = give_token()
    with django_assert_num_queries(2):
        first = verifier.caller_of(token)
    with django_assert_num_queries(0):
        for _ in range(100):
            assert verifier.caller_of(token) is first


def test_news_are_asked_for_once_for_all_tokens(django_assert_num_queries, verifier):
    many = [give_token() for _ in range(3)]
    for token in many:
        verifier.caller_of(token)
    with django_assert_num_queries(1):
        verifier.caller_of(many[0])


def trusted(verifier, token):
    """For how long the token is trusted that was just shown."""
    return verifier.seconds_to_trust(token, verifier.caller_of(token))


@pytest.fixture
def clock(monkeypatch):
    """Time stands still, but for what a test adds to it."""
    now = [time.monotonic()]
    monkeypatch.setattr(tokens.time, "monotonic", lambda: now[0])
    return now


def test_a_token_is_trusted_no_longer_than_the_last_news(clock):
    verifier = Verifier()
    token = give_token()
    assert trusted(verifier, token) == pytest.approx(tokens.TRUST_SECONDS)
    clock[0] += 0.4
    assert trusted(verifier, token) == pytest.approx(tokens.TRUST_SECONDS - 0.4)
    caller = verifier.caller_of(token)
    clock[0] += 10
    assert verifier.seconds_to_trust(token, caller) < 0


def test_a_token_is_trusted_no_longer_than_it_lives(clock):
    verifier = Verifier()
    token = give_token(seconds=600)
    verifier.caller_of(token)
    digest = digest_of(token)
    entry = verifier._entries[digest]
    verifier._entries[digest] = tokens._Entry(entry.caller, clock[0] + 0.2)
    assert trusted(verifier, token) == pytest.approx(0.2)


def test_a_token_that_is_not_kept_is_not_trusted():
    verifier = Verifier()
    token, other = give_token(), give_token()
    caller = verifier.caller_of(token)
    assert verifier.seconds_to_trust(other, caller) == 0
    assert verifier.seconds_to_trust("wrong", caller) == 0
    verifier._drop([digest_of(token)])
    assert verifier.seconds_to_trust(token, caller) == 0


class _Interrupted(dict):
    """Another thread gets a turn when something was found in it."""

    meanwhile = staticmethod(lambda: None)

    def get(self, *words):
        found = super().get(*words)
        self.meanwhile()
        return found


def test_news_that_come_in_between_lengthen_no_trust_in_a_token_that_they_end(verifier):
    token = give_token()
    caller = verifier.caller_of(token)
    verifier._asked_at -= 0.6
    verifier._entries = _Interrupted(verifier._entries)

    def meanwhile():
        verifier._entries.meanwhile = lambda: None
        revoke(token)
        verifier._keep_up()

    verifier._entries.meanwhile = meanwhile
    assert verifier.seconds_to_trust(token, caller) < tokens.TRUST_SECONDS - 0.6
    assert verifier.caller_of(token) is None


def test_a_caller_is_not_trusted_where_the_token_has_become_worth_less(verifier):
    service = ClientFactory()
    token = give_token(service)
    caller = verifier.caller_of(token)
    Client.objects.update(allowed_scopes=["moderation"])
    # As another thread, whose request comes in between.
    narrowed = verifier.caller_of(token)
    assert narrowed.scopes == {"moderation"}
    assert verifier.seconds_to_trust(token, caller) == 0
    assert verifier.seconds_to_trust(token, narrowed) > 0


def revoke(token):
    revoke_access_token(AccessToken.objects.get(token_checksum=digest_of(token)))


def delete(token):
    AccessToken.objects.filter(token_checksum=digest_of(token)).delete()


def shorten(token):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE oauth2_provider_accesstoken SET expires = now()")


def close_client(token):
    Client.objects.update(is_active=False)


def narrow_client(token):
    Client.objects.update(allowed_scopes=[])


def close_tenant(token):
    tenant = Client.objects.get().tenant
    tenant_services.update_tenant(tenant_id=tenant.pk, changes={"is_active": False})


def close_account(token):
    AccessToken.objects.get().user.__class__.objects.update(is_active=False)


def delete_account(token):
    AccessToken.objects.get().user.delete()


@pytest.mark.parametrize(
    "end",
    [
        revoke,
        delete,
        shorten,
        close_client,
        narrow_client,
        close_tenant,
        close_account,
        delete_account,
    ],
)
def test_f16_whatever_ends_a_token_is_seen_with_the_next_news(verifier, end):
    person = UserFactory(is_superuser=True)
    token = give_token(PersonClientFactory(), user=person)
    assert "moderation" in verifier.caller_of(token).scopes
    end(token)
    caller = verifier.caller_of(token)
    assert caller is None or not caller.scopes


def test_other_tokens_are_kept_when_one_is_revoked(django_assert_num_queries, verifier):
    kept, gone = give_token(), give_token()
    verifier.caller_of(kept), verifier.caller_of(gone)
    revoke(gone)
    with django_assert_num_queries(1):
        assert verifier.caller_of(kept) is not None
    assert verifier.caller_of(gone) is None


def test_what_ends_by_the_clock_is_no_news():
    token = give_token(seconds=-1)
    delete(token)
    assert not Revocation.objects.exists()


def test_a_token_that_was_revoked_while_it_was_read_is_not_kept(verifier, monkeypatch):
    """The news come between the read and the keeping."""
    token = give_token()
    read = tokens.read_token

    def slow(digest):
        found = read(digest)
        revoke(token)
        verifier._keep_up()
        return found

    monkeypatch.setattr(tokens, "read_token", slow)
    verifier.caller_of(token)
    monkeypatch.setattr(tokens, "read_token", read)
    assert verifier.caller_of(token) is None


def test_the_number_of_kept_tokens_has_a_limit(verifier, monkeypatch):
    monkeypatch.setattr(tokens, "MOST_ENTRIES", 2)
    for _ in range(4):
        verifier.caller_of(give_token())
    assert len(verifier._entries) == 2


def test_a_revocation_of_many_forgets_all(verifier, monkeypatch):
    monkeypatch.setattr(tokens.sql, "MOST_NEWS", 2)
    many = [give_token() for _ in range(4)]
    for token in many:
        verifier.caller_of(token)
    for token in many[:3]:
        revoke(token)
    assert [verifier.caller_of(token) is None for token in many] == [True, True, True, False]


@pytest.mark.django_db(transaction=True)
def test_f16_a_revocation_that_commits_late_is_not_missed(verifier):
    """Its row is older than rows that were seen before it: no sequence and no clock would tell."""
    late, early = give_token(), give_token()
    verifier.caller_of(late), verifier.caller_of(early)
    with second_connection() as slow:
        slow.execute("BEGIN")
        slow.execute(
            "DELETE FROM oauth2_provider_accesstoken WHERE token_checksum = %s", [digest_of(late)]
        )
        revoke(early)
        assert verifier.caller_of(early) is None
        assert verifier.caller_of(late) is not None
        for _ in range(3):
            revoke(give_token())
            verifier.caller_of(late)
        slow.execute("COMMIT")
    assert verifier.caller_of(late) is None


@pytest.mark.django_db(transaction=True)
def test_many_threads_may_ask_at_once(verifier):
    token = give_token()
    with Aside(lambda: [verifier.caller_of(token) for _ in range(300)]) as others:
        ours = [verifier.caller_of(token) for _ in range(300)]
        revoke(token)
        theirs = others.result()
    assert None not in ours
    assert {caller.client_id for caller in theirs if caller} <= {ours[0].client_id}
    assert verifier.caller_of(token) is None


def test_old_tokens_and_revocations_are_pruned(capsys):
    revoke(give_token())
    give_token(seconds=-60)
    Revocation.objects.update(revoked_at="2020-01-01T00:00Z")
    revoke(give_token())
    call_command("prune_tokens")
    assert capsys.readouterr().out == "revocations deleted: 1\n"
    assert Revocation.objects.count() == 1
    assert not AccessToken.objects.exists()


def test_the_worker_prunes_every_night():
    names = {periodic.task.name for periodic in app.periodic_registry.periodic_tasks.values()}
    assert {"prune_tokens", "map_profiles"} <= names
    revoke(give_token())
    Revocation.objects.update(revoked_at="2020-01-01T00:00Z")
    tasks.prune_tokens(timestamp=0)
    assert not Revocation.objects.exists()


def test_scopes_are_named_alike_everywhere():
    assert dict(Scope.choices) == site.OAUTH_SCOPES


OPEN = {"accounts", "profiles:read", "profiles:write"}


def test_open_without_tokens_opens_accounts_and_profiles_only(client, settings, rf):
    from atelier.core.callers import WrongTenant, require
    from atelier.core.errors import InvalidToken, Unauthenticated

    TenantFactory(), TenantFactory(name="north"), TenantFactory(name="shut", is_active=False)
    for scope in OPEN:
        with pytest.raises(Unauthenticated):
            require(rf.get("/"), scope)
    settings.OPEN_WITHOUT_TOKENS = True
    for scope in OPEN:
        assert require(rf.get("/"), scope).tenant == "default"
        assert require(rf.get("/", headers={"ntenant": "north"}), scope).tenant == "north"
        for tenant in ("nowhere", "shut"):
            with pytest.raises(WrongTenant):
                require(rf.get("/", headers={"ntenant": tenant}), scope)
        with pytest.raises(InvalidToken):
            require(rf.get("/", headers={"authorization": "Bearer wrong"}), scope)
    assert change(client).status_code == 401


def test_being_open_without_debug_is_warned_of(settings):
    from django.core.checks import run_checks

    def warnings():
        return [found.id for found in run_checks() if found.id == "core.W001"]

    assert warnings() == []
    settings.OPEN_WITHOUT_TOKENS = True
    assert warnings() == ["core.W001"]
    settings.DEBUG = True
    assert warnings() == []


def test_who_did_it_is_in_the_log(client, capsys):
    import structlog

    ProductFactory(id=1)
    token = give_token(ClientFactory(client_id="catalogue-desk"))
    with structlog.testing.capture_logs() as lines:
        client.delete("/products/1", headers=bearer(token))
    [line] = [line for line in lines if line["event"] == "product deleted"]
    assert line["client"] == "catalogue-desk"
    assert line["tenant"] == "default"
    assert line["product_id"] == 1
    assert token not in str(lines)
