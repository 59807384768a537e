"""What moderators decide and answer."""

import uuid
from functools import partial

import pytest

from atelier.core.models import CacheScope
from reviews import services
from reviews.models import Moderation, Review
from tests.factories.products import ProductFactory
from tests.factories.reviews import CharacteristicReviewFactory, ReviewFactory, recount

pytestmark = pytest.mark.django_db


@pytest.fixture
def review():
    """A counted review of product 1, beside another that nobody moderates."""
    product = ProductFactory(id=1)
    review = ReviewFactory(id=12, product=product, rating=5)
    CharacteristicReviewFactory(review=review, value=5, characteristic__id=3)
    other = ReviewFactory(id=13, product=product, rating=1, recommend=False)
    CharacteristicReviewFactory(review=other, value=2, characteristic_id=3)
    recount()
    return review


@pytest.fixture
def shown(get_json):
    def ids():
        answer = get_json("/reviews", {"product_id": 1})
        return sorted(entry["review_id"] for entry in answer["results"])

    return ids


@pytest.fixture
def meta(get_json):
    return lambda: get_json("/reviews/meta", {"product_id": 1})


def moderate(moderation):
    services.moderate_review(review_id=12, moderation=moderation)


def test_a_rejected_review_leaves_list_and_meta(review, shown, meta):
    moderate(Moderation.REJECTED)
    assert shown() == [13]
    assert meta() == {
        "product_id": "1",
        "ratings": {"1": "1"},
        "recommended": {"false": "1"},
        "characteristics": {"Fit": {"id": 3, "value": "2.0000000000000000"}},
    }
    assert recount() == 0


@pytest.mark.parametrize("moderation", [Moderation.APPROVED, Moderation.PENDING])
def test_a_rejection_can_be_taken_back(review, shown, meta, moderation):
    before = meta()
    moderate(Moderation.REJECTED)
    moderate(moderation)
    assert shown() == [12, 13]
    assert meta() == before
    assert recount() == 0


def test_the_same_decision_twice_counts_once(review, meta):
    for _ in range(3):
        moderate(Moderation.REJECTED)
    assert meta()["ratings"] == {"1": "1"}
    for _ in range(3):
        moderate(Moderation.APPROVED)
    assert meta()["ratings"] == {"1": "1", "5": "1"}
    assert recount() == 0


def test_the_only_review_rejected_leaves_empty_objects(get_json):
    ReviewFactory(id=12, product=ProductFactory(id=1))
    recount()
    moderate(Moderation.REJECTED)
    assert get_json("/reviews/meta", {"product_id": 1}) == {
        "product_id": "1",
        "ratings": {},
        "recommended": {},
        "characteristics": {},
    }


def test_approval_brings_a_reported_review_back_and_makes_it_immune(client, review, shown):
    client.put("/reviews/12/report")
    assert shown() == [13]
    moderate(Moderation.APPROVED)
    assert shown() == [12, 13]
    services.report_review(review_id=12, visitor=uuid.uuid4())
    assert shown() == [12, 13]


def test_approval_brings_back_a_review_that_was_imported_as_reported(shown):
    ReviewFactory(id=12, product=ProductFactory(id=1), source_reported=True)
    assert shown() == []
    moderate(Moderation.APPROVED)
    assert shown() == [12]


def test_a_reported_review_whose_approval_is_taken_back_hides_again(client, review, shown):
    client.put("/reviews/12/report")
    moderate(Moderation.APPROVED)
    moderate(Moderation.PENDING)
    assert shown() == [13]


def test_a_rejected_review_can_be_voted_for_without_showing(client, review, shown):
    moderate(Moderation.REJECTED)
    client.put("/reviews/12/helpful")
    assert Review.objects.get(pk=12).vote_count == 1
    assert shown() == [13]
    assert recount() == 0


def test_an_answer_of_the_staff_is_shown_instead_of_the_imported_one(get_json):
    ReviewFactory(id=12, product=ProductFactory(id=1), response="Imported.")

    def response():
        return get_json("/reviews", {"product_id": 1})["results"][0]["response"]

    assert response() == "Imported."
    services.respond_to_review(review_id=12, response="Ours.")
    assert response() == "Ours."
    services.respond_to_review(review_id=12, response=None)
    assert response() == "Imported."
    assert Review.objects.get(pk=12).response == "Imported."


def test_decisions_and_answers_tag_what_shows_them(review):
    CacheScope.objects.all().delete()

    def tagged(write):
        before = dict(CacheScope.objects.values_list("key", "tag"))
        write()
        after = dict(CacheScope.objects.values_list("key", "tag"))
        return {key for key, tag in after.items() if tag != before.get(key)}

    both = {"reviews:1", "reviews_meta:1"}
    assert tagged(lambda: moderate(Moderation.APPROVED)) == {"reviews:1"}
    assert tagged(lambda: moderate(Moderation.REJECTED)) == both
    assert tagged(lambda: moderate(Moderation.REJECTED)) == {"reviews:1"}
    assert tagged(lambda: moderate(Moderation.PENDING)) == both
    answer = partial(services.respond_to_review, review_id=12, response="We thank you.")
    assert tagged(answer) == {"reviews:1"}


def test_an_unknown_review_is_an_error_and_tags_nothing():
    with pytest.raises(services.UnknownReview):
        services.moderate_review(review_id=404, moderation=Moderation.APPROVED)
    with pytest.raises(services.UnknownReview):
        services.respond_to_review(review_id=404, response="Hello?")
    assert not CacheScope.objects.exists()


def test_reviews_that_wait_for_a_moderator():
    reported = ReviewFactory(report_count=1)
    imported = ReviewFactory(source_reported=True)
    ReviewFactory()
    ReviewFactory(report_count=1, moderation=Moderation.APPROVED)
    ReviewFactory(report_count=1, moderation=Moderation.REJECTED)
    assert set(Review.objects.awaiting_moderation()) == {reported, imported}
