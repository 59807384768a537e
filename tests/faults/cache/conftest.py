from collections.abc import Iterator

import pytest

from tests.faults.cache.race import Race
from tests.faults.cache.site import Site


@pytest.fixture(scope="session")
def race(site: Site) -> Iterator[Race]:
    race = Race(site, 10_000)
    yield race
    race.close()


@pytest.fixture(autouse=True)
def healthy(site: Site) -> Iterator[None]:
    """Each test finds a cache that works, and leaves one."""
    site.wait_for_hits()
    yield
    site.wait_for_hits()
