"""The files of this checkout, read as text and as Python."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APPS = ("licensing", "products", "reviews", "users", "etl")
CODE = ("atelier", "stack", *APPS)
# What tools leave behind, where no git tells it apart.
LEFT_BEHIND = {".git", ".venv", "var", "htmlcov", "__pycache__", ".hypothesis", ".mypy_cache"}
LEFT_BEHIND |= {".ruff_cache", ".pytest_cache", ".import_linter_cache", "node_modules"}


@cache
def files() -> tuple[Path, ...]:
    """Every file of the project, whether git is there to list it or not."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        names = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    else:
        names = [
            path
            for path in ROOT.rglob("*")
            if not LEFT_BEHIND & set(path.relative_to(ROOT).parts) and path.name != ".env"
        ]
    return tuple(path for path in names if path.is_file())


def code(*packages: str, migrations: bool = False) -> Iterator[tuple[str, str]]:
    """Name and text of each Python file of these packages."""
    for path in files():
        name = path.relative_to(ROOT).as_posix()
        kept = migrations or "/migrations/" not in name
        if kept and path.suffix == ".py" and name.split("/")[0] in packages:
            yield name, path.read_text()


def trees(*packages: str) -> Iterator[tuple[str, ast.Module]]:
    """Name and syntax tree of each Python file of these packages."""
    for name, text in code(*packages):
        yield name, ast.parse(text, name)


def dotted(node: ast.AST) -> str:
    """A name as it is written, such as `env.text`; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}".lstrip(".")
    return ""
