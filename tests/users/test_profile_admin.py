"""Profiles in the admin: found by id, address or number, changed through the services."""

import pytest
from django.contrib.auth.models import Permission

from tests.factories.users import (
    AccountFactory,
    AdminFactory,
    PreferenceFactory,
    ProfileFactory,
    TenantFactory,
    UserFactory,
)
from tests.staff import form_data, messages_of
from tests.users.profiles import ANN, BO, ann_and_bo
from users.models import Profile
from users.services.profiles import delete_profile

pytestmark = pytest.mark.django_db

LIST = "/admin/users/profile/"


@pytest.fixture
def staff(client):
    client.force_login(AdminFactory(username="eve"))
    return client


@pytest.fixture
def people():
    return ann_and_bo()


def row(profile_id=ANN):
    return Profile.objects.filter(pk=profile_id).values().get()


def found(page):
    assert page.status_code == 200
    return [one.pk for one in page.context["cl"].result_list]


def act(client, action, *ids, query=""):
    body = {"action": action, "_selected_action": [str(one) for one in ids]}
    return client.post(LIST + query, body, follow=True)


def test_profiles_are_found_by_id_address_and_number(staff, people):
    north = ProfileFactory(tenant=TenantFactory(name="north"), email="ann@example.com")
    for term, expected in [
        (str(ANN), {ANN}),
        (" ANN@example.com ", {ANN, north.pk}),
        ("+49 151 23456789", {ANN}),
        ("+4915123456780", set()),
        ("1", set()),
        ("nobody@example.com", set()),
        ("x@", set()),
        ("9" * 400, set()),
        ("", {ANN, BO, north.pk}),
    ]:
        assert set(found(staff.get(LIST, {"q": term}))) == expected, term


def test_the_list_counts_nothing_and_asks_as_often_for_fifty(
    staff, people, django_assert_max_num_queries
):
    for _ in range(52):
        ProfileFactory(tenant=people[0].tenant)
    with django_assert_max_num_queries(6) as queries:
        assert len(found(staff.get(LIST))) == 50
    listed = [query["sql"] for query in queries if "users_profile" in query["sql"]]
    assert len(listed) == 1
    assert "COUNT(" not in listed[0].upper()


def test_a_change_goes_through_the_service(staff, people):
    form = {
        **form_data(staff.get(f"{LIST}{ANN}/change/")),
        "full_name": "Ann Li",
        "email": "LI@example.com",
        "mobile": "",
        "account": "",
    }
    before = row()
    assert staff.post(f"{LIST}{ANN}/change/", form).status_code == 302
    after = row()
    changed = {name for name in after if after[name] != before[name]}
    assert {"full_name", "email", "email_key", "mobile", "mobile_key", "account_id"} <= changed
    assert not {"tenant_id", "created_by", "image", "deleted_at", "city"} & changed
    assert (after["email_key"], after["mobile_key"]) == ("li@example.com", None)
    assert after["updated_by"] == "eve"


def test_an_account_is_linked_by_its_userid(staff, people):
    AccountFactory(userid=2)
    form = {**form_data(staff.get(f"{LIST}{BO}/change/")), "account": "2"}
    assert staff.post(f"{LIST}{BO}/change/", form).status_code == 302
    assert row(BO)["account_id"] == 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"email": " ann@EXAMPLE.com"}, "Another profile has this e-mail address."),
        ({"mobile": "+4915123456789"}, "Another profile has this mobile number."),
        ({"mobile": "call me"}, "That is no telephone number."),
        ({"email": "nobody"}, "That is no e-mail address."),
        ({"profile_type": "personal", "account": "1"}, "The account has a profile of this type"),
        ({"full_name": "\u200b\ufeff"}, "This field may not be blank."),
        ({"full_name": "\u0301"}, "This field may not be blank."),
        ({"full_name": "Ann\uffff"}, "The character U+FFFF is not allowed"),
        ({"city": "Ber\u202elin"}, "The character U+202E is not allowed"),
        ({"address": "1 Road\x1b"}, "The character U+001B is not allowed"),
        ({"full_name": "x" * 256}, "Ensure this value has at most 255 characters"),
        ({"country": "x" * 101}, "Ensure this value has at most 100 characters"),
        ({"latitude": "90.1"}, "Ensure this value is less than or equal to 90."),
        ({"longitude": "-181"}, "Ensure this value is greater than or equal to -180."),
    ],
)
def test_a_change_that_is_refused_says_why_at_its_field(staff, people, change, told):
    before = row(BO)
    form = {**form_data(staff.get(f"{LIST}{BO}/change/")), "full_name": "Bobby", **change}
    page = staff.post(f"{LIST}{BO}/change/", form)
    assert page.status_code == 200
    shown = page.context["adminform"].form
    assert [*shown.errors] == [next(iter(change))]
    assert str(shown.errors).count(told) == 1
    # What was typed in is not lost, and nothing says that it was saved.
    assert shown["full_name"].value() == form["full_name"]
    assert messages_of(page) == []
    assert row(BO) == before


def test_profiles_are_deleted_and_restored_by_actions(staff, people):
    page = act(staff, "delete_softly", ANN, BO)
    assert messages_of(page) == ["Profiles deleted: 2."]
    assert (row()["deleted_by"], row(BO)["deleted_by"]) == ("eve", "eve")
    assert found(staff.get(LIST)) == []
    assert set(found(staff.get(LIST, {"deleted": "yes"}))) == {ANN, BO}
    assert found(staff.get(LIST, {"deleted": "yes", "q": "ann@example.com"})) == [ANN]
    ProfileFactory(tenant=people[0].tenant, email="ann@example.com")
    page = act(staff, "restore", ANN, BO, query="?deleted=yes")
    told = f"{ANN}: Another profile has this e-mail address."
    assert set(messages_of(page)) == {told, "Profiles restored: 1."}
    assert row()["deleted_at"]
    assert (row(BO)["deleted_at"], row(BO)["updated_by"]) == (None, "eve")


def test_a_deleted_profile_is_looked_at_and_not_changed(staff, people):
    delete_profile(tenant_id=people[0].tenant_id, profile_id=ANN, by="eve")
    assert b"Ann Lee" in staff.get(f"{LIST}{ANN}/change/").content
    assert staff.post(f"{LIST}{ANN}/change/", {"full_name": "X"}).status_code == 403
    assert row()["full_name"] == "Ann Lee"


def test_nothing_is_added_or_deleted_for_good_here(staff, people):
    assert staff.get(f"{LIST}add/").status_code == 403
    assert staff.post(f"{LIST}{ANN}/delete/", {"post": "yes"}).status_code == 403
    act(staff, "delete_selected", ANN)
    assert Profile.objects.live().count() == 2


def test_who_may_only_look_has_no_actions(client, people):
    person = UserFactory()
    person.user_permissions.add(Permission.objects.get(codename="view_profile"))
    client.force_login(person)
    assert set(found(client.get(LIST))) == {ANN, BO}
    act(client, "delete_softly", ANN)
    assert Profile.objects.live().count() == 2


def test_preferences_are_shown_with_their_profile(staff, people):
    PreferenceFactory(profile=people[0], key="theme", value={"a": "<script>"})
    content = staff.get(f"{LIST}{ANN}/change/").content.decode()
    assert "theme" in content
    assert "<script>" not in content.split("theme", 1)[1][:400]


def test_the_menu_leads_to_profiles(staff):
    assert LIST in staff.get("/admin/").content.decode()
