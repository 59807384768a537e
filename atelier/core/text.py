"""Text that people read: what is no text at all, and what does not show as what it is."""

import re
import unicodedata

from django.core.exceptions import ValidationError

# Embeddings, overrides and isolates of writing direction, which turn what stands around them;
# marks (U+200E, U+200F) and joiners (U+200C, U+200D) belong to the spelling of names.
_TURNING = "\u202a-\u202e\u2066-\u2069"
_HIDDEN = re.compile(rf"[\x00-\x1f\x7f-\x9f\u2028\u2029{_TURNING}]")
_HIDDEN_IN_LINES = re.compile(rf"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{_TURNING}]")
# Letters and symbols that show nothing: fillers of Hangul, empty Braille; combining joiner and
# selectors of variants.
_EMPTY = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0]")


def is_blank(text: str) -> bool:
    """Whether nothing of it shows: white space, controls and invisible characters."""
    if text.isascii():
        return not any(char > " " and char != "\x7f" for char in text)
    return not any(map(_shows, _EMPTY.sub("", text)))


def _shows(char: str) -> bool:
    return not char.isspace() and unicodedata.category(char) not in {"Cc", "Cf", "Zs", "Zl", "Zp"}


def refuse_blank(text: str) -> None:
    """A validator of fields."""
    if is_blank(text):
        raise ValidationError("This field may not be blank.", code="blank")


def refuse_hidden(text: str) -> None:
    """A validator of one line of text."""
    _refuse(_HIDDEN.search(text))


def refuse_hidden_in_lines(text: str) -> None:
    """A validator of text with line ends and tabs."""
    _refuse(_HIDDEN_IN_LINES.search(text))


def _refuse(found: re.Match[str] | None) -> None:
    if found is not None:
        raise ValidationError(
            f"The character U+{ord(found[0]):04X} is not allowed: it does not show as what it is.",
            code="hidden",
        )
