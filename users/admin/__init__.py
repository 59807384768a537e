"""The staff's window, one module a subject; Django finds them here."""

from users.admin import accounts, oauth, profiles, staff, tenants

__all__ = ["accounts", "oauth", "profiles", "staff", "tenants"]
