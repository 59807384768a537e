"""The counters behind /reviews/meta agree with the reviews, whatever was done to them."""

import io
import random
import uuid
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from atelier.core.models import CacheScope
from atelier.core.publishing import EPOCH, publish
from reviews import services
from reviews.models import (
    Characteristic,
    CharacteristicMeta,
    CharacteristicReview,
    HelpfulVote,
    Moderation,
    Review,
    ReviewMeta,
    ReviewReport,
)
from tests.factories.products import ProductFactory
from tests.factories.reviews import (
    CharacteristicFactory,
    CharacteristicMetaFactory,
    CharacteristicReviewFactory,
    ReviewFactory,
    ReviewMetaFactory,
    recount,
)

pytestmark = pytest.mark.django_db


def expected_meta(product_id):
    """The meta answer counted in Python, row by row, from the reviews themselves."""
    counted = list(
        Review.objects.filter(product_id=product_id).exclude(moderation=Moderation.REJECTED)
    )
    ratings, recommended, characteristics = {}, {}, {}
    for stars in range(1, 6):
        if number := sum(review.rating == stars for review in counted):
            ratings[str(stars)] = str(number)
    for answer in (False, True):
        if number := sum(review.recommend is answer for review in counted):
            recommended[str(answer).lower()] = str(number)
    for characteristic in Characteristic.objects.filter(product_id=product_id).order_by("id"):
        values = [
            rated.value
            for rated in CharacteristicReview.objects.filter(characteristic=characteristic)
            if rated.review_id in {review.pk for review in counted}
        ]
        characteristics[characteristic.name] = {
            "id": characteristic.pk,
            "value": sixteen_decimals(Fraction(sum(values), len(values))) if values else None,
        }
    return {
        "product_id": str(product_id),
        "ratings": ratings,
        "recommended": recommended,
        "characteristics": characteristics,
    }


def sixteen_decimals(mean):
    scaled = Decimal(mean.numerator * 10**20) / Decimal(mean.denominator)
    return str((scaled / 10**20).quantize(Decimal("1e-16"), ROUND_HALF_UP))


def some_review(product_id, chance):
    names = list(Characteristic.objects.filter(product_id=product_id).values_list("id", flat=True))
    return services.create_review(
        product_id=product_id,
        rating=chance.randint(1, 5),
        summary="",
        body="Any.",
        recommend=chance.random() < 0.5,
        reviewer_name="any",
        reviewer_email="any@example.com",
        characteristics={
            number: chance.randint(1, 5)
            for number in chance.sample(names, chance.randint(0, len(names)))
        },
    )


@pytest.mark.parametrize("seed", range(5))
def test_f22_aggregates_equal_a_recount_after_any_sequence_of_operations(get_json, seed):
    chance = random.Random(seed)
    products = [ProductFactory().pk for _ in range(2)]
    for product_id in products:
        for name in ("Fit", "Length", "Comfort"):
            CharacteristicFactory(product_id=product_id, name=name)
    visitors = [uuid.UUID(int=number) for number in range(3)]
    reviews = [some_review(product_id, chance).pk for product_id in products]
    voted, reported = set(), set()
    for _ in range(120):
        review_id, visitor = chance.choice(reviews), chance.choice(visitors)
        match chance.randrange(4):
            case 0:
                reviews.append(some_review(chance.choice(products), chance).pk)
            case 1:
                fresh = services.mark_helpful(review_id=review_id, visitor=visitor)
                assert fresh == ((review_id, visitor) not in voted)
                voted.add((review_id, visitor))
            case 2:
                fresh = services.report_review(review_id=review_id, visitor=visitor)
                assert fresh == ((review_id, visitor) not in reported)
                reported.add((review_id, visitor))
            case 3:
                moderation = chance.choice(Moderation.values)
                services.moderate_review(review_id=review_id, moderation=Moderation(moderation))
    for product_id in products:
        assert get_json("/reviews/meta", {"product_id": product_id}) == expected_meta(product_id)
    for review in Review.objects.all():
        assert review.vote_count == sum(number == review.pk for number, _ in voted)
        assert review.report_count == sum(number == review.pk for number, _ in reported)
    assert HelpfulVote.objects.count() == len(voted)
    assert ReviewReport.objects.count() == len(reported)
    assert recount() == 0


def rebuild(**options):
    """What the command says on standard output."""
    said = io.StringIO()
    call_command("rebuild_review_meta", stdout=said, stderr=io.StringIO(), **options)
    return said.getvalue()


@pytest.fixture
def reviewed():
    """Two products with two reviews each, their aggregates right."""
    for product_id in (1, 2):
        product = ProductFactory(id=product_id)
        fit = CharacteristicFactory(product=product)
        for rating in (2, 5):
            CharacteristicReviewFactory(
                review=ReviewFactory(product=product, rating=rating),
                characteristic=fit,
                value=rating,
            )
    recount()


def aggregates():
    return (
        sorted(ReviewMeta.objects.values_list()),
        sorted(CharacteristicMeta.objects.values_list()),
    )


def test_rebuild_with_nothing_wrong_changes_and_tags_nothing(reviewed):
    before, tags = aggregates(), dict(CacheScope.objects.values_list("key", "tag"))
    assert rebuild() == "0 aggregate rows were wrong and are mended.\n"
    assert aggregates() == before
    assert dict(CacheScope.objects.values_list("key", "tag")) == tags


@pytest.mark.parametrize("batch", [1, 2, 20_000])
def test_rebuild_mends_broken_counters_and_tells_their_number(get_json, reviewed, batch):
    before, tags = aggregates(), dict(CacheScope.objects.values_list("key", "tag"))
    with publish(EPOCH):
        ReviewMeta.objects.filter(pk=1).update(rating_1=7, rating_5=0)
        ReviewMeta.objects.filter(pk=2).update(not_recommended_count=1)
        CharacteristicMeta.objects.filter(characteristic__product=2).update(value_sum=1)
    assert rebuild(batch=batch) == "3 aggregate rows were wrong and are mended.\n"
    assert aggregates() == before
    assert CacheScope.objects.get(key=EPOCH).tag != tags[EPOCH]
    for product_id in (1, 2):
        assert get_json("/reviews/meta", {"product_id": product_id}) == expected_meta(product_id)
    assert rebuild(batch=batch).startswith("0 ")


def test_rebuild_brings_missing_rows_back(reviewed):
    before = aggregates()
    with publish(EPOCH):
        ReviewMeta.objects.filter(pk=1).delete()
        CharacteristicMeta.objects.all().delete()
    assert rebuild() == "3 aggregate rows were wrong and are mended.\n"
    assert aggregates() == before


def test_rebuild_empties_counters_of_products_without_reviews():
    bare = ProductFactory()
    ReviewMetaFactory(product=bare, rating_3=5, recommended_count=5)
    CharacteristicMetaFactory(characteristic__product=bare, value_sum=9, value_count=3)
    assert rebuild() == "2 aggregate rows were wrong and are mended.\n"
    assert ReviewMeta.objects.get(pk=bare.pk).rating_3 == 0
    assert CharacteristicMeta.objects.get().value_count == 0
    assert rebuild().startswith("0 ")


def test_rebuild_leaves_rejected_reviews_out(reviewed):
    product = ProductFactory(id=3)
    ReviewFactory(product=product, moderation=Moderation.REJECTED)
    assert rebuild().startswith("0 ")
    ReviewFactory(product=product, rating=4)
    assert rebuild().startswith("1 ")
    assert ReviewMeta.objects.get(pk=3).rating_4 == 1


def test_rebuild_does_not_walk_the_gap_between_imported_and_own_ids(reviewed):
    ReviewFactory(product=ProductFactory(id=2_000_000_000))
    progress = []
    assert services.rebuild_review_meta(batch=10, progress=progress.append) == 1
    assert progress == [10, 2_000_000_009]


@pytest.mark.parametrize("batch", [0, -1])
def test_rebuild_refuses_a_batch_of_nothing(batch):
    with pytest.raises(CommandError, match="at least 1"):
        rebuild(batch=batch)


def test_rebuild_of_an_empty_database_is_quiet():
    assert rebuild() == "0 aggregate rows were wrong and are mended.\n"
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM reviews_reviewmeta")
        assert cursor.fetchone() == (0,)
