"""What is no text, and what does not show as what it is."""

import pytest
from django.core.exceptions import ValidationError

from atelier.core.text import is_blank, refuse_blank, refuse_hidden, refuse_hidden_in_lines

NOTHING = [
    "",
    " \t\r\n",
    "\x00\x1f\x7f\x85",
    "\u200b",
    "\ufeff\u200b \u2060",
    "\u200e\u200f\u200c\u200d",
    "\u202e\u202c",
    "\u00a0\u2003\u3000",
    "\u00ad",
    "\u2800\u3164\uffa0\u115f\u1160",
    "\u034f\ufe0f",
    "\U000e0041",
    "\u0301",
    " \u0301\u20dd\u0903",
    "\u180b\u17b4",
]
# Persian with ZWNJ, Sinhala with ZWJ, Arabic, an emoji of three, one letter.
NAMES = [
    "ن\u200cا",
    "ශ\u200dරී",
    "محمد \u200fعلی",
    "👩\u200d🚀",
    "a",
    "0",
    "O'Neil",
    "é",
    "e\u0301",
    "က\u103b",
]

# Code points that are never characters (Unicode 23.7).
NONE = "\ufdd0\ufdef\ufffe\uffff\U0001fffe\U0010ffff"


@pytest.mark.parametrize("text", NOTHING, ids=ascii)
def test_what_does_not_show_is_blank(text):
    assert is_blank(text)
    with pytest.raises(ValidationError, match="may not be blank"):
        refuse_blank(text)


@pytest.mark.parametrize("text", NAMES)
def test_names_are_text(text):
    assert not is_blank(text)
    refuse_blank(text)
    refuse_hidden(text)


@pytest.mark.parametrize(
    "char",
    [*"\x00\x01\t\n\r\x1b\x7f\x85", *"\u2028\u2029\u202a\u202d\u202e\u2066\u2069", *NONE],
    ids=ascii,
)
def test_hidden_characters_are_refused_by_their_number(char):
    with pytest.raises(ValidationError, match=rf"U\+{ord(char):04X} is not allowed"):
        refuse_hidden(f"Ann{char}Lee")
    if char in "\t\n\r\u2028\u2029":
        refuse_hidden_in_lines(f"Ann{char}Lee")
    else:
        with pytest.raises(ValidationError):
            refuse_hidden_in_lines(f"Ann{char}Lee")
