"""The stack behind the shared site, and what modules with a stack of their own have too."""

from collections.abc import Iterator

import pytest

from stack.testing import TestStack
from tests.core.deliveries.receiver import Receiver, status
from tests.e2e.office import Office
from tests.faults.cache.site import Site

# How often a client may ask the small stack in a second.
SMALL_RATE = 30
KEY = "key-of-the-end-to-end-tests"


@pytest.fixture(scope="module")
def stack(site: Site) -> TestStack:
    return site.stack


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    with Receiver([status(204)]) as started:
        yield started


@pytest.fixture(scope="session")
def small_stack(receiver: Receiver) -> Iterator[TestStack]:
    """Announces logins, whoever sends them, and has a low rate for clients."""
    started = TestStack(
        {
            "CALLBACK_URL": receiver.url(),
            "DELIVERY_KEYS": KEY,
            "DELIVERY_ALLOWED_NETWORKS": "127.0.0.1",
            "OPEN_WITHOUT_TOKENS": "true",
            "CLIENT_RATE": str(SMALL_RATE),
        }
    ).start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def office(stack: TestStack) -> Iterator[Office]:
    opened = Office(stack)
    yield opened
    opened.close()
