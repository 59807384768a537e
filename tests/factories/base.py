"""Factories whose rows go through the write door."""

from typing import Any

from django.db import connection, models
from factory.django import DjangoModelFactory

from atelier.core.publishing import EPOCH, publish

# The data set's range, above the ids that tests name themselves.
FIRST_ID = 10_001


class PublicFactory(DjangoModelFactory):
    """Writes a row of a public table, through a door of its own where none is open.

    `product_id=1` points at a row that is there, and makes no other product.
    """

    class Meta:
        abstract = True

    @classmethod
    def _generate(cls, strategy: str, params: dict[str, Any]) -> Any:
        pointed = {name.removesuffix("_id") for name in params if name.endswith("_id")}
        made = pointed & set(cls._meta.pre_declarations.as_dict())
        return super()._generate(strategy, {**params, **dict.fromkeys(made)})

    @classmethod
    def _create(cls, model_class: type[models.Model], *args: Any, **kwargs: Any) -> models.Model:
        fields = {
            name: value
            for name, value in kwargs.items()
            if value is not None or f"{name}_id" not in kwargs
        }
        if getattr(connection, "publication", None) is not None:
            return super()._create(model_class, *args, **fields)
        with publish(EPOCH):
            return super()._create(model_class, *args, **fields)
