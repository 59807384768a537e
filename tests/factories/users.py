"""Accounts, profiles; users of the staff, whose password is `PASSWORD`; tenants, tokens."""

import secrets
from collections.abc import Collection
from datetime import timedelta
from typing import Any

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory, Password
from oauth2_provider.models import AccessToken

from users.identities import canonical_email, canonical_mobile
from users.models import (
    Account,
    Client,
    Preference,
    Profile,
    Scope,
    SubscriptionStatus,
    Tenant,
    User,
)
from users.services.tokens import digest_of
from users.terms import SearchColumns, search_columns

PASSWORD = "correct horse battery staple"
SECRET = "a-secret-that-is-long-enough-for-tests"


class UserFactory(DjangoModelFactory):
    class Meta:
        model = User

    username = factory.Sequence(lambda number: f"staff{number}")
    email = factory.LazyAttribute(lambda user: f"{user.username}@example.com")
    password = Password(PASSWORD)
    is_staff = True


class AdminFactory(UserFactory):
    is_superuser = True


class AccountFactory(DjangoModelFactory):
    """Somewhere that no source knows."""

    class Meta:
        model = Account

    ip = "192.0.2.7"
    subscription_status = SubscriptionStatus.EXPIRED


class TenantFactory(DjangoModelFactory):
    class Meta:
        model = Tenant
        # A migration makes `default`, which tests that empty the tables take away.
        django_get_or_create = ("name",)

    name = "default"


class ProfileFactory(DjangoModelFactory):
    """Of the tenant `default`; the keys follow from address and number."""

    class Meta:
        model = Profile

    tenant = factory.SubFactory(TenantFactory)
    full_name = factory.Sequence(lambda number: f"Ann Lee {number}")
    email = factory.Sequence(lambda number: f"ann{number}@example.com")
    email_key = factory.LazyAttribute(lambda profile: canonical_email(profile.email))
    mobile = ""
    mobile_key = factory.LazyAttribute(
        lambda profile: canonical_mobile(profile.mobile, profile.country)
    )
    city = ""
    country = ""
    created_by = "tests"
    name_key = factory.LazyAttribute(lambda profile: _search_columns(profile)["name_key"])
    search_words = factory.LazyAttribute(lambda profile: _search_columns(profile)["search_words"])


def _search_columns(profile: Any) -> SearchColumns:
    return search_columns(
        full_name=profile.full_name,
        email_key=profile.email_key,
        mobile=profile.mobile,
        mobile_key=profile.mobile_key,
        city=profile.city,
        country=profile.country,
    )


class PreferenceFactory(DjangoModelFactory):
    class Meta:
        model = Preference

    profile = factory.SubFactory(ProfileFactory)
    key = "theme"
    value = "dark"


class ClientFactory(DjangoModelFactory):
    """A service's, with every scope; its secret is `SECRET`."""

    class Meta:
        model = Client

    client_id = factory.Sequence(lambda number: f"client{number}")
    name = "A service"
    tenant = factory.SubFactory(TenantFactory)
    client_secret = SECRET
    client_type = Client.CLIENT_CONFIDENTIAL
    authorization_grant_type = Client.GRANT_CLIENT_CREDENTIALS
    allowed_scopes = factory.LazyFunction(lambda: list(Scope.values))


class PersonClientFactory(ClientFactory):
    """One that acts for people."""

    name = "The back office"
    authorization_grant_type = Client.GRANT_AUTHORIZATION_CODE
    redirect_uris = "https://office.example/callback"


def give_token(
    client: Client | None = None,
    *,
    scopes: Collection[str] = tuple(Scope.values),
    user: User | None = None,
    seconds: int = 600,
) -> str:
    """A token as the toolkit stores it: only its digest is kept."""
    token = secrets.token_urlsafe(22)
    row = AccessToken(
        application=client or ClientFactory(),
        user=user,
        scope=" ".join(scopes),
        expires=timezone.now() + timedelta(seconds=seconds),
    )
    row._raw_token = token
    row.save()
    assert row.token_checksum == digest_of(token)
    return token


def bearer(token: str) -> dict[str, str]:
    """The header that shows a token."""
    return {"authorization": f"Bearer {token}"}
