"""Moderating, answering and deleting reviews over the API."""

import uuid

import orjson
import pytest

from reviews import services
from reviews.models import (
    CharacteristicReview,
    HelpfulVote,
    Moderation,
    Review,
    ReviewPhoto,
    ReviewReport,
)
from tests.factories.products import ProductFactory
from tests.factories.reviews import CharacteristicReviewFactory, ReviewFactory, recount
from tests.factories.users import bearer, give_token
from tests.staff import retagged

pytestmark = pytest.mark.django_db


@pytest.fixture
def review():
    made = ReviewFactory(id=11, product=ProductFactory(id=1), rating=4, recommend=True)
    CharacteristicReviewFactory(review=made, characteristic__id=7, value=5)
    recount()
    return made


@pytest.fixture
def api(client):
    token = bearer(give_token(scopes=["moderation"]))

    def send(method, path, body=None):
        data = b"" if body is None else orjson.dumps(body)
        return client.generic(method, path, data, "application/json", headers=token)

    return send


def test_a_review_is_rejected_and_leaves_list_and_meta(api, get_json, review):
    with retagged() as scopes:
        response = api("PATCH", "/reviews/11", {"moderation": "rejected"})
    assert response.status_code == 200
    assert orjson.loads(response.content) == {
        "review_id": 11,
        "product_id": 1,
        "moderation": "rejected",
        "listed": False,
        "response": None,
    }
    assert get_json("/reviews", {"product_id": 1})["results"] == []
    assert get_json("/reviews/meta", {"product_id": 1})["ratings"] == {}
    assert scopes == {"reviews:1", "reviews_meta:1"}


def test_a_review_is_approved_and_answered_in_one_go(api, get_json, review):
    services.report_review(review_id=11, visitor=uuid.uuid4())
    assert get_json("/reviews", {"product_id": 1})["results"] == []
    body = {"moderation": "approved", "response": "Thank you."}
    assert orjson.loads(api("PATCH", "/reviews/11", body).content)["listed"] is True
    [shown] = get_json("/reviews", {"product_id": 1})["results"]
    assert shown["response"] == "Thank you."
    api("PATCH", "/reviews/11", {"response": None})
    [shown] = get_json("/reviews", {"product_id": 1})["results"]
    assert shown["response"] == review.response


def test_a_review_is_deleted_and_counted_no_longer(api, get_json, review):
    services.mark_helpful(review_id=11, visitor=uuid.uuid4())
    services.report_review(review_id=11, visitor=uuid.uuid4())
    with retagged() as scopes:
        assert api("DELETE", "/reviews/11").status_code == 204
    meta = get_json("/reviews/meta", {"product_id": 1})
    assert meta["ratings"] == meta["recommended"] == {}
    [characteristic] = meta["characteristics"].values()
    assert characteristic == {"id": 7, "value": None}
    assert scopes == {"reviews:1", "reviews_meta:1"}
    for model in (Review, ReviewPhoto, CharacteristicReview, HelpfulVote, ReviewReport):
        assert not model.objects.exists()


def test_a_rejected_review_that_is_deleted_is_not_counted_off_twice(api, get_json, review):
    ReviewFactory(id=12, product_id=1, rating=4, recommend=True)
    recount()
    api("PATCH", "/reviews/11", {"moderation": "rejected"})
    assert api("DELETE", "/reviews/11").status_code == 204
    assert get_json("/reviews/meta", {"product_id": 1})["ratings"] == {"4": "1"}


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("review_id", ["404", "x", str(2**63)])
def test_an_unknown_review_is_404_as_a_problem(api, method, review_id):
    response = api(method, f"/reviews/{review_id}", {"response": "x"})
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"moderation": "deleted"},
        {"moderation": None},
        {"response": ""},
        {"response": 5},
        {"response": "a\0b"},
        {"response": "x" * 10_001},
        {"moderation": "approved", "rating": 5},
    ],
)
def test_a_bad_decision_changes_nothing(api, review, body):
    row = Review.objects.values()[0]
    response = api("PATCH", "/reviews/11", body)
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert list(Review.objects.values()) == [row]


def fields():
    names = set()
    for column in Review._meta.get_fields():
        names |= {column.name, getattr(column, "attname", column.name)}
    return sorted(names - {"moderation", "response"})


@pytest.mark.parametrize("name", [*fields(), "pk", "review_id", "listed"])
def test_f14_no_other_field_of_a_review_can_be_set(api, review, name):
    row = Review.objects.values()[0]
    response = api("PATCH", "/reviews/11", {"moderation": "approved", name: 7})
    assert response.status_code == 400
    assert orjson.loads(response.content)["errors"] == [
        {"pointer": f"/{name}", "detail": "Unknown field."}
    ]
    assert list(Review.objects.values()) == [row]


def test_moderation_knows_its_values():
    assert set(Moderation.values) == {"pending", "approved", "rejected"}
