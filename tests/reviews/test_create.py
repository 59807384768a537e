"""POST /reviews (contract 1.4)."""

import json
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from atelier.core.models import CacheScope
from reviews.models import (
    CharacteristicMeta,
    CharacteristicReview,
    Moderation,
    Review,
    ReviewMeta,
    ReviewPhoto,
)
from tests.factories.products import ProductFactory
from tests.factories.reviews import CharacteristicFactory, recount

pytestmark = pytest.mark.django_db

GONE = object()


@pytest.fixture
def characteristics():
    product = ProductFactory(id=1)
    CharacteristicFactory(id=14, product=product, name="Fit")
    CharacteristicFactory(id=15, product=product, name="Comfort")
    CharacteristicFactory(id=16, product=ProductFactory(id=2), name="Fit")


def entry(**changes):
    """A body that is accepted, with fields changed, or left out where the change is GONE."""
    fields = {
        "product_id": 1,
        "rating": 4,
        "summary": "Keeps the rain out",
        "body": "I have worn it on the boat all autumn, and it is still dry within.",
        "recommend": True,
        "name": "mariner",
        "email": "mariner@example.com",
        "photos": ["https://images.example/a?w=1&h=2", "http://images.example/b.png"],
        "characteristics": {"14": 5, "15": 2},
    }
    return {key: value for key, value in {**fields, **changes}.items() if value is not GONE}


def post(client, body, content_type="application/json", path="/reviews"):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(path, data, content_type=content_type)


def assert_created(response):
    assert response.status_code == 201, response.content
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response.content == b"Created"


def assert_refused(response):
    """422 with the legacy sentence, and nothing stored, counted or tagged."""
    assert response.status_code == 422
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response.content == b"Error: Review body contains invalid entries"
    assert_nothing_stored()


def assert_nothing_stored():
    kinds = (Review, ReviewPhoto, CharacteristicReview, ReviewMeta, CharacteristicMeta)
    assert [kind.__name__ for kind in kinds if kind.objects.exists()] == []
    assert not CacheScope.objects.filter(key__startswith="reviews").exists()


@pytest.mark.parametrize("path", ["/reviews", "/reviews/", "/reviews?", "/reviews/?x=1"])
def test_a_review_is_created_with_all_its_rows(client, characteristics, path):
    before = datetime.now(UTC)
    assert_created(post(client, entry(), path=path))
    review = Review.objects.get()
    assert review.pk >= 1_000_000_000
    assert review.product_id == 1
    assert (review.rating, review.recommend) == (4, True)
    assert review.summary == "Keeps the rain out"
    assert review.body == "I have worn it on the boat all autumn, and it is still dry within."
    assert (review.reviewer_name, review.reviewer_email) == ("mariner", "mariner@example.com")
    assert review.response is None
    assert abs((review.created_at - before).total_seconds()) < 3600
    assert (review.source_helpfulness, review.vote_count, review.helpfulness) == (0, 0, 0)
    assert (review.source_reported, review.report_count) == (False, 0)
    assert (review.moderation, review.is_listed) == (Moderation.PENDING, True)
    photos = ReviewPhoto.objects.order_by("id")
    assert [photo.url for photo in photos] == entry()["photos"]
    assert all(photo.pk >= 1_000_000_000 for photo in photos)
    values = CharacteristicReview.objects.values_list("characteristic_id", "value")
    assert sorted(values) == [(14, 5), (15, 2)]


def test_the_writer_sees_the_review_at_once(client, get_json, characteristics):
    assert get_json("/reviews", {"product_id": 1})["results"] == []
    post(client, entry())
    (shown,) = get_json("/reviews", {"product_id": 1})["results"]
    assert shown["summary"] == "Keeps the rain out"
    assert shown["date"] == Review.objects.get().created_at.strftime("%Y-%m-%dT00:00:00.000Z")
    assert [photo["url"] for photo in shown["photos"]] == entry()["photos"]
    meta = get_json("/reviews/meta", {"product_id": 1})
    assert meta == {
        "product_id": "1",
        "ratings": {"4": "1"},
        "recommended": {"true": "1"},
        "characteristics": {
            "Fit": {"id": 14, "value": "5.0000000000000000"},
            "Comfort": {"id": 15, "value": "2.0000000000000000"},
        },
    }


def test_f25_a_review_takes_as_many_statements_for_20_photos_as_for_one(client, characteristics):
    with CaptureQueriesContext(connection) as few:
        post(client, entry(photos=entry()["photos"][:1], characteristics={"14": 1}))
    with CaptureQueriesContext(connection) as many:
        post(client, entry(photos=entry()["photos"] * 10))
    assert ReviewPhoto.objects.count() == 21
    assert len(few) == len(many)


def test_ids_follow_each_other_from_a_thousand_million(client, characteristics):
    for _ in range(3):
        assert_created(post(client, entry()))
    first, second, third = Review.objects.order_by("id").values_list("id", flat=True)
    assert first >= 1_000_000_000
    assert (second, third) == (first + 1, first + 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"product_id": "1"},
        {"product_id": "001"},
        {"rating": "4"},
        {"rating": 1},
        {"rating": 5},
        {"summary": ""},
        {"summary": GONE},
        {"summary": "x" * 1000},
        {"body": " "},
        {"body": "x"},
        {"body": "é" * 10_000},
        {"recommend": False},
        {"recommend": "true"},
        {"recommend": "false"},
        {"recommend": 1},
        {"recommend": 0},
        {"name": "x" * 255},
        {"email": "a"},
        {"email": "not an address"},
        {"photos": []},
        {"photos": GONE},
        {"photos": ["https://images.example/" + str(number) for number in range(20)]},
        {"characteristics": {}},
        {"characteristics": GONE},
        {"characteristics": {"14": 1}},
        {"characteristics": {"14": "5"}},
        {"characteristics": {"014": 5}},
        {"body": "Ünïcödé 🧥 \u2028 \ufeff ' \" \\ <script>"},
        {"summary": "'); DROP TABLE reviews_review; --"},
    ],
)
def test_what_real_clients_send_is_accepted(client, characteristics, changes):
    assert_created(post(client, entry(**changes)))
    review = Review.objects.get()
    for name in ("summary", "body"):
        if isinstance(changes.get(name), str):
            assert getattr(review, name) == changes[name]
    assert recount() == 0


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=utf-8", "text/plain", "application/x-www-form-urlencoded", "x/y"],
)
def test_the_content_type_does_not_matter(client, characteristics, content_type):
    assert_created(post(client, entry(), content_type=content_type))


@pytest.mark.parametrize("name", ["product_id", "rating", "body", "recommend", "name", "email"])
def test_a_missing_field_is_refused(client, characteristics, name):
    assert_refused(post(client, entry(**{name: GONE})))
    assert_refused(post(client, entry(**{name: None})))


@pytest.mark.parametrize(
    "changes",
    [{"product_id": value} for value in (0, -1, 1.0, 1.5, "", "one", True, [1], {}, 2**63, 2**64)]
    + [{"product_id": value} for value in ("9" * 100, "1.0", " 1", "²", 404)]
    + [{"rating": value} for value in (0, 6, -1, 4.5, "four", "", True, [4], {}, 2**63, 1e300)]
    + [{"summary": value} for value in (None, 5, ["x"], {}, "x" * 1001, "a\x00b")]
    + [{"body": value} for value in ("", 5, ["x"], {}, True, "x" * 10_001, "\x00")]
    + [{"recommend": value} for value in (None, "", "maybe", 2, [], {}, "null")]
    + [{"name": value} for value in ("", 5, [], "x" * 256, "a\x00")]
    + [{"email": value} for value in ("", 5, [], "x" * 256, "a\x00")]
    + [
        {"photos": value}
        for value in (
            None,
            "https://images.example/a",
            {"0": "https://images.example/a"},
            [None],
            [5],
            [""],
            ["not a url"],
            ["javascript:alert(1)"],
            ["file:///etc/passwd"],
            ["//images.example/a"],
            ["http://[::1"],
            ["http://images.example/\x00"],
            ["https://images.example/" + "x" * 4000],
            ["https://images.example/a"] * 21,
            [["https://images.example/a"]],
        )
    ]
    + [
        {"characteristics": value}
        for value in (
            None,
            [],
            "14",
            5,
            {"14": 0},
            {"14": 6},
            {"14": None},
            {"14": 2.5},
            {"14": True},
            {"14": {}},
            {"14": 2**70},
            {"Fit": 5},
            {"": 5},
            {"-14": 5},
            {"14.0": 5},
            {str(2**63): 5},
            {"9" * 200: 5},
            {"14": 5, "014": 5},
            {"14\x00": 5},
        )
    ],
)
def test_an_invalid_entry_is_refused_and_nothing_is_stored(client, characteristics, changes):
    assert_refused(post(client, entry(**changes)))


@pytest.mark.parametrize(
    "changes",
    [
        {"characteristics": {"14": 5, "16": 5}},
        {"characteristics": {"16": 5}},
        {"characteristics": {"404": 5}},
        {"product_id": 404, "characteristics": {}},
        {"product_id": 404},
        {"product_id": 2},
    ],
)
def test_an_unknown_product_or_a_foreign_characteristic_is_refused_and_nothing_is_stored(
    client, characteristics, changes
):
    assert_refused(post(client, entry(**changes)))


@pytest.mark.parametrize(
    "extra",
    [
        {"id": 7},
        {"review_id": 7},
        {"pk": 7},
        {"helpfulness": 99, "source_helpfulness": 99, "vote_count": 99},
        {"reported": True, "source_reported": True, "report_count": 5},
        {"moderation": "approved", "is_listed": True},
        {"response": "We love it", "created_at": "1999-01-01", "date": "1999-01-01"},
        {"reviewer_name": "admin", "reviewer_email": "admin@example.com"},
        {"photo_urls": ["https://images.example/x"]},
    ],
)
def test_fields_beyond_the_contract_are_ignored(client, characteristics, extra):
    assert_created(post(client, entry(**extra)))
    review = Review.objects.get()
    assert review.pk >= 1_000_000_000
    assert (review.helpfulness, review.report_count, review.source_reported) == (0, 0, False)
    assert (review.moderation, review.response) == (Moderation.PENDING, None)
    assert (review.reviewer_name, review.reviewer_email) == ("mariner", "mariner@example.com")
    assert review.created_at.year > 2000
    assert ReviewPhoto.objects.count() == 2


def test_no_cookie_and_no_csrf_token_is_needed():
    ProductFactory(id=1)
    strict = Client(enforce_csrf_checks=True, SERVER_NAME="localhost")
    response = post(strict, entry(characteristics={}))
    assert_created(response)
    assert not response.cookies
