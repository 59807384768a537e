"""Creating, changing and deleting products over the API."""

import orjson
import pytest
from django.db import models

from products.models import Feature, Photo, Product, RelatedProduct, Sku, Style
from tests.factories.products import (
    FeatureFactory,
    PhotoFactory,
    ProductFactory,
    RelatedProductFactory,
    SkuFactory,
    StyleFactory,
)
from tests.factories.reviews import ReviewFactory
from tests.factories.users import bearer, give_token
from tests.staff import retagged

pytestmark = pytest.mark.django_db

FIRST_OWN_ID = 1_000_000_000
COAT = {
    "name": "Coat ",
    "slogan": "",
    "description": "Warm.",
    "category": "Coats",
    "default_price": "140.5",
}


@pytest.fixture
def api(client):
    """Sends JSON as a client that may write the catalogue."""
    token = bearer(give_token(scopes=["catalogue:write"]))

    def send(method, path, body=None):
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        data = b"" if body is None else data
        return client.generic(method, path, data, "application/json", headers=token)

    return send


def code_of(response):
    assert response["Content-Type"] == "application/problem+json"
    return orjson.loads(response.content)["code"]


def pointers_of(response):
    assert response.status_code == 400, response.content
    assert code_of(response) == "invalid"
    return {row["pointer"] for row in orjson.loads(response.content)["errors"]}


def test_a_product_is_made_and_shown_at_once(api, get_json):
    features = [{"feature": "Fabric", "value": "Wool"}, {"feature": "Lining"}]
    with retagged() as scopes:
        response = api("POST", "/products", {**COAT, "features": features})
    assert response.status_code == 201
    body = orjson.loads(response.content)
    assert body["id"] >= FIRST_OWN_ID
    assert response["Location"] == f"/products/{body['id']}"
    assert body["name"] == "Coat "
    assert body["default_price"] == "140.50"
    assert body["features"] == [
        {"feature": "Fabric", "value": "Wool"},
        {"feature": "Lining", "value": None},
    ]
    assert get_json(response["Location"]) == body
    assert scopes == {"catalogue", f"product:{body['id']}"}


def test_a_product_is_changed_in_what_is_named(api, get_json):
    ProductFactory(id=1, slogan="Old")
    before = get_json("/products/1")
    with retagged() as scopes:
        response = api("PATCH", "/products/1", {"name": "Hat", "default_price": 9})
    assert response.status_code == 200
    after = orjson.loads(response.content)
    assert after == {
        **before,
        "name": "Hat",
        "default_price": "9.00",
        "updated_at": after["updated_at"],
    }
    assert after["updated_at"] > before["updated_at"]
    assert scopes == {"catalogue", "product:1"}


def test_a_product_is_deleted_with_what_is_below_it(api, client):
    style = StyleFactory(product=ProductFactory(id=1))
    PhotoFactory(style=style)
    SkuFactory(style=style)
    FeatureFactory(product_id=1)
    RelatedProductFactory(product_id=1)
    assert api("DELETE", "/products/1").status_code == 204
    assert client.get("/products/1").status_code == 404
    for model in (Style, Photo, Sku, Feature, RelatedProduct):
        assert not model.objects.exists()
    assert api("DELETE", "/products/1").status_code == 404


def test_a_product_with_reviews_stays(api):
    ReviewFactory(product=ProductFactory(id=1))
    response = api("DELETE", "/products/1")
    assert response.status_code == 409
    assert code_of(response) == "product_in_use"
    assert Product.objects.filter(pk=1).exists()


def test_features_are_replaced_in_the_order_given(api, get_json):
    FeatureFactory(product=ProductFactory(id=1))
    given = [{"feature": "B", "value": "2"}, {"feature": "A", "value": None}]
    assert api("PUT", "/products/1/features", given).status_code == 204
    assert get_json("/products/1")["features"] == given
    assert api("PUT", "/products/1/features", []).status_code == 204
    assert get_json("/products/1")["features"] == []


def test_related_products_are_replaced_in_the_order_given(api, get_json):
    RelatedProductFactory(product=ProductFactory(id=1))
    ProductFactory(id=2), ProductFactory(id=3)
    assert api("PUT", "/products/1/related", [3, 2, 3]).status_code == 204
    assert get_json("/products/1/related") == [3, 2, 3]


@pytest.mark.parametrize("related", [[1], [2, 404]])
def test_a_relation_that_cannot_be_leaves_all_as_it_was(api, get_json, related):
    RelatedProductFactory(product=ProductFactory(id=1), related_product=ProductFactory(id=2))
    response = api("PUT", "/products/1/related", related)
    assert response.status_code == 422
    assert code_of(response) == "invalid_relation"
    assert get_json("/products/1/related") == [2]


@pytest.mark.parametrize("body", [{}, [0], ["x"], [2**63], [None], None, [[1]], [1] * 1001, b"[1"])
def test_a_bad_list_of_related_ids_is_refused(api, body):
    ProductFactory(id=1)
    assert api("PUT", "/products/1/related", body).status_code == 400


STYLE = {
    "name": "Red",
    "original_price": "10",
    "sale_price": None,
    "default?": True,
    "photos": [{"url": "https://images.example/1"}],
    "skus": [{"size": "7.5", "quantity": 3}, {"size": "7.5", "quantity": 0}],
}


def test_a_style_is_made_with_photos_and_skus(api, get_json):
    ProductFactory(id=1)
    with retagged() as scopes:
        response = api("POST", "/products/1/styles", STYLE)
    assert response.status_code == 201
    body = orjson.loads(response.content)
    assert response["Location"] == f"/products/1/styles/{body['style_id']}"
    assert get_json("/products/1/styles")["results"] == [body]
    assert get_json(response["Location"]) == body
    assert body["default?"] is True
    assert body["original_price"] == "10.00"
    assert body["photos"] == [{"thumbnail_url": None, "url": "https://images.example/1"}]
    assert [sku["quantity"] for sku in body["skus"].values()] == [3, 0]
    assert scopes == {"product:1"}


def test_a_style_is_changed_in_what_is_named(api):
    style = StyleFactory(id=5, product=ProductFactory(id=1), is_default=True)
    PhotoFactory(style=style)
    SkuFactory(style=style)
    changed = orjson.loads(api("PATCH", "/products/1/styles/5", {"sale_price": "5"}).content)
    assert changed["sale_price"] == "5.00"
    assert changed["default?"] is True
    assert len(changed["photos"]) == len(changed["skus"]) == 1
    changed = orjson.loads(
        api("PATCH", "/products/1/styles/5", {"photos": [], "default?": False}).content
    )
    assert changed["photos"] == [{"thumbnail_url": None, "url": None}]
    assert len(changed["skus"]) == 1
    assert changed["default?"] is False


def test_a_style_is_reached_through_its_own_product_only(api, client):
    StyleFactory(id=5, product=ProductFactory(id=1))
    ProductFactory(id=2)
    assert client.get("/products/2/styles/5").status_code == 404
    assert api("PATCH", "/products/2/styles/5", {"name": "x"}).status_code == 404
    assert api("DELETE", "/products/2/styles/5").status_code == 404
    assert api("DELETE", "/products/1/styles/5").status_code == 204
    assert not Style.objects.exists()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/products/404", {"name": "x"}),
        ("PATCH", "/products/x", {"name": "x"}),
        ("DELETE", "/products/404", None),
        ("PUT", "/products/404/features", []),
        ("PUT", "/products/404/related", []),
        ("POST", "/products/404/styles", STYLE),
        ("PATCH", "/products/1/styles/404", {"photos": []}),
        ("PATCH", "/products/1/styles/x", {"name": "x"}),
        ("DELETE", "/products/1/styles/404", None),
    ],
)
def test_what_does_not_exist_is_404_as_a_problem(api, method, path, body):
    ProductFactory(id=1)
    response = api(method, path, body)
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert Product.objects.count() == 1


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"name":"\\ud800"}', b"[" * 5000])
def test_f11_what_is_no_json_is_refused(api, body):
    for method, path in (("POST", "/products"), ("PUT", "/products/1/related")):
        response = api(method, path, body)
        assert response.status_code == 400
        assert code_of(response) == "parse_error"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": None}, "/name"),
        ({"name": 5}, "/name"),
        ({"name": "a\0b"}, "/name"),
        ({"name": "x" * 1001}, "/name"),
        ({"default_price": "-1"}, "/default_price"),
        ({"default_price": "1.005"}, "/default_price"),
        ({"default_price": "NaN"}, "/default_price"),
        ({"default_price": "1e30"}, "/default_price"),
        ({"default_price": True}, "/default_price"),
        ({"features": [{"feature": "a"}, {"value": "b"}]}, "/features/1/feature"),
        ({"features": [{"feature": "a", "id": 1}]}, "/features/0/id"),
    ],
)
def test_a_bad_field_is_named(api, change, pointer):
    assert pointer in pointers_of(api("POST", "/products", {**COAT, **change}))
    assert not Product.objects.exists()


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"photos": [{"url": "javascript:alert(1)"}]}, "/photos/0/url"),
        ({"photos": [{"url": "ftp://images.example/1"}]}, "/photos/0/url"),
        ({"skus": [{"size": "M", "quantity": -1}]}, "/skus/0/quantity"),
        ({"skus": [{"size": "M", "quantity": 2**31}]}, "/skus/0/quantity"),
        ({"skus": {"1": {"size": "M", "quantity": 1}}}, "/skus"),
        ({"default?": "perhaps"}, "/default?"),
    ],
)
def test_a_bad_field_of_a_style_is_named(api, change, pointer):
    ProductFactory(id=1)
    assert pointer in pointers_of(api("POST", "/products/1/styles", {**STYLE, **change}))
    assert not Style.objects.exists()


def columns(model, known=()):
    """Every name by which a field of the model could be set from outside."""
    names = set()
    for column in model._meta.get_fields():
        names |= {column.name, getattr(column, "attname", column.name)}
    return sorted(names - set(known))


SETTABLE = {"name", "slogan", "description", "category", "default_price"}


@pytest.mark.parametrize("name", [*columns(Product, SETTABLE | {"features"}), "pk", "_state"])
def test_f14_no_other_field_of_a_product_can_be_set(api, name):
    product = ProductFactory(id=1)
    row = Product.objects.filter(pk=1).values()[0]
    assert f"/{name}" in pointers_of(api("POST", "/products", {**COAT, name: 7}))
    assert f"/{name}" in pointers_of(api("PATCH", "/products/1", {"name": "x", name: 7}))
    assert list(Product.objects.values()) == [row]
    assert isinstance(product, models.Model)


STYLE_SETTABLE = {"name", "original_price", "sale_price", "photos", "skus"}


@pytest.mark.parametrize("name", [*columns(Style, STYLE_SETTABLE), "style_id", "pk"])
def test_f14_no_other_field_of_a_style_can_be_set(api, name):
    StyleFactory(id=5, product=ProductFactory(id=1))
    row = Style.objects.values()[0]
    assert f"/{name}" in pointers_of(api("POST", "/products/1/styles", {**STYLE, name: 7}))
    assert f"/{name}" in pointers_of(api("PATCH", "/products/1/styles/5", {"name": "x", name: 7}))
    assert list(Style.objects.values()) == [row]


@pytest.mark.parametrize(
    ("part", "model", "known"),
    [("photos", Photo, {"url", "thumbnail_url"}), ("skus", Sku, {"size", "quantity"})],
)
def test_f14_no_other_field_of_a_photo_or_sku_can_be_set(api, part, model, known):
    ProductFactory(id=1)
    for name in columns(model, known):
        entry = {**STYLE[part][0], name: 7}
        body = {**STYLE, part: [entry]}
        assert f"/{part}/0/{name}" in pointers_of(api("POST", "/products/1/styles", body))
    assert not model.objects.exists()


def test_f14_no_other_field_of_a_feature_can_be_set(api):
    ProductFactory(id=1)
    for name in columns(Feature, {"feature", "value"}):
        body = [{"feature": "Fabric", name: 7}]
        assert f"/0/{name}" in pointers_of(api("PUT", "/products/1/features", body))
    assert not Feature.objects.exists()


def test_a_change_of_nothing_is_refused(api):
    StyleFactory(id=5, product=ProductFactory(id=1))
    assert api("PATCH", "/products/1", {}).status_code == 400
    assert api("PATCH", "/products/1/styles/5", {}).status_code == 400


def test_reads_of_the_same_paths_keep_their_legacy_errors(client):
    response = client.get("/products/404")
    assert response.content == b"Error: invalid product id provided"
    assert response["Content-Type"] == "text/plain; charset=utf-8"


def test_entries_of_lists_are_whole_also_where_a_style_is_changed(api):
    StyleFactory(id=5, product=ProductFactory(id=1))
    path = "/products/1/styles/5"
    assert pointers_of(api("PATCH", path, {"photos": [{}]})) == {"/photos/0/url"}
    assert pointers_of(api("PATCH", path, {"skus": [{"size": "M"}]})) == {"/skus/0/quantity"}
    body = {"photos": [{"url": "https://images.example/2"}]}
    assert api("PATCH", path, body).status_code == 200
    assert Photo.objects.get().thumbnail_url is None
