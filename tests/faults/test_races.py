"""F22: races on real connections leave exactly one row a visitor, and counters equal a recount."""

import random
import uuid
from functools import partial

import pytest
from django.test import Client

from atelier.core.publishing import EPOCH, publish
from reviews import services
from reviews.models import (
    CharacteristicReview,
    HelpfulVote,
    Moderation,
    Review,
    ReviewMeta,
    ReviewReport,
    meta_scope,
    reviews_scope,
)
from tests.factories.products import ProductFactory
from tests.factories.reviews import CharacteristicFactory, ReviewFactory, recount
from tests.threads import Aside, Crew
from tests.waiting import wait_for_blocked

pytestmark = pytest.mark.django_db(transaction=True)

# Each race runs at a short size, and at the full one in the long run.
ROUNDS = pytest.mark.parametrize("rounds", [15, pytest.param(1_000, marks=pytest.mark.long)])
CREW = 6


@pytest.fixture
def product():
    product = ProductFactory(id=1)
    CharacteristicFactory(id=14, product=product, name="Fit")
    return product


@pytest.fixture
def crew():
    with Crew(CREW) as crew:
        yield crew


def put(path, agent):
    """A request of a browser of its own."""
    client = Client(SERVER_NAME="localhost", HTTP_USER_AGENT=agent)
    return lambda: client.put(path).status_code


@pytest.mark.parametrize(
    ("verb", "kind", "counter"),
    [("helpful", HelpfulVote, "vote_count"), ("report", ReviewReport, "report_count")],
)
@ROUNDS
def test_f22_the_same_visitor_at_the_same_moment_counts_once(
    product, crew, rounds, verb, kind, counter
):
    for _ in range(rounds):
        review = ReviewFactory(product=product)
        statuses = crew.run([put(f"/reviews/{review.pk}/{verb}", "one agent")] * CREW)
        assert statuses == [204] * CREW
        assert kind.objects.filter(review=review).count() == 1
        assert getattr(Review.objects.get(pk=review.pk), counter) == 1


@pytest.mark.parametrize(
    ("verb", "kind", "counter"),
    [("helpful", HelpfulVote, "vote_count"), ("report", ReviewReport, "report_count")],
)
@ROUNDS
def test_f22_different_visitors_at_the_same_moment_all_count(
    product, crew, rounds, verb, kind, counter
):
    review = ReviewFactory(product=product)
    for number in range(rounds):
        puts = [put(f"/reviews/{review.pk}/{verb}", f"{number}.{agent}") for agent in range(CREW)]
        assert crew.run(puts) == [204] * CREW
    assert kind.objects.filter(review=review).count() == rounds * CREW
    assert getattr(Review.objects.get(pk=review.pk), counter) == rounds * CREW


def some_review(rating, product_id=1, characteristics=()):
    return services.create_review(
        product_id=product_id,
        rating=rating,
        summary="",
        body="Any.",
        recommend=rating > 3,
        reviewer_name="any",
        reviewer_email="any@example.com",
        characteristics=dict(characteristics),
    )


@ROUNDS
def test_f22_reviews_of_one_product_created_at_the_same_moment_are_all_counted(
    product, crew, rounds
):
    """The first round races for the aggregate rows themselves, which are not there yet."""
    for _ in range(rounds):
        crew.run(
            [
                lambda rating=rating: some_review(rating, characteristics={14: rating})
                for rating in (1, 2, 3, 4, 5, 5)
            ]
        )
    meta = ReviewMeta.objects.get(pk=1)
    stars = [meta.rating_1, meta.rating_2, meta.rating_3, meta.rating_4, meta.rating_5]
    assert stars == [rounds, rounds, rounds, rounds, 2 * rounds]
    assert (meta.recommended_count, meta.not_recommended_count) == (3 * rounds, 3 * rounds)
    assert Review.objects.count() == CharacteristicReview.objects.count() == CREW * rounds
    assert recount() == 0


@ROUNDS
def test_f22_moderation_against_votes_reports_reviews_and_recounts(product, crew, rounds):
    chance = random.Random(22)
    reviews = [some_review(rating, characteristics={14: rating}).pk for rating in (1, 3, 5)]
    for _ in range(rounds):
        target = chance.choice(reviews)
        first, second = chance.choices(list(Moderation), k=2)
        vote = {"review_id": target, "visitor": uuid.UUID(int=chance.randrange(10))}
        crew.run(
            [
                partial(services.moderate_review, review_id=target, moderation=first),
                partial(services.moderate_review, review_id=target, moderation=second),
                partial(services.mark_helpful, **vote),
                partial(services.report_review, **vote),
                partial(some_review, 4, characteristics={14: 2}),
                recount,
            ]
        )
    assert recount() == 0
    for review in Review.objects.filter(pk__in=reviews):
        assert review.vote_count == HelpfulVote.objects.filter(review=review).count()
        assert review.report_count == ReviewReport.objects.filter(review=review).count()
    counted = Review.objects.exclude(moderation=Moderation.REJECTED).count()
    meta = ReviewMeta.objects.get(pk=1)
    assert meta.recommended_count + meta.not_recommended_count == counted


@ROUNDS
def test_f22_a_recount_mends_broken_counters_while_reviews_arrive(product, crew, rounds):
    """Readers of the aggregates wait for nobody, and no review is lost or counted twice."""
    for number in range(rounds):
        some_review(5, characteristics={14: 5})
        with publish(EPOCH):
            ReviewMeta.objects.filter(pk=1).update(rating_5=number + 7, recommended_count=0)
        crew.run(
            [recount, recount] + [lambda: some_review(2, characteristics={14: 1})] * (CREW - 2)
        )
        assert recount() == 0
    assert ReviewMeta.objects.get(pk=1).rating_2 == rounds * (CREW - 2)


def test_f22_a_recount_waits_for_a_review_that_is_being_counted(product):
    some_review(5, characteristics={14: 5})
    with publish(EPOCH):
        ReviewMeta.objects.filter(pk=1).update(rating_5=99)
    with publish(reviews_scope(1), meta_scope(1)):
        some_review(5, characteristics={14: 1})
        recounting = Aside(recount)
        wait_for_blocked()
    with recounting:
        assert recounting.result() == 1
    assert ReviewMeta.objects.get(pk=1).rating_5 == 2
    assert recount() == 0
