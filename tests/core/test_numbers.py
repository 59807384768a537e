import pytest

from atelier.core.numbers import MAX_ID, whole_number


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1),
        ("1", 1),
        ("007", 7),
        (MAX_ID, MAX_ID),
        (str(MAX_ID), MAX_ID),
        (MAX_ID + 1, None),
        (str(MAX_ID + 1), None),
        ("9" * 31, None),
        ("9" * 100_000, None),
        (0, None),
        ("0", None),
        (-1, None),
        ("-1", None),
        ("+1", None),
        (" 1", None),
        ("1.0", None),
        (1.0, None),
        ("1e3", None),
        ("1_0", None),
        ("²", None),
        ("٣", None),
        ("", None),
        (None, None),
        (True, None),
        (False, None),
        ([1], None),
        ({}, None),
        (b"1", None),
        (float("nan"), None),
    ],
)
def test_an_id_is_a_positive_bigint_written_in_ascii_digits(value, number):
    assert whole_number(value) == number
