"""The words that a profile is found by, and the words of a query: one folding for both.

A query finds a profile if each of its words begins one of the profile's. A profile's words are
those of its name, city and country, their parts at hyphens and the like, its e-mail address whole,
and the digits of its mobile number, as sent and in E.164.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import TypedDict

# Sorting needs no more of a text, and an entry of an index holds no more than 2.7 kB.
SORTED_LETTERS = 100
MOST_WORDS = 8
BAR = "|"
# The beginnings of words that the index has, and the longest it has of words behind BAR; as the
# migration's users_search_keys.
INDEXED = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16)
SHORT = 6
# The beginnings that maps count. Steps of two keep numbered addresses apart.
BEGINNINGS = (*range(1, 11), 12, 14, 16, 20, 24, 32, 48)

_LONGEST = BEGINNINGS[-1]
_KEPT = [
    max((size for size in BEGINNINGS if size <= letters), default=0)
    for letters in range(_LONGEST + 1)
]
_EDGES = re.compile(r"^[\W_]+|[\W_]+$")
_PARTS = re.compile(r"[\W_]+")
# How people write telephone numbers.
_NUMBER = re.compile(r"[+0-9 ().\-/]*[0-9]{2}[+0-9 ().\-/]*")
_NOT_DIGITS = re.compile(r"[^0-9]+")


class SearchColumns(TypedDict):
    name_key: str
    search_words: str


def search_columns(
    *,
    full_name: str,
    email_key: str,
    mobile: str = "",
    mobile_key: str | None = None,
    city: str = "",
    country: str = "",
) -> SearchColumns:
    """The columns of a profile that search reads, from those that it shows.

    `name_key` is what names are sorted by. `search_words` has a space before each word, so that
    `' ' + beginning` is found in it; behind BAR stand `email_key` and the digits of `mobile_key`.
    """
    name = folded(full_name)
    words: dict[str, None] = {}
    for text in (name, folded(city), folded(country)):
        for word in text.split():
            words |= dict.fromkeys(_with_parts(word))
    # These are looked up in columns of their own, if they stand there as queries spell them.
    email, number = _trimmed(folded(email_key).replace(" ", "")), digits_of(mobile_key or "")
    if email != email_key:
        words[email] = None
    words[digits_of(mobile)] = None
    for word in ("", number):
        words.pop(word, None)
    identities = [word for word in (email_key if email == email_key else "", number) if word]
    return SearchColumns(
        name_key=name[:SORTED_LETTERS],
        search_words="".join(f" {word}" for word in words)
        + "".join(f" {word}" for word in [BAR, *identities] if identities),
    )


def words_in(search_words: str) -> list[str]:
    return [word for word in search_words.split() if word != BAR]


def query_words(query: str) -> list[str]:
    """The words of a query, the longest first; those after the first MOST_WORDS are not looked at.

    A word that begins another says nothing more and is left out. Digits alone, with what stands
    between those of telephone numbers, are one word.
    """
    text = folded(query)
    if _NUMBER.fullmatch(text):
        text = digits_of(text)
    words = [word for word in map(_trimmed, text.split()) if word][:MOST_WORDS]
    longest_first = sorted(set(words), key=lambda word: (-len(word), word))
    return [
        word
        for number, word in enumerate(longest_first)
        if not any(longer.startswith(word) for longer in longest_first[:number])
    ]


def map_key(word: str) -> str:
    """The beginning by which maps know whether a word of a query is frequent."""
    return word[: _KEPT[min(len(word), _LONGEST)]]


def map_keys(word: str) -> Iterator[str]:
    """All beginnings of a profile's word that maps may have, the shortest first."""
    for size in BEGINNINGS:
        if size > len(word):
            return
        yield word[:size]


def index_key(word: str, *, is_anywhere: bool) -> str:
    """The beginning by which `users_search_keys` has a word of a query: wherever it stands, or,
    longer, if it stands before BAR."""
    if is_anywhere:
        return word[:SHORT]
    return word[: max(size for size in INDEXED if size <= max(1, len(word)))]


def digits_of(text: str) -> str:
    return _NOT_DIGITS.sub("", unicodedata.normalize("NFKC", text))


def folded(text: str) -> str:
    """Case, accents and width gone, one space between words; unprintable characters are spaces."""
    if text.isascii():
        plain = text.lower()
        return " ".join(plain.split() if plain.isprintable() else _printable(plain).split())
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    plain = "".join(char for char in decomposed if unicodedata.category(char) != "Mn")
    again = unicodedata.normalize("NFC", plain.casefold())
    return " ".join(_printable(again).split())


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _trimmed(word: str) -> str:
    return word if word.isalnum() else _EDGES.sub("", word)


def _with_parts(word: str) -> list[str]:
    """The word, and what stands between its hyphens, apostrophes and full stops."""
    if word.isalnum():
        return [word]
    parts = [part for part in _PARTS.split(word) if part]
    return [_trimmed(word), *parts] if len(parts) > 1 else parts
