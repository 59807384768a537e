from django.contrib.auth.models import AbstractUser


# What points here stands on a class without types.
class User(AbstractUser):  # type: ignore[django-manager-missing]
    """An account of the staff."""
