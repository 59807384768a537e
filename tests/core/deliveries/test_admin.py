"""Deliveries in the admin: seen, found, sent again."""

import time
from datetime import UTC, datetime

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from procrastinate.contrib.django.models import ProcrastinateJob

from atelier.core.models import Delivery
from atelier.core.numbers import uuid7
from tests.factories.users import AdminFactory, UserFactory
from tests.staff import messages_of

pytestmark = pytest.mark.django_db

LIST = "/admin/core/delivery/"


@pytest.fixture
def failed():
    return Delivery.objects.create(
        id=uuid7(time.time() - 60),
        event="login",
        url="http://shop.example/",
        payload='{"userid":1}',
        status="failed",
        attempts=16,
        last_status_code=500,
        last_error="<script>alert(1)</script>",
    )


@pytest.fixture
def staff(client):
    client.force_login(AdminFactory())
    return client


def test_the_newest_comes_first_and_the_status_filters(staff, failed):
    newer = Delivery.objects.create(event="login", url="http://shop.example/", payload="{}")
    page = staff.get(LIST)
    assert list(page.context["cl"].result_list) == [newer, failed]
    page = staff.get(LIST, {"status__exact": "failed"})
    assert list(page.context["cl"].result_list) == [failed]


@pytest.mark.parametrize("query", [{"event": "login"}, {"url__contains": "s"}])
def test_nothing_filters_without_an_index(staff, failed, query):
    assert staff.get(LIST, query).status_code in {302, 400}


def test_a_delivery_is_found_by_its_id(staff, failed):
    Delivery.objects.create(event="login", url="http://shop.example/", payload="{}")
    for term, found in [(str(failed.pk), [failed]), ("login", []), ("17", [])]:
        assert list(staff.get(LIST, {"q": term}).context["cl"].result_list) == found


def test_f20_what_a_receiver_answered_is_shown_as_text(staff, failed):
    page = staff.get(f"{LIST}{failed.pk}/change/")
    assert page.status_code == 200
    assert "<script>alert(1)" not in page.content.decode()
    assert "&lt;script&gt;alert(1)" in page.content.decode()


def test_the_list_names_the_receiver_and_the_next_attempt(staff, failed):
    def shown():
        cells = staff.get(LIST).content.decode()
        return ["hooks.example:8443" in cells, "at once" in cells, "07:08:09 UTC" in cells]

    assert shown() == [False, False, False]
    pending = Delivery.objects.create(
        event="login", url="https://user:secret@hooks.example:8443/x", payload="{}"
    )
    assert shown() == [True, True, False]
    assert b"secret" not in staff.get(LIST).content
    pending.next_attempt_at = datetime(2026, 1, 2, 7, 8, 9, tzinfo=UTC)
    pending.save()
    assert shown() == [True, False, True]


def test_a_delivery_that_is_sent_again_waits_for_nothing(staff, failed):
    failed.next_attempt_at = datetime(2026, 1, 2, 7, 8, 9, tzinfo=UTC)
    failed.save()
    staff.post(LIST, {"action": "send_again", "_selected_action": [str(failed.pk)]})
    failed.refresh_from_db()
    assert failed.next_attempt_at is None


def test_staff_send_a_delivery_again(staff, failed):
    form = {"action": "send_again", "_selected_action": [str(failed.pk)]}
    page = staff.post(LIST, form, follow=True)
    assert messages_of(page) == ["1 delivery will be sent again."]
    failed.refresh_from_db()
    assert (failed.status, failed.attempts) == ("pending", 0)
    assert ProcrastinateJob.objects.get().args == {"delivery_id": str(failed.pk)}


def test_whoever_may_only_look_cannot_send(client, failed):
    looking = UserFactory()
    looking.user_permissions.add(Permission.objects.get(codename="view_delivery"))
    client.force_login(looking)
    assert client.get(LIST).status_code == 200
    client.post(LIST, {"action": "send_again", "_selected_action": [str(failed.pk)]})
    failed.refresh_from_db()
    assert failed.status == "failed"
    assert not ProcrastinateJob.objects.exists()


def test_nobody_writes_or_deletes_one(staff, failed):
    assert staff.get(f"{LIST}add/").status_code == 403
    assert staff.post(f"{LIST}{failed.pk}/delete/", {"post": "yes"}).status_code == 403
    assert staff.post(f"{LIST}{failed.pk}/change/", {"event": "x"}).status_code == 403


def test_the_workers_own_tables_are_not_in_the_admin():
    assert ProcrastinateJob not in admin.site._registry
