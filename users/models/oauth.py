"""Clients of the API, and what their tokens may do.

Tokens, grants and refresh tokens are django-oauth-toolkit's own models; they keep digests only.
"""

from typing import ClassVar, Self
from urllib.parse import urlsplit

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from oauth2_provider.models import AbstractApplication

from users.models.tenants import Tenant

# The subject of a revocation that concerns any number of tokens.
EVERYTHING = ""


class Scope(models.TextChoices):
    """As the setting OAUTH_SCOPES has them; a row of a client names those it may ask for."""

    ACCOUNTS = "accounts", "Sign in accounts and read them"
    PROFILES_READ = "profiles:read", "Read profiles"
    PROFILES_WRITE = "profiles:write", "Create, change and delete profiles"
    CATALOGUE_WRITE = "catalogue:write", "Create, change and delete products"
    MODERATION = "moderation", "Moderate, answer and delete reviews"


class Client(AbstractApplication):
    """A program that asks for tokens, for itself or for a person of the staff."""

    GRANTS = (
        (AbstractApplication.GRANT_CLIENT_CREDENTIALS, "for itself: client credentials"),
        (AbstractApplication.GRANT_AUTHORIZATION_CODE, "for a person: authorization code"),
    )

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="clients")
    authorization_grant_type = models.CharField(
        "grant", max_length=44, choices=GRANTS, default=GRANTS[0][0]
    )
    allowed_scopes = ArrayField(models.TextField(choices=Scope.choices), default=list, blank=True)
    is_active = models.BooleanField(default=True, db_default=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta(AbstractApplication.Meta):
        constraints = [
            models.CheckConstraint(
                condition=Q(allowed_scopes__contained_by=Scope.values), name="client_scopes_known"
            ),
            models.CheckConstraint(
                condition=Q(
                    authorization_grant_type__in=["client-credentials", "authorization-code"]
                ),
                name="client_grant_known",
            ),
            # Nobody without a secret can prove to be the client.
            models.CheckConstraint(
                condition=~Q(authorization_grant_type="client-credentials", client_type="public"),
                name="client_credentials_are_confidential",
            ),
            models.CheckConstraint(
                condition=Q(hash_client_secret=True), name="client_secret_hashed"
            ),
        ]

    def clean(self) -> None:
        """Refuses what the library never matches, beside what it refuses itself."""
        super().clean()
        for uri in self.redirect_uris.split():
            parts = urlsplit(uri)
            if "@" in parts.netloc:
                raise ValidationError({"redirect_uris": f"A redirect URI names no user: {uri}"})
            try:
                _ = parts.port
            except ValueError as error:
                message = f"The port of a redirect URI is a number: {uri}"
                raise ValidationError({"redirect_uris": message}) from error

    def is_usable(self, request: object) -> bool:
        """Whether a token may be had or used: django-oauth-toolkit asks. May cost a query."""
        return self.is_active and self.tenant.is_active


class Revocation(models.Model):
    """A token that was good and is no longer, for processes that hold it for good.

    PostgreSQL writes the rows itself, whatever deleted or changed the token; `EVERYTHING` stands
    for all tokens of a client, tenant or person. `xid` is the writing transaction, so that a reader
    can tell what it cannot have seen yet (docs/adr/0012-tokens.md).
    """

    subject = models.TextField(db_default=EVERYTHING)
    xid = models.BigIntegerField()
    revoked_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["xid"], name="revocation_by_xid")]

    def __str__(self) -> str:
        return self.subject or "everything"
