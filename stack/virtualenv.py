"""The virtual environment: made from hashed pins, renewed only when the pins change."""

import hashlib
import os
import shutil
import sys
from pathlib import Path

from stack import debian
from stack.errors import StackError
from stack.processes import run

MARK = ".installed"
PIP_PACKAGE = "python3-pip-whl"
PIP_WHEELS = Path("usr/share/python-wheels")
MINIMUM = (3, 11)


class VirtualEnvironment:
    """`.venv` of a checkout. ``downloads`` is for Debian's pip, where pip is missing."""

    def __init__(self, checkout: Path, downloads: Path) -> None:
        self.checkout = checkout
        self.downloads = downloads
        self.folder = checkout / ".venv"

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def site_packages(self) -> Path:
        major, minor = sys.version_info[:2]
        return self.folder / "lib" / f"python{major}.{minor}" / "site-packages"

    def ensure(self, *, lock: str) -> bool:
        """Install the locked pins of ``lock`` unless they are. True if something was installed."""
        if sys.version_info[:2] < MINIMUM:
            raise StackError(
                f"Python {sys.version.split()[0]} is too old: run `make PYTHON=python3.11 up`."
            )
        wanted = self._wanted(lock)
        if self._installed(lock) == wanted and self.python.exists():
            return False
        self._make()
        self._install(lock)
        self._mark(lock).write_text(wanted)
        return True

    def _make(self) -> None:
        if self._has_pip():
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            self._venv()
        except StackError:
            # Debian's Python without python3-venv: no ensurepip, or one without its wheels.
            shutil.rmtree(self.folder, ignore_errors=True)
            self._venv("--without-pip")
            self._bootstrap_pip(self._pip_wheel())

    def _venv(self, *options: str) -> None:
        run(
            [sys.executable, "-m", "venv", *options, str(self.folder)],
            failure=f"The virtual environment {self.folder} could not be made.",
        )

    def _install(self, lock: str) -> None:
        run(
            [
                *(str(self.python), "-m", "pip", "install", "--quiet", "--no-input"),
                *("--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:"),
                *("-r", str(self.checkout / lock)),
            ],
            environ={**os.environ, "PYTHONNOUSERSITE": "1"},
            cwd=self.checkout,
            failure=f"The packages of {lock} could not be installed.",
        )

    def _has_pip(self) -> bool:
        return self.python.exists() and (self.site_packages / "pip" / "__main__.py").exists()

    def _pip_wheel(self) -> Path:
        """Debian splits pip off Python; its wheel is one small package."""
        for root in (Path("/"), self.downloads / "pip"):
            for wheel in sorted((root / PIP_WHEELS).glob("pip-*.whl")):
                return wheel
        debian.unpack([PIP_PACKAGE], self.downloads / "pip")
        return next((self.downloads / "pip" / PIP_WHEELS).glob("pip-*.whl"))

    def _bootstrap_pip(self, wheel: Path) -> None:
        run(
            [str(self.python), f"{wheel}/pip", "install", "--quiet", "--no-index", str(wheel)],
            failure=f"pip could not be installed from {wheel}.",
        )

    def _wanted(self, lock: str) -> str:
        digest = hashlib.sha256((self.checkout / lock).read_bytes()).hexdigest()
        return f"{sys.version_info[:3]} {sys.executable} {digest}\n"

    def _installed(self, lock: str) -> str:
        mark = self._mark(lock)
        return mark.read_text() if mark.exists() else ""

    def _mark(self, lock: str) -> Path:
        return self.folder / f"{MARK}-{Path(lock).stem}"
