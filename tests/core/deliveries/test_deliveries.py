"""From an event to a receiver and back, over the real network stack and PostgreSQL."""

import ipaddress
import time

import orjson
import pytest
from django.db import transaction
from procrastinate.contrib.django.models import ProcrastinateJob

from atelier.core.deliveries import guard, services
from atelier.core.deliveries.services import TryAgain, attempt, defer_delivery, send_again
from atelier.core.deliveries.signing import verifies
from atelier.core.models import Delivery
from atelier.core.numbers import uuid7
from tests.core.deliveries.receiver import Receiver, closed_port, status

pytestmark = pytest.mark.django_db

PAYLOAD = {"userid": 7, "region": "Côte d'Ivoire", "subscriptionStatus": "None"}


@pytest.fixture(autouse=True)
def receivers_on_this_machine(settings):
    settings.DELIVERY_ALLOWED_NETWORKS = [ipaddress.ip_network("127.0.0.0/8")]


def made(url):
    return defer_delivery(event="login", url=url, payload=PAYLOAD)


def test_a_delivery_is_one_post_that_the_receiver_can_verify(settings):
    settings.DELIVERY_KEYS = ["new", "old"]
    with Receiver([status(204)]) as receiver:
        delivery = made(receiver.url("/logins?a=1"))
        attempt(delivery_id=delivery.pk)
        (received,) = receiver.received
    assert orjson.loads(received.body) == PAYLOAD
    assert list(orjson.loads(received.body)) == list(PAYLOAD)
    assert received.path == "/logins?a=1"
    assert received.headers["Content-Type"] == "application/json"
    assert received.headers["X-Atelier-Event"] == "login"
    assert received.headers["X-Atelier-Delivery"] == str(delivery.pk)
    signature = received.headers["X-Atelier-Signature"]
    for key in ("new", "old"):
        assert verifies(signature, received.body, key=key, now=int(time.time()))
    assert not verifies(signature, received.body, key="another", now=int(time.time()))
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts, delivery.last_status_code) == ("delivered", 1, 204)
    assert delivery.delivered_at
    assert delivery.last_attempt_at


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504])
def test_a_receiver_in_trouble_is_asked_again(code):
    with Receiver([status(code, b"busy"), status(200)]) as receiver:
        delivery = made(receiver.url())
        with pytest.raises(TryAgain):
            attempt(delivery_id=delivery.pk)
        delivery.refresh_from_db()
        assert (delivery.status, delivery.attempts) == ("pending", 1)
        assert (delivery.last_status_code, delivery.last_error) == (code, "busy")
        assert delivery.next_attempt_at > delivery.last_attempt_at
        attempt(delivery_id=delivery.pk)
        assert len(receiver.received) == 2
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts, delivery.last_error) == ("delivered", 2, "")
    assert delivery.next_attempt_at is None


@pytest.mark.parametrize("code", [300, 301, 302, 307, 308, 400, 401, 403, 404, 410, 422, 999])
def test_an_answer_that_will_not_change_settles_it_at_once(code):
    with Receiver([status(code, b"no", Location="http://127.0.0.1/")]) as receiver:
        delivery = made(receiver.url())
        attempt(delivery_id=delivery.pk)
        attempt(delivery_id=delivery.pk)
        assert len(receiver.received) == 1
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("failed", 1)
    assert (delivery.last_status_code, delivery.last_error) == (code, "no")
    assert delivery.delivered_at is None


def test_nobody_there_is_worth_another_try():
    delivery = made(f"http://127.0.0.1:{closed_port()}/")
    with pytest.raises(TryAgain):
        attempt(delivery_id=delivery.pk)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.last_status_code) == ("pending", None)
    assert "Refused" in delivery.last_error


def test_attempts_are_bounded(monkeypatch):
    monkeypatch.setattr(services, "MAX_ATTEMPTS", 3)
    with Receiver([status(500)]) as receiver:
        delivery = made(receiver.url())
        for _ in range(2):
            with pytest.raises(TryAgain):
                attempt(delivery_id=delivery.pk)
        for _ in range(2):
            attempt(delivery_id=delivery.pk)
        assert len(receiver.received) == 3
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("failed", 3)


def test_waits_double_to_an_hour_and_obey_the_receiver():
    for number in range(2, services.MAX_ATTEMPTS + 1):
        planned = min(5 * 2 ** (number - 2), 3600)
        waits = {services.wait_before(number) for _ in range(50)}
        assert 0.75 * planned <= min(waits) < max(waits) <= 1.25 * planned
    assert services.wait_before(2, 600.0) == 600.0
    assert services.wait_before(2, 10.0**9) == 86_400.0


def test_the_receivers_retry_after_is_passed_on():
    with Receiver([status(429, Retry_After="777")]) as receiver:
        delivery = made(receiver.url())
        with pytest.raises(TryAgain) as caught:
            attempt(delivery_id=delivery.pk)
    assert caught.value.seconds == 777
    delivery.refresh_from_db()
    waits = delivery.next_attempt_at - delivery.last_attempt_at
    assert abs(waits.total_seconds() - 777) < 5


def test_nothing_leaves_unsigned(settings):
    settings.DELIVERY_KEYS = []
    with Receiver([status(200)]) as receiver:
        delivery = made(receiver.url())
        with pytest.raises(TryAgain, match="DELIVERY_KEYS"):
            attempt(delivery_id=delivery.pk)
        assert receiver.received == []


INNER = ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"]


@pytest.mark.parametrize("host", INNER)
def test_f19_a_delivery_into_our_own_network_is_refused(settings, host):
    settings.DELIVERY_ALLOWED_NETWORKS = []
    with Receiver([status(200)]) as receiver:
        delivery = made(receiver.url(host=host))
        attempt(delivery_id=delivery.pk)
        assert receiver.received == []
    delivery.refresh_from_db()
    assert delivery.status == "failed"
    assert "not a public address" in delivery.last_error


def test_f19_a_name_that_answers_differently_the_second_time_gains_nothing(settings):
    """The resolver is asked once; what it said then is what is connected to."""
    settings.DELIVERY_ALLOWED_NETWORKS = [ipaddress.ip_network("127.0.0.2/32")]
    answers = [["127.0.0.2"], ["127.0.0.1"]]
    asked = []

    def rebinding(host, port):
        asked.append(host)
        return answers[len(asked) - 1]

    with Receiver([status(200)]) as inner:
        delivery = made(inner.url(host="rebinding.example"))
        # Nobody listens at the address that was checked; the receiver is at the other.
        with pytest.raises(TryAgain):
            attempt(delivery_id=delivery.pk, resolver=rebinding)
        assert asked == ["rebinding.example"]
        assert inner.received == []
        # The next attempt checks anew.
        attempt(delivery_id=delivery.pk, resolver=rebinding)
        assert inner.received == []
    delivery.refresh_from_db()
    assert delivery.status == "failed"
    assert "127.0.0.1" in delivery.last_error


def test_f19_what_is_no_web_address_is_refused_before_anything_is_stored():
    with pytest.raises(guard.Refused):
        made("file:///etc/passwd")
    assert not Delivery.objects.exists()


def test_the_job_belongs_to_the_callers_transaction():
    with transaction.atomic():
        made("http://shop.example/")
        assert ProcrastinateJob.objects.filter(task_name="deliver").count() == 1
        transaction.set_rollback(True)
    assert not ProcrastinateJob.objects.exists()
    assert not Delivery.objects.exists()
    delivery = made("http://shop.example/")
    job = ProcrastinateJob.objects.get()
    assert (job.queue_name, job.args) == ("deliveries", {"delivery_id": str(delivery.pk)})


def test_a_delivery_that_is_gone_is_no_failure():
    attempt(delivery_id=uuid7())


def test_sending_again_starts_afresh():
    with Receiver([status(404), status(200)]) as receiver:
        delivery = made(receiver.url())
        attempt(delivery_id=delivery.pk)
        send_again(delivery_id=delivery.pk)
        delivery.refresh_from_db()
        assert (delivery.status, delivery.attempts, delivery.last_error) == ("pending", 0, "")
        assert ProcrastinateJob.objects.count() == 2
        attempt(delivery_id=delivery.pk)
        assert len(receiver.received) == 2
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("delivered", 1)
    with pytest.raises(services.UnknownDelivery):
        send_again(delivery_id=uuid7())


def test_an_attempt_that_ends_late_does_not_undo_a_success(monkeypatch):
    """Two jobs of one delivery may run side by side, after a worker was thought dead."""
    with Receiver([status(200)]) as receiver:
        delivery = made(receiver.url())
        late = Delivery.objects.get(pk=delivery.pk)
        attempt(delivery_id=delivery.pk)
        with pytest.raises(TryAgain):
            services._put_off(late, error="late")
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("delivered", 1)


def test_only_what_was_delivered_long_ago_is_removed(settings):
    settings.DELIVERIES_KEPT_DAYS = 2
    day = 86_400
    kept = []
    for age, state in [(1, "delivered"), (3, "delivered"), (3, "failed"), (3, "pending")]:
        delivery = Delivery.objects.create(
            id=uuid7(time.time() - age * day),
            event="login",
            url="http://shop.example/",
            payload="{}",
            status=state,
            delivered_at="2026-01-01T00:00Z" if state == "delivered" else None,
        )
        if (age, state) != (3, "delivered"):
            kept.append(delivery.pk)
    assert services.remove_old() == 1
    assert set(Delivery.objects.values_list("pk", flat=True)) == set(kept)


def test_ids_of_deliveries_are_in_the_order_of_time():
    ids = [uuid7(1_700_000_000 + number / 1000) for number in range(100)]
    assert ids == sorted(ids)
    assert {(one.version, one.variant) for one in ids} == {(7, "specified in RFC 4122")}
    assert len({uuid7(1.0) for _ in range(100)}) == 100
