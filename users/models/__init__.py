"""What is true of the people who use the site and of those who run it, one module a subject."""

from users.models.accounts import Account, SubscriptionStatus, user_scope
from users.models.staff import User

__all__ = ["Account", "SubscriptionStatus", "User", "user_scope"]
