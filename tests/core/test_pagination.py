import pytest
from django.http import QueryDict

from atelier.core.pagination import MAX_SAFE_INTEGER, Page, whole


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ("", Page(1, 5, 5, 0)),
        ("page=1&count=5", Page(1, 5, 5, 0)),
        ("page=0", Page(1, 5, 5, 0)),
        ("page=3&count=10", Page(3, 10, 10, 20)),
        ("count=0&page=9", Page(9, 0, 0, 0)),
        ("count=1000", Page(1, 1000, 1000, 0)),
        ("count=1001&page=2", Page(2, 1001, 1000, 1000)),
        ("count=9007199254740991", Page(1, MAX_SAFE_INTEGER, 1000, 0)),
        ("page=1&page=2", Page(2, 5, 5, 5)),
        ("page=+2", Page(1, 5, 5, 0)),
        ("page=%2B2", Page(1, 5, 5, 0)),
    ],
)
def test_a_page_of_a_query(query, page):
    assert Page.from_query(QueryDict(query)) == page


def test_the_farthest_offset_fits_a_bigint():
    page = Page.from_query(QueryDict(f"page={'9' * 99}&count={'9' * 99}"))
    assert page.offset < 2**63


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (None, 7),
        ("", 7),
        ("5", 5),
        ("005", 5),
        ("-5", 7),
        ("5.0", 7),
        ("5 ", 7),
        ("٥", 7),
        ("²", 7),
        ("0x5", 7),
        ("5_000", 7),
        ("1e3", 7),
        ("NaN", 7),
        ("5\x00", 7),
        ("9007199254740991", MAX_SAFE_INTEGER),
        ("9007199254740992", MAX_SAFE_INTEGER),
        ("9" * 100_000, MAX_SAFE_INTEGER),
    ],
)
def test_a_number_of_a_query(text, number):
    assert whole(text, default=7) == number
