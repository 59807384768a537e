"""Refreshes that pass over what they know, against refreshes that compare everything."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from django.db import connection

from etl.dataset import generate
from etl.fingerprints import STRETCH, Fingerprints
from etl.keys import Block, IdSet, PairSet, paired, spell_instants, with_column_respelled
from etl.models import Fingerprint
from products.models import Product
from tests.etl.conftest import Outcome, table_contents
from tests.etl.test_exporting import empty_tables

SEEDS = (0, 1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 20)))
NUMBERS = [15279424757475218001, 7150044510756117480, 13968235749544610273, 12667174195655184101]


def changed(line: str, dice: random.Random) -> list[str]:
    """What may become of a line from one delivery to the next."""
    digit = dice.choice([place for place, sign in enumerate(line) if sign.isdigit()] or [0])
    return dice.choice(
        [
            [line[:digit] + str(dice.randrange(10)) + line[digit + 1 :]],
            [line, line],
            [],
            [line, line[:digit] + str(dice.randrange(10)) + line[digit + 1 :]],
            [line[: dice.randrange(len(line) + 1)]],
            [line + "\r"],
            ["", line],
            [line.replace('"', '""', 1)],
            [line.replace(",", ', "', 1)],
        ]
    )


def spoil(folder: Path, seed: int) -> None:
    dice = random.Random(seed)
    for path in folder.glob("*.csv"):
        header, *lines = path.read_bytes().decode("utf-8", "surrogateescape").split("\n")
        spoilt: list[str] = []
        for line in lines:
            spoilt += changed(line, dice) if line and dice.random() < 0.1 else [line]
        if dice.random() < 0.3:
            dice.shuffle(spoilt)
        text = "\n".join([header, *spoilt])
        path.write_bytes(text.encode("utf-8", "surrogateescape"))


def account(outcome: Outcome) -> dict[str, dict]:
    kept = ("read", "accepted", "loaded", "updated", "unchanged", "duplicate", "absent")
    return {
        file.name: {
            **{name: getattr(file, name) for name in kept},
            "repairs": file.repairs,
            "rejects": file.rejects,
        }
        for file in outcome.run.files.all()
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_refresh_by_fingerprints_is_the_refresh_that_compares_everything(
    import_command: Callable[..., Outcome], tmp_path: Path, seed: int
):
    generate(tmp_path / "first", products=40, seed=seed)
    generate(tmp_path / "second", products=40, seed=seed)
    spoil(tmp_path / "second", seed)
    results = []
    for forgets in (False, True):
        empty_tables()
        import_command("import_all", tmp_path / "first")
        if forgets:
            Fingerprint.objects.all().delete()
        outcome = import_command("import_all", tmp_path / "second")
        rejects = [tuple(row.values()) for row in outcome.rejects]
        results.append((account(outcome), rejects, table_contents()))
        # All of it is known now, whichever way it came.
        again = import_command("import_all", tmp_path / "second")
        assert {file.updated + file.loaded for file in again.run.files.all()} == {0}
    assert results[0][0] == results[1][0]
    assert results[0][1] == results[1][1]
    assert results[0][2] == results[1][2]
    assert sum(file["updated"] for file in results[0][0].values()) > 20


def test_columns_that_change_places_are_no_known_lines(import_command, dataset):
    assert import_command("import_all", dataset.write()).code == 0
    text = dataset.path("product").read_text()
    dataset.path("product").write_text(text.replace("name,slogan", "slogan,name", 1))
    assert import_command("import_all", dataset.folder).report("product").updated == 3
    assert Product.objects.get(pk=1).name == "Be seen"


def test_only_changed_rows_are_staged(import_command, tmp_path):
    generate(tmp_path / "set", products=200, seed=1, dirt=False)
    import_command("import_all", tmp_path / "set")
    path = tmp_path / "set" / "skus.csv"
    lines = path.read_text().split("\n")
    lines[7] = lines[7].rpartition(",")[0] + ",4711"
    path.write_text("\n".join(lines))
    # Ended before its last step, it leaves what it staged.
    failed = import_command("import_all", tmp_path / "set", on_conflict="fail")
    assert failed.code == 1
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM etl.products_sku), count(*) FROM etl.products_photo"
        )
        assert cursor.fetchone() == (1, 0)


def test_scattered_ids_are_imported_without_fingerprints(import_command, dataset):
    ids = random.Random(3).sample(range(1, 999_999_999), 600)
    dataset.rows["product"] = [f'{number},"a","b","c","d",1' for number in ids]
    for changes in (600, 0):
        outcome = import_command("import_products", dataset.write("product"))
        assert outcome.code == 0, outcome.stderr
        assert outcome.report("product").loaded == changes
    assert not Fingerprint.objects.exists()
    dataset.rows["product"][5] = dataset.rows["product"][5].replace('"a"', '"z"')
    outcome = import_command("import_products", dataset.write("product"))
    assert (outcome.report("product").updated, outcome.report("product").unchanged) == (1, 599)


def block(lines: list[bytes]) -> Block:
    return Block(b"".join(line + b"\n" for line in lines))


def test_every_change_of_a_line_changes_its_number():
    dice = random.Random(5)
    lines = [dice.randbytes(dice.choice([1, 7, 8, 9, 16, 17, 300])) for _ in range(3000)]
    lines = [line.replace(b"\n", b" ") for line in lines]
    numbers = block(lines).hashes(np.arange(3000))
    assert len(set(numbers.tolist())) == len(set(lines))
    backwards = block(lines[::-1]).hashes(np.arange(3000))
    assert backwards[::-1].tolist() == numbers.tolist()
    for place, line in enumerate(lines):
        other = bytearray(line)
        other[dice.randrange(len(other))] ^= dice.choice([1, 2, 4, 16, 32, 64, 128])
        if b"\n" not in other:
            assert block([bytes(other)]).hashes(np.arange(1))[0] != numbers[place]


def test_numbers_are_the_same_for_good():
    """They are kept in databases: a change of the function would make every refresh a first one."""
    lines = [b"1,1,5", b'2,"Fabric","Canvas"', b"", b"x" * 1000]
    assert [int(n) for n in block(lines).hashes(np.arange(4))] == NUMBERS


def test_stretches_outlive_the_memory_they_are_kept_in(monkeypatch):
    monkeypatch.setattr("etl.fingerprints.KEPT_STRETCHES", 2)
    with Fingerprints(lambda stretch: None, np.zeros(0, np.int64), has_stored=False) as prints:
        ids = [stretch * STRETCH + row for row in range(1, 41) for stretch in range(5)]
        rows = block([b"%d,a" % number for number in ids])
        everything = np.ones(len(ids), np.bool_)
        assert prints.note(rows, np.array(ids), everything).all()
        assert not prints.note(rows, np.array(ids), everything).any()
        assert prints.known(rows).all()
        assert not prints.known(block([b"%d,b" % number for number in ids])).any()


def test_set_of_ids_is_a_set():
    dice = random.Random(1)
    ids, plain = IdSet(), set()
    for _ in range(200):
        top = dice.choice([100, 5000, 999_999_999])
        some = [dice.randrange(1, top) for _ in range(dice.choice([1, 10, 1000]))]
        expected = []
        for number in some:
            expected.append(number in plain)
            plain.add(number)
        assert ids.add(np.array(some)).tolist() == expected
        asked = [dice.randrange(1, top) for _ in range(50)]
        assert ids.contains(np.array(asked)).tolist() == [number in plain for number in asked]


def test_set_of_pairs_is_a_set():
    dice = random.Random(1)
    pairs = PairSet(full=100)
    plain: set[tuple[int, int]] = set()
    for top in (10, 1000, 999_999_999) * 30:
        some = [(dice.randrange(1, top), dice.randrange(1, top)) for _ in range(40)]
        ones, others = np.array(some).T
        numbers = paired(ones, others)
        assert pairs.contains(numbers).tolist() == [pair in plain for pair in some]
        new = sorted(set(some) - plain)
        if new:
            pairs.add(paired(*np.array(new).T))
        plain |= set(new)


@pytest.mark.parametrize("rows", [0, 1, 500])
def test_integers_and_instants_of_a_block(rows):
    dice = random.Random(rows)
    values = [
        (dice.randrange(10 ** dice.randrange(1, 10)), dice.randrange(10 ** dice.randrange(1, 14)))
        for _ in range(rows)
    ]
    lines = block([b'%d,%d,"x,1"' % pair for pair in values])
    (first, second), starts = lines.integers(2)
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == values
    texts = spell_instants(second)
    assert with_column_respelled(lines, starts[1], starts[2] - 1, texts) == b"".join(
        b'%d,%b,"x,1"\n' % (number, text) for (number, _), text in zip(values, texts, strict=True)
    )
    assert spell_instants(np.array([1596080481467])) == [b"20200730T034121.467"]
