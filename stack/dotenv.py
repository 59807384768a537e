"""The `.env` file: made once from `.env.example`; it keeps what the environment sets."""

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

SECRET_BYTES = 48
PASSWORD_BYTES = 15


def read(path: Path) -> dict[str, str]:
    """The assignments of a file; missing file, none."""
    if not path.is_file():
        return {}
    pairs = (line.split("=", 1) for line in path.read_text().splitlines() if _is_assignment(line))
    return {name.strip(): _unquoted(value.strip()) for name, value in pairs}


def create(
    path: Path, example: Path, environ: Mapping[str, str], made: Mapping[str, Callable[[], str]]
) -> bool:
    """Write the file unless it is there, readable by its owner only. True if it was written now.

    A value comes from the environment, else from the example, else, where that is empty, from
    ``made``. Comments and order of the example are kept.
    """
    if path.exists():
        return False
    lines = [_filled(line, environ, made) for line in example.read_text().splitlines()]
    write(path, lines)
    return True


def fill(path: Path, made: Mapping[str, Callable[[], str]]) -> list[str]:
    """Make what a file leaves empty or out; the names that were made."""
    values = read(path)
    missing = {name: make() for name, make in made.items() if not values.get(name)}
    if missing:
        lines = path.read_text().splitlines()
        named = [line.partition("=")[0].strip() if _is_assignment(line) else "" for line in lines]
        for name, value in missing.items():
            if name in named:
                lines[named.index(name)] = f"{name}={value}"
            else:
                lines.append(f"{name}={value}")
        write(path, lines)
    return list(missing)


def keep(path: Path, environ: Mapping[str, str]) -> list[str]:
    """Write what the environment sets otherwise into the file; the names that changed."""
    changed = []
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        name, _, value = (part.strip() for part in line.partition("="))
        if _is_assignment(line) and environ.get(name) not in (None, "", _unquoted(value)):
            lines[number] = f"{name}={environ[name]}"
            changed.append(name)
    if changed:
        write(path, lines)
    return changed


def secret_key() -> str:
    """For SECRET_KEY; no character that a `.env` reader could take for syntax."""
    return secrets.token_urlsafe(SECRET_BYTES)


def password() -> str:
    """For a person to type: 120 bits."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


def _filled(line: str, environ: Mapping[str, str], made: Mapping[str, Callable[[], str]]) -> str:
    if not _is_assignment(line):
        return line
    name, default = (part.strip() for part in line.split("=", 1))
    value = environ.get(name) or default
    if not value and name in made:
        value = made[name]()
    return f"{name}={value}"


def write(path: Path, lines: Sequence[str]) -> None:
    """Whole or not at all, readable by its owner only."""
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write("\n".join(lines) + "\n")
    partial.rename(path)


def _is_assignment(line: str) -> bool:
    return "=" in line and not line.lstrip().startswith("#")


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value
