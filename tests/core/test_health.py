"""Liveness and readiness. Services that are away: tests/faults/test_outages.py."""

import subprocess
import sys

import pytest
from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from atelier.core.database import fetch_json
from atelier.core.keeper import Keeper
from atelier.core.tags import connect


@pytest.mark.parametrize("path", ["/healthz", "/healthz/"])
def test_liveness_asks_nobody(client, path):
    """Without the database fixture a query would fail the test."""
    response = client.get(path)
    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/readyz", "/readyz/"])
def test_readiness_asks_database_redis_and_the_keepers_trust(client, path):
    assert Keeper().tend()
    response = client.get(path)
    assert response.status_code == 200
    expected = {"status": "ok", "database": "ok", "redis": "ok", "cache": "trusted"}
    assert response.json() == expected
    connect().delete("alive")
    response = client.get(path)
    assert response.status_code == 200
    assert response.json() == {**expected, "status": "degraded", "cache": "degraded"}


@pytest.mark.django_db
def test_a_database_is_ready_with_the_migrations_of_this_code_and_newer_ones(client):
    recorder = MigrationRecorder(connection)
    recorder.record_applied("users", "9999_of_newer_code")
    assert client.get("/readyz").status_code == 200
    recorder.record_unapplied("users", "0001_users")
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["database"] == "migrations pending"


def test_a_worker_knows_its_migrations_from_its_start():
    """Files that a pull brings before the first probe are not its own."""
    script = (
        "import atelier.wsgi, atelier.health\n"
        "print(atelier.health.wanted_migrations.cache_info().currsize)"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, cwd=settings.BASE_DIR, capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_are_read_only(client, path):
    assert client.head(path).status_code == 200
    assert client.post(path).status_code == 405


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT %(text)s::text", "é".encode()),
        ("SELECT NULL::text WHERE %(text)s::text <> ''", None),
        ("SELECT 'x' WHERE %(text)s::text = ''", None),
    ],
)
def test_the_text_that_postgresql_built(statement, expected):
    assert fetch_json(statement, {"text": "é"}) == expected
