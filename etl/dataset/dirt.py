# ruff: noqa: S311  (choices that must repeat, not secrets)
"""The catalogue of dirt: which kinds each file gets, and what becomes of each line.

Repairable kinds spoil a line that is there anyway. Everything else is an extra line,
made from a clean one under an id of its own that no other line refers to.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from etl.dataset import damage
from etl.dataset.damage import Line, Spoil
from etl.dataset.layout import LEGACY, PARENTS
from etl.dataset.manifest import FileCount

EXTRA_IDS = 900_000_000
MISSING_IDS = 950_000_000
RESERVED_IDS = 1_000_000_000
LINES_PER_KIND = 5_000

BOM = b"\xef\xbb\xbf"
BOM_FILE = "features.csv"


class Outcome(Enum):
    """What an import makes of a dirty line."""

    REPAIRED = auto()
    REJECTED = auto()
    CONFLICT = auto()
    DUPLICATE = auto()
    BLANK = auto()


@dataclass(frozen=True, slots=True)
class Dirt:
    """One kind of dirt in one form."""

    kind: str
    outcome: Outcome
    spoil: Spoil


def _repaired(kind: str, *spoils: Spoil) -> list[Dirt]:
    return [Dirt(kind, Outcome.REPAIRED, spoil) for spoil in spoils]


def _rejected(kind: str, *spoils: Spoil) -> list[Dirt]:
    return [Dirt(kind, Outcome.REJECTED, spoil) for spoil in spoils]


def _null_forms(*columns: str) -> list[Dirt]:
    return _repaired(
        "null_form",
        *(damage.replaced(column, form) for column in columns for form in (b'"null"', b"", b'""')),
    )


def _price_forms(column: str) -> list[Dirt]:
    return _repaired(
        "price_form",
        damage.rewritten(column, lambda price: b"$" + price),
        damage.rewritten(column, lambda price: b" " + price),
        damage.rewritten(column, lambda price: b'"""default_price"": ' + price + b'"'),
    )


def _url_form(column: str) -> list[Dirt]:
    return _repaired(
        "url_form", damage.rewritten(column, lambda url: url.replace(b'"https:', b'"uhttps:', 1))
    )


def _text_damage(column: str) -> list[Dirt]:
    """Bytes that are no text, within the text of `column`."""
    return [
        *_rejected(
            "invalid_utf8",
            damage.infixed(column, b"\xff\xfe"),
            damage.infixed(column, b"caf\xe9 bar"),
        ),
        *_rejected("nul_byte", damage.infixed(column, b"\x00")),
    ]


def _long_text_damage(column: str) -> list[Dirt]:
    return [
        *_repaired("stray_quote", damage.stray_quote(column)),
        *_repaired(
            "newline_in_field", damage.with_newlines(column, 1), damage.with_newlines(column, 2)
        ),
        *_rejected("unclosed_quote", damage.broken_off(column)),
    ]


CONFLICTS: dict[str, Spoil] = {
    "product.csv": damage.differing("name", b'"Another Name"'),
    "features.csv": damage.differing("value", b'"Another Value"'),
    "styles.csv": damage.differing("name", b'"Another Colour"'),
    "photos.csv": damage.differing("url", b'"https://images.example.com/another"'),
    "skus.csv": damage.differing("quantity", b"98", b"97"),
    "related.csv": damage.other_relation,
    "reviews.csv": damage.differing("summary", b'"Another summary"'),
    "reviews_photos.csv": damage.differing("url", b'"https://images.example.com/another"'),
    "characteristics.csv": damage.differing("name", b'"Size"', b'"Fit"'),
    "characteristic_reviews.csv": damage.differing("value", b"2", b"4"),
}

SPECIAL: dict[str, list[Dirt]] = {
    "product.csv": [
        *_price_forms("default_price"),
        *_long_text_damage("description"),
        *_text_damage("name"),
        *_rejected("wrong_column_count", damage.dropped("slogan")),
        *_rejected("bad_price", damage.replaced("default_price", b"free")),
    ],
    "features.csv": [
        *_null_forms("value"),
        *_text_damage("feature"),
        *_rejected("unclosed_quote", damage.broken_off("feature")),
    ],
    "styles.csv": [
        *_null_forms("sale_price"),
        *_price_forms("original_price"),
        *_text_damage("name"),
        *_rejected("bad_price", damage.replaced("original_price", b"free")),
    ],
    "photos.csv": [
        *_null_forms("url", "thumbnail_url"),
        *_url_form("url"),
        *_url_form("thumbnail_url"),
        *_repaired("missing_quote", *[damage.unclosed("thumbnail_url")] * 3),
        *_repaired("missing_quote", damage.unclosed("url")),
        *_text_damage("url"),
        *_rejected("unclosed_quote", damage.broken_off("url")),
    ],
    "skus.csv": [
        *_null_forms("size", "quantity"),
        *_repaired(
            "number_form",
            damage.rewritten("quantity", damage.in_quotes),
            damage.rewritten("quantity", damage.in_blanks),
        ),
        *_text_damage("size"),
        *_rejected("wrong_column_count", damage.appended(b"7")),
        *_rejected("bad_number", damage.replaced("quantity", b"12a")),
        *_rejected("out_of_range", damage.replaced("quantity", b"-3")),
    ],
    "related.csv": [
        *_rejected("zero_reference", damage.replaced("related_product_id", b"0")),
        *_rejected("self_relation", damage.copied("related_product_id", "current_product_id")),
        Dirt("repeated_pair", Outcome.CONFLICT, damage.numbered("id", EXTRA_IDS)),
    ],
    "reviews.csv": [
        *_null_forms("response"),
        *_repaired(
            "boolean_form",
            damage.rewritten("recommend", damage.as_digit),
            damage.rewritten("recommend", damage.in_capitals),
            damage.rewritten("reported", damage.as_digit),
            damage.rewritten("reported", damage.in_title_case),
        ),
        *_repaired(
            "date_form",
            damage.rewritten("date", damage.as_date("%Y-%m-%d")),
            damage.rewritten("date", damage.as_date('"%Y-%m-%d"')),
            damage.rewritten("date", damage.as_date("%Y-%m-%dT%H:%M:%SZ")),
            damage.rewritten("date", damage.as_date('"%Y-%m-%dT%H:%M:%S.000Z"')),
        ),
        *_long_text_damage("body"),
        *_text_damage("body"),
        *_rejected("bad_boolean", damage.replaced("recommend", b"maybe")),
        *_rejected(
            "bad_date", damage.replaced("date", b"soon"), damage.replaced("date", b'"2019-13-45"')
        ),
        *_rejected(
            "out_of_range", damage.replaced("rating", b"0"), damage.replaced("rating", b"9")
        ),
    ],
    "reviews_photos.csv": [*_url_form("url"), *_text_damage("url")],
    "characteristics.csv": _text_damage("name"),
    "characteristic_reviews.csv": _rejected("out_of_range", damage.replaced("value", b"6")),
}


def _people(conflict: Spoil, key: str) -> list[Dirt]:
    """What both files of people get."""
    return [
        Dirt("blank", Outcome.BLANK, lambda line: b""),
        Dirt("duplicate", Outcome.DUPLICATE, Line.joined),
        Dirt("conflicting_id", Outcome.CONFLICT, conflict),
        *_repaired("crlf", damage.ended(b"\r")),
        *_rejected("repeated_header", damage.header_again),
        *_rejected("wrong_column_count", damage.dropped(key), damage.appended(b"7")),
    ]


def _twin(form: Callable[[bytes], bytes]) -> Spoil:
    """Another person with the same address in another form."""

    def spoil(line: Line) -> bytes:
        line["email_id"] = form(line["email_id"])
        return damage.without(line, "profile_id", "userid", "mobile")

    return spoil


def _namesake(line: Line) -> bytes:
    """Another person with the same number."""
    line["email_id"] = b"namesake%d@example.com" % line.serial
    return damage.without(line, "profile_id", "userid")


OF_PEOPLE: dict[str, list[Dirt]] = {
    "accounts.csv": [
        *_people(damage.differing("subscriptionstatus", b"None", b"Expired"), "ip"),
        *_repaired("number_form", damage.rewritten("userid", damage.in_blanks)),
        *_repaired("status_form", damage.rewritten("subscriptionstatus", damage.in_capitals)),
        *_repaired("ip_form", damage.rewritten("ip", lambda ip: b'" ' + ip[1:])),
        *_repaired("missing_quote", damage.unclosed("ip")),
        *_rejected("out_of_range", damage.replaced("userid", b"0")),
        *_rejected("bad_number", damage.replaced("userid", b"12a")),
        *_rejected("missing_value", damage.replaced("userid", b"")),
        *_rejected(
            "bad_ip", damage.replaced("ip", b"256.1.1.1"), damage.replaced("ip", b'"nowhere"')
        ),
        *_rejected("bad_status", damage.replaced("subscriptionstatus", b"Gold")),
        *_rejected("invalid_utf8", damage.replaced("subscriptionstatus", b"Expir\xe9")),
        *_rejected("nul_byte", damage.replaced("subscriptionstatus", b"Exp\x00ired")),
        *_rejected("unclosed_quote", damage.broken_off("ip")),
    ],
    "profiles.csv": [
        *_people(damage.differing("full_name", b'"Somebody Else"'), "address"),
        Dirt("repeated_email", Outcome.CONFLICT, _twin(damage.in_capitals)),
        Dirt("repeated_email", Outcome.CONFLICT, _twin(damage.in_full_width)),
        Dirt("repeated_mobile", Outcome.CONFLICT, _namesake),
        *_repaired("number_form", damage.rewritten("latitude", damage.in_blanks)),
        *_repaired("date_form", damage.rewritten("birth_date", lambda day: day + b"T00:00:00Z")),
        *_repaired("null_form", damage.replaced("gender", b"null")),
        *_repaired("newline_in_field", damage.with_newlines("address", 1)),
        *_rejected(
            "bad_email",
            damage.replaced("email_id", b"nobody"),
            damage.replaced("email_id", b"a@b@example.com"),
        ),
        *_rejected("bad_mobile", damage.replaced("mobile", b"12a")),
        *_rejected("bad_uuid", damage.replaced("profile_id", b"17")),
        *_rejected("bad_date", damage.replaced("birth_date", b"1990-02-30")),
        *_rejected("out_of_range", damage.replaced("latitude", b"91")),
        *_rejected("bad_number", damage.replaced("longitude", b"east")),
        *_rejected("missing_value", damage.replaced("full_name", b'" "')),
        *_rejected("missing_parent", damage.numbered("userid", MISSING_IDS)),
        *_rejected("unknown_tenant", damage.replaced("tenant", b"nobody")),
        *_text_damage("full_name"),
        *_rejected("unclosed_quote", damage.broken_off("full_name")),
    ],
}


def catalogue(name: str) -> list[Dirt]:
    """Every kind and form of dirt for one file; `blank` comes first."""
    if name not in LEGACY:
        return OF_PEOPLE[name]
    parents = PARENTS.get(name, ())
    return [
        Dirt("blank", Outcome.BLANK, lambda line: b""),
        Dirt("duplicate", Outcome.DUPLICATE, Line.joined),
        Dirt("conflicting_id", Outcome.CONFLICT, CONFLICTS[name]),
        *_repaired(
            "number_form",
            damage.rewritten("id", damage.in_quotes),
            damage.rewritten((*parents, "id")[0], damage.in_blanks),
        ),
        *_repaired("crlf", damage.ended(b"\r")),
        *_rejected("out_of_range", damage.replaced("id", b"0")),
        *_rejected("reserved_id", damage.numbered("id", RESERVED_IDS)),
        *_rejected("repeated_header", damage.header_again),
        *_rejected("bad_number", *(damage.replaced(column, b"12a") for column in parents[:1])),
        *_rejected("missing_parent", *(damage.numbered(column, MISSING_IDS) for column in parents)),
        *SPECIAL[name],
    ]


def placed(name: str, rows: int, seed: int) -> Iterator[tuple[int, Dirt]]:
    """Where dirt goes in a file of `rows` clean lines: ascending places, one kind each.

    Every form occurs once in `LINES_PER_KIND` lines and at least once, as long as the
    file has a line for each. The last line stays clean.
    """
    rng = random.Random(f"{seed} {name}")
    room = rows - 1
    every = catalogue(name)
    chosen = [dirt for dirt in every for _ in range(max(1, rows // LINES_PER_KIND))][1:]
    rng.shuffle(chosen)
    chosen = [every[0], *chosen][: max(0, room)]
    for index, dirt in enumerate(chosen):
        start = index * room // len(chosen)
        yield rng.randrange(start, (index + 1) * room // len(chosen)), dirt


class Spoiler:
    """Spoils a file's lines as they pass, in order, and counts what it did.

    Extra lines go before a clean line, so that what follows a broken one is whole. A
    duplicate or conflict refers to the clean line behind the extra line before it.
    """

    def __init__(self, name: str, rows: int, seed: int, count: FileCount) -> None:
        self._name = name
        self._places = placed(name, rows, seed)
        self._next = next(self._places, None)
        self._rng = random.Random(f"{seed} {name} forms")
        self._count = count
        self._serial = 0
        self._earlier = b""

    def spoil(self, lines: list[bytes], done: int) -> None:
        """Spoil `lines` in place; `done` lines of the file came before them."""
        while self._next and self._next[0] < done + len(lines):
            place, dirt = self._next
            lines[place - done] = self._spoiled(lines[place - done], dirt)
            self._next = next(self._places, None)

    def _spoiled(self, clean: bytes, dirt: Dirt) -> bytes:
        self._serial += 1
        again = dirt.outcome in (Outcome.DUPLICATE, Outcome.CONFLICT)
        source = self._earlier if again else clean
        line = Line.parse(self._name, source, self._serial, self._rng)
        if dirt.outcome is Outcome.REJECTED:
            _set_apart(line)
        made = dirt.spoil(line)
        self._tally(dirt, made)
        if dirt.outcome is Outcome.REPAIRED:
            return made
        self._earlier = clean
        return made + b"\n" + clean

    def _tally(self, dirt: Dirt, made: bytes) -> None:
        match dirt.outcome:
            case Outcome.REPAIRED:
                self._count.repaired[dirt.kind] += 1
                self._count.continuation += made.count(b"\n")
            case Outcome.BLANK:
                self._count.blank += 1
            case Outcome.DUPLICATE:
                self._count.duplicate += 1
            case Outcome.REJECTED | Outcome.CONFLICT:
                self._count.rejected[dirt.kind] += 1


def _set_apart(line: Line) -> None:
    """Give an extra line what no other line has."""
    if line.name == "profiles.csv":
        line["email_id"] = b"extra%d@example.com" % line.serial
        damage.without(line, "profile_id", "userid", "mobile")
    else:
        key = "id" if line.name in LEGACY else "userid"
        line[key] = b"%d" % (EXTRA_IDS + line.serial)
