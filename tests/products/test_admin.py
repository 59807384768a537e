"""The staff's window on the catalogue: quick at any size, and every write through the door."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.db import IntegrityError, OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from products import services
from products.models import Feature, Photo, Product, RelatedProduct, Sku, Style
from tests.factories.products import (
    FeatureFactory,
    PhotoFactory,
    ProductFactory,
    RelatedProductFactory,
    SkuFactory,
    StyleFactory,
)
from tests.factories.reviews import CharacteristicFactory, ReviewFactory, recount
from tests.factories.users import UserFactory
from tests.staff import form_data, messages_of, retagged

# The door wants to be the outermost transaction, as in production.
pytestmark = pytest.mark.django_db(transaction=True)

PRODUCTS = "/admin/products/product/"
STYLES = "/admin/products/style/"


@pytest.fixture
def product():
    """Product 1 with one row of everything below it."""
    product = ProductFactory(id=1, name="Camo Onesie")
    FeatureFactory(id=1, product=product)
    style = StyleFactory(id=1, product=product)
    PhotoFactory(id=1, style=style)
    SkuFactory(id=1, style=style)
    RelatedProductFactory(id=1, product=product, related_product=ProductFactory(id=2))
    return product


def statements(client, path):
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return [query["sql"] for query in captured.captured_queries]


PAGES = [
    "/admin/",
    PRODUCTS,
    f"{PRODUCTS}?q=camo",
    f"{PRODUCTS}?q=1",
    f"{PRODUCTS}?p=2",
    f"{PRODUCTS}?category=Coats",
    f"{PRODUCTS}?_popup=1&_to_field=id",
    f"{PRODUCTS}add/",
    f"{PRODUCTS}1/change/",
    f"{PRODUCTS}1/history/",
    f"{PRODUCTS}1/delete/",
    STYLES,
    f"{STYLES}?q=1",
    f"{STYLES}?product__id__exact=1",
    f"{STYLES}add/?product=1",
    f"{STYLES}1/change/",
    f"{STYLES}1/delete/",
    "/admin/users/user/",
    "/admin/users/user/add/",
    "/admin/auth/group/",
    "/admin/auth/group/add/",
]


def test_every_page_opens(admin_client, product):
    found = {path: admin_client.get(path).status_code for path in PAGES}
    assert found == dict.fromkeys(PAGES, 200)


@pytest.mark.parametrize("path", [PRODUCTS, f"{PRODUCTS}1/change/", f"{PRODUCTS}add/", STYLES])
def test_strangers_are_sent_to_the_login(client, product, path):
    for known in (False, True):
        if known:
            client.force_login(UserFactory(is_staff=False, is_superuser=True))
        answer = client.get(path)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/admin/login/")


def test_staff_without_permission_changes_nothing(client, product):
    client.force_login(UserFactory())
    with retagged() as scopes:
        answer = client.post(f"{PRODUCTS}1/change/", {"name": "Mine"})
    assert answer.status_code == 403
    assert scopes == set()
    assert Product.objects.get(pk=1).name == "Camo Onesie"


def test_pages_say_what_a_browser_may_load(admin_client, product):
    for path in (PRODUCTS, "/admin/login/", "/admin/nowhere/", "/docs", "/docs/"):
        policy = admin_client.get(path)["Content-Security-Policy"]
        rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
        assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == "'none'"
        assert "'unsafe-inline'" not in rules["script-src"]
        assert "http" not in policy
    # The API's answers are no pages, and their path is hot.
    assert "Content-Security-Policy" not in admin_client.get("/products/1")


def test_menu_shows_what_may_be_viewed(client, admin_client):
    client.force_login(UserFactory())
    assert b"/admin/reviews/review/" not in client.get("/admin/").content
    assert b"/admin/reviews/review/?awaiting=yes" in admin_client.get("/admin/").content


@pytest.mark.parametrize("path", [PRODUCTS, STYLES, f"{PRODUCTS}?q=linen"])
def test_list_takes_as_many_queries_for_50_rows_as_for_1_and_counts_nothing(admin_client, path):
    StyleFactory(product=ProductFactory(name="Linen Coat"))
    few = statements(admin_client, path)
    for _ in range(49):
        StyleFactory(product=ProductFactory(name="Linen Coat"))
    many = statements(admin_client, path)
    assert len(many) == len(few)
    assert not [sql for sql in many if "COUNT(" in sql]


def test_forms_take_as_many_queries_for_50_rows_as_for_1(admin_client, product):
    def numbers():
        return [
            len(statements(admin_client, path))
            for path in (f"{PRODUCTS}1/change/", f"{STYLES}1/change/")
        ]

    numbers()  # fills the caches of Django itself
    few = numbers()
    style = Style.objects.get(pk=1)
    for _ in range(49):
        FeatureFactory(product=product)
        StyleFactory(product=product)
        RelatedProductFactory(product=product)
        PhotoFactory(style=style)
        SkuFactory(style=style)
    assert numbers() == few


def test_search_finds_words_of_the_name_and_exact_ids(admin_client, product):
    def found(words):
        return [
            row.pk for row in admin_client.get(PRODUCTS, {"q": words}).context["cl"].result_list
        ]

    assert found("ones cam") == [1]
    assert found("amo") == []
    assert found("2") == [2]
    assert found("99") == []
    assert found("%' OR 1=1 --") == []


@pytest.mark.parametrize(
    "query",
    ["name__icontains=a", "description=x", "reviews__body__contains=x", "slogan__regex=(a+)+"],
)
def test_filters_without_an_index_are_refused(admin_client, product, query):
    assert admin_client.get(f"{PRODUCTS}?{query}").status_code == 400


def test_orders_without_an_index_are_ignored(admin_client, product):
    by_name = statements(admin_client, f"{PRODUCTS}?o=2")
    assert not [sql for sql in by_name if 'ORDER BY "products_product"."name"' in sql]
    by_price = statements(admin_client, f"{PRODUCTS}?o=4")
    assert [sql for sql in by_price if 'ORDER BY "products_product"."default_price"' in sql]


def test_pages_end_where_a_walk_would_take_seconds(admin_client, product):
    assert admin_client.get(f"{PRODUCTS}?p=2000").status_code == 200
    assert admin_client.get(f"{PRODUCTS}?p=2001").status_code == 302


def test_changed_product_tags_the_list_and_itself(admin_client, product):
    path = f"{PRODUCTS}1/change/"
    data = form_data(admin_client.get(path)) | {"name": "Camo Suit", "default_price": "141.50"}
    before = timezone.now() - timedelta(seconds=5)
    with retagged() as scopes:
        answer = admin_client.post(path, data)
    assert answer.status_code == 302
    assert scopes == {"catalogue", "product:1"}
    changed = Product.objects.get(pk=1)
    assert (changed.name, changed.default_price) == ("Camo Suit", Decimal("141.50"))
    assert (changed.description, changed.created_at) == (product.description, product.created_at)
    assert changed.updated_at > before
    assert LogEntry.objects.get().get_change_message() == "Changed Name and Default price."


def test_changed_feature_dates_the_product(admin_client, product):
    path = f"{PRODUCTS}1/change/"
    data = form_data(admin_client.get(path)) | {"features-0-value": ""}
    with retagged() as scopes:
        assert admin_client.post(path, data).status_code == 302
    assert scopes == {"catalogue", "product:1"}
    assert Feature.objects.get(pk=1).value is None
    assert Product.objects.get(pk=1).updated_at > product.updated_at


def test_form_sent_back_as_it_came_keeps_the_date(admin_client, product):
    path = f"{PRODUCTS}1/change/"
    assert admin_client.post(path, form_data(admin_client.get(path))).status_code == 302
    assert Product.objects.get(pk=1).updated_at == product.updated_at


@pytest.mark.parametrize("wrong", [{"name": ""}, {"default_price": "-1"}, {"name": "a\x00b"}])
def test_refused_form_keeps_row_and_tags(admin_client, product, wrong):
    path = f"{PRODUCTS}1/change/"
    data = form_data(admin_client.get(path)) | wrong
    with retagged() as scopes:
        answer = admin_client.post(path, data)
    assert answer.status_code == 200
    assert answer.context["errors"]
    assert scopes == set()
    assert Product.objects.get(pk=1).name == "Camo Onesie"


def test_a_number_below_zero_is_refused_at_its_field(admin_client, product):
    told = "Ensure this value is greater than or equal to 0."
    path = f"{PRODUCTS}1/change/"
    data = form_data(admin_client.get(path)) | {"default_price": "-1"}
    errors = admin_client.post(path, data).context["adminform"].form.errors
    assert errors == {"default_price": [told]}

    path = "/admin/products/style/add/"
    data = form_data(admin_client.get(path)) | {
        "product": "1",
        "name": "Red",
        "original_price": "-1",
        "sale_price": "-2",
        "skus-TOTAL_FORMS": "1",
        "skus-0-size": "M",
        "skus-0-quantity": "-3",
    }
    page = admin_client.post(path, data)
    assert page.context["adminform"].form.errors == {"original_price": [told], "sale_price": [told]}
    [skus] = [
        one.formset for one in page.context["inline_admin_formsets"] if one.formset.prefix == "skus"
    ]
    assert skus.errors == [{"quantity": [told]}]
    assert not Style.objects.filter(name="Red").exists()


def test_product_is_not_related_to_itself(admin_client, product):
    path = f"{PRODUCTS}1/change/"
    data = form_data(admin_client.get(path)) | {"related-0-related_product": "1"}
    answer = admin_client.post(path, data)
    assert b"A product is not related to itself." in answer.content
    assert RelatedProduct.objects.get(pk=1).related_product_id == 2


@pytest.mark.parametrize("failure", [IntegrityError, OperationalError])
def test_write_that_the_database_refuses_is_told_and_nothing_else_is(
    admin_client, product, monkeypatch, failure
):
    def refuse(**arguments):
        raise failure

    path = f"{PRODUCTS}1/change/"
    data = form_data(admin_client.get(path)) | {"name": "Camo Suit", "features-0-value": "Silk"}
    monkeypatch.setattr(LogEntry.objects, "log_actions", refuse)
    with retagged() as scopes:
        page = admin_client.post(path, data, follow=True)
    assert messages_of(page) == [
        "Somebody is changing the same rows. Nothing was saved; try again."
    ]
    assert scopes == set()
    assert Feature.objects.get(pk=1).value == "Linen"


def test_added_product_has_an_own_id_whose_scope_was_held(admin_client):
    data = form_data(admin_client.get(f"{PRODUCTS}add/")) | {
        "name": "Silk Scarf",
        "default_price": "20",
        "features-TOTAL_FORMS": "1",
        "features-0-feature": "Fabric",
        "features-0-value": "Silk",
    }
    with retagged() as scopes:
        assert admin_client.post(f"{PRODUCTS}add/", data).status_code == 302
    added = Product.objects.get()
    assert added.pk >= 1_000_000_000
    assert scopes == {"catalogue", f"product:{added.pk}"}
    assert (added.name, added.slogan, added.category) == ("Silk Scarf", "", "")
    assert added.features.get().value == "Silk"


def test_changed_sku_tags_its_product_alone(admin_client, product):
    SkuFactory(id=2, style_id=1, size=None, quantity=3)
    path = f"{STYLES}1/change/"
    data = form_data(admin_client.get(path)) | {"skus-1-quantity": "4"}
    with retagged() as scopes:
        assert admin_client.post(path, data).status_code == 302
    assert scopes == {"product:1"}
    # The API tells null from "".
    assert list(Sku.objects.values_list("size", "quantity").order_by("id")) == [("M", 8), (None, 4)]


def test_style_with_500_skus_is_saved_a_page_at_a_time(admin_client, product):
    for number in range(499):
        SkuFactory(style_id=1, size=str(number), quantity=number)
    path = f"{STYLES}1/change/?skus-page=2"
    page = admin_client.get(path)
    data = form_data(page)
    assert len(data) < 1000
    first = data["skus-0-id"]
    assert admin_client.post(path, data | {"skus-0-quantity": "7777"}).status_code == 302
    assert Sku.objects.filter(quantity=7777).values_list("id", flat=True).get() == first
    assert Sku.objects.filter(style_id=1).count() == 500


@pytest.mark.parametrize("spelling", ["1", " 1 ", "+1"])
def test_added_style_tags_its_product(admin_client, product, spelling):
    data = form_data(admin_client.get(f"{STYLES}add/")) | {
        "product": spelling,
        "name": "Sky Blue",
        "original_price": "140",
        "photos-TOTAL_FORMS": "1",
        "photos-0-url": "https://images.example/9",
    }
    with retagged() as scopes:
        assert admin_client.post(f"{STYLES}add/", data).status_code == 302
    assert scopes == {"product:1"}
    added = Style.objects.latest("id")
    assert (added.product_id, added.name, added.photos.get().thumbnail_url) == (1, "Sky Blue", None)


@pytest.mark.parametrize("unknown", ["", "99", "x", "-1", "9" * 30])
def test_style_of_an_unknown_product_is_refused(admin_client, product, unknown):
    data = form_data(admin_client.get(f"{STYLES}add/"))
    data |= {"product": unknown, "name": "Sky Blue", "original_price": "140"}
    answer = admin_client.post(f"{STYLES}add/", data)
    assert answer.status_code == 200
    assert Style.objects.count() == 1


def test_style_stays_with_its_product(admin_client, product):
    path = f"{STYLES}1/change/"
    data = form_data(admin_client.get(path)) | {"product": "2", "name": "Sky Blue"}
    assert admin_client.post(path, data).status_code == 302
    assert Style.objects.values_list("product_id", "name").get() == (1, "Sky Blue")


def test_deleted_style_takes_photos_and_skus_along(admin_client, product):
    page = admin_client.get(f"{STYLES}1/delete/")
    assert dict(page.context["model_count"]) == {"styles": 1, "photos": 1, "skus": 1}
    with retagged() as scopes:
        assert admin_client.post(f"{STYLES}1/delete/", {"post": "yes"}).status_code == 302
    assert scopes == {"product:1"}
    for kind in (Style, Photo, Sku):
        assert not kind.objects.exists()


def test_deleted_styles_tag_each_product_once(admin_client, product):
    StyleFactory(id=2, product=product)
    StyleFactory(id=3, product_id=2)
    StyleFactory(id=4, product=ProductFactory(id=10))
    chosen = {"action": "delete_selected", "_selected_action": ["1", "2", "3"]}
    assert admin_client.post(STYLES, chosen | {"index": "0"}).status_code == 200
    assert Style.objects.count() == 4
    with retagged() as scopes:
        assert admin_client.post(STYLES, chosen | {"post": "yes"}).status_code == 302
    assert scopes == {"product:1", "product:2"}
    assert list(Style.objects.values_list("id", flat=True)) == [4]


def test_deleted_product_tags_also_who_showed_it(admin_client, product):
    RelatedProductFactory(id=2, product=ProductFactory(id=30), related_product=product)
    page = admin_client.get(f"{PRODUCTS}1/delete/")
    assert dict(page.context["model_count"]) == {
        "products": 1,
        "features": 1,
        "styles": 1,
        "related products": 2,
    }
    with retagged() as scopes:
        assert admin_client.post(f"{PRODUCTS}1/delete/", {"post": "yes"}).status_code == 302
    assert scopes == {"catalogue", "product:1", "product:30", "reviews:1"}
    assert set(Product.objects.values_list("id", flat=True)) == {2, 30}
    assert not RelatedProduct.objects.exists()


def test_deleted_products_tag_all_of_them(admin_client):
    for number in (2, 10, 3):
        ProductFactory(id=number)
    chosen = {"action": "delete_selected", "_selected_action": ["10", "2"], "post": "yes"}
    with retagged() as scopes:
        page = admin_client.post(PRODUCTS, chosen, follow=True)
    assert messages_of(page) == ["Successfully deleted 2 products."]
    assert scopes == {"catalogue", "product:10", "product:2", "reviews:10", "reviews:2"}
    assert list(Product.objects.values_list("id", flat=True)) == [3]


def test_reviewed_product_is_not_deleted_and_its_reviews_are_not_read(admin_client, product):
    for _ in range(5):
        ReviewFactory(product=product, body="never read")
    CharacteristicFactory(product=product)
    recount()
    with CaptureQueriesContext(connection) as captured:
        page = admin_client.get(f"{PRODUCTS}1/delete/")
    assert page.context["protected"] == ["reviews", "characteristics"]
    assert not [query for query in captured.captured_queries if '"body"' in query["sql"]]
    with retagged() as scopes:
        answer = admin_client.post(f"{PRODUCTS}1/delete/", {"post": "yes"})
        chosen = {"action": "delete_selected", "_selected_action": ["1", "2"], "post": "yes"}
        bulk = admin_client.post(PRODUCTS, chosen)
    assert b"protected" in answer.content
    assert b"protected" in bulk.content
    assert scopes == set()
    assert Product.objects.count() == 2


def test_deletion_that_a_review_overtakes_is_told(admin_client, product, monkeypatch):
    """The page was looked at before the review came."""
    ReviewFactory(product=product)
    monkeypatch.setattr(
        "products.admin.ProductAdmin.get_deleted_objects",
        lambda *arguments: ([], {}, set(), []),
    )
    page = admin_client.post(f"{PRODUCTS}1/delete/", {"post": "yes"}, follow=True)
    assert messages_of(page) == ["A product that has reviews is not deleted. Nothing was deleted."]
    assert Product.objects.filter(pk=1).exists()


def test_product_page_reads_no_review(admin_client, product):
    ReviewFactory(product=product)
    read = " ".join(statements(admin_client, f"{PRODUCTS}1/change/"))
    assert "reviews_" not in read


def test_forged_token_is_refused(product, admin_user):
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    assert client.post(f"{PRODUCTS}1/delete/", {"post": "yes"}).status_code == 403
    assert Product.objects.filter(pk=1).exists()


def test_actions_never_reach_beyond_the_page(admin_client, product):
    chosen = {"action": "delete_selected", "_selected_action": ["2"], "select_across": "1"}
    page = admin_client.post(PRODUCTS, chosen | {"post": "yes"}, follow=True)
    assert messages_of(page) == ["Actions work on selected rows only."]
    assert Product.objects.count() == 2


def test_save_as_new_adds_through_a_door_of_its_own(admin_client, product):
    """Django obeys the parameter though no button of ours sends it."""
    path = f"{PRODUCTS}1/change/"
    data = form_data(admin_client.get(path)) | {"_saveasnew": "1"}
    data |= {"features-TOTAL_FORMS": "0", "features-INITIAL_FORMS": "0"}
    data |= {"related-TOTAL_FORMS": "0", "related-INITIAL_FORMS": "0"}
    with retagged() as scopes:
        admin_client.post(path, data)
    added = Product.objects.latest("id")
    assert scopes == {"catalogue", f"product:{added.pk}"}
    assert services.writing_scopes(added.pk) == sorted(scopes)
