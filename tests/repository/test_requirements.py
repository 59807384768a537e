"""Every package is pinned with hashes, and every direct one says why it is there."""

import re

import pytest

from tests.repository.checkout import ROOT


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def direct(name):
    """Requirement and comment of each line of a `.in` file."""
    rows = []
    for line in (ROOT / name).read_text().splitlines():
        if line and not line.startswith(("#", "-r")):
            requirement, _, reason = line.partition("#")
            rows.append((requirement.strip(), reason.strip()))
    return rows


def pinned(name):
    """The blocks of a `.txt` file: a requirement, and all that stands below it."""
    text = (ROOT / name).read_text()
    return re.findall(r"^(?![ #]).+(?:\n .+)*", text, re.MULTILINE)


PAIRS = [("requirements.in", "requirements.txt"), ("requirements-dev.in", "requirements-dev.txt")]


@pytest.mark.parametrize(("source", "lock"), PAIRS)
def test_every_requirement_is_pinned_with_hashes(source, lock):
    blocks = pinned(lock)
    assert len(blocks) > len(direct(source))
    for block in blocks:
        assert re.match(r"[\w.-]+(\[[\w, -]+\])?==[\w.!+-]+( ;.+)? \\\n", block), block[:80]
        assert re.search(r"^    --hash=sha256:[0-9a-f]{64}", block, re.MULTILINE), block[:80]
        assert "://" not in block.split("# via")[0]


@pytest.mark.parametrize(("source", "lock"), PAIRS)
def test_every_direct_requirement_is_in_its_lock(source, lock):
    names = {normal(re.split(r"[=\[ ;]", block)[0]) for block in pinned(lock)}
    for requirement, _ in direct(source):
        assert normal(re.split(r"[=\[<>~ ]", requirement)[0]) in names, requirement


@pytest.mark.parametrize(("source", "lock"), PAIRS)
def test_every_direct_requirement_says_why_it_is_there(source, lock):
    rows = direct(source)
    assert rows
    assert [requirement for requirement, reason in rows if not reason] == []


def test_both_locks_agree():
    """The tests run on what the service runs on."""
    versions = [
        dict(re.match(r"(.+)==(\S+)", block).groups() for block in pinned(lock))
        for _, lock in PAIRS
    ]
    service, tests = (
        {normal(re.sub(r"\[.*", "", k)): v for k, v in row.items()} for row in versions
    )
    assert {name: tests.get(name) for name in service} == service
