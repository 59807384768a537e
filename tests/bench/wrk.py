"""wrk, which loads in closed loops: the machine's, else from its Debian package."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from stack import debian

UNPACKED = ("wrk", "libluajit2-5.1-2", "libluajit2-5.1-common", "libssl3")


@dataclass(frozen=True)
class Wrk:
    """The program, and what its process needs to find its libraries."""

    program: Path
    environ: dict[str, str] = field(default_factory=dict)


def find(folder: Path) -> Wrk:
    """Installed by apt for root, unpacked below the folder for others, where it is not there."""
    installed = shutil.which("wrk")
    if installed is None and os.geteuid() == 0:
        debian.install(("wrk",))
        installed = shutil.which("wrk")
    if installed:
        return Wrk(Path(installed))
    root = folder / "wrk"
    program = root / "usr/bin/wrk"
    if not program.exists():
        debian.unpack(UNPACKED, root)
    return Wrk(program, {"LD_LIBRARY_PATH": debian.library_path(root)})
