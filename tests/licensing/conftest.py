import pytest

from tests.factories.licensing import fill_regions


@pytest.fixture
def regions(db):
    fill_regions()
