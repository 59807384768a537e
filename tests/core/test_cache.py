"""Django's cache lives in Redis, beside the control database and never in it."""

from django.conf import settings
from django.core.cache import cache
from redis import Redis


def test_the_cache_keeps_its_entries_in_the_next_database():
    control = Redis.from_url(settings.REDIS_URL)
    beside = Redis.from_url(settings.CACHES["default"]["LOCATION"])
    try:
        cache.set("thing", {"é": [1, None]}, 60)
        assert cache.get("thing") == {"é": [1, None]}
        assert list(beside.scan_iter("*thing*"))
        assert not list(control.scan_iter("*thing*"))
        cache.delete("thing")
        assert cache.get("thing") is None
    finally:
        control.close()
        beside.close()
