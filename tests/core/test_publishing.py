"""The write door, and PostgreSQL's refusal of every write beside it."""

import uuid

import psycopg
import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction

from atelier.core.models import CacheScope
from atelier.core.publishing import EPOCH, ScopeError, publish
from products.models import CATALOGUE_SCOPE, Feature, Product, product_scope
from reviews.models import Erasure, HelpfulVote, Review, ReviewReport, reviews_scope
from tests.factories.products import FeatureFactory, ProductFactory
from tests.factories.reviews import ReviewFactory
from tests.threads import Aside, Crew
from tests.waiting import second_connection, wait_for_blocked

PRIVATE = {Erasure, HelpfulVote, ReviewReport}
PUBLIC = [
    model
    for label in ("products", "reviews")
    for model in apps.get_app_config(label).get_models()
    if model not in PRIVATE
]
VERBS = {
    "insert": "INSERT INTO {table} DEFAULT VALUES",
    "insert nothing": "INSERT INTO {table} ({id}) SELECT {id} FROM {table} WHERE false",
    "update": "UPDATE {table} SET {key} = {key}",
    "delete": "DELETE FROM {table}",
    "upsert": "INSERT INTO {table} DEFAULT VALUES ON CONFLICT DO NOTHING",
    "within a read": "WITH gone AS (DELETE FROM {table} RETURNING *) SELECT * FROM gone",
    "merge": (
        "MERGE INTO {table} target USING (SELECT 1) source ON false"
        " WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN DO NOTHING"
    ),
}


def statement(model, verb):
    key = model._meta.pk.column
    columns = {"table": model._meta.db_table, "key": key, "id": key}
    if verb == "update" and not model._meta.pk.remote_field:
        # An identity may not be assigned, so touch another column.
        columns["key"] = next(
            field.column
            for field in model._meta.concrete_fields
            if not field.primary_key and not getattr(field, "generated", False)
        )
    return VERBS[verb].format(**columns)


def tags():
    return dict(CacheScope.objects.values_list("key", "tag"))


class BrokenError(Exception):
    """What goes wrong within a door."""


def broken():
    return pytest.raises(BrokenError)


def refused():
    return pytest.raises(IntegrityError, match="outside the write door")


@pytest.mark.django_db
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("model", PUBLIC, ids=lambda model: model._meta.db_table)
def test_postgresql_refuses_raw_sql_outside_the_door(model, verb):
    with refused() as error, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement(model, verb))
    assert f"a write to {model._meta.db_table} outside" in str(error.value)


@pytest.mark.django_db
@pytest.mark.parametrize("model", PUBLIC, ids=lambda model: model._meta.db_table)
def test_postgresql_refuses_copy_outside_the_door(model):
    connection.ensure_connection()
    with (
        pytest.raises(psycopg.errors.IntegrityError, match="outside the write door"),
        transaction.atomic(),
        connection.connection.cursor() as cursor,
        cursor.copy(f"COPY {model._meta.db_table} FROM STDIN"),
    ):
        pass


@pytest.mark.django_db
def test_the_orm_is_refused_outside_the_door():
    product = ProductFactory()
    review = ReviewFactory(product=product)
    writes = [
        lambda: Product.objects.create(name="Own", default_price=1),
        lambda: Product.objects.bulk_create([Product(name="Own", default_price=1)]),
        lambda: Product.objects.update(slogan="Own"),
        lambda: Product.objects.bulk_update([product], ["slogan"]),
        lambda: Product.objects.update_or_create(id=product.id, defaults={"slogan": "Own"}),
        lambda: Product.objects.filter(id=404).delete(),
        lambda: Feature.objects.all()._raw_delete("default"),
        product.save,
        review.save,
        review.delete,
    ]
    before = Product.objects.values().get(), Review.objects.values().get()
    for number, write in enumerate(writes):
        with transaction.atomic():
            if number == 5:  # Django looks first, finds nothing and deletes nothing.
                write()
                continue
            with refused(), transaction.atomic():
                write()
    assert (Product.objects.values().get(), Review.objects.values().get()) == before


@pytest.mark.django_db
def test_a_door_that_names_no_scope_is_refused_too():
    with refused(), publish():
        Product.objects.create(name="Own", default_price=1)


@pytest.mark.django_db
def test_after_the_door_the_same_session_is_refused_again():
    ProductFactory()
    with refused(), transaction.atomic():
        Product.objects.update(slogan="Own")
    with broken(), publish(EPOCH):
        raise BrokenError
    with refused(), transaction.atomic():
        Product.objects.update(slogan="Own")


@pytest.mark.django_db(transaction=True)
def test_another_session_is_refused_while_a_door_is_open():
    ProductFactory(id=1)
    with publish(EPOCH), second_connection() as other:
        Product.objects.filter(id=1).update(slogan="Ours")
        with pytest.raises(psycopg.errors.IntegrityError, match="outside the write door"):
            other.execute("INSERT INTO products_feature (product_id, feature) VALUES (1, 'x')")
    assert not Feature.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_session_is_refused_again_after_a_committed_and_a_broken_door():
    with publish(EPOCH):
        Product.objects.create(id=1, name="Ours", default_price=1)
    with refused():
        Product.objects.update(slogan="Own")
    with broken(), publish(EPOCH):
        raise BrokenError
    with refused():
        Product.objects.update(slogan="Own")


@pytest.mark.django_db
def test_votes_and_reports_are_no_public_data():
    review = ReviewFactory()
    for kind in (HelpfulVote, ReviewReport):
        kind.objects.create(review=review, visitor=uuid.uuid4())


@pytest.mark.django_db
def test_a_door_changes_the_tags_of_exactly_its_scopes():
    names = [EPOCH, CATALOGUE_SCOPE, product_scope(1), product_scope(2), reviews_scope(1)]
    with publish(*names):
        pass
    before = tags()
    assert set(before) == set(names)
    with publish(product_scope(1), reviews_scope(1), product_scope(1)):
        pass
    after = tags()
    changed = {name for name in names if before[name] != after[name]}
    assert changed == {product_scope(1), reviews_scope(1)}
    assert len(set(after.values())) == len(names)


@pytest.mark.django_db
def test_a_scope_gets_its_row_with_its_first_write():
    assert tags() == {}
    with publish(product_scope(7)):
        pass
    assert set(tags()) == {"product:7"}
    assert isinstance(tags()["product:7"], uuid.UUID)
    assert str(CacheScope.objects.get()) == "product:7"


@pytest.mark.django_db
def test_each_write_of_a_scope_stores_another_tag():
    seen = set()
    for _ in range(20):
        with publish(CATALOGUE_SCOPE):
            pass
        seen.add(tags()[CATALOGUE_SCOPE])
    assert len(seen) == 20


@pytest.mark.django_db
def test_a_rollback_leaves_data_and_tags():
    ProductFactory(id=1, slogan="Before")
    before = tags()
    with broken(), publish(product_scope(1), product_scope(2)):
        Product.objects.update(slogan="After")
        raise BrokenError
    assert tags() == before
    assert Product.objects.get().slogan == "Before"


@pytest.mark.django_db(transaction=True)
def test_tags_are_committed_with_the_data():
    ProductFactory(id=1, slogan="Before")
    with second_connection() as reader:

        def seen():
            return reader.execute(
                "SELECT (SELECT slogan FROM products_product),"
                " (SELECT tag FROM core_cachescope WHERE key = 'product:1')"
            ).fetchone()

        with publish(product_scope(1)):
            Product.objects.update(slogan="After")
            assert seen() == ("Before", None)
        slogan, tag = seen()
    assert slogan == "After"
    assert tag == tags()["product:1"]


@pytest.mark.django_db
def test_a_nested_door_joins_the_open_one():
    with publish(product_scope(1), product_scope(2)) as outer:
        held = tags()
        with publish(product_scope(2)) as inner:
            assert inner is outer
            ProductFactory(id=1)
        assert tags() == held
        # Still open after the inner one.
        Product.objects.update(slogan="After")
    assert tags() == held
    assert Product.objects.get().slogan == "After"


@pytest.mark.django_db
def test_a_nested_door_may_need_only_what_the_open_one_holds():
    with publish(product_scope(1)):
        missing = pytest.raises(ScopeError, match=r"does not hold product:2, reviews:1\.")
        with missing, publish(reviews_scope(1), product_scope(2), product_scope(1)):
            pytest.fail("It opened.")
        ProductFactory(id=1)
    assert set(tags()) == {"product:1"}


@pytest.mark.django_db
def test_epoch_stands_for_every_scope():
    with publish(EPOCH), publish(reviews_scope(1)):
        ProductFactory(id=1)
    assert set(tags()) == {EPOCH}


@pytest.mark.django_db
def test_a_nested_door_that_breaks_takes_back_only_its_own_writes():
    with publish(EPOCH):
        ProductFactory(id=1)
        with broken(), publish(EPOCH):
            ProductFactory(id=2)
            raise BrokenError
        FeatureFactory(product_id=1)
    assert list(Product.objects.values_list("id", flat=True)) == [1]
    assert Feature.objects.count() == 1


@pytest.mark.django_db
def test_the_next_door_is_a_new_one():
    with publish(product_scope(1)) as first:
        pass
    with publish(product_scope(2)) as second:
        pass
    assert second is not first
    assert second.scopes == {"product:2"}


@pytest.mark.django_db
def test_include_locks_further_scopes_that_sort_after_those_held():
    with publish(product_scope(1)) as publication:
        held = tags()
        publication.include(reviews_scope(1), product_scope(1))
        publication.require(reviews_scope(1))
        assert tags()["product:1"] == held["product:1"]
        with pytest.raises(ScopeError, match=r"catalogue sorts before reviews:1"):
            publication.include(CATALOGUE_SCOPE)
        ProductFactory(id=1)
    assert set(tags()) == {"product:1", "reviews:1"}


@pytest.mark.django_db(transaction=True)
def test_a_door_within_a_strange_transaction_is_refused():
    with pytest.raises(RuntimeError), transaction.atomic(), publish(EPOCH):
        pytest.fail("It opened.")
    with publish(EPOCH):
        ProductFactory(id=1)
    assert Product.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_writers_of_one_scope_serialise():
    ProductFactory(id=1, slogan="")

    def append():
        with publish(product_scope(1)):
            product = Product.objects.get(id=1)
            Product.objects.filter(id=1).update(slogan=product.slogan + "b")

    with publish(product_scope(1)):
        product = Product.objects.get(id=1)
        second = Aside(append)
        wait_for_blocked()
        assert not second.is_done
        Product.objects.filter(id=1).update(slogan=product.slogan + "a")
    with second:
        second.result()
    assert Product.objects.get(id=1).slogan == "ab"


@pytest.mark.django_db(transaction=True)
def test_the_first_writers_of_a_new_scope_serialise_too():
    def write():
        with publish(product_scope(5)):
            return tags()["product:5"]

    with publish(product_scope(5)):
        first = tags()["product:5"]
        second = Aside(write)
        wait_for_blocked()
    with second:
        assert second.result() == tags()["product:5"] != first


@pytest.mark.django_db(transaction=True)
def test_writers_of_different_scopes_do_not_wait_for_each_other():
    ProductFactory(id=1)

    def write():
        with publish(product_scope(2)):
            ProductFactory(id=2)

    with publish(product_scope(1)):
        Product.objects.filter(id=1).update(slogan="Ours")
        with Aside(write) as other:
            other.result()
        assert Product.objects.filter(id=2).exists()


@pytest.mark.django_db(transaction=True)
def test_f22_writers_that_name_the_same_scopes_in_any_order_never_deadlock():
    names = [f"product:{number}" for number in range(8)]

    def write(ordered):
        with publish(*ordered):
            pass

    with Crew(4) as crew:
        for _ in range(25):
            orders = [names, names[::-1], names[4:] + names[:4], names[::2] + names[1::2]]
            crew.run([lambda ordered=ordered: write(ordered) for ordered in orders])
    assert set(tags()) == set(names)


@pytest.mark.django_db(transaction=True)
def test_a_restricted_scope_stays_so_until_somebody_says_otherwise():
    with publish("product:1", "reviews:1") as publication:
        publication.restrict("product:1", is_restricted=True)
        assert publication.is_restricted("product:1")
        assert not publication.is_restricted("reviews:1")
    with publish("product:1", "reviews:1") as publication:
        assert publication.is_restricted("product:1")
        assert not publication.is_restricted("reviews:1")
        publication.restrict("product:1", is_restricted=False)
        assert not publication.is_restricted("product:1")
        assert publication.tags["product:1"] == str(CacheScope.objects.get(pk="product:1").tag)
    with publish("product:1") as publication:
        assert not publication.is_restricted("product:1")


@pytest.mark.django_db(transaction=True)
def test_within_the_scope_of_everything_a_restricted_scope_is_locked_as_well():
    with publish(EPOCH) as publication:
        publication.restrict("product:1", is_restricted=True)
        assert publication.scopes == {EPOCH, "product:1"}
    assert CacheScope.objects.get(pk="product:1").is_restricted


@pytest.mark.django_db(transaction=True)
def test_a_write_that_is_rolled_back_restricts_nothing():
    with pytest.raises(BrokenError):
        restrict_and_break()
    assert not CacheScope.objects.filter(is_restricted=True).exists()


def restrict_and_break():
    with publish("product:1") as publication:
        publication.restrict("product:1", is_restricted=True)
        raise BrokenError
