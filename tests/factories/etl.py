"""Accounts of imports."""

from datetime import UTC, datetime

import factory
from factory.django import DjangoModelFactory

from etl import models


class ImportRunFactory(DjangoModelFactory):
    class Meta:
        model = models.ImportRun

    command = "import_products"
    sources = factory.LazyFunction(lambda: ["product.csv"])
    status = models.ImportRun.Status.DONE
    finished_at = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


class ImportFileFactory(DjangoModelFactory):
    """One header line and ten records, all loaded."""

    class Meta:
        model = models.ImportFile

    run = factory.SubFactory(ImportRunFactory)
    name = "product.csv"
    path = "product.csv"
    lines = 11
    blank = 0
    continued = 0
    read = 10
    accepted = factory.LazyAttribute(
        lambda file: file.loaded + file.updated + file.unchanged + file.skipped
    )
    loaded = 10
    updated = 0
    unchanged = 0
    skipped = 0
    is_finished = True
    duplicate = 0
    rejected = 0


class ImportRejectFactory(DjangoModelFactory):
    class Meta:
        model = models.ImportReject

    file = factory.SubFactory(ImportFileFactory)
    line = factory.Sequence(lambda number: number + 2)
    column = "product_id"
    reason = "missing_parent"
    value = "99"
    original = b"9,99,1"
