"""Rows of the catalogue. Ids count up from FIRST_ID; a test that names ids takes smaller ones."""

from datetime import UTC, datetime
from decimal import Decimal

import factory

from products import models
from tests.factories.base import FIRST_ID, PublicFactory


class ProductFactory(PublicFactory):
    class Meta:
        model = models.Product

    id = factory.Sequence(lambda number: FIRST_ID + number)
    name = factory.Sequence(lambda number: f"Linen Coat {number + 1}")
    slogan = "Made to be worn"
    description = "A light coat for cool evenings."
    category = "Coats"
    default_price = Decimal("140.00")
    created_at = datetime(2021, 8, 13, 14, 37, 33, 145_000, UTC)
    updated_at = datetime(2021, 8, 14, 9, 0, 0, 0, UTC)


class FeatureFactory(PublicFactory):
    class Meta:
        model = models.Feature

    id = factory.Sequence(lambda number: FIRST_ID + number)
    product = factory.SubFactory(ProductFactory)
    feature = "Fabric"
    value = "Linen"


class StyleFactory(PublicFactory):
    class Meta:
        model = models.Style

    id = factory.Sequence(lambda number: FIRST_ID + number)
    product = factory.SubFactory(ProductFactory)
    name = "Forest Green"
    original_price = Decimal("140.00")
    sale_price = None
    is_default = True


class PhotoFactory(PublicFactory):
    class Meta:
        model = models.Photo

    id = factory.Sequence(lambda number: FIRST_ID + number)
    style = factory.SubFactory(StyleFactory)
    url = factory.LazyAttribute(lambda photo: f"https://images.example/{photo.id}?w=668")
    thumbnail_url = factory.LazyAttribute(lambda photo: f"https://images.example/{photo.id}?w=300")


class SkuFactory(PublicFactory):
    class Meta:
        model = models.Sku

    id = factory.Sequence(lambda number: FIRST_ID + number)
    style = factory.SubFactory(StyleFactory)
    size = "M"
    quantity = 8


class RelatedProductFactory(PublicFactory):
    class Meta:
        model = models.RelatedProduct

    id = factory.Sequence(lambda number: FIRST_ID + number)
    product = factory.SubFactory(ProductFactory)
    related_product = factory.SubFactory(ProductFactory)
