"""Writes on tenants and clients."""

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from atelier.core.database import violated_constraint
from atelier.core.errors import Conflict, Invalid, NotFound
from users.models import Client, Tenant, User

SHORTEST_SECRET = 32


class TenantExists(Conflict):
    code = "tenant_exists"


class UnknownTenant(NotFound):
    code = "unknown_tenant"


class ClientExists(Conflict):
    code = "client_exists"


class InvalidClient(Invalid):
    code = "invalid_client"


class WeakSecret(Invalid):
    code = "weak_secret"


@dataclass(frozen=True, slots=True)
class NewClient:
    """A client, and its secret, which is kept nowhere."""

    client: Client
    secret: str


def create_tenant(*, name: str, title: str = "", by: User | None = None) -> Tenant:
    """Add a tenant, with its first row of history. Raises TenantExists."""
    tenant = Tenant(name=name, title=title)
    tenant._history_user = by  # type: ignore[attr-defined]
    try:
        with transaction.atomic():
            tenant.save(force_insert=True)
    except IntegrityError as error:
        if violated_constraint(error) == "one_tenant_a_name":
            raise TenantExists(f"There is a tenant {name} already.") from error
        raise
    return tenant


def update_tenant(
    *, tenant_id: UUID, changes: Mapping[str, object], by: User | None = None
) -> Tenant:
    """Change a tenant, with a row of history. Tokens of one that is made inactive end within a
    second. Raises UnknownTenant. Locks its row."""
    with transaction.atomic():
        tenant = Tenant.objects.select_for_update().filter(pk=tenant_id).first()
        if tenant is None:
            raise UnknownTenant("There is no such tenant.")
        for field, value in changes.items():
            setattr(tenant, field, value)
        tenant._history_user = by  # type: ignore[attr-defined]
        tenant.save(force_update=True)
    return tenant


def register_client(
    *,
    name: str,
    tenant: Tenant,
    scopes: Collection[str],
    grant: str = Client.GRANT_CLIENT_CREDENTIALS,
    client_type: str = Client.CLIENT_CONFIDENTIAL,
    redirect_uris: str = "",
    client_id: str = "",
    secret: str = "",
) -> NewClient:
    """Add a client, under an id and a secret that are made unless given.

    Raises ClientExists, InvalidClient for redirect URIs that could never be used, and WeakSecret
    for a secret below 32 characters.
    """
    known = secret or secrets.token_urlsafe(48)
    if len(known) < SHORTEST_SECRET:
        raise WeakSecret(f"A client's secret has {SHORTEST_SECRET} characters at least.")
    client = Client(
        name=name,
        tenant=tenant,
        allowed_scopes=sorted(scopes),
        authorization_grant_type=grant,
        client_type=client_type,
        redirect_uris=redirect_uris,
        client_secret=known,
    )
    if client_id:
        client.client_id = client_id
    try:
        client.clean()
    except ValidationError as error:
        raise InvalidClient(" ".join(error.messages)) from error
    try:
        with transaction.atomic():
            client.save(force_insert=True)
    except IntegrityError as error:
        if violated_constraint(error).startswith("users_client_client_id"):
            raise ClientExists(f"There is a client {client_id} already.") from error
        raise
    return NewClient(client, known)


def update_client(*, client_id: int, changes: Mapping[str, object]) -> None:
    """Change a client's row. Its tokens see it within a second."""
    Client.objects.filter(pk=client_id).update(**changes)
