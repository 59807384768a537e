"""What the database holds true of the catalogue."""

import pytest
from django.db import IntegrityError

from atelier.core.database import violated_constraint
from atelier.core.pagination import Page
from atelier.core.publishing import EPOCH, publish
from products.models import (
    FARTHEST_OFFSET,
    Feature,
    Photo,
    Product,
    RelatedProduct,
    Sku,
    Style,
    product_scope,
)
from tests.factories.products import (
    PhotoFactory,
    ProductFactory,
    RelatedProductFactory,
    SkuFactory,
    StyleFactory,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("make", "constraint"),
    [
        (lambda: ProductFactory(default_price="-0.01"), "product_price_not_negative"),
        (lambda: StyleFactory(original_price=-1), "style_prices_not_negative"),
        (lambda: StyleFactory(sale_price=-1), "style_prices_not_negative"),
        (lambda: SkuFactory(quantity=-1), "sku_quantity_not_negative"),
        (
            lambda: RelatedProductFactory(
                product=(product := ProductFactory()), related_product=product
            ),
            "related_product_is_another",
        ),
    ],
)
def test_a_named_constraint_refuses_the_impossible(make, constraint):
    with publish(EPOCH), pytest.raises(IntegrityError) as refused, publish(EPOCH):
        make()
    assert violated_constraint(refused.value) == constraint


def test_a_pair_of_related_products_may_repeat():
    first = RelatedProductFactory()
    RelatedProductFactory(product=first.product, related_product=first.related_product)
    assert RelatedProduct.objects.filter(product=first.product).count() == 2


def test_ids_of_the_shop_start_at_a_thousand_million():
    with publish(EPOCH):
        product = Product.objects.create(name="Own", default_price=1)
        style = Style.objects.create(product=product, name="Own", original_price=1)
        rows = [
            product,
            style,
            Feature.objects.create(product=product, feature="Own"),
            Photo.objects.create(style=style),
            Sku.objects.create(style=style),
            RelatedProduct.objects.create(product=product, related_product=ProductFactory()),
        ]
    assert all(row.pk >= 1_000_000_000 for row in rows)


def test_deleting_a_product_takes_what_belongs_to_it():
    photo = PhotoFactory()
    RelatedProductFactory(related_product=photo.style.product)
    with publish(EPOCH):
        photo.style.product.delete()
    assert not Style.objects.exists()
    assert not Photo.objects.exists()
    assert not RelatedProduct.objects.exists()


def test_a_scope_names_its_product():
    assert product_scope(71719) == "product:71719"


def test_a_page_past_the_farthest_offset_asks_nothing(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert Product.objects.ids_of(Page(1, 5, 5, FARTHEST_OFFSET + 1)) == []
    with django_assert_num_queries(1):
        assert Product.objects.ids_of(Page(1, 5, 5, FARTHEST_OFFSET)) == []


def test_rows_name_themselves():
    product = ProductFactory(id=1, name="Camo Onesie")
    style = StyleFactory(product=product, name="Green")
    assert str(product) == "Camo Onesie"
    assert str(style) == "Green"
    assert str(SkuFactory(id=7, style=style, size="XL")) == "XL (7)"
    assert str(SkuFactory(id=8, style=style, size=None)) == "sku (8)"
    assert str(PhotoFactory(id=9, style=style)) == "photo 9"
    other = ProductFactory(id=2)
    assert str(RelatedProductFactory(product=product, related_product=other)) == "1 with 2"
