"""Liveness and readiness. Services that are away: tests/faults/test_outages.py."""

import pytest

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
