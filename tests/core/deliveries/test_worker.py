"""The worker itself: procrastinate's, on the test database."""

import contextlib
import ipaddress
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.jobs import Job

from atelier.core.deliveries import tasks
from atelier.core.deliveries.services import TryAgain, defer_delivery
from atelier.core.models import Delivery
from atelier.core.numbers import uuid7
from tests.core.deliveries.receiver import Receiver, status
from tests.repository.checkout import ROOT
from tests.waiting import second_connection, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def receivers_on_this_machine(settings):
    settings.DELIVERY_ALLOWED_NETWORKS = [ipaddress.ip_network("127.0.0.0/8")]


def jobs():
    """Without the housekeeping, which a worker defers by the clock."""
    return ProcrastinateJob.objects.filter(queue_name="deliveries")


def work(queues=("deliveries",)):
    """Do the jobs that are due, as `manage.py procrastinate worker` does, and end."""
    with app.replace_connector(app.connector.get_worker_connector()):
        app.run_worker(
            wait=False, queues=list(queues), install_signal_handlers=False, listen_notify=False
        )


def made(url):
    return defer_delivery(event="login", url=url, payload={"userid": 1})


def due_now():
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET scheduled_at = now() WHERE status = 'todo'")


def test_a_job_is_done_and_forgotten():
    with Receiver([status(200)]) as receiver:
        delivery = made(receiver.url())
        work()
        assert len(receiver.received) == 1
    delivery.refresh_from_db()
    assert delivery.status == "delivered"
    assert not jobs().exists()


def test_a_job_comes_back_when_the_delivery_says_so():
    with Receiver([status(503, Retry_After="600"), status(200)]) as receiver:
        delivery = made(receiver.url())
        work()
        job = jobs().get()
        assert job.status == "todo"
        wait = job.scheduled_at - datetime.now(UTC)
        assert timedelta(seconds=570) < wait <= timedelta(seconds=601)
        work()
        assert len(receiver.received) == 1
        due_now()
        work()
        assert len(receiver.received) == 2
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("delivered", 2)
    assert not jobs().exists()


def test_the_unforeseen_is_tried_again_for_half_an_hour():
    decide = tasks.AsTheDeliverySays().get_retry_decision
    job = Job(id=1, queue="q", lock=None, queueing_lock=None, task_name="deliver", attempts=29)
    assert decide(exception=ZeroDivisionError(), job=job).retry_at
    assert decide(exception=ZeroDivisionError(), job=job.evolve(attempts=30)) is None
    assert decide(exception=TryAgain("busy", 5), job=job.evolve(attempts=99)).retry_at


def test_a_dead_connection_to_postgresql_is_made_anew():
    """The worker's threads keep theirs from job to job."""
    with Receiver([status(200)]) as receiver:
        first, second = made(receiver.url()), made(receiver.url())

        def cut(handler):
            """While the first job waits for this answer, PostgreSQL ends every other session."""
            with second_connection() as other:
                other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND backend_type = 'client backend'"
                    " AND pid <> pg_backend_pid()"
                )
            status(200)(handler)

        receiver.behaviours.insert(0, cut)
        with contextlib.suppress(Exception):
            work()
        connection.close()
        release_stalled()
        due_now()
        work()
    for delivery in (first, second):
        delivery.refresh_from_db()
        assert delivery.status == "delivered"
    assert not jobs().exists()


def release_stalled():
    """What the housekeeping does, for workers that said nothing for a minute."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'"
        )
    house_keep("retry_stalled_jobs")


def house_keep(*names):
    for name in names:
        # The clock may have come first.
        with contextlib.suppress(AlreadyEnqueued):
            app.configure_task(name, queue="housekeeping").defer(timestamp=0)
    work(["housekeeping"])


def test_what_a_killed_worker_had_begun_is_begun_anew():
    with Receiver([lambda handler: receiver.released.wait(30), status(200)]) as receiver:
        delivery = made(receiver.url())
        worker = subprocess.Popen(
            [sys.executable, "manage.py", "procrastinate", "worker"],
            cwd=ROOT,
            env=worker_environ(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda: len(receiver.received) == 1, "the first attempt")
        finally:
            worker.send_signal(signal.SIGKILL)
            worker.wait()
        assert jobs().get().status == "doing"
        release_stalled()
        due_now()
        work()
        assert len(receiver.received) == 2
    delivery.refresh_from_db()
    assert delivery.status == "delivered"


def test_the_worker_ends_when_it_is_told_to():
    with Receiver([status(200)]) as receiver:
        worker = subprocess.Popen(
            [sys.executable, "manage.py", "procrastinate", "worker"],
            cwd=ROOT,
            env=worker_environ(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            made(receiver.url())
            # Told by LISTEN, or found within five seconds.
            wait_until(lambda: Delivery.objects.get().status == "delivered", "the delivery")
        finally:
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(20) == 0


def worker_environ():
    name = connection.settings_dict["NAME"]
    url = os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{name}"
    return {
        **os.environ,
        "DATABASE_URL": url,
        "DELIVERY_ALLOWED_NETWORKS": "127.0.0.0/8",
        "DATABASE_STATEMENT_TIMEOUT_MS": "5000",
    }


def test_old_deliveries_and_failed_jobs_go():
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO procrastinate_jobs (queue_name, task_name, priority, args, status)
            VALUES ('deliveries', 'deliver', 0, '{}', 'failed')
            """
        )
        cursor.execute(
            """
            INSERT INTO procrastinate_events (job_id, type, at)
            SELECT id, 'failed', now() - interval '8 days' FROM procrastinate_jobs
            """
        )
    old = Delivery.objects.create(
        id=uuid7(1_700_000_000),
        event="login",
        url="http://shop.example/",
        payload="{}",
        status="delivered",
        delivered_at=datetime.now(UTC),
    )
    assert jobs().exists()
    house_keep("remove_old_deliveries", "remove_old_jobs")
    assert not jobs().exists()
    assert not Delivery.objects.filter(pk=old.pk).exists()
