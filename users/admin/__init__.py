"""The staff's window, one module a subject; Django finds them here."""

from users.admin import accounts, staff

__all__ = ["accounts", "staff"]
