"""Rows of the reviews. They are not counted: `recount` brings the aggregates up to them."""

import uuid
from datetime import UTC, datetime

import factory

from reviews import models, services
from tests.factories.base import FIRST_ID, PublicFactory
from tests.factories.products import ProductFactory


class ReviewFactory(PublicFactory):
    class Meta:
        model = models.Review

    id = factory.Sequence(lambda number: FIRST_ID + number)
    product = factory.SubFactory(ProductFactory)
    rating = 4
    created_at = datetime(2021, 6, 19, 13, 5, 59, 123_000, UTC)
    summary = "It hangs well."
    body = "I wore it to three weddings, and it never needed the iron."
    recommend = True
    response = None
    reviewer_name = "coatwearer"
    reviewer_email = "coat.wearer@example.com"
    source_helpfulness = 0
    source_reported = False


class ReviewPhotoFactory(PublicFactory):
    class Meta:
        model = models.ReviewPhoto

    id = factory.Sequence(lambda number: FIRST_ID + number)
    review = factory.SubFactory(ReviewFactory)
    url = factory.LazyAttribute(lambda photo: f"https://images.example/review/{photo.id}")


class CharacteristicFactory(PublicFactory):
    class Meta:
        model = models.Characteristic

    id = factory.Sequence(lambda number: FIRST_ID + number)
    product = factory.SubFactory(ProductFactory)
    name = "Fit"


class CharacteristicReviewFactory(PublicFactory):
    """Without arguments both rows that it joins belong to one product."""

    class Meta:
        model = models.CharacteristicReview

    id = factory.Sequence(lambda number: FIRST_ID + number)
    review = factory.SubFactory(ReviewFactory)
    characteristic = factory.SubFactory(
        CharacteristicFactory, product=factory.SelfAttribute("..review.product")
    )
    value = 3


class ReviewMetaFactory(PublicFactory):
    class Meta:
        model = models.ReviewMeta

    product = factory.SubFactory(ProductFactory)


class CharacteristicMetaFactory(PublicFactory):
    class Meta:
        model = models.CharacteristicMeta

    characteristic = factory.SubFactory(CharacteristicFactory)


class HelpfulVoteFactory(PublicFactory):
    class Meta:
        model = models.HelpfulVote

    review = factory.SubFactory(ReviewFactory)
    visitor = factory.LazyFunction(uuid.uuid4)


class ReviewReportFactory(PublicFactory):
    class Meta:
        model = models.ReviewReport

    review = factory.SubFactory(ReviewFactory)
    visitor = factory.LazyFunction(uuid.uuid4)


def recount() -> int:
    """Bring every aggregate row to what the reviews say; the number of rows that were wrong."""
    return services.rebuild_review_meta(batch=1_000_000, progress=lambda done: None)
