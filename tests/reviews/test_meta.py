"""GET /reviews/meta (contract 1.3)."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from reviews.models import Moderation
from tests.factories.products import ProductFactory
from tests.factories.reviews import (
    CharacteristicFactory,
    CharacteristicReviewFactory,
    ReviewFactory,
    recount,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def rated():
    """Nineteen counted reviews, one of them reported, and a rejected one that would show."""
    product = ProductFactory(id=1)
    reviews = [
        ReviewFactory(product=product, rating=rating, recommend=True)
        for rating in [1, 4, 4] + [5] * 16
    ]
    rejected = ReviewFactory(
        product=product, rating=2, recommend=False, moderation=Moderation.REJECTED
    )
    fit = CharacteristicFactory(id=21, product=product, name="Fit")
    width = CharacteristicFactory(id=22, product=product, name='Width "wide"')
    CharacteristicFactory(id=23, product=product, name="Fit")
    comfort = CharacteristicFactory(id=24, product=product, name="Comfort")
    CharacteristicFactory(id=25, product=product, name="Quality")
    CharacteristicFactory(id=26, name="Size")
    # 61 / 19, 4 / 1 and 5 / 3.
    for review, value in zip(reviews, [3] * 16 + [5, 5, 3], strict=True):
        CharacteristicReviewFactory(review=review, characteristic=fit, value=value)
    CharacteristicReviewFactory(review=reviews[0], characteristic=width, value=4)
    for review, value in zip(reviews[:3], [1, 2, 2], strict=True):
        CharacteristicReviewFactory(review=review, characteristic=comfort, value=value)
    CharacteristicReviewFactory(review=rejected, characteristic=fit, value=1)
    recount()


@pytest.mark.parametrize(
    "path",
    ["/reviews/meta?product_id=1", "/reviews/meta/?product_id=1", "/reviews/meta?x&product_id=01"],
)
def test_meta_matches_its_golden_file(client, golden, rated, path):
    response = client.get(path)
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json; charset=utf-8"
    assert response.content == golden("reviews_meta")


def test_meta_of_an_unknown_product_has_three_empty_objects(client, golden, rated):
    response = client.get("/reviews/meta?product_id=404")
    assert response.status_code == 200
    assert response.content == golden("reviews_meta_unknown")


def test_only_negative_recommendations_leave_the_other_key_out(get_json):
    ReviewFactory(product=ProductFactory(id=1), recommend=False)
    recount()
    assert get_json("/reviews/meta", {"product_id": 1})["recommended"] == {"false": "1"}


def test_both_recommendations_stand_with_false_first(client):
    product = ProductFactory(id=1)
    ReviewFactory(product=product, recommend=True)
    ReviewFactory.create_batch(2, product=product, recommend=False)
    recount()
    content = client.get("/reviews/meta?product_id=1").content
    assert b'"recommended":{"false":"2","true":"1"}' in content


def test_head_and_etag(client, rated):
    path = "/reviews/meta?product_id=1"
    got, head = client.get(path), client.head(path)
    assert (head.status_code, head.content, head["ETag"]) == (200, b"", got["ETag"])
    again = client.get(path, headers={"if-none-match": got["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_f25_meta_is_one_statement_whatever_it_holds(client, rated):
    with CaptureQueriesContext(connection) as empty:
        client.get("/reviews/meta?product_id=404")
    with CaptureQueriesContext(connection) as full:
        client.get("/reviews/meta?product_id=1")
    assert len(empty) == len(full) == 1
