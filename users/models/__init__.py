"""What is true of those who use the site, call it and run it, one module a subject."""

from users.models.accounts import Account, SubscriptionStatus, user_scope
from users.models.oauth import EVERYTHING, Client, Revocation, Scope
from users.models.profiles import (
    DEFAULT_PROFILE_TYPE,
    Preference,
    Profile,
    ProfileQuerySet,
    profile_scope,
)
from users.models.search import SORTS, SearchCount, SearchMap, SearchWord, SearchZone
from users.models.staff import User
from users.models.tenants import DEFAULT_TENANT, Tenant, TenantQuerySet

__all__ = [
    "DEFAULT_PROFILE_TYPE",
    "DEFAULT_TENANT",
    "EVERYTHING",
    "SORTS",
    "Account",
    "Client",
    "Preference",
    "Profile",
    "ProfileQuerySet",
    "Revocation",
    "Scope",
    "SearchCount",
    "SearchMap",
    "SearchWord",
    "SearchZone",
    "SubscriptionStatus",
    "Tenant",
    "TenantQuerySet",
    "User",
    "profile_scope",
    "user_scope",
]
