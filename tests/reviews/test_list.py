"""GET /reviews (contract 1.2)."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from atelier.core.publishing import publish
from reviews.models import Moderation, Review
from reviews.sql import _LISTS
from tests.factories.products import ProductFactory
from tests.factories.reviews import ReviewFactory, ReviewPhotoFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def reviews():
    """The rows behind the golden file, and rows that no list may show."""
    product = ProductFactory(id=1)
    ReviewFactory(
        id=14,
        product=product,
        rating=1,
        created_at=datetime(2020, 12, 31, 23, 59, 59, 999_000, UTC),
        summary="",
        body="Too long in the arms.",
        recommend=False,
        response="",
        reviewer_name="",
        source_helpfulness=3,
    )
    ReviewFactory(
        id=13,
        product=product,
        created_at=datetime(2021, 1, 1, tzinfo=UTC),
        response="We thank you.",
        source_helpfulness=1,
        vote_count=2,
    )
    first = ReviewFactory(
        id=12,
        product=product,
        rating=5,
        summary='Survived a "storm"',
        body="   \n\tÉté comme hiver 🌧 </p>",
        reviewer_name="mariner",
        source_helpfulness=28,
    )
    ReviewPhotoFactory(id=7, review=first, url="uhttps://images.example/review/7")
    ReviewPhotoFactory(id=5, review=first)
    ReviewFactory(id=15, product=product, source_helpfulness=99, source_reported=True)
    ReviewFactory(id=16, product=product, source_helpfulness=99, report_count=1)
    ReviewFactory(id=17, product=product, source_helpfulness=99, moderation=Moderation.REJECTED)
    ReviewFactory(id=18, source_helpfulness=99)


@pytest.mark.parametrize(
    "path",
    [
        "/reviews?product_id=1",
        "/reviews/?product_id=1",
        "/reviews/?product_id=01&page=1&count=5&sort=relevant",
        "/reviews?count=5&page=0&product_id=1&sort=helpful&question_id=3",
        "/reviews?product_id=2&product_id=1",
    ],
)
def test_list_matches_its_golden_file(client, golden, reviews, path):
    response = client.get(path)
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json; charset=utf-8"
    assert response.content == golden("reviews_list")


def test_list_of_an_unknown_product_is_empty(client, golden, reviews):
    response = client.get("/reviews?product_id=404")
    assert response.status_code == 200
    assert response.content == golden("reviews_list_unknown")


def test_the_e_mail_address_is_shown_nowhere(client, reviews):
    assert b"coat.wearer@example.com" not in client.get("/reviews?product_id=1").content


def test_head_and_etag(client, reviews):
    got, head = client.get("/reviews?product_id=1"), client.head("/reviews?product_id=1")
    assert (head.status_code, head.content, head["ETag"]) == (200, b"", got["ETag"])
    for given in (got["ETag"], f'W/{got["ETag"]}, "x"', "*"):
        again = client.get("/reviews?product_id=1", headers={"if-none-match": given})
        assert (again.status_code, again.content) == (304, b"")
    other = client.get("/reviews?product_id=1", headers={"if-none-match": '"x"'})
    assert other.content == got.content


def test_a_vote_changes_the_etag(client, reviews):
    etag = client.get("/reviews?product_id=1")["ETag"]
    client.put("/reviews/12/helpful")
    response = client.get("/reviews?product_id=1", headers={"if-none-match": etag})
    assert response.status_code == 200
    assert b'"helpfulness":29' in response.content


@pytest.mark.parametrize(
    "product_id",
    [
        *(None, "", "hello", "null", "5.55", "0", "-1", "1,2", "1 ", "1e3", "undefined", "NaN"),
        *("\x00", "1\x00", "²", "٣", "[1]", "9223372036854775808", "9" * 500),
        "1;DROP TABLE reviews_review",
    ],
)
@pytest.mark.parametrize("path", ["/reviews", "/reviews/", "/reviews/meta", "/reviews/meta/"])
def test_a_bad_or_missing_product_id_is_422(client, path, product_id):
    response = client.get(path, {} if product_id is None else {"product_id": product_id})
    assert response.status_code == 422
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response.content == b"Error: invalid product_id provided"


@pytest.fixture
def shelf():
    """Twelve reviews. By helpfulness the ids fall in threes; by date they fall one by one."""
    product = ProductFactory(id=1)
    day = datetime(2021, 1, 1, tzinfo=UTC)
    for number in range(1, 13):
        ReviewFactory(
            id=number,
            product=product,
            source_helpfulness=(number * 7) % 4,
            created_at=day + timedelta(days=(number * 5) % 6),
        )


def ids(answer):
    return [review["review_id"] for review in answer["results"]]


def by_helpfulness():
    reviews = Review.objects.values_list("helpfulness", "id")
    return [number for _, number in sorted(reviews, reverse=True)]


def by_date():
    reviews = Review.objects.values_list("created_at", "id")
    return [number for _, number in sorted(reviews, reverse=True)]


@pytest.mark.parametrize(
    "query",
    [{}]
    + [
        {"sort": sort}
        for sort in ("relevant", "helpful", "relevance", "helpfulness", "undefined", "", "NEWEST")
    ],
)
def test_every_sort_but_newest_is_by_helpfulness_then_id_descending(get_json, shelf, query):
    answer = get_json("/reviews", {"product_id": 1, "count": 20, **query})
    assert ids(answer) == by_helpfulness()
    assert ids(answer) != by_date()


def test_newest_is_by_date_then_id_descending(get_json, shelf):
    answer = get_json("/reviews", {"product_id": 1, "count": 20, "sort": "newest"})
    assert ids(answer) == by_date()


def test_newest_goes_by_the_instant_though_the_day_is_shown(get_json):
    product = ProductFactory(id=1)
    noon = datetime(2021, 6, 19, 12, tzinfo=UTC)
    ReviewFactory(id=1, product=product, created_at=noon)
    ReviewFactory(id=2, product=product, created_at=noon - timedelta(hours=1))
    answer = get_json("/reviews", {"product_id": 1, "sort": "newest"})
    assert ids(answer) == [1, 2]
    assert {review["date"] for review in answer["results"]} == {"2021-06-19T00:00:00.000Z"}


@pytest.mark.parametrize(
    "attack",
    [
        "newest; DROP TABLE reviews_review; --",
        "helpfulness DESC, (SELECT pg_sleep(9))",
        "newest' OR '1'='1",
        "(CASE WHEN 1=1 THEN id ELSE rating END)",
        "newest\x00",
        "review.id--",
        "{order}",
        "%(order)s",
    ],
)
def test_f13_an_injected_sort_falls_back_to_the_default(get_json, shelf, attack):
    assert ids(get_json("/reviews", {"product_id": 1, "count": 20, "sort": attack})) == (
        by_helpfulness()
    )
    assert Review.objects.count() == 12


@pytest.mark.parametrize("sort", ["newest", "helpful"])
def test_pages_cut_the_list_without_gap_or_repeat(get_json, shelf, sort):
    query = {"product_id": 1, "sort": sort, "count": 5}
    pages = [ids(get_json("/reviews", {**query, "page": page})) for page in (1, 2, 3, 4)]
    every = by_date() if sort == "newest" else by_helpfulness()
    assert pages == [every[:5], every[5:10], every[10:], []]


@pytest.mark.parametrize(
    ("query", "page", "count", "rows"),
    [
        ({}, 0, 5, 5),
        ({"page": "0"}, 0, 5, 5),
        ({"page": "1"}, 0, 5, 5),
        ({"page": "2"}, 1, 5, 5),
        ({"page": "3"}, 2, 5, 2),
        ({"page": "undefined"}, 0, 5, 5),
        ({"page": "-2"}, 0, 5, 5),
        ({"page": ""}, 0, 5, 5),
        ({"count": "6"}, 0, 6, 6),
        ({"count": "0"}, 0, 0, 0),
        ({"count": "-1"}, 0, 5, 5),
        ({"count": "ten"}, 0, 5, 5),
        ({"count": "1011"}, 0, 1011, 12),
        ({"count": "9007199254740991"}, 0, 9007199254740991, 12),
        ({"count": "9007199254740993"}, 0, 9007199254740991, 12),
        ({"count": "9" * 3000}, 0, 9007199254740991, 12),
        ({"page": "2", "count": "1000"}, 1, 1000, 0),
        ({"page": "1000000000"}, 999999999, 5, 0),
        ({"page": "9" * 3000, "count": "9" * 3000}, 9007199254740990, 9007199254740991, 0),
    ],
)
def test_f12_page_and_count_are_clamped_and_echoed(get_json, shelf, query, page, count, rows):
    answer = get_json("/reviews", {"product_id": 1, **query})
    assert (answer["page"], answer["count"]) == (page, count)
    assert len(answer["results"]) == rows


def test_f12_a_page_holds_at_most_a_thousand_reviews(get_json):
    product = ProductFactory(id=1)
    with publish("epoch"):
        Review.objects.bulk_create(
            Review(id=number, product=product, rating=3, recommend=True)
            for number in range(1, 1003)
        )
    answer = get_json("/reviews", {"product_id": 1, "count": 9999})
    assert answer["count"] == 9999
    assert ids(answer) == list(range(1002, 2, -1))
    assert ids(get_json("/reviews", {"product_id": 1, "count": 9999, "page": 2})) == [2, 1]


@pytest.mark.parametrize("sort", ["newest", "helpful"])
def test_f12_a_far_page_reads_only_the_rows_of_its_product(shelf, sort):
    """Its plan walks the partial index of the order: work ends with the product's own reviews."""
    params = {"product_id": 1, "page": 10**9, "count": 5, "limit": 5, "offset": 5 * 10**9}
    index = {"newest": "review_listed_by_date", "helpful": "review_listed_by_helpfulness"}[sort]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute("EXPLAIN " + _LISTS[sort], params)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert index in plan
    assert "Sort" not in plan.split(index)[0]


def test_f25_the_list_is_one_statement_for_one_row_and_for_fifty(client):
    product = ProductFactory(id=1)
    ReviewPhotoFactory(review__product=product)
    with CaptureQueriesContext(connection) as with_one_row:
        client.get("/reviews?product_id=1&count=50")
    for review in ReviewFactory.create_batch(49, product=product):
        ReviewPhotoFactory.create_batch(2, review=review)
    with CaptureQueriesContext(connection) as with_fifty_rows:
        response = client.get("/reviews?product_id=1&count=50")
    assert response.content.count(b'"review_id"') == 50
    assert len(with_one_row) == len(with_fifty_rows) == 1


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
@pytest.mark.parametrize("path", ["/reviews", "/reviews/meta"])
def test_other_methods_are_405(client, path, method):
    response = getattr(client, method)(path)
    assert response.status_code == 405
    assert "GET" in response["Allow"]
