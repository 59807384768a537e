"""The tree speaks only of itself: it can be cloned anywhere, by anybody."""

import re

from tests.repository.checkout import ROOT, files

LARGE = 2_000_000
# Folders of one machine. Spelled apart, as this file is read too.
ELSEWHERE = re.compile(r"/(?:home|Users)" + r"/[a-z]|/root" + r"/\w")
SECRETS = re.compile(
    "|".join(
        [
            r"-----BEGIN [A-Z ]*PRIVATE" + r" KEY",
            r"\bghp_" + r"[A-Za-z0-9]{36}",
            r"\bAKIA" + r"[A-Z0-9]{16}",
        ]
    )
)


def texts():
    for path in files():
        data = path.read_bytes()
        if b"\x00" not in data[:8000]:
            yield path.relative_to(ROOT).as_posix(), data.decode("utf-8")


def test_files_name_no_place_outside_the_tree():
    found = [
        f"{name}: {match.group()}" for name, text in texts() for match in ELSEWHERE.finditer(text)
    ]
    assert found == []


def test_files_hold_no_secret():
    assert [name for name, text in texts() if SECRETS.search(text)] == []


def test_settings_of_a_machine_are_not_committed():
    names = {path.relative_to(ROOT).as_posix() for path in files()}
    assert ".env.example" in names
    assert not {".env", "db.sqlite3", "dump.rdb"} & names
    assert not [name for name in names if name.startswith(("var/", ".venv/", "htmlcov/"))]


def test_the_example_holds_no_secret_value():
    rows = dict(
        line.split("=", 1)
        for line in (ROOT / ".env.example").read_text().splitlines()
        if line and not line.startswith("#")
    )
    assert rows["SECRET_KEY"] == rows["ADMIN_PASSWORD"] == rows["FIRST_CLIENT_SECRET"] == ""


def test_files_are_small_and_end_in_a_newline():
    for path in files():
        assert path.stat().st_size < LARGE, path
    bare = [name for name, text in texts() if text and not text.endswith("\n")]
    assert [name for name in bare if name.endswith((".py", ".md", ".toml", ".json"))] == []


def test_links_between_documents_lead_somewhere():
    broken = []
    for path in files():
        if path.suffix != ".md":
            continue
        for target in re.findall(r"\]\(([^)#\s]+)", path.read_text()):
            if not re.match(r"[a-z]+:", target) and not (path.parent / target).exists():
                broken.append(f"{path.relative_to(ROOT)}: {target}")
    assert broken == []
