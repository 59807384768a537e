"""Accounts, and users of the staff; the password of each of these is `PASSWORD`."""

import factory
from factory.django import DjangoModelFactory, Password

from users.models import Account, SubscriptionStatus, User

PASSWORD = "correct horse battery staple"


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
