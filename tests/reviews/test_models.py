"""What the database holds true of reviews."""

import uuid

import pytest
from django.db import IntegrityError
from django.db.models import ProtectedError

from atelier.core.database import violated_constraint
from atelier.core.publishing import EPOCH, publish
from reviews.models import Moderation, Review, meta_scope, reviews_scope
from tests.factories.products import ProductFactory
from tests.factories.reviews import (
    CharacteristicMetaFactory,
    CharacteristicReviewFactory,
    HelpfulVoteFactory,
    ReviewFactory,
    ReviewMetaFactory,
    ReviewPhotoFactory,
    ReviewReportFactory,
)

pytestmark = pytest.mark.django_db

VISITOR = uuid.UUID(int=1)


def twice(factory):
    first = factory(visitor=VISITOR)
    factory(review=first.review, visitor=VISITOR)


@pytest.mark.parametrize(
    ("make", "constraint"),
    [
        (lambda: ReviewFactory(rating=0), "review_rating_from_1_to_5"),
        (lambda: ReviewFactory(rating=6), "review_rating_from_1_to_5"),
        (lambda: ReviewFactory(moderation="maybe"), "review_moderation_known"),
        (lambda: ReviewFactory(vote_count=-1), "review_counters_not_negative"),
        (lambda: ReviewFactory(report_count=-1), "review_counters_not_negative"),
        (lambda: ReviewFactory(source_helpfulness=-1), "review_counters_not_negative"),
        (lambda: CharacteristicReviewFactory(value=0), "characteristic_value_from_1_to_5"),
        (lambda: CharacteristicReviewFactory(value=6), "characteristic_value_from_1_to_5"),
        (lambda: ReviewMetaFactory(rating_2=-1), "review_meta_counters_not_negative"),
        (lambda: CharacteristicMetaFactory(value_sum=-1), "characteristic_meta_not_negative"),
        (lambda: twice(HelpfulVoteFactory), "one_vote_a_visitor"),
        (lambda: twice(ReviewReportFactory), "one_report_a_visitor"),
    ],
)
def test_a_named_constraint_refuses_the_impossible(make, constraint):
    with publish(EPOCH), pytest.raises(IntegrityError) as refused, publish(EPOCH):
        make()
    assert violated_constraint(refused.value) == constraint


@pytest.mark.parametrize(
    ("moderation", "source_reported", "report_count", "is_listed"),
    [
        (Moderation.PENDING, False, 0, True),
        (Moderation.PENDING, True, 0, False),
        (Moderation.PENDING, False, 1, False),
        (Moderation.APPROVED, True, 3, True),
        (Moderation.APPROVED, False, 0, True),
        (Moderation.REJECTED, False, 0, False),
        (Moderation.REJECTED, True, 3, False),
    ],
)
def test_what_is_listed(moderation, source_reported, report_count, is_listed):
    review = ReviewFactory(
        moderation=moderation, source_reported=source_reported, report_count=report_count
    )
    assert review.is_listed is is_listed
    assert Review.objects.listed().filter(pk=review.pk).exists() is is_listed


def test_helpfulness_is_the_imported_and_the_visitors_votes():
    assert ReviewFactory(source_helpfulness=28, vote_count=2).helpfulness == 30


def test_a_product_with_reviews_is_not_deleted():
    review = ReviewFactory()
    with publish(EPOCH), pytest.raises(ProtectedError):
        review.product.delete()


def test_deleting_a_review_takes_what_belongs_to_it():
    review = ReviewPhotoFactory().review
    HelpfulVoteFactory(review=review)
    ReviewReportFactory(review=review)
    CharacteristicReviewFactory(review=review)
    with publish(EPOCH):
        review.delete()
    assert not Review.objects.exists()


def test_a_scope_names_its_product():
    assert reviews_scope(71719) == "reviews:71719"
    assert meta_scope(71719) == "reviews_meta:71719"


def test_rows_name_themselves():
    review = ReviewFactory(id=5, product=ProductFactory(id=1))
    rated = CharacteristicReviewFactory(review=review, value=4, characteristic__id=9)
    assert str(review) == "review 5"
    assert str(ReviewPhotoFactory(id=6, review=review)) == "photo 6"
    assert str(rated.characteristic) == "Fit"
    assert str(rated) == "9: 4"
    assert str(ReviewMetaFactory(product_id=1)) == "meta of product 1"
    assert str(CharacteristicMetaFactory(characteristic_id=9)) == "meta of characteristic 9"
    assert str(HelpfulVoteFactory(review=review)) == "vote on review 5"
    assert str(ReviewReportFactory(review=review)) == "report of review 5"
