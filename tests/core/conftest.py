"""What tests of the kernel share."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from redis import Redis

from atelier.core import throttling


@pytest.fixture
def patient_redis(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is counted yet, and whoever counts waits for Redis as long as a busy machine takes.

    With the settings' 50 ms it would be away now and then, and then nobody is refused.
    """
    with Redis.from_url(settings.CACHES["default"]["LOCATION"], socket_timeout=10) as client:
        client.flushdb()
        monkeypatch.setattr(throttling, "get_redis_connection", lambda name: client)
        yield
