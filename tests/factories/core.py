"""Cache scopes, as they stand after a write."""

import factory
from factory.django import DjangoModelFactory

from atelier.core.models import CacheScope


class CacheScopeFactory(DjangoModelFactory):
    class Meta:
        model = CacheScope

    key = factory.Sequence(lambda number: f"product:{number + 1}")
