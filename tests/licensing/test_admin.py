"""The staff's window on licensing: every write through services, nothing of a stranger's run."""

from datetime import UTC, datetime

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from licensing import sql
from licensing.models import NetworkOverride, ProductLicence
from licensing.services import region_of
from tests.factories.licensing import (
    IpRangeFactory,
    NetworkOverrideFactory,
    RangeSourceFactory,
    fill_regions,
    group,
    licence,
    region,
)
from tests.factories.products import ProductFactory
from tests.factories.users import UserFactory
from tests.staff import form_data, messages_of, retagged
from tests.threads import Aside

pytestmark = pytest.mark.django_db(transaction=True)

ADMIN = "/admin/licensing"
LICENCES = f"{ADMIN}/productlicence/"
OVERRIDES = f"{ADMIN}/networkoverride/"
OWN = {"catalogue", "product:1", "reviews:1", "reviews_meta:1"}
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def product(db):
    fill_regions()
    return ProductFactory(id=1)


def new(**fields):
    return {
        "product": "1",
        "region": region("CA").pk,
        "group": "",
        "effect": "allow",
        "valid_from_0": "2026-01-01",
        "valid_from_1": "00:00:00",
        "valid_until_0": "",
        "valid_until_1": "",
        "note": "",
        **fields,
    }


def test_every_page_opens(admin_client):
    kept, override = licence(1, "CA"), NetworkOverrideFactory()
    source = RangeSourceFactory()
    IpRangeFactory(source=source)
    for path in (
        LICENCES,
        f"{LICENCES}?q=1",
        f"{LICENCES}?product__id__exact=1",
        f"{LICENCES}add/",
        f"{LICENCES}add/?product=1",
        f"{LICENCES}{kept.pk}/change/",
        f"{LICENCES}{kept.pk}/history/",
        f"{LICENCES}{kept.pk}/history/{kept.history.get().pk}/",
        f"{LICENCES}{kept.pk}/delete/",
        OVERRIDES,
        f"{OVERRIDES}add/",
        f"{OVERRIDES}{override.pk}/change/",
        f"{OVERRIDES}{override.pk}/delete/",
        f"{ADMIN}/rangesource/",
        f"{ADMIN}/rangesource/{source.pk}/change/",
        f"{ADMIN}/region/",
        f"{ADMIN}/region/?q=can",
        f"{ADMIN}/region/{region('CA').pk}/change/",
        f"{ADMIN}/regiongroup/",
        f"{ADMIN}/regiongroup/add/",
        f"{ADMIN}/regiongroup/{group('EU').pk}/change/",
        f"{ADMIN}/regiongroup/{group('EU').pk}/history/",
        f"{ADMIN}/regiongroup/{group('EU').pk}/delete/",
    ):
        page = admin_client.get(path)
        assert page.status_code == 200, path
        assert (
            "'unsafe-inline'"
            not in page["Content-Security-Policy"].split("script-src")[1].split(";")[0]
        )


def test_a_licence_is_added_changed_and_deleted_through_the_door(admin_client):
    with retagged() as added:
        page = admin_client.post(f"{LICENCES}add/", new())
    assert page.status_code == 302, page.content
    kept = ProductLicence.objects.get()
    with retagged() as changed:
        form = form_data(admin_client.get(f"{LICENCES}{kept.pk}/change/"))
        page = admin_client.post(
            f"{LICENCES}{kept.pk}/change/", new(effect="deny") | {"note": form["note"]}
        )
    assert page.status_code == 302, page.content
    kept.refresh_from_db()
    assert kept.effect == "deny"
    with retagged() as deleted:
        page = admin_client.post(f"{LICENCES}{kept.pk}/delete/", {"post": "yes"})
    assert page.status_code == 302
    assert not ProductLicence.objects.exists()
    assert added == changed == deleted == OWN
    by = ProductLicence.history.values_list("history_user__username", flat=True)
    assert set(by) == {"admin"}
    assert len(by) == 3


def test_selected_licences_are_deleted_through_one_door(admin_client):
    ProductFactory(id=2)
    kept = [licence(2, "CA"), licence(1, "FR"), licence(1, "CA")]
    chosen = {"action": "delete_selected", "_selected_action": [one.pk for one in kept]}
    with retagged() as changed:
        admin_client.post(LICENCES, chosen | {"post": "yes"})
    assert not ProductLicence.objects.exists()
    assert changed >= OWN | {"product:2", "reviews:2", "reviews_meta:2"}


NO_TERRITORY = "A licence names either a region or a group."


@pytest.mark.parametrize(
    ("fields", "field", "told"),
    [
        ({"group": "both"}, "region", NO_TERRITORY),
        ({"region": ""}, "region", NO_TERRITORY),
        (
            {"valid_until_0": "2025-01-01", "valid_until_1": "00:00:00"},
            "valid_until",
            "A licence ends after it begins.",
        ),
        ({"product": "99"}, "product", "That choice is not one of the available choices."),
        ({"effect": "maybe"}, "effect", "maybe is not one of the available choices."),
    ],
)
def test_a_form_that_makes_no_sense_says_so_at_its_field(admin_client, fields, field, told):
    if fields.get("group") == "both":
        fields = {"group": group("EU").pk}
    with retagged() as changed:
        page = admin_client.post(f"{LICENCES}add/", new(**fields))
    assert page.status_code == 200
    errors = page.context["adminform"].form.errors
    assert [*errors] == [field], errors
    assert told in str(errors)
    assert changed == set()
    assert not ProductLicence.objects.exists()


def test_a_window_that_overlaps_is_refused(admin_client):
    licence(1, "CA")
    with retagged() as changed:
        page = admin_client.post(f"{LICENCES}add/", new())
    assert page.status_code == 200
    assert page.context["adminform"].form.errors == {
        "valid_from": ["Another licence of this product and territory holds at the same time."]
    }
    assert messages_of(page) == []
    assert changed == set()
    assert ProductLicence.objects.count() == 1


def test_what_was_is_looked_at_and_never_put_back(admin_client):
    kept = licence(1, "CA")
    entry = kept.history.get()
    page = admin_client.post(f"{LICENCES}{kept.pk}/history/{entry.pk}/", new(effect="deny"))
    assert page.status_code == 403
    kept.refresh_from_db()
    assert kept.effect == "allow"


def test_overrides_are_kept_by_the_admin_and_found_by_address(admin_client):
    form = {"network": "192.0.2.0/24", "region": region("CA").pk, "note": "office"}
    assert admin_client.post(f"{OVERRIDES}add/", form).status_code == 302
    kept = NetworkOverride.objects.get()
    form["region"] = region("FR").pk
    assert admin_client.post(f"{OVERRIDES}{kept.pk}/change/", form).status_code == 302
    assert b"192.0.2.0/24" in admin_client.get(f"{OVERRIDES}?q=192.0.2.77").content
    assert b"192.0.2.0/24" not in admin_client.get(f"{OVERRIDES}?q=198.51.100.1").content
    for network in ("192.0.2.0/24", "192.0.2.1/24", "fe80::1%eth0", "x", ""):
        page = admin_client.post(f"{OVERRIDES}add/", form | {"network": network})
        assert page.status_code == 200
        assert page.context["adminform"].form.errors
    page = admin_client.post(f"{OVERRIDES}{kept.pk}/delete/", {"post": "yes"})
    assert page.status_code == 302
    assert not NetworkOverride.objects.exists()


def test_regions_are_looked_at_only_and_sources_come_and_go_by_commands(admin_client):
    source = RangeSourceFactory().pk
    canada = region("CA").pk
    for path in ("region/add", "rangesource/add", f"region/{canada}/change"):
        assert admin_client.post(f"{ADMIN}/{path}/", {}).status_code == 403
    for path in (f"region/{canada}/delete", f"rangesource/{source}/delete"):
        assert admin_client.post(f"{ADMIN}/{path}/", {"post": "yes"}).status_code == 403


def test_the_precedence_of_a_source_holds_at_once(admin_client):
    first = RangeSourceFactory(name="first", precedence=1)
    page = f"{ADMIN}/rangesource/{first.pk}/change/"
    IpRangeFactory(source=first)
    IpRangeFactory(source=RangeSourceFactory(precedence=2), region=region("FR"))
    assert region_of("192.0.2.1").region.code == "CA"
    assert admin_client.post(page, {"precedence": "3", "name": "x"}).status_code == 302
    assert region_of("192.0.2.1").region.code == "FR"
    first.refresh_from_db()
    assert (first.precedence, first.name) == (3, "first")
    for precedence in ("32768", "", "x"):
        refused = admin_client.post(page, {"precedence": precedence})
        assert refused.context["adminform"].form.errors


def test_the_precedence_waits_for_no_import_and_says_so(admin_client):
    source = RangeSourceFactory(precedence=1)
    page = f"{ADMIN}/rangesource/{source.pk}/change/"
    with transaction.atomic():
        assert sql.lock_source(source.name, holder="somebody") is None
        with Aside(lambda: admin_client.post(page, {"precedence": "3"}, follow=True)) as done:
            told = messages_of(done.result())
    assert len(told) == 1
    assert "is being imported by somebody" in told[0]
    source.refresh_from_db()
    assert source.precedence == 1


def test_a_form_says_what_its_fields_mean_and_begins_now(admin_client):
    page = admin_client.get(f"{LICENCES}add/?product=1")
    form = page.context["adminform"].form
    begins = form["valid_from"].value()
    assert abs((timezone.now() - begins).total_seconds()) < 60
    assert form["product"].value() == "1"
    text = page.content.decode()
    for said in ("A region or a group, not both.", "In UTC.", "wherever none allows it."):
        assert said in text


def test_a_list_names_the_product_and_the_seconds(admin_client):
    licence(1, "CA", valid_from=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    text = admin_client.get(LICENCES).content.decode()
    assert f"{ProductLicence.objects.get().product.name} (1)</a>" in text
    assert "2026-01-02 03:04:05 UTC" in text


def test_a_history_names_no_reason_where_there_is_none(admin_client):
    kept = licence(1, "CA")
    ProductLicence.history.update(history_user=UserFactory())
    text = admin_client.get(f"{LICENCES}{kept.pk}/history/").content.decode()
    assert "Created" in text
    assert ">\n                    None" not in text


@pytest.mark.parametrize("path", [LICENCES, OVERRIDES, f"{LICENCES}add/"])
def test_strangers_see_nothing(path):
    client = Client(SERVER_NAME="localhost")
    assert client.get(path).status_code == 302
    client.force_login(UserFactory())
    assert client.get(path).status_code == 403


def test_f20_what_somebody_wrote_is_shown_and_not_run(admin_client):
    kept = licence(1, "CA", note=SCRIPT)
    override = NetworkOverrideFactory(note=SCRIPT)
    source = RangeSourceFactory(name=SCRIPT, files=SCRIPT)
    for path in (
        LICENCES,
        f"{LICENCES}{kept.pk}/change/",
        f"{LICENCES}{kept.pk}/history/",
        f"{LICENCES}{kept.pk}/history/{kept.history.get().pk}/",
        OVERRIDES,
        f"{OVERRIDES}{override.pk}/change/",
        f"{ADMIN}/rangesource/",
        f"{ADMIN}/rangesource/{source.pk}/change/",
    ):
        page = admin_client.get(path)
        assert page.status_code == 200
        assert SCRIPT.encode() not in page.content, path
        assert "script-src 'self'" in page["Content-Security-Policy"]


def test_the_menu_leads_to_each_list(admin_client):
    page = admin_client.get("/admin/").content.decode()
    for model in ("productlicence", "networkoverride", "rangesource", "region", "regiongroup"):
        assert f'href="{ADMIN}/{model}/"' in page
