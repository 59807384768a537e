"""Products and reviews by region: 451, lists without holes, and nothing of it stored.

Visitors come from Canada, France and nowhere. Product 1 may be shown in Canada only, product 2
nowhere in the EU, product 3 everywhere; 4 had a licence for Canada once, and so is shown nowhere.
"""

import itertools
import random
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from licensing import services
from licensing.models import ProductLicence
from products.models import Product
from reviews.models import HelpfulVote, Review, ReviewReport
from tests.factories.licensing import (
    NetworkOverrideFactory,
    fill_regions,
    licence,
    region,
)
from tests.factories.products import ProductFactory, RelatedProductFactory
from tests.factories.reviews import ReviewFactory

pytestmark = pytest.mark.django_db(transaction=True)

CANADA, FRANCE, NOWHERE = "192.0.2.1", "198.51.100.1", "203.0.113.1"
START = datetime(2026, 1, 1, tzinfo=UTC)
WITHHELD = b"Error: this product is not available in your region"
SCOPES = {"products": "catalogue"}


@pytest.fixture(autouse=True)
def shop(db):
    fill_regions()
    NetworkOverrideFactory(network="192.0.2.0/24", region=region("CA"))
    NetworkOverrideFactory(network="198.51.100.0/24", region=region("FR"))
    for number in range(1, 6):
        ProductFactory(id=number, category="Coats" if number % 2 else "Hats")
        ReviewFactory(id=number, product_id=number)
    licence(1, "CA")
    licence(2, "EU", "deny")
    licence(4, "CA", valid_from=START, valid_until=START + timedelta(days=1))
    for number in (2, 1, 3, 1, 4):
        RelatedProductFactory(product_id=5, related_product_id=number)


def visitor(address, **headers):
    return Client(SERVER_NAME="localhost", REMOTE_ADDR=address, headers=headers)


def answer(address, path, scope=None):
    headers = {} if scope is None else {"X-Cache-Scope": scope}
    return visitor(address, **headers).get(path)


def assert_withheld(response, product):
    assert (response.status_code, response.content) == (451, WITHHELD)
    assert response["Link"] == f'</licensing/products/{product}>; rel="blocked-by"'
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["Cache-Control"] == "private, no-store"
    assert "X-Accel-Expires" not in response


PATHS = {
    "/products/{}": "product:{}",
    "/products/{}/styles": "product:{}",
    "/products/{}/related": "product:{}",
    "/reviews?product_id={}": "reviews:{}",
    "/reviews?product_id={}&sort=newest": "reviews:{}",
    "/reviews/meta?product_id={}": "reviews_meta:{}",
}
SHOWN = {1: {CANADA}, 2: {CANADA, NOWHERE}, 3: {CANADA, FRANCE, NOWHERE}, 4: set()}


@pytest.mark.parametrize("path", PATHS)
def test_what_is_not_licensed_where_the_visitor_is_answers_451(path):
    for product, address in itertools.product(SHOWN, (CANADA, FRANCE, NOWHERE)):
        scope = PATHS[path].format(product)
        response = answer(address, path.format(product), scope)
        if address in SHOWN[product]:
            assert response.status_code == 200, (product, address)
            # Only what is the same everywhere may be stored.
            assert ("X-Accel-Expires" in response) is (product == 3)
            expected = "no-cache" if product == 3 else "private, no-cache"
            assert response["Cache-Control"] == expected
        else:
            assert_withheld(response, product)


def test_a_visitor_who_has_the_answer_already_is_told_as_well():
    tag = answer(CANADA, "/products/1")["ETag"]
    assert visitor(CANADA, If_None_Match=tag).get("/products/1").status_code == 304
    assert_withheld(visitor(FRANCE, If_None_Match=tag).get("/products/1"), 1)


def test_f17_a_visitor_cannot_say_to_be_elsewhere():
    for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP"):
        assert_withheld(visitor(FRANCE, **{name: CANADA}).get("/products/1"), 1)


def ids(address, path="/products"):
    return [entry["id"] for entry in orjson.loads(answer(address, path).content)]


@pytest.mark.parametrize("filters", ["", "&min_price=1"])
def test_pages_have_no_holes(filters):
    assert ids(CANADA, f"/products?count=2{filters}") == [1, 2]
    assert ids(CANADA, f"/products?count=2&page=2{filters}") == [3, 5]
    assert ids(FRANCE, f"/products?count=2{filters}") == [3, 5]
    assert ids(FRANCE, f"/products?count=2&page=2{filters}") == []
    assert ids(NOWHERE, f"/products?count=2{filters}") == [2, 3]
    assert ids(FRANCE, "/products?category=Hats") == []
    assert ids(CANADA, "/products?page=100000000000") == []


def test_lists_that_may_differ_by_region_are_not_stored():
    assert "X-Accel-Expires" not in answer(CANADA, "/products?count=1", "catalogue")
    # Licences of later products do not touch a page that is full before them.
    for kept in ProductLicence.objects.filter(product_id__in=[1, 2]):
        services.delete_licence(licence_id=kept.pk)
    assert "X-Accel-Expires" in answer(CANADA, "/products?count=3", "catalogue")
    assert "X-Accel-Expires" in answer(CANADA, "/products?count=1&category=Coats", "catalogue")
    assert "X-Accel-Expires" not in answer(CANADA, "/products?count=4", "catalogue")
    assert "X-Accel-Expires" not in answer(CANADA, "/products?category=Coats", "catalogue")


def test_related_ids_leave_out_what_may_not_be_shown():
    found = {address: answer(address, "/products/5/related", "product:5") for address in SHOWN[3]}
    assert {address: orjson.loads(one.content) for address, one in found.items()} == {
        CANADA: [2, 1, 3, 1],
        FRANCE: [3],
        NOWHERE: [2, 3],
    }
    assert not any("X-Accel-Expires" in one for one in found.values())
    assert "X-Accel-Expires" in answer(FRANCE, "/products/3/related", "product:3")


def test_votes_and_reports_on_its_reviews_are_refused():
    for verb in ("helpful", "report"):
        assert_withheld(visitor(FRANCE).put(f"/reviews/1/{verb}"), 1)
        assert visitor(CANADA).put(f"/reviews/1/{verb}").status_code == 204
        assert visitor(FRANCE).put(f"/reviews/3/{verb}").status_code == 204
    assert HelpfulVote.objects.filter(review_id=1).count() == 1
    assert ReviewReport.objects.filter(review_id=1).count() == 1


def post(address, product):
    body = {
        "product_id": product,
        "rating": 5,
        "body": "b",
        "recommend": True,
        "name": "n",
        "email": "e@example.com",
    }
    return visitor(address).post("/reviews", body, content_type="application/json")


def test_reviews_of_it_are_refused():
    assert_withheld(post(FRANCE, 1), 1)
    assert post(CANADA, 1).status_code == 201
    assert post(FRANCE, 3).status_code == 201
    assert Review.objects.filter(product_id=1).count() == 2


def queries(send):
    with CaptureQueriesContext(connection) as captured:
        assert send().status_code < 400
    return len(captured.captured_queries)


@pytest.mark.parametrize("path", PATHS)
def test_a_product_without_licences_costs_one_statement_and_another_two_more(path):
    assert queries(lambda: answer(CANADA, path.format(3))) == 1
    assert queries(lambda: answer(CANADA, path.format(1))) in {3, 4}


def test_writes_on_products_without_licences_cost_no_more_statements():
    free = queries(lambda: visitor(CANADA).put("/reviews/3/helpful"))
    assert queries(lambda: visitor(CANADA).put("/reviews/1/helpful")) == free + 2
    free = queries(lambda: post(CANADA, 3))
    assert queries(lambda: post(CANADA, 3)) == free
    assert queries(lambda: post(CANADA, 1)) == free + 2


def test_a_list_costs_one_statement_while_no_licence_touches_it():
    for kept in ProductLicence.objects.all():
        services.delete_licence(licence_id=kept.pk)
    assert queries(lambda: answer(CANADA, "/products")) == 1
    licence(1, "CA")
    assert queries(lambda: answer(CANADA, "/products")) == 3


def test_the_statements_decide_as_the_rules_do():
    """The same licences, asked one by one and all at once."""
    draw = random.Random(7)
    now = datetime.now(UTC)
    for number in range(100, 160):
        ProductFactory(id=number)
        for _ in range(draw.randint(0, 4)):
            begins = now + timedelta(days=draw.randint(-20, 5))
            ends = None if draw.random() < 0.4 else begins + timedelta(days=draw.randint(1, 12))
            try:
                licence(
                    number,
                    draw.choice(["CA", "FR", "DE", "EU", "EEA"]),
                    draw.choice(["allow", "deny"]),
                    valid_from=begins,
                    valid_until=ends,
                )
            except services.LicenceOverlaps:
                continue
    places = [region(code).pk for code in ("CA", "FR", "DE", "NO")] + [None]
    decided = 0
    for place in places:
        expected = [
            number
            for number in range(100, 160)
            if services.licence_answer(
                product_id=number, region_id=place, code=None
            ).decision.is_allowed
        ]
        products = Product.objects.filter(pk__gte=100)
        shown = services.only_shown(products, region_id=place).order_by("pk")
        assert [product.pk for product in shown] == expected
        decided += len(expected)
    assert 0 < decided < 60 * len(places)
