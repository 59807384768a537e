"""Licences: what may be kept, which answers a change re-tags, and the marker of restricted ones."""

import uuid
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db import IntegrityError
from redis import Redis

from atelier.core.models import CacheScope
from atelier.core.publishing import publish
from licensing import services
from licensing.models import Effect, ProductLicence
from products.models import CATALOGUE_SCOPE, Product, product_scope
from products.services import delete_products
from reviews.models import meta_scope, reviews_scope
from reviews.services import create_review, mark_helpful
from tests.factories.licensing import fill_regions, group, licence, region
from tests.factories.products import ProductFactory, RelatedProductFactory
from tests.factories.reviews import ReviewFactory
from tests.factories.users import UserFactory
from tests.staff import retagged
from tests.threads import Aside
from tests.waiting import wait_for_blocked

pytestmark = pytest.mark.django_db(transaction=True)

START = datetime(2026, 1, 1, tzinfo=UTC)


def day(number):
    return START + timedelta(days=number)


@pytest.fixture(autouse=True)
def product(db):
    fill_regions()
    return ProductFactory(id=1)


@pytest.fixture
def tags():
    client = Redis.from_url(settings.REDIS_URL, decode_responses=True)
    yield lambda *scopes: [client.get(f"tag:{scope}") for scope in scopes]
    client.close()


OWN = ("product:1", "reviews:1", "reviews_meta:1")


def test_the_scopes_are_those_of_the_apps_above():
    RelatedProductFactory(product=ProductFactory(id=7), related_product_id=1)
    assert services.licence_scopes(1) == sorted(
        [CATALOGUE_SCOPE, product_scope(1), product_scope(7), reviews_scope(1), meta_scope(1)]
    )


def test_every_write_re_tags_all_that_the_product_takes_part_in():
    RelatedProductFactory(product=ProductFactory(id=7), related_product_id=1)
    with retagged() as created:
        kept = licence(1, "CA")
    with retagged() as changed:
        services.update_licence(licence_id=kept.pk, changes={"note": "n"})
    with retagged() as deleted:
        services.delete_licence(licence_id=kept.pk)
    assert created == changed == deleted == {"catalogue", "product:7", *OWN}


def test_the_own_scopes_carry_the_marker_while_there_is_a_licence(tags):
    RelatedProductFactory(product=ProductFactory(id=7), related_product_id=1)
    past = licence(1, "CA", valid_from=day(0), valid_until=day(1))
    later = licence(1, "FR", valid_from=day(90_000))
    assert tags(*OWN) == ["restricted"] * 3
    assert tags("product:7", "catalogue") != ["restricted"] * 2
    services.delete_licence(licence_id=past.pk)
    assert tags(*OWN) == ["restricted"] * 3
    services.delete_licence(licence_id=later.pk)
    rows = {row.key: str(row.tag) for row in CacheScope.objects.filter(key__in=OWN)}
    assert tags(*OWN) == [rows[scope] for scope in OWN]


def test_the_marker_does_not_expire_and_other_writes_leave_it(tags):
    licence(1, "CA")
    with Redis.from_url(settings.REDIS_URL) as client:
        assert client.pttl("tag:product:1") == -1
    with publish(product_scope(1)):
        Product.objects.filter(pk=1).update(name="Other")
    assert tags("product:1") == ["restricted"]
    ReviewFactory(id=1, product_id=1)
    # The second time is answered without a write.
    for is_first in (True, False):
        assert mark_helpful(review_id=1, visitor=uuid.UUID(int=1)) is is_first
        assert tags("reviews:1") == ["restricted"]


def test_a_change_that_is_rolled_back_leaves_tags_and_rows_alone(tags):
    licence(1, "CA")
    before = tags(*OWN)
    with retagged() as changed, pytest.raises(services.LicenceOverlaps):
        licence(1, "CA", "deny")
    assert changed == set()
    assert tags(*OWN) == before
    assert ProductLicence.objects.count() == 1


@pytest.mark.parametrize(
    ("begins", "ends", "holds"),
    [
        *((0, 10, True), (9, 11, True), (2, None, True)),
        *((10, 11, False), (0, 1, False), (10, None, False)),
    ],
)
@pytest.mark.parametrize("effect", Effect.values)
def test_windows_of_one_product_and_territory_never_overlap(begins, ends, holds, effect):
    licence(1, "CA", valid_from=day(1), valid_until=day(10))
    window = {"valid_from": day(begins), "valid_until": None if ends is None else day(ends)}
    # Others have windows of their own.
    ProductFactory(id=2)
    licence(2, "CA", effect, **window)
    licence(1, "FR", effect, **window)
    licence(1, "EU", effect, **window)
    if holds:
        with pytest.raises(services.LicenceOverlaps):
            licence(1, "CA", effect, **window)
    else:
        licence(1, "CA", effect, **window)


def test_a_group_and_a_region_of_one_id_are_two_territories():
    """Their ids count up apart, so that 4 may be both."""
    services.create_licence(product_id=1, effect="allow", region_id=region("AF").pk)
    with publish("epoch"):
        ProductLicence.objects.create(product_id=1, group_id=group("EU").pk, effect="deny")
    territories = ProductLicence.objects.order_by("id").values_list("territory", flat=True)
    assert list(territories) == [4, -group("EU").pk]


def test_what_is_no_licence_is_refused_by_the_database():
    both = {"region_id": region("CA").pk, "group_id": group("EU").pk}
    for fields in (both, {}):
        with pytest.raises(services.InvalidLicence, match="region or a group"):
            services.create_licence(product_id=1, effect="allow", **fields)
    with pytest.raises(services.InvalidLicence, match="ends after"):
        licence(1, "CA", valid_from=day(2), valid_until=day(2))
    with pytest.raises(services.InvalidLicence, match="allow, deny"):
        licence(1, "CA", "maybe")
    with pytest.raises(services.UnknownProduct):
        licence(99, "CA")


def test_postgresql_refuses_a_licence_outside_the_door():
    with pytest.raises(IntegrityError, match="outside the write door"):
        ProductLicence.objects.create(product_id=1, region=region("CA"), effect="allow")


def test_history_says_who_did_what():
    user = UserFactory()
    kept = licence(1, "CA", changed_by=user)
    services.update_licence(licence_id=kept.pk, changes={"effect": "deny"}, changed_by=user)
    services.delete_licence(licence_id=kept.pk, changed_by=user)
    rows = ProductLicence.history.order_by("history_id")
    assert list(rows.values_list("history_type", "effect", "history_user_id")) == [
        ("+", "allow", user.pk),
        ("~", "deny", user.pk),
        ("-", "deny", user.pk),
    ]


def test_licences_go_with_their_product():
    licence(1, "CA")
    delete_products(product_ids=[1])
    assert not ProductLicence.objects.exists()


def test_a_product_that_begins_to_show_it_meanwhile_is_told_to_the_writer(monkeypatch):
    """Its scope is not held, so its answers would keep their tag."""
    ProductFactory(id=7)
    real = services.sql.lock_product

    def relate_first(product_id):
        with Aside(lambda: RelatedProductFactory(product_id=7, related_product_id=1)) as done:
            done.result()
        return real(product_id)

    monkeypatch.setattr(services.sql, "lock_product", relate_first)
    with pytest.raises(services.LicenceChanged):
        licence(1, "CA")
    assert not ProductLicence.objects.exists()


def test_nobody_begins_to_show_it_while_a_licence_is_written():
    """A relation commits after the licence, under tags of its own."""
    ProductFactory(id=7)
    with ExitStack() as stack:
        with publish(*services.licence_scopes(1)):
            assert services.sql.lock_product(1)
            relating = Aside(lambda: RelatedProductFactory(product_id=7, related_product_id=1))
            stack.enter_context(relating)
            wait_for_blocked()
            assert not relating.is_done
        assert relating.result().related_product_id == 1


def test_a_review_is_refused_where_its_product_may_not_be_shown():
    review = {
        "rating": 5,
        "summary": "",
        "body": "b",
        "recommend": True,
        "reviewer_name": "n",
        "reviewer_email": "e@example.com",
        "characteristics": {},
    }
    licence(1, "CA")
    with retagged() as changed, pytest.raises(services.NotLicensed):
        create_review(product_id=1, address="192.0.2.1", **review)
    assert changed == set()
    # Nobody's address: a command, or the staff.
    assert create_review(product_id=1, **review).pk


def test_overrides_are_added_changed_and_taken_away():
    added = services.set_override(network="192.0.2.0/24", region_id=region("CA").pk)
    services.set_override(
        override_id=added.pk, network="192.0.3.0/24", region_id=region("FR").pk, note="n"
    )
    assert services.region_of("192.0.3.1").region.code == "FR"
    with pytest.raises(services.OverrideExists):
        services.set_override(network="192.0.3.0/24", region_id=region("CA").pk)
    with pytest.raises(services.InvalidAddress):
        services.set_override(network="192.0.3.1/24", region_id=region("CA").pk)
    assert services.delete_overrides(override_ids=[added.pk]) == 1
    assert services.region_of("192.0.3.1").region is None
