from users.models.oauth import EVERYTHING, Client, Revocation, Scope
from users.models.staff import User
from users.models.tenants import DEFAULT_TENANT, Tenant, TenantQuerySet

__all__ = [
    "DEFAULT_TENANT",
    "EVERYTHING",
    "Client",
    "Revocation",
    "Scope",
    "Tenant",
    "TenantQuerySet",
    "User",
]
