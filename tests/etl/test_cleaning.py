"""The cleaning rules: each kind of dirt, and properties that hold for any line."""

import csv
import io
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.cleaning import Cleaner, Rejection, Row
from etl.files import (
    CHARACTERISTIC_REVIEWS,
    FEATURES,
    KINDS,
    PHOTOS,
    PRODUCT,
    REVIEWS,
    SKUS,
    STYLES,
)


def clean(kind, line: str | bytes, following: Sequence[str] = ()):
    raw = line.encode() if isinstance(line, str) else line
    return Cleaner(kind.columns).clean(
        raw, lambda count: [each.encode() for each in following[:count]]
    )


def product(price: str = "140", name: str = '"Camo Vest"', category: str = '"Jackets"') -> str:
    return f'7,{name},"Be seen","Warm, and ""light""",{category},{price}'


def review(**changed: str) -> str:
    fields = {
        "id": "5",
        "product_id": "2",
        "rating": "4",
        "date": "1596080481467",
        "summary": '"Fine"',
        "body": '"It fits."',
        "recommend": "true",
        "reported": "false",
        "name": '"ann"',
        "email": '"a"',
        "response": "null",
        "helpfulness": "8",
    }
    return ",".join((fields | changed).values())


@pytest.mark.parametrize(
    ("price", "value"),
    [
        ("$140", "140.00"),
        (" 140", "140.00"),
        ('"140"', "140.00"),
        ('"""default_price"": 140"', "140.00"),
        ('""default_price": 140"', "140.00"),
        ('"default_price": 140', "140.00"),
        ("$ 99.5", "99.50"),
        ("5000000", "5000000.00"),
    ],
)
def test_price_is_read_in_every_form(price, value):
    row = clean(PRODUCT, product(price))
    assert row.values[-1] == Decimal(value)
    assert ("price_form" in row.repairs) == (price != "5000000")


@pytest.mark.parametrize("price", ["free", "-3", "1.005", "12345678901", "1e3", "", "null", "NaN"])
def test_price_without_a_certain_meaning_is_rejected(price):
    assert clean(PRODUCT, product(price)) == Rejection("bad_price", "default_price")


@pytest.mark.parametrize(
    ("date", "milliseconds", "repairs"),
    [
        ("1596080481467", 1596080481467, []),
        ("1595880000000", 1595880000000, []),
        ('"2019-01-01"', 1546300800000, ["date_form"]),
        ("2019-01-01", 1546300800000, ["date_form"]),
        ('"2019-01-01T10:00:00Z"', 1546336800000, ["date_form"]),
        ("2019-01-01 10:00:00+02:00", 1546329600000, ["date_form"]),
        ("1.59588E+12", 1595880000000, ["date_form"]),
        ('"1596080481467"', 1596080481467, ["number_form"]),
    ],
)
def test_date_is_read_in_every_form(date, milliseconds, repairs):
    row = clean(REVIEWS, review(date=date))
    assert (row.values[3], row.repairs) == (milliseconds, repairs)


@pytest.mark.parametrize("date", ["soon", "2019-13-45", "null", "", "1596080481", "0001-01-01"])
def test_date_without_a_certain_meaning_is_rejected(date):
    assert clean(REVIEWS, review(date=date)) == Rejection("bad_date", "date")


@pytest.mark.parametrize(
    ("spelled", "value"),
    [("1", True), ("0", False), ("TRUE", True), ("True", True), ("False", False), ('"true"', True)],
)
def test_boolean_is_read_in_every_form(spelled, value):
    row = clean(REVIEWS, review(recommend=spelled))
    assert (row.values[6], row.repairs) == (value, ["boolean_form"])


def test_boolean_without_a_certain_meaning_is_rejected():
    assert clean(REVIEWS, review(reported="maybe")) == Rejection("bad_boolean", "reported")


def test_digits_are_the_clean_form_of_the_styles_flag():
    row = clean(STYLES, '1,1,"Forest",null,140,1')
    assert (row.values[-1], row.repairs) == (True, [])


@pytest.mark.parametrize(("spelled", "repairs"), [("null", []), ("", ["null_form"])])
def test_bare_null_is_clean_and_emptiness_is_repaired(spelled, repairs):
    row = clean(REVIEWS, review(response=spelled))
    assert (row.values[10], row.repairs) == (None, repairs)


@pytest.mark.parametrize("spelled", ['"null"', '""'])
def test_quoted_null_is_null(spelled):
    row = clean(SKUS, f"1,1,{spelled},null")
    assert (row.values[2:], row.repairs) == ([None, None], ["null_form"])


@pytest.mark.parametrize("text", ['" "', '"nullable"', '"  null  "'])
def test_text_that_only_resembles_null_is_kept(text):
    assert clean(SKUS, f"1,1,{text},3").values[2] == text.strip('"')


@pytest.mark.parametrize(
    ("line", "reason", "column"),
    [
        ("12a,1,4,3", "bad_number", "id"),
        ("1,12a,4,3", "bad_number", "characteristic_id"),
        ("1,1,4,6", "out_of_range", "value"),
        ("1,1,4,0", "out_of_range", "value"),
        ("0,1,4,3", "out_of_range", "id"),
        ("-1,1,4,3", "out_of_range", "id"),
        ("1000000000,1,4,3", "reserved_id", "id"),
        ("1,0,4,3", "zero_reference", "characteristic_id"),
        ("1,1,1000000000,3", "reserved_id", "review_id"),
        ("99999999999999999999,1,4,3", "bad_number", "id"),
        ("1,1,4", "wrong_column_count", ""),
        ("1,1,4,3,9", "wrong_column_count", ""),
    ],
)
def test_number_without_a_certain_meaning_is_rejected(line, reason, column):
    assert clean(CHARACTERISTIC_REVIEWS, line) == Rejection(reason, column)


@pytest.mark.parametrize("line", ['"1",1,4,3', " 1,1,4,3", "1,1 ,4,3", "1,1,4,03"])
def test_number_in_quotes_or_blanks_is_read(line):
    row = clean(CHARACTERISTIC_REVIEWS, line)
    assert (row.values, row.repairs) == ([1, 1, 4, 3], ["number_form"])


A, B = "https://img.example/a?w=1&h=2", "https://img.example/b"


@pytest.mark.parametrize(
    "line",
    [f'1,2,"{A},"{B}"', f'1,2,"{A}","{B}', f'1,2,"{A},null'],
)
def test_missing_closing_quote_is_repaired(line):
    row = clean(PHOTOS, line, ["2,2,null,null"])
    assert row.values[:3] == [1, 2, A]
    assert row.values[3] in (B, None)
    assert row.repairs == ["missing_quote"]


def test_scheme_with_a_stray_letter_is_repaired():
    row = clean(PHOTOS, f'1,2,"{A}","u{B}"')
    assert (row.values[3], row.repairs) == (B, ["url_form"])


@pytest.mark.parametrize("url", ["javascript:alert(1)", "img.png", "https://a b", "https://"])
def test_what_is_no_url_is_rejected(url):
    assert clean(PHOTOS, f'1,2,"{A}","{url}"') == Rejection("bad_url", "thumbnail_url")


def test_stray_quotes_within_text_are_kept_as_text():
    row = clean(PRODUCT, '7,"Vest","s","The "one", for us","Jackets",140')
    assert isinstance(row, Rejection) or row.values[3] == 'The "one", for us'
    row = clean(PRODUCT, '7,"Vest","s","The "one" for us","Jackets",140')
    assert (row.values[3], row.repairs) == ('The "one" for us', ["stray_quote"])


def test_missing_column_is_never_guessed():
    assert clean(PRODUCT, '7,"Vest","Warm, light","Jackets",140').reason == "wrong_column_count"
    assert clean(PRODUCT, '7,"Vest,"Warm","Jackets",140') == Rejection("unclosed_quote")


def test_two_readings_of_equal_merit_are_a_rejection():
    # Either field may have lost its quote, and the comma may belong to either.
    line = '7,"a,"b,"c","d","e",140'
    assert isinstance(clean(PRODUCT, line), Rejection)


def test_record_over_several_lines_is_one():
    following = ['and ""still""\r', 'there","Jackets",140', '8,"n","s","d","c",1']
    row = clean(PRODUCT, '7,"Vest","s","Warm', following)
    assert row.values[3] == 'Warm\nand "still"\nthere'
    assert (row.lines, row.repairs) == (3, ["newline_in_field"])


def test_open_quote_never_swallows_the_next_record():
    following = ['8,"n","s","d","c",1', '9,"n","s","d","c",1']
    assert clean(PRODUCT, '7,"Vest","s","Warm', following) == Rejection("unclosed_quote")


def test_open_quote_gives_up_at_the_end_of_the_file():
    assert clean(PRODUCT, '7,"Vest","s","Warm', ["more", "and more"]).reason == "unclosed_quote"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'7,"Ve\0st","s","d","c",1', "nul_byte"),
        (b'7,"Ve\xffst","s","d","c",1', "invalid_utf8"),
        (b'7,"Caf\xe9","s","d","c",1', "invalid_utf8"),
    ],
)
def test_bytes_that_are_no_text_are_rejected(line, reason):
    assert clean(PRODUCT, line) == Rejection(reason)


def test_carriage_return_is_a_repair():
    assert clean(PRODUCT, product() + "\r").repairs == ["crlf"]


KIND_NAMES = st.sampled_from(sorted(KINDS))
TEXTS = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=40)
ANY_LINE = st.one_of(
    st.binary(max_size=80).map(lambda line: line.replace(b"\n", b"")),
    st.lists(
        st.sampled_from(
            [
                "1",
                "0",
                "5",
                "null",
                "true",
                '"',
                '"a"',
                '"a',
                'b"',
                f'"{A}"',
                "140",
                "$1",
                "x,y",
                "",
            ]
        ),
        min_size=2,
        max_size=14,
    ).map(lambda fields: ",".join(fields).encode()),
)


def values_of(column):
    """Clean values of a column, by its type."""
    text = "text" in column.kind.sql
    if column.kind.sql == "boolean":
        return st.booleans()
    if column.name in {"url", "thumbnail_url"}:
        return st.sampled_from([A, B])
    if column.kind.sql == "numeric(12,2)":
        return st.decimals(0, 10**9, places=2)
    if column.kind.sql == "bigint" and column.name == "date":
        return st.integers(10**11, 10**13 - 1)
    if column.kind.sql == "smallint":
        return st.integers(1, 5)
    return TEXTS if text else st.integers(1, 999_999_999)


ROWS = KIND_NAMES.flatmap(
    lambda name: st.tuples(
        st.just(KINDS[name]), st.tuples(*(values_of(column) for column in KINDS[name].columns))
    )
)


@given(KIND_NAMES, ANY_LINE, st.lists(ANY_LINE, max_size=3))
def test_any_line_is_a_row_or_a_rejection(name, line, following):
    answer = Cleaner(KINDS[name].columns).clean(line, lambda count: following[:count])
    assert isinstance(answer, Row | Rejection)


@given(KIND_NAMES, ANY_LINE)
def test_what_is_passed_on_unread_would_have_been_clean(name, line):
    cleaner = Cleaner(KINDS[name].columns)
    match = cleaner.fast.match(line.rstrip(b"\r") + b"\n")
    answer = cleaner.clean(line.rstrip(b"\r"), lambda count: [])
    if match is not None and match.end():
        assert isinstance(answer, Row)
        assert answer.repairs == []
    elif isinstance(answer, Row) and not answer.repairs:
        # What the fast pattern leaves to the slow path is rare, and never wrong.
        assert any(mark in line for mark in (b"\r", b"data:image/")) or not line.isascii()


@given(ROWS)
def test_any_row_survives_being_written_and_read(kind_and_values):
    kind, values = kind_and_values
    written = Row(list(values), []).as_csv(range(len(values)))
    fields = next(csv.reader(io.StringIO(written.decode(), newline="")))
    assert len(fields) == len(values)
    first, *rest = written.removesuffix(b"\n").split(b"\n")
    answer = Cleaner(kind.columns).clean(first, lambda count: rest[:count])
    nullable = [column.name in {"value", "size", "response"} for column in kind.columns]
    expected = [
        None if may_be_null and value in ("", "null", "NULL") else value
        for value, may_be_null in zip(values, nullable, strict=True)
    ]
    if not first.endswith(b"\r") and not any(line.endswith(b"\r") for line in rest):
        assert isinstance(answer, Row)
        assert answer.values == expected


@given(KIND_NAMES, ANY_LINE)
def test_a_repaired_row_is_clean(name, line):
    cleaner = Cleaner(KINDS[name].columns)
    answer = cleaner.clean(line, lambda count: [])
    if isinstance(answer, Row):
        text = answer.as_csv(range(len(answer.values)))
        again = cleaner.clean(text.removesuffix(b"\n"), lambda count: [])
        assert isinstance(again, Row)
        assert again.values == answer.values
        assert again.repairs == []


@pytest.mark.parametrize("broken", ["1,1,4,x", "1,1,4", "1,1,4,3,", '1,1,4,"3"'])
def test_a_run_ends_with_its_last_clean_line(broken):
    """Interpreters before 3.11.5 lose the place of a possessive group that fails half-way."""
    fast = Cleaner(CHARACTERISTIC_REVIEWS.columns).fast
    match = fast.match(f"1,1,4,3\n2,1,4,3\n{broken}\n".encode())
    assert match.group() == b"1,1,4,3\n2,1,4,3\n"
    quoted = Cleaner(SKUS.columns).fast.match(b'1,1,"X""S",8\n2,1,"X""S"x",8\n')
    assert quoted.group() == b'1,1,"X""S",8\n'


def test_record_over_several_lines_is_never_cut_where_it_could_be_mended():
    row = clean(FEATURES, '1,1,"Fabric","Canvas', ['and leather"', "2,1,null,null"])
    assert (row.values[3], row.lines) == ("Canvas\nand leather", 2)
    following = ['rest of text","Jackets",140', '12,"n","s","d","c",1']
    row = clean(PRODUCT, '11,"A","s","one size, tall, 5', following)
    assert row.values[2:] == ["s", "one size, tall, 5\nrest of text", "Jackets", Decimal(140)]


def test_last_line_with_an_open_quote_may_have_been_cut_off():
    assert clean(PHOTOS, f'1,2,"{A}","https://img.exa') == Rejection("unclosed_quote")


def test_text_that_stands_in_an_index_has_a_limit():
    assert clean(PRODUCT, product(category='"' + "c" * 2_001 + '"')) == (
        Rejection("too_long", "category")
    )
    assert clean(PRODUCT, product(category='"' + "c" * 2_000 + '"')).repairs == []


def test_counter_leaves_room_for_votes():
    assert clean(REVIEWS, review(helpfulness="2147483647")) == (
        Rejection("out_of_range", "helpfulness")
    )
