"""Every write on products goes through the door, with the scopes of the answers it changes."""

from decimal import Decimal

import pytest
from django.db import connection

from atelier.core.models import CacheScope
from atelier.core.publishing import EPOCH, publish
from products import services
from products.models import Product, RelatedProduct, Style
from reviews.models import Review, reviews_scope
from reviews.services import InvalidReview, create_review
from tests.factories.products import (
    FeatureFactory,
    PhotoFactory,
    ProductFactory,
    RelatedProductFactory,
    SkuFactory,
    StyleFactory,
)
from tests.factories.reviews import CharacteristicFactory, ReviewFactory
from tests.threads import Aside
from tests.waiting import wait_for_blocked

pytestmark = pytest.mark.django_db


@pytest.fixture
def tagged():
    """The scopes that a write has tagged, told by their tags before it."""

    def tags():
        return dict(CacheScope.objects.values_list("key", "tag"))

    class Tagged:
        def __enter__(self):
            self.before = tags()
            return self

        def __exit__(self, *error):
            self.scopes = {key for key, tag in tags().items() if self.before.get(key) != tag}

    return Tagged()


def test_a_product_is_created_in_the_shops_own_range(get_json, tagged):
    with tagged:
        product = services.create_product(name="Own coat", default_price=Decimal("12.50"))
    assert product.pk >= 1_000_000_000
    assert tagged.scopes == {"catalogue", f"product:{product.pk}"}
    shown = get_json(f"/products/{product.pk}")
    assert (shown["name"], shown["default_price"], shown["slogan"]) == ("Own coat", "12.50", "")


def test_a_reserved_id_is_never_handed_out_again():
    reserved = services.reserve_product_id()
    product = services.create_product(name="Own", default_price=Decimal(1), product_id=reserved)
    assert product.pk == reserved >= 1_000_000_000
    assert services.reserve_product_id() > reserved
    with publish(EPOCH):
        assert Product.objects.create(name="Next", default_price=1).pk > reserved + 1


def test_a_change_of_a_product_is_timed_and_tags_its_answers(get_json, tagged):
    product = ProductFactory(id=1)
    with tagged:
        services.update_product(product_id=1, changes={"slogan": "New"})
    assert tagged.scopes == {"catalogue", "product:1"}
    changed = Product.objects.get()
    assert (changed.slogan, changed.name) == ("New", product.name)
    assert changed.updated_at > product.updated_at
    assert changed.created_at == product.created_at


def test_a_change_of_an_unknown_product_is_an_error_and_tags_nothing(tagged):
    with tagged, pytest.raises(services.UnknownProduct):
        services.update_product(product_id=404, changes={"slogan": "New"})
    assert tagged.scopes == set()


def test_a_deleted_product_takes_its_rows_and_tags_every_answer_it_was_in(client, tagged):
    showing = RelatedProductFactory(product=ProductFactory(id=2), related_product__id=1)
    ProductFactory(id=3)
    style = StyleFactory(product_id=1)
    PhotoFactory(style=style)
    SkuFactory(style=style)
    FeatureFactory(product_id=1)
    with tagged:
        assert services.delete_products(product_ids=[1, 404]) == 1
    assert tagged.scopes == {
        "catalogue",
        "product:1",
        "product:2",
        "product:404",
        "reviews:1",
        "reviews:404",
    }
    assert client.get("/products/1").status_code == 404
    assert client.get(f"/products/{showing.product_id}/related").content == b"[]"
    assert not Style.objects.exists()
    assert set(Product.objects.values_list("id", flat=True)) == {2, 3}


@pytest.mark.parametrize(
    ("protect", "what"),
    [
        (lambda: ReviewFactory(product_id=1), "reviews"),
        (lambda: CharacteristicFactory(product_id=1), "characteristics"),
    ],
)
def test_a_product_in_use_is_not_deleted_nor_any_with_it(tagged, protect, what):
    ProductFactory(id=1)
    ProductFactory(id=2)
    protect()
    with tagged, pytest.raises(services.ProductInUse, match=what):
        services.delete_products(product_ids=[1, 2])
    assert Product.objects.count() == 2
    assert tagged.scopes == set()


def test_scopes_of_styles_are_those_of_their_products():
    first, second = StyleFactory(product__id=7), StyleFactory(product__id=5)
    again = StyleFactory(product_id=7)
    ids = [first.pk, second.pk, again.pk, 404]
    assert services.style_scopes(ids) == ["product:5", "product:7"]
    assert services.style_scopes([404]) == []


def test_the_review_scope_is_named_as_the_reviews_name_it():
    ProductFactory(id=7)
    assert reviews_scope(7) in services.deletion_scopes([7])


@pytest.mark.django_db(transaction=True)
def test_f22_a_review_that_waits_for_a_product_being_deleted_is_refused():
    ProductFactory(id=1)

    def write():
        with pytest.raises(InvalidReview):
            create_review(
                product_id=1,
                rating=5,
                summary="",
                body="b",
                recommend=True,
                reviewer_name="n",
                reviewer_email="e",
                characteristics={},
            )

    with publish(*services.deletion_scopes([1])):
        assert services.delete_products(product_ids=[1]) == 1
        review = Aside(write)
        wait_for_blocked()
    with review:
        review.result()
    assert not Product.objects.exists()
    assert not Review.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_f22_a_deletion_that_waits_for_a_review_is_refused():
    ProductFactory(id=1)

    def delete():
        with pytest.raises(services.ProductInUse):
            services.delete_products(product_ids=[1])

    with publish(reviews_scope(1)):
        Review.objects.create(product_id=1, rating=5, recommend=True)
        deletion = Aside(delete)
        wait_for_blocked()
    with deletion:
        deletion.result()
    assert Review.objects.count() == Product.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_f22_a_deletion_that_finds_new_relations_is_refused():
    ProductFactory(id=1)
    ProductFactory(id=2)

    def delete():
        with pytest.raises(services.ProductChanged):
            services.delete_products(product_ids=[1])

    with publish("product:2"):
        RelatedProduct.objects.create(product_id=2, related_product_id=1)
        # The foreign key's check, else made at the commit, locks the product.
        connection.check_constraints()
        deletion = Aside(delete)
        wait_for_blocked()
    with deletion:
        deletion.result()
    assert RelatedProduct.objects.count() == 1
    assert Product.objects.count() == 2
