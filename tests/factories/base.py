"""Factories whose rows go through the write door."""

from typing import Any

from django.db import connection, models
from factory.django import DjangoModelFactory

from atelier.core.publishing import EPOCH, publish

# The data set's range, above the ids that tests name themselves.
FIRST_ID = 10_001


class PublicFactory(DjangoModelFactory):
    """Writes a row of a public table, through a door of its own where none is open."""

    class Meta:
        abstract = True

    @classmethod
    def _create(
        cls, model_class: type[models.Model], *args: Any, **kwargs: Any
    ) -> models.Model:
        if getattr(connection, "publication", None) is not None:
            return super()._create(model_class, *args, **kwargs)
        with publish(EPOCH):
            return super()._create(model_class, *args, **kwargs)
