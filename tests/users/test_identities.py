"""Canonical spellings, and that the quick way to them leads where the libraries lead."""

import re
import unicodedata
from collections.abc import Callable

import phonenumbers
import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given, settings
from hypothesis import strategies as st

from atelier.core.text import has_invisible
from users import identities
from users.identities import (
    InvalidEmail,
    InvalidMobile,
    canonical_email,
    canonical_mobile,
    fold,
)

LABEL = st.one_of(
    st.from_regex(r"[a-z0-9-]{1,8}", fullmatch=True),
    st.sampled_from(["example", "xn--bcher-kva", "a" * 63, "mail", "Bücher", "ＭＡＩＬ"]),
)
ENDING = st.one_of(
    st.from_regex(r"[a-z]{1,6}", fullmatch=True),
    st.sampled_from(["com", "COM", "test", "local", "arpa", "onion", "invalid", "c0m", "xn--p1ai"]),
)
LOCAL = st.one_of(
    st.from_regex(r"[A-Za-z0-9._+-]{1,12}", fullmatch=True),
    st.sampled_from(["ann", "ann.lee", "ann..lee", "a'b", "a" * 64, "Ａnn", "josé", " ann"]),
)
EMAIL = st.builds(
    lambda local, labels, ending: f"{local}@{'.'.join([*labels, ending])}",
    LOCAL,
    st.lists(LABEL, min_size=1, max_size=3),
    ENDING,
)
CODE = st.sampled_from([str(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE])
MOBILE = st.one_of(
    st.builds(
        lambda code, rest: f"+{code}{rest}", CODE, st.from_regex(r"[0-9]{2,14}", fullmatch=True)
    ),
    st.from_regex(r"\+[0-9]{5,18}", fullmatch=True),
    st.from_regex(r"\+?[0-9 ()-]{4,18}", fullmatch=True),
)


def outcome(function: Callable[..., object], *args: str) -> object:
    """What a function answers, or the class of its refusal."""
    try:
        return function(*args)
    except (InvalidEmail, InvalidMobile) as error:
        return type(error)


def by_the_library(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    folded = unicodedata.normalize("NFKC", folded).strip()
    if has_invisible(folded):
        raise InvalidEmail("That is no e-mail address.")
    try:
        found = validate_email(
            folded, check_deliverability=False, allow_empty_local=False, test_environment=True
        )
    except EmailNotValidError as error:
        raise InvalidEmail("That is no e-mail address.") from error
    return fold(found.normalized)


@pytest.mark.parametrize("unseen", "\ufe0f\u034f\u3164\u115f\u17b4\U000e0101\u200b")
def test_an_address_has_no_twin_that_looks_the_same(unseen):
    with pytest.raises(InvalidEmail):
        canonical_email(f"spo{unseen}of@x.example")


def without_quick_way(number: str, country: str) -> str | None:
    before = identities.PLAIN_MOBILE
    identities.PLAIN_MOBILE = re.compile(r"(?!)")
    try:
        return canonical_mobile(number, country)
    finally:
        identities.PLAIN_MOBILE = before


@given(EMAIL)
@example("ann@example.com")
@example("ann@example.test")
@example("a@b.co")
@example("ann@1.2.3.4")
@example(f"{'a' * 52}@example.com")
@settings(max_examples=200)
def test_quick_way_to_an_email_is_that_of_the_library(text):
    assert outcome(canonical_email, text) == outcome(by_the_library, text)


@given(MOBILE, st.sampled_from(["", "GB", "US", "IT", "RU"]))
@example("+447911123456", "")
@example("+4407911123456", "")
@example("+390612345678", "IT")
@example("+15551234567", "US")
@example("+883510012345678", "")
@settings(max_examples=400)
def test_quick_way_to_a_number_is_that_of_the_library(number, country):
    assert outcome(canonical_mobile, number, country) == outcome(without_quick_way, number, country)


def test_a_possible_number_of_every_country_stays_as_it_is():
    for region in phonenumbers.SUPPORTED_REGIONS:
        sample = phonenumbers.example_number(region)
        if sample is None:
            continue
        text = phonenumbers.format_number(sample, phonenumbers.PhoneNumberFormat.E164)
        assert outcome(canonical_mobile, text) == outcome(without_quick_way, text, "")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (" Ann.Lee@Example.COM ", "ann.lee@example.com"),
        ("ａｎｎ@ｅｘａｍｐｌｅ.com", "ann@example.com"),
        ("ann@bücher.example", "ann@bücher.example"),
    ],
)
def test_twins_of_an_address_are_one(text, canonical):
    assert canonical_email(text) == canonical


@pytest.mark.parametrize(
    ("text", "country", "canonical"),
    [
        ("+44 7911 123456", "", "+447911123456"),
        ("07911 123456", "GB", "+447911123456"),
        ("07911 123456", "", "07911123456"),
        ("", "GB", None),
    ],
)
def test_spellings_of_a_number_are_one(text, country, canonical):
    assert canonical_mobile(text, country) == canonical
