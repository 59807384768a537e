"""Accounts of the staff. The password of each is `PASSWORD`."""

import factory
from factory.django import DjangoModelFactory, Password

from users.models import User

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
