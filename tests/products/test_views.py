"""The routes /products and below, on the legacy contract."""

import uuid
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from atelier.core.publishing import publish
from products.models import Product, product_scope
from tests.factories.products import (
    FeatureFactory,
    PhotoFactory,
    ProductFactory,
    RelatedProductFactory,
    SkuFactory,
    StyleFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def catalogue():
    """The rows behind the golden files, made out of order: answers are sorted by id."""
    ProductFactory(
        id=1_000_000_000,
        name="</script><b>Tie</b> \\ & co",
        category="Ties",
        default_price="5000000.00",
    )
    ProductFactory(
        id=2,
        name="Übergroße Mütze 帽子",
        slogan="",
        description="",
        category="",
        default_price="0.50",
        created_at=datetime(1999, 12, 31, 23, 59, 59, 999_000, UTC),
    )
    jacket = ProductFactory(
        id=1,
        name='Harbour "Oilskin" Jacket',
        slogan="Rain, and then some",
        description="Waxed cotton, a storm collar — and pockets\nfor both hands.",
        category="Jackets",
    )
    ProductFactory(id=3, name="In no golden file")
    return jacket


@pytest.fixture
def styles(catalogue):
    StyleFactory(
        id=3,
        product=catalogue,
        name="Without skus",
        original_price=0,
        sale_price=0,
        is_default=False,
    )
    StyleFactory(
        id=2, product=catalogue, name="Without photos", sale_price="99.90", is_default=False
    )
    full = StyleFactory(id=1, product=catalogue, name="Forest Green & Black")
    PhotoFactory(id=9, style=full, thumbnail_url=None)
    PhotoFactory(id=8, style=full)
    PhotoFactory(id=10, style_id=3)
    SkuFactory(id=1_000_000_000, style=full, size=None, quantity=None)
    SkuFactory(id=112, style=full, size="7.5", quantity=0)
    SkuFactory(id=39, style=full, size="XL", quantity=4)
    SkuFactory(id=38, style=full, size="XL", quantity=15)
    SkuFactory(id=37, style=full, size="XS", quantity=8)
    SkuFactory(id=40, style_id=2, size="M", quantity=1)
    # Of another product, and so in no answer about this one.
    SkuFactory(style=PhotoFactory(style=StyleFactory(product_id=2)).style)


def assert_golden(response, expected):
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json; charset=utf-8"
    assert response.content == expected


@pytest.mark.parametrize("path", ["/products", "/products/", "/products?", "/products/?x"])
def test_list_matches_its_golden_file(client, golden, catalogue, path):
    with publish(product_scope(3)):
        Product.objects.filter(id=3).delete()
    assert_golden(client.get(path), golden("products_list"))


@pytest.mark.parametrize("path", ["/products/1", "/products/1/"])
def test_detail_matches_its_golden_file(client, golden, catalogue, path):
    FeatureFactory(id=7, product=catalogue, feature="Lining", value="")
    FeatureFactory(id=6, product=catalogue, feature="Recycled", value=None)
    FeatureFactory(id=4, product=catalogue, feature="Fabric", value="Canvas")
    FeatureFactory(id=5, product=catalogue, feature="Buttons", value="Brass")
    FeatureFactory(product_id=2)
    assert_golden(client.get(path), golden("product_detail"))


def test_detail_of_a_product_without_features_has_an_empty_list(client, golden, catalogue):
    assert_golden(client.get("/products/2"), golden("product_detail_bare"))


@pytest.mark.parametrize("path", ["/products/1/styles", "/products/1/styles/"])
def test_styles_match_their_golden_file(client, golden, styles, path):
    assert_golden(client.get(path), golden("product_styles"))


@pytest.mark.parametrize("path", ["/products/404/styles", "/products/404/styles/"])
def test_styles_of_an_unknown_product_are_an_empty_list(client, golden, styles, path):
    assert_golden(client.get(path), golden("product_styles_unknown"))


@pytest.mark.parametrize("path", ["/products/1/related", "/products/1/related/"])
def test_related_products_come_in_their_order_with_repeats(client, golden, catalogue, path):
    RelatedProductFactory(id=4, product=catalogue, related_product_id=2)
    RelatedProductFactory(id=1, product=catalogue, related_product_id=2)
    RelatedProductFactory(id=3, product=catalogue, related_product_id=1_000_000_000)
    RelatedProductFactory(id=2, product=catalogue, related_product_id=3)
    RelatedProductFactory(product_id=2, related_product=catalogue)
    assert_golden(client.get(path), golden("product_related"))


def test_related_of_an_unknown_product_is_empty(get_json, catalogue):
    assert get_json("/products/404/related") == []


@pytest.mark.parametrize("path", ["/products/404", "/products/404/"])
def test_unknown_product_is_404_with_the_legacy_sentence(client, catalogue, path):
    response = client.get(path)
    assert response.status_code == 404
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response.content == b"Error: invalid product id provided"


@pytest.mark.parametrize("below", ["", "/styles", "/related"])
@pytest.mark.parametrize(
    "product_id", ["0", "-1", "abc", "1.0", "1e3", "9223372036854775808", "9" * 400, "%C2%B2", "+1"]
)
def test_an_id_that_cannot_be_one_is_404(client, catalogue, product_id, below):
    response = client.get(f"/products/{product_id}{below}")
    assert response.status_code == 404
    assert response.content == b"Error: invalid product id provided"


def test_leading_zeros_of_an_id_are_passed_over(get_json, catalogue):
    assert get_json("/products/0001")["id"] == 1
    assert get_json("/products/0001/styles")["product_id"] == "1"


@pytest.mark.parametrize(
    "path",
    [
        "/products",
        "/products/",
        "/products/1",
        "/products/1/styles",
        "/products/1/related",
    ],
)
def test_head_answers_as_get_without_a_body(client, styles, path):
    got, head = client.get(path), client.head(path)
    assert head.status_code == 200
    assert head.content == b""
    assert head["ETag"] == got["ETag"]
    assert head["Content-Length"] == str(len(got.content))


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
@pytest.mark.parametrize(
    "path", ["/products", "/products/1", "/products/1/styles", "/products/1/related"]
)
def test_products_cannot_be_written_by_strangers(client, catalogue, method, path):
    before = list(Product.objects.order_by("id").values())
    response = getattr(client, method)(path, {"name": "Mine now"}, content_type="application/json")
    if response.status_code == 401:
        assert response["WWW-Authenticate"] == 'Bearer realm="atelier"'
    else:
        assert response.status_code == 405
        assert method.upper() not in response["Allow"].split(", ")
    assert list(Product.objects.order_by("id").values()) == before


@pytest.mark.parametrize(
    "path", ["/products", "/products/1", "/products/1/styles", "/products/1/related"]
)
def test_a_matching_etag_gives_304_without_a_body(client, styles, path):
    etag = client.get(path)["ETag"]
    for given in (etag, f'"other", {etag}', f"W/{etag}", "*", f'W/"a" ,{etag}, "b"'):
        response = client.get(path, headers={"if-none-match": given})
        assert response.status_code == 304, given
        assert response.content == b""
        assert response["ETag"] == etag
        assert response["Cache-Control"] == "no-cache"


def test_a_foreign_etag_gives_the_whole_answer(client, catalogue):
    etag = client.get("/products/1")["ETag"]
    for given in ('"other"', 'W/"other", "another"', etag.strip('"'), f'"{uuid.uuid4().hex}"', ""):
        response = client.get("/products/1", headers={"if-none-match": given})
        assert response.status_code == 200, given
        assert response.content


def test_a_write_changes_the_etag(client, catalogue):
    before = client.get("/products/1")
    with publish(product_scope(1)):
        Product.objects.filter(id=1).update(slogan="Rain only")
    response = client.get("/products/1", headers={"if-none-match": before["ETag"]})
    assert response.status_code == 200
    assert response["ETag"] != before["ETag"]
    assert b'"slogan":"Rain only"' in response.content


def ids(answer):
    return [product["id"] for product in answer]


def test_pages_of_the_list_cut_it_without_gap_or_repeat(get_json):
    ProductFactory.create_batch(12)
    every = sorted(Product.objects.values_list("id", flat=True))
    pages = [ids(get_json("/products", {"page": page, "count": 5})) for page in (1, 2, 3, 4)]
    assert pages == [every[:5], every[5:10], every[10:], []]


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ({}, 5),
        ({"count": ""}, 5),
        ({"count": "undefined"}, 5),
        ({"count": "-3"}, 5),
        ({"count": "2.5"}, 5),
        ({"count": "٣"}, 5),
        ({"count": "0"}, 0),
        ({"count": "7"}, 7),
        ({"count": "007"}, 7),
        ({"count": "9007199254740991"}, 12),
        ({"count": "9" * 1000}, 12),
        ({"page": "0"}, 5),
        ({"page": "undefined"}, 5),
        ({"page": "-1"}, 5),
        ({"page": "2", "count": "10"}, 2),
        ({"unknown": "1", "product_id": "1", "sort": "newest"}, 5),
    ],
)
def test_any_page_and_count_is_served(get_json, query, rows):
    ProductFactory.create_batch(12)
    assert len(get_json("/products", query)) == rows


def test_a_page_holds_at_most_a_thousand_products(get_json):
    with publish("epoch"):
        Product.objects.bulk_create(
            Product(id=number, name="Coat", default_price=1) for number in range(1, 1003)
        )
    assert ids(get_json("/products", {"count": 5000})) == list(range(1, 1001))
    assert ids(get_json("/products", {"count": 5000, "page": 2})) == [1001, 1002]


@pytest.mark.parametrize("page", [10**9, 2**53 - 1, 2**63, 10**100])
@pytest.mark.parametrize("count", [5, 1000, 9007199254740991, 10**30])
def test_f12_a_far_page_is_empty_and_walks_no_rows(client, page, count):
    ProductFactory()
    with CaptureQueriesContext(connection) as queries:
        response = client.get("/products", {"page": page, "count": count})
    assert response.status_code == 200
    assert response.content == b"[]"
    # The one statement left is the answer for no ids; the walk of the index is spared.
    assert len(queries) == 1


@pytest.mark.parametrize("path", ["/products?count=50", "/products/1", "/products/1/related"])
def test_f25_the_number_of_queries_does_not_grow_with_the_rows(client, path):
    first = ProductFactory(id=1)
    with CaptureQueriesContext(connection) as with_one_row:
        client.get(path)
    for _ in range(50):
        RelatedProductFactory(product=first)
        FeatureFactory(product=first)
    with CaptureQueriesContext(connection) as with_fifty_rows:
        response = client.get(path)
    assert response.content.count(b":") > 50 or response.content.count(b",") == 49
    assert len(with_one_row) == len(with_fifty_rows)


def test_f25_styles_are_one_statement(client, django_assert_num_queries):
    product = ProductFactory()
    for style in StyleFactory.create_batch(50, product=product):
        PhotoFactory.create_batch(2, style=style)
        SkuFactory.create_batch(2, style=style)
    with django_assert_num_queries(1):
        response = client.get(f"/products/{product.id}/styles")
    assert response.content.count(b'"style_id"') == 50
    assert response.content.count(b'"size"') == 100


@pytest.mark.parametrize(
    "sort", ["id", "-default_price", "id; DROP TABLE products_product", "(SELECT 1)", "' OR 1=1 --"]
)
def test_f13_the_list_knows_no_sort_and_keeps_its_order(get_json, sort):
    ProductFactory.create_batch(3)
    every = sorted(Product.objects.values_list("id", flat=True))
    assert ids(get_json("/products", {"sort": sort, "order": sort, "ordering": sort})) == every


def test_the_campus_is_a_setting(get_json, settings):
    ProductFactory(id=1)
    settings.CATALOGUE_CAMPUS = "hr-lax"
    assert get_json("/products")[0]["campus"] == "hr-lax"
    assert get_json("/products/1")["campus"] == "hr-lax"


def test_options_names_the_methods(client):
    response = client.options("/products")
    assert response.status_code == 204
    assert set(response["Allow"].split(", ")) == {"GET", "HEAD", "POST", "OPTIONS"}


@pytest.mark.parametrize(
    "path",
    ["/products/1//", "/products//", "/products/1/style", "/products/1/styles/2", "/product"],
)
def test_other_paths_are_404(client, catalogue, path):
    assert client.get(path).status_code == 404


def test_credentials_are_neither_asked_for_nor_judged(client, golden, catalogue):
    for header in ("ghp_0123456789", "Bearer x.y.z", "Basic Zm9vOmJhcg==", ""):
        response = client.get("/products/2", headers={"authorization": header})
        assert_golden(response, golden("product_detail_bare"))
        assert not response.cookies
