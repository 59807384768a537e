"""The generator against a reader of its own: what the manifest says is counted again here."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from etl.dataset import DirectoryNotEmptyError, Manifest, generate

HEADERS = {
    "product.csv": "id,name,slogan,description,category,default_price",
    "features.csv": "id,product_id,feature,value",
    "styles.csv": "id,productId,name,sale_price,original_price,default_style",
    "photos.csv": "id,styleId,url,thumbnail_url",
    "skus.csv": "id,styleId,size,quantity",
    "related.csv": "id,current_product_id,related_product_id",
    "reviews.csv": (
        "id,product_id,rating,date,summary,body,recommend,reported,"
        "reviewer_name,reviewer_email,response,helpfulness"
    ),
    "characteristics.csv": "id,product_id,name",
    "reviews_photos.csv": "id,review_id,url",
    "characteristic_reviews.csv": "id,characteristic_id,review_id,value",
}

# One letter a column: i id, o other number, n nullable number, t text, T nullable text, u URL,
# U nullable URL, p price, P nullable price, b boolean, f flag, d date, r score;
# a digit is a reference to the file of that place in PARENTS.
SHAPES = {
    "product.csv": "itttt" + "p",
    "features.csv": "i0tT",
    "styles.csv": "i0tPpf",
    "photos.csv": "i1UU",
    "skus.csv": "i1Tn",
    "related.csv": "i00",
    "reviews.csv": "i0rdttbbttTo",
    "characteristics.csv": "i0t",
    "reviews_photos.csv": "i2u",
    "characteristic_reviews.csv": "i32r",
}
CLEAN = 1_500  # products of the set without dirt
PARENTS = ("product.csv", "styles.csv", "reviews.csv", "characteristics.csv")

FIELD = r'(?:"(?:[^"]|"")*"|[^,"]*)'
LENIENT = r'(?:".*"|[^,"]*)'
UNCLOSED = r'(?:"https:[^",]*"?)'


class RejectedError(Exception):
    pass


def reject_unless(is_good: bool, reason: str) -> None:
    if not is_good:
        raise RejectedError(reason)


def number(raw: str, reason: str = "bad_number") -> tuple[int, str | None]:
    text = raw.strip('" ')
    reject_unless(re.fullmatch(r"-?\d+", text) is not None, reason)
    return int(text), None if text == raw else "number_form"


def read_number(raw: str, low: int, high: int) -> str | None:
    value, repair = number(raw)
    reject_unless(value < 10**9, "reserved_id")
    reject_unless(low <= value <= high, "out_of_range")
    return repair


def read_null(raw: str) -> tuple[bool, str | None]:
    is_null = raw in ("null", '"null"', "", '""')
    return is_null, "null_form" if is_null and raw != "null" else None


def read_text(raw: str) -> str | None:
    inside = raw[1:-1]
    if "\n" in inside:
        return "newline_in_field"
    return "stray_quote" if '"' in inside.replace('""', "") else None


def read_url(raw: str) -> str | None:
    if raw.startswith('"uhttps://'):
        return "url_form"
    return None if raw.endswith('"') else "missing_quote"


def read_price(raw: str) -> str | None:
    found = re.search(r"\d+(\.\d\d)?\Z", raw.strip('"'))
    if found is None:
        raise RejectedError("bad_price")
    return None if found.group() == raw else "price_form"


def read_boolean(raw: str) -> str | None:
    reject_unless(raw.lower() in ("true", "false", "1", "0"), "bad_boolean")
    return None if raw in ("true", "false") else "boolean_form"


def read_date(raw: str) -> str | None:
    if re.fullmatch(r"\d{13}", raw):
        return None
    iso = r'"?20[12]\d-(0[1-9]|1[0-2])-[0-3]\d(T\d\d:\d\d:\d\d(\.000)?Z)?"?'
    reject_unless(re.fullmatch(iso, raw) is not None, "bad_date")
    return "date_form"


READERS: dict[str, Callable[[str], str | None]] = {
    "i": lambda raw: read_number(raw, 1, 10**9),
    "o": lambda raw: read_number(raw, 0, 30),
    "n": lambda raw: read_number(raw, 0, 1000),
    "r": lambda raw: read_number(raw, 1, 5),
    "t": read_text,
    "T": read_text,
    "u": read_url,
    "U": read_url,
    "p": read_price,
    "P": read_price,
    "b": read_boolean,
    "f": lambda raw: None if raw in ("0", "1") else "boolean_form",
    "d": read_date,
}


class Reader:
    """Reads the files of a data set, parents first, and counts what becomes of each line."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ids: dict[str, dict[int, bytes]] = {}
        self.rows: dict[str, list[list[str]]] = {}

    def count(self, name: str) -> dict[str, Any]:
        data = (self.directory / name).read_bytes()
        kinds: Counter[str] = Counter()
        rejected: Counter[str] = Counter()
        result = {"lines": data.count(b"\n") + 1, "blank": 0, "continuation": 0, "duplicate": 0}
        if data.startswith(b"\xef\xbb\xbf"):
            data = data[3:]
            kinds["bom"] += 1
        head, *lines = data.split(b"\n")
        assert head == HEADERS[name].encode()
        self.ids[name], self.rows[name] = {}, []
        self.pairs: set[tuple[str, ...]] = set()
        seen: set[bytes] = set()
        for record in joined(lines):
            result["continuation"] += record.count(b"\n")
            if not record:
                result["blank"] += 1
            elif record in seen and record != head:
                result["duplicate"] += 1
            else:
                seen.add(record)
                try:
                    kinds.update(self.record(name, record))
                except RejectedError as error:
                    rejected[str(error)] += 1
        result["loaded"] = len(self.rows[name])
        result["records"] = result["loaded"] + result["duplicate"] + rejected.total()
        return result | {"rejected": dict(rejected), "repaired": dict(kinds)}

    def record(self, name: str, record: bytes) -> list[str]:
        """Load one record; the kinds of repair it took."""
        reject_unless(record != HEADERS[name].encode(), "repeated_header")
        reject_unless(b"\x00" not in record, "nul_byte")
        try:
            text = record.decode()
        except UnicodeDecodeError:
            raise RejectedError("invalid_utf8") from None
        repairs = ["crlf"] if text.endswith("\r") else []
        fields = split(text.removesuffix("\r"), len(SHAPES[name]))
        for letter, raw in zip(SHAPES[name], fields, strict=True):
            if letter in "nTUP":
                is_null, repair = read_null(raw)
                if is_null:
                    repairs += [repair] if repair else []
                    continue
            repair = self.reference(raw, letter) if letter.isdigit() else READERS[letter](raw)
            repairs += [repair] if repair else []
        own = number(fields[0])[0]
        if name == "related.csv":
            reject_unless(fields[1].strip('" ') != fields[2].strip('" '), "self_relation")
        reject_unless(own not in self.ids[name], "conflicting_id")
        if name == "related.csv":
            pair = tuple(field.strip('" ') for field in fields[1:])
            reject_unless(pair not in self.pairs, "repeated_pair")
            self.pairs.add(pair)
        self.ids[name][own] = record
        self.rows[name].append([re.sub(r'^[" ]|[" ]$', "", field) for field in fields])
        return repairs

    def reference(self, raw: str, letter: str) -> str | None:
        value, repair = number(raw)
        reject_unless(value != 0, "zero_reference")
        reject_unless(value in self.ids[PARENTS[int(letter)]], "missing_parent")
        return repair


def joined(lines: list[bytes]) -> list[bytes]:
    """Lines as records: one that begins with a word goes on the record before it."""
    records: list[bytes] = []
    for line in lines:
        if line and not re.match(rb'[ "]?\d+[ "]?,|id,', line):
            records[-1] += b"\n" + line
        else:
            records.append(line)
    return records


def split(text: str, columns: int) -> list[str]:
    for field in (FIELD, LENIENT, rf"(?:{UNCLOSED}|[^,\"]*)"):
        found = re.fullmatch(",".join([f"({field})"] * columns), text, re.DOTALL)
        if found:
            return list(found.groups())
    last = text.rsplit(',"', 1)[-1]
    is_open = not text.endswith('"') and ',"' in text and re.search(r'",|",?\d', last) is None
    raise RejectedError("unclosed_quote" if is_open else "wrong_column_count")


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def rows_of(directory: Path) -> dict[str, list[list[str]]]:
    reader = Reader(directory)
    for name in HEADERS:
        reader.count(name)
    return reader.rows


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[list[str]]]:
    directory = tmp_path_factory.mktemp("clean")
    generate(directory, products=CLEAN, seed=7, dirt=False)
    return rows_of(directory)


@pytest.mark.parametrize(
    ("products", "seed"),
    [(50, 1), (50, 2), (800, 3), pytest.param(3_000, 3, marks=pytest.mark.long)],
)
def test_manifest_agrees_with_a_count_of_the_files(tmp_path, products, seed):
    manifest = generate(tmp_path, products=products, seed=seed)
    reader = Reader(tmp_path)
    for name in HEADERS:
        assert reader.count(name) == manifest.as_dict()["files"][name], name


def test_manifest_file_holds_the_manifest(tmp_path):
    manifest = generate(tmp_path, products=60, seed=1)
    assert json.loads((tmp_path / "manifest.json").read_text()) == manifest.as_dict()
    assert Manifest.read(tmp_path) == manifest


def test_dataset_without_dirt_loads_every_line(tmp_path):
    manifest = generate(tmp_path, products=300, seed=5, dirt=False)
    reader = Reader(tmp_path)
    for name in HEADERS:
        counted = reader.count(name)
        assert counted == manifest.as_dict()["files"][name]
        assert counted["loaded"] == counted["lines"] - 1
        assert not counted["repaired"]


@pytest.mark.parametrize("products", [50, 2_000])
def test_every_kind_of_dirt_is_present(tmp_path, products):
    files = generate(tmp_path, products=products, seed=11).files.values()
    assert {kind for count in files for kind in count.repaired} == {
        "null_form", "boolean_form", "date_form", "price_form", "number_form", "url_form",
        "missing_quote", "stray_quote", "newline_in_field", "crlf", "bom",
    }  # fmt: skip
    assert {kind for count in files for kind in count.rejected} == {
        "wrong_column_count", "bad_number", "bad_price", "bad_boolean", "bad_date",
        "out_of_range", "reserved_id", "zero_reference", "self_relation", "repeated_pair",
        "missing_parent", "conflicting_id", "invalid_utf8", "nul_byte", "repeated_header",
        "unclosed_quote",
    }  # fmt: skip
    assert all(count.duplicate and count.blank for count in files)


def test_dirt_grows_with_the_data(tmp_path):
    small = generate(tmp_path / "small", products=2_000, seed=1).files["skus.csv"]
    large = generate(tmp_path / "large", products=8_000, seed=1).files["skus.csv"]
    assert large.duplicate == pytest.approx(4 * small.duplicate, abs=3)
    assert large.rejected.total() > 3 * small.rejected.total()


@pytest.mark.parametrize("products", [1, 2, 3, 9])
def test_tiny_datasets_stay_countable(tmp_path, products):
    manifest = generate(tmp_path, products=products, seed=1, reviews_per_product=0.5)
    reader = Reader(tmp_path)
    for name in HEADERS:
        assert reader.count(name) == manifest.as_dict()["files"][name], name


def test_same_seed_gives_the_same_bytes_with_any_number_of_threads(tmp_path):
    for directory, threads in (("one", 1), ("three", 3)):
        generate(tmp_path / directory, products=6_000, seed=9, threads=threads)
    assert contents(tmp_path / "one") == contents(tmp_path / "three")


def test_other_seed_gives_other_bytes(tmp_path):
    generate(tmp_path / "one", products=60, seed=1)
    generate(tmp_path / "two", products=60, seed=2)
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert all(one[name] != two[name] for name in HEADERS)


def test_files_end_without_a_line_feed(tmp_path):
    generate(tmp_path, products=60, seed=1)
    assert not any((tmp_path / name).read_bytes().endswith((b"\n", b"\r")) for name in HEADERS)


def test_row_counts_a_product_are_those_of_the_release(clean):
    wanted = {
        "features.csv": 2.22, "styles.csv": 1.96, "photos.csv": 5.66, "skus.csv": 11.3,
        "related.csv": 4.5, "reviews.csv": 5.8, "reviews_photos.csv": 2.75,
        "characteristics.csv": 3.35, "characteristic_reviews.csv": 19.4,
    }  # fmt: skip
    found = {name: len(clean[name]) / CLEAN for name in wanted}
    assert found == pytest.approx(wanted, rel=0.08)


def test_reviews_have_a_long_tail_and_five_percent_of_products_none(clean):
    reviews = Counter(row[1] for row in clean["reviews.csv"])
    assert CLEAN - len(reviews) == CLEAN // 20
    assert max(reviews.values()) > 100
    assert sorted(reviews.values())[len(reviews) // 2] <= 5
    assert sum(1 for count in reviews.values() if count == 1) > CLEAN // 20


def test_reviews_per_product_sets_the_mean(tmp_path):
    manifest = generate(tmp_path, products=1_000, seed=1, reviews_per_product=30, dirt=False)
    assert manifest.files["reviews.csv"].loaded == pytest.approx(30_000, rel=0.05)


def test_most_products_with_styles_have_one_default(clean):
    defaults: Counter[str] = Counter()
    for row in clean["styles.csv"]:
        defaults[row[1]] += int(row[5])
    ones = sum(1 for count in defaults.values() if count == 1)
    assert len(defaults) * 0.95 < ones < len(defaults)


def test_some_styles_have_no_photos_some_no_skus_and_some_a_size_twice(clean):
    styles = {row[0] for row in clean["styles.csv"]}
    assert styles - {row[1] for row in clean["photos.csv"]}
    assert styles - {row[1] for row in clean["skus.csv"]}
    sizes = Counter((row[1], row[2]) for row in clean["skus.csv"] if row[2] != "null")
    assert 0 < sum(1 for count in sizes.values() if count > 1) < len(styles) * 0.1


def test_related_pairs_never_repeat_nor_point_at_themselves(clean):
    pairs = Counter((row[1], row[2]) for row in clean["related.csv"])
    assert max(pairs.values()) == 1
    assert all(one != other for one, other in pairs)


def test_characteristics_follow_the_category(clean):
    names: dict[str, list[str]] = {row[0]: [] for row in clean["product.csv"]}
    for row in sorted(clean["characteristics.csv"], key=lambda row: int(row[0])):
        names[row[1]].append(row[2])
    wanted = {"Accessories": ["Quality"]}
    wanted["Shoes"] = wanted["Sneakers"] = ["Size", "Width", "Comfort", "Quality"]
    for row in clean["product.csv"]:
        assert names[row[0]] == wanted.get(row[4], ["Fit", "Length", "Comfort", "Quality"])


def test_every_review_answers_every_characteristic_of_its_product(clean):
    product_of = {row[0]: row[1] for row in clean["reviews.csv"]}
    owner_of = {row[0]: row[1] for row in clean["characteristics.csv"]}
    answers = {(row[2], row[1]) for row in clean["characteristic_reviews.csv"]}
    assert len(answers) == len(clean["characteristic_reviews.csv"])
    assert all(product_of[review] == owner_of[asked] for review, asked in answers)
    asked_of = Counter(owner_of.values())
    assert len(answers) == sum(asked_of[product] for product in product_of.values())


def test_review_values_lie_within_their_bands(clean):
    reviews = clean["reviews.csv"]
    dates = [int(row[3]) for row in reviews]
    assert max(dates) - min(dates) == pytest.approx(2 * 365 * 86_400_000, rel=0.01)
    assert {int(row[11]) for row in reviews} == set(range(31))
    assert sum(row[7] == "true" for row in reviews) / len(reviews) == pytest.approx(0.02, abs=0.005)
    assert {row[2] for row in reviews} == set("12345")
    assert max(len(row[5].replace('""', '"')) for row in reviews) == 1_000
    assert max(len(row[4]) for row in reviews) > 60
    assert any(not row[5].strip() for row in reviews)
    assert "a" in {row[9] for row in reviews}


def test_text_is_varied_and_reaches_beyond_ascii(clean):
    text = "".join(row[5] for row in clean["reviews.csv"])
    assert "😍" in text
    assert "è" in text
    assert '""' in text
    assert len({row[5] for row in clean["reviews.csv"]}) > 0.9 * len(clean["reviews.csv"])
    assert len({row[1] for row in clean["product.csv"]}) > 0.75 * len(clean["product.csv"])


def test_ids_mostly_ascend_and_photo_ids_have_gaps(clean):
    ids = [int(row[0]) for row in clean["photos.csv"]]
    falls = sum(one > other for one, other in pairwise(ids))
    assert 0 < falls < len(ids) * 0.01
    assert len(set(ids)) == len(ids) < max(ids)


def test_tenth_product_is_absurdly_dear(clean):
    assert [row[5] for row in clean["product.csv"] if row[0] == "10"] == ["5000000"]


def test_failed_run_leaves_no_file(tmp_path):
    def fail(name: str, done: int, total: int) -> None:
        raise RuntimeError(name)

    with pytest.raises(RuntimeError):
        generate(tmp_path, products=60, seed=1, progress=fail)
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_killed_run_do_not_count(tmp_path):
    (tmp_path / ".reviews.csv.partial").write_bytes(b"id,pro")
    generate(tmp_path, products=60, seed=1)
    assert {path.name for path in tmp_path.iterdir()} == {*HEADERS, "manifest.json"}


def test_progress_reaches_every_total(tmp_path):
    last: dict[str, tuple[int, int]] = {}
    manifest = generate(
        tmp_path,
        products=60,
        seed=1,
        progress=lambda name, done, total: last.update({name: (done, total)}),
    )
    loaded = {name: count.loaded for name, count in manifest.files.items()}
    assert last == {name: (rows, rows) for name, rows in loaded.items()}


def test_directory_with_files_is_refused(tmp_path):
    (tmp_path / "product.csv").write_text("mine")
    with pytest.raises(DirectoryNotEmptyError):
        generate(tmp_path, products=60, seed=1)
    with pytest.raises(CommandError, match="--force"):
        call_command("generate_dataset", tmp_path, products=60, seed=1)
    assert contents(tmp_path) == {"product.csv": b"mine"}


@pytest.mark.parametrize("wrong", [{"products": 0}, {"products": 5, "reviews_per_product": -1}])
def test_numbers_out_of_range_are_refused(tmp_path, wrong):
    with pytest.raises(ValueError, match="must be from"):
        generate(tmp_path / "new", seed=1, **wrong)
    assert not (tmp_path / "new").exists()


def test_command_writes_the_files_and_prints_their_counts(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    out, err = io.StringIO(), io.StringIO()
    options = {"products": 60, "seed": 1, "force": True}
    call_command("generate_dataset", tmp_path, **options, stdout=out, stderr=err)
    count = Manifest.read(tmp_path).files["skus.csv"]
    line = next(line for line in out.getvalue().splitlines() if line.startswith("skus.csv"))
    assert [int(cell) for cell in line.replace(",", "").split()[1:4]] == [
        count.lines,
        count.records,
        count.loaded,
    ]
    assert "skus.csv" in err.getvalue()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_command_can_leave_out_the_dirt(tmp_path):
    call_command(
        "generate_dataset", str(tmp_path), "--products=60", "--seed=1", "--no-dirt",
        stdout=io.StringIO(), stderr=io.StringIO(),
    )  # fmt: skip
    assert all(not count.rejected for count in Manifest.read(tmp_path).files.values())


def test_people_are_written_alone_or_beside_products(tmp_path):
    manifest = generate(tmp_path / "people", accounts=50, profiles=60, seed=1)
    assert set(contents(tmp_path / "people")) == {"accounts.csv", "profiles.csv", "manifest.json"}
    assert {name: count.loaded for name, count in manifest.files.items()} == {
        "accounts.csv": 50,
        "profiles.csv": 60,
    }
    generate(tmp_path / "both", products=60, accounts=50, seed=1)
    beside = contents(tmp_path / "both")
    assert set(beside) == {*HEADERS, "accounts.csv", "manifest.json"}
    assert beside["accounts.csv"] == contents(tmp_path / "people")["accounts.csv"]


def test_no_two_people_have_an_id_an_address_or_a_number_in_common(tmp_path):
    generate(tmp_path, accounts=30_000, profiles=30_000, seed=2, dirt=False)
    people = list(csv.reader((tmp_path / "profiles.csv").open(encoding="utf-8")))[1:]
    assert len(people) == 30_000
    for column in (0, 5, 6):
        assert len({row[column] for row in people}) == len(people)
    accounts = list(csv.reader((tmp_path / "accounts.csv").open(encoding="utf-8")))[1:]
    assert {int(row[0]) for row in accounts} == set(range(1, 30_001))
    assert 0.03 < sum(":" in row[1] for row in accounts) / len(accounts) < 0.07
    assert {row[2] for row in accounts} == {"Subscribed", "Expired", "None"}
