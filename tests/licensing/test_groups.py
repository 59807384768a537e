"""Groups of regions: what staff change holds at once, wherever a licence names them."""

from contextlib import ExitStack
from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission

from atelier.core.publishing import publish
from licensing import groups
from licensing.models import ProductLicence, RegionGroup
from licensing.services import delete_licence, licence_answer
from tests.factories.licensing import fill_regions, group, licence, region
from tests.factories.products import ProductFactory, RelatedProductFactory
from tests.factories.users import UserFactory
from tests.staff import form_data, retagged
from tests.threads import Aside
from tests.waiting import wait_for_blocked

pytestmark = pytest.mark.django_db(transaction=True)

GROUPS = "/admin/licensing/regiongroup/"
OWN = {"catalogue", "product:1", "reviews:1", "reviews_meta:1"}


@pytest.fixture(autouse=True)
def product(db):
    fill_regions()
    return ProductFactory(id=1)


def ids(*codes):
    return [region(code).pk for code in codes]


def is_shown(code):
    return licence_answer(product_id=1, region_id=region(code).pk, code=code).decision.is_allowed


def form(*codes, **fields):
    return {"code": "DACH", "name": "Where German is spoken", "members": ids(*codes), **fields}


def history(of):
    return [
        (
            entry.history_type,
            entry.history_user and entry.history_user.username,
            sorted(row.region.code for row in entry.members.all()),
        )
        for entry in of.history.order_by("history_id")
    ]


def test_a_group_is_added_changed_and_deleted_with_its_history(admin_client):
    page = admin_client.post(f"{GROUPS}add/", form("DE", "AT"))
    assert page.status_code == 302, page.context["adminform"].form.errors
    made = group("DACH")
    licence(1, "DACH")
    assert (is_shown("DE"), is_shown("CH")) == (True, False)
    page = admin_client.post(f"{GROUPS}{made.pk}/change/", form("AT", "CH", name="Alps"))
    assert page.status_code == 302
    assert (is_shown("DE"), is_shown("CH")) == (False, True)
    assert history(made) == [("+", "admin", ["AT", "DE"]), ("~", "admin", ["AT", "CH"])]
    assert [entry.name for entry in made.history.order_by("history_id")][1] == "Alps"
    page = admin_client.get(f"{GROUPS}{made.pk}/history/").content.decode()
    assert "Germany" in page
    assert "None" not in page
    delete_licence(licence_id=ProductLicence.objects.get().pk)
    page = admin_client.post(f"{GROUPS}{made.pk}/delete/", {"post": "yes"})
    assert page.status_code == 302
    assert not RegionGroup.objects.filter(code="DACH").exists()
    assert RegionGroup.history.filter(code="DACH", history_type="-").exists()


def test_groups_from_before_there_was_a_history_begin_it_as_they_are():
    RegionGroup.history.all().delete()
    import_module("licensing.migrations.0003_group_history").begin(apps, None)
    for one in RegionGroup.objects.all():
        members = sorted(one.members.values_list("code", flat=True))
        assert members
        assert history(one) == [("+", None, members)]


def test_a_form_that_comes_back_as_it_was_changes_nothing(admin_client):
    eu = group("EU")
    before, entries = set(eu.members.values_list("code", flat=True)), eu.history.count()
    page = admin_client.get(f"{GROUPS}{eu.pk}/change/")
    fields = form_data(page)
    assert admin_client.post(f"{GROUPS}{eu.pk}/change/", fields).status_code == 302
    assert set(eu.members.values_list("code", flat=True)) == before
    assert eu.history.count() == entries


def test_a_change_re_tags_all_that_products_of_its_licences_take_part_in(admin_client):
    RelatedProductFactory(product=ProductFactory(id=7), related_product_id=1)
    ProductFactory(id=2)
    licence(1, "EU")
    licence(2, "EEA")
    eu = group("EU")
    with retagged() as changed:
        page = admin_client.post(f"{GROUPS}{eu.pk}/change/", form("CA"))
    assert page.status_code == 302
    assert changed == OWN | {"product:7"}


def test_a_change_for_many_products_re_tags_everything(admin_client, monkeypatch):
    monkeypatch.setattr(groups, "MOST_PRODUCTS", 1)
    ProductFactory(id=2)
    licence(1, "EU")
    licence(2, "EU")
    with retagged() as changed:
        admin_client.post(f"{GROUPS}{group('EU').pk}/change/", form("CA"))
    assert changed == {"epoch"}
    assert is_shown("CA")


@pytest.mark.parametrize(
    "fields", [{"members": []}, {"code": ""}, {"code": "EEA"}, {"members": [1_000_000]}]
)
def test_a_form_that_makes_no_sense_changes_nothing(admin_client, fields):
    eu = group("EU")
    with retagged() as changed:
        for path in (f"{GROUPS}add/", f"{GROUPS}{eu.pk}/change/"):
            page = admin_client.post(path, form("CA", **fields))
            assert page.status_code == 200
            assert page.context["adminform"].form.errors
    assert changed == set()
    assert RegionGroup.objects.count() == 2
    assert group("EU").members.count() == 27


def test_services_refuse_what_is_no_group():
    with pytest.raises(groups.GroupExists, match="EU already"):
        groups.create_group(code="EU", name="Again", member_ids=ids("DE"))
    with pytest.raises(groups.InvalidGroup):
        groups.create_group(code=" ", name="Blank", member_ids=ids("DE"))
    with pytest.raises(groups.InvalidGroup):
        groups.update_group(group_id=group("EU").pk, code="EU", name="Nobody", member_ids=[])
    assert group("EU").members.count() == 27


def test_a_group_that_licences_name_cannot_be_deleted(admin_client):
    licence(1, "EU")
    eu = group("EU")
    with pytest.raises(groups.GroupInUse, match=r"European Union.*these products: 1"):
        groups.delete_group(group_id=eu.pk)
    page = admin_client.get(f"{GROUPS}{eu.pk}/delete/")
    assert "of these products: 1" in page.content.decode()
    admin_client.post(f"{GROUPS}{eu.pk}/delete/", {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": [eu.pk, group("EEA").pk]}
    admin_client.post(GROUPS, chosen | {"post": "yes"})
    assert RegionGroup.objects.count() == 2
    admin_client.post(GROUPS, chosen | {"post": "yes", "_selected_action": [group("EEA").pk]})
    assert list(RegionGroup.objects.values_list("code", flat=True)) == ["EU"]


def test_staff_need_the_permission_and_no_more(client):
    person = UserFactory(is_staff=True)
    client.force_login(person)
    eu = group("EU")

    def grant(verb):
        person.user_permissions.add(Permission.objects.get(codename=f"{verb}_regiongroup"))

    grant("view")
    for verb, path, fields in (
        ("add", "add", form("DE")),
        ("change", f"{eu.pk}/change", form("DE", code="EU")),
        ("delete", f"{eu.pk}/delete", {"post": "yes"}),
    ):
        assert client.post(f"{GROUPS}{path}/", fields).status_code == 403
        grant(verb)
        assert client.post(f"{GROUPS}{path}/", fields).status_code == 302
    assert not RegionGroup.objects.filter(pk=eu.pk).exists()


def test_a_licence_that_begins_to_name_a_group_meanwhile_is_not_passed_over():
    """Its scopes were not known when the door was opened."""
    eu = group("EU")

    def change():
        groups.update_group(group_id=eu.pk, code="EU", name="EU", member_ids=ids("CA"))

    with ExitStack() as stack:
        with publish(*OWN):
            licence(1, "EU")
            changing = Aside(change)
            stack.enter_context(changing)
            wait_for_blocked()
        with pytest.raises(groups.GroupChanged):
            changing.result()
    assert not is_shown("CA")
    change()
    assert is_shown("CA")
