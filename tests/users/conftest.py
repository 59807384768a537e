import pytest
from django.core.cache import cache

from atelier.core.tags import connect
from licensing.services import set_override
from tests.factories.licensing import fill_regions, region
from users.services import tokens


@pytest.fixture
def redis():
    """Empty, and trusted for the length of a test."""
    client = connect()
    client.flushdb()
    cache.clear()
    client.set("alive", client.info("server")["run_id"], px=60_000)
    yield client
    client.flushdb()
    cache.clear()


@pytest.fixture
def no_news(monkeypatch):
    """Nobody asks what became of tokens, which would be a query more every half second."""
    monkeypatch.setattr(tokens, "NEWS_SECONDS", 3600)


@pytest.fixture
def canada(db):
    """Where 123.200.14.0/24 is, for these tests."""
    fill_regions()
    set_override(network="123.200.14.0/24", region_id=region("CA").pk)
    return region("CA")
