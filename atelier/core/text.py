"""Text that people read: what is no text at all, and what does not show as what it is."""

import re
import unicodedata

from django.core.exceptions import ValidationError

BLANK, HIDDEN = "blank", "hidden"
# Embeddings, overrides and isolates of writing direction, which turn what stands around them;
# marks (U+200E, U+200F) and joiners (U+200C, U+200D) belong to the spelling of names.
_TURNING = "\u202a-\u202e\u2066-\u2069"
# What is never a character: the last two of each plane, and those among the forms of Arabic.
_NONE = "\ufdd0-\ufdef" + "".join(
    f"{chr(last - 1)}{chr(last)}" for last in range(0xFFFF, 0x110000, 0x10000)
)
_HIDDEN = re.compile(rf"[\x00-\x1f\x7f-\x9f\u2028\u2029{_TURNING}{_NONE}]")
_HIDDEN_IN_LINES = re.compile(rf"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{_TURNING}{_NONE}]")
# Letters and symbols that show nothing: fillers of Hangul, empty Braille.
_EMPTY = "\u115f\u1160\u2800\u3164\uffa0"
# Those, and the joiner of graphemes, vowels of Khmer that are not written, selectors of variants.
_INVISIBLE = re.compile(
    f"[{_EMPTY}\u034f\u17b4\u17b5\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
# Controls, formats, separators, and marks, which show on a letter only.
_UNSEEN = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp", "Mn", "Mc", "Me"})


def is_blank(text: str) -> bool:
    """Whether nothing of it shows: white space, controls, invisible characters, marks alone."""
    if text.isascii():
        return not any(char > " " and char != "\x7f" for char in text)
    return not any(map(_shows, text))


def _shows(char: str) -> bool:
    return char not in _EMPTY and unicodedata.category(char) not in _UNSEEN


def has_invisible(text: str) -> bool:
    """Whether a character of it shows nothing, wherever it stands: twins would look the same."""
    return _INVISIBLE.search(text) is not None


def refuse_blank(text: str) -> None:
    """A validator of fields."""
    if is_blank(text):
        raise ValidationError("This field may not be blank.", code=BLANK)


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
            code=HIDDEN,
        )


# Validators of what must show, of one line, and of several.
NAMED, LINE, LINES = [refuse_blank, refuse_hidden], [refuse_hidden], [refuse_hidden_in_lines]
