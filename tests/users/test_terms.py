"""The words that profiles are found by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from users.terms import (
    BEGINNINGS,
    INDEXED,
    MOST_WORDS,
    SHORT,
    folded,
    index_key,
    map_key,
    map_keys,
    query_words,
    search_columns,
    words_in,
)

TEXTS = st.text(max_size=60)


def words_of(**columns: str) -> list[str]:
    given = {"full_name": "", "email_key": "a@b.example", **columns}
    words = words_in(search_columns(**given)["search_words"])
    return [word for word in words if word != "a@b.example"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Ann Lee", ["ann", "lee"]),
        ("  José   ÅSTRÖM ", ["jose", "astrom"]),
        ("Weiß", ["weiss"]),
        ("O'Brien-Smith", ["o'brien-smith", "o", "brien", "smith"]),
        ("(Smith), J.", ["smith", "j"]),
        ("ＡＮＮ", ["ann"]),
        ("山田 太郎", ["山田", "太郎"]),
        ("Ann Ann", ["ann"]),
        ("| - |", []),
        ("a\tb\x00c\ud800d", ["a", "b", "c", "d"]),
    ],
)
def test_names_are_words_without_case_accents_width_and_edges(name: str, words: list[str]) -> None:
    assert words_of(full_name=name) == words


def test_a_profile_has_the_words_of_name_city_and_country_address_and_number() -> None:
    assert search_columns(
        full_name="Ann Lee",
        email_key="ann.lee@mail.example",
        mobile="082 555 1234",
        mobile_key="+27825551234",
        city="Cape Town",
        country="ZA",
    ) == {
        "name_key": "ann lee",
        "search_words": " ann lee cape town za 0825551234 | ann.lee@mail.example 27825551234",
    }


def test_an_address_that_queries_spell_otherwise_is_an_ordinary_word() -> None:
    columns = search_columns(full_name="Ann", email_key="_zoë@mail.example")
    assert columns["search_words"] == " ann zoe@mail.example"


def test_long_names_are_sorted_by_their_first_letters() -> None:
    assert search_columns(full_name="Z" * 5000, email_key="")["name_key"] == "z" * 100


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", []),
        ("  Jo\tLEE ", ["lee", "jo"]),
        ("jo john", ["john"]),
        ("+27 82 555-1234", ["27825551234"]),
        ("+27 ann", ["ann", "27"]),
        ("%_' \\ ;--", []),
        ("a%b_c", ["a%b_c"]),
    ],
)
def test_queries_are_words_the_longest_first(query: str, words: list[str]) -> None:
    assert query_words(query) == words


def test_of_a_long_query_the_first_words_count() -> None:
    assert len(query_words(" ".join(chr(97 + number) * 2 for number in range(20)))) == MOST_WORDS


@given(TEXTS)
def test_folding_again_changes_nothing(text: str) -> None:
    assert folded(folded(text)) == folded(text)


@given(TEXTS)
def test_a_name_is_found_by_each_of_its_words(name: str) -> None:
    words = words_of(full_name=name)
    for asked in query_words(name):
        assert any(word.startswith(asked) for word in words) or asked.isdigit()


@given(st.text(alphabet="ab", min_size=1, max_size=60), st.integers(1, 60))
def test_each_beginning_of_a_word_is_looked_up_by_what_indexes_and_maps_have(
    word: str, letters: int
) -> None:
    asked = word[:letters]
    assert map_key(asked) in set(map_keys(word))
    assert asked.startswith(map_key(asked))
    assert len(map_key(asked)) in BEGINNINGS
    assert len(index_key(asked, is_anywhere=False)) in INDEXED
    assert len(index_key(asked, is_anywhere=True)) <= SHORT
