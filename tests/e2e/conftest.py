"""What modules with a fixture `stack` of their own share."""

from collections.abc import Iterator

import pytest

from tests.e2e.office import Office


@pytest.fixture(scope="module")
def office(stack) -> Iterator[Office]:
    opened = Office(stack)
    yield opened
    opened.close()
