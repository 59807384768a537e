"""Who the services run as, and whether that account can reach a path."""

import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOCKET_PATH_LIMIT = 107  # sun_path holds 108 bytes, one of them the closing NUL


@dataclass(frozen=True)
class Account:
    """An existing system account. ``switched`` is true where it differs from the caller's."""

    name: str
    uid: int
    gid: int
    switched: bool

    def popen_options(self) -> dict[str, Any]:
        """Keyword arguments that make ``subprocess`` run a program as this account."""
        if not self.switched:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path, mode: int) -> None:
        """Create the directory if need be, and give it to this account with exactly this mode."""
        path.mkdir(parents=True, exist_ok=True)
        if self.switched:
            os.chown(path, self.uid, self.gid)
        path.chmod(mode)

    def can_reach(self, path: Path) -> bool:
        """Whether this account may pass every folder above the resolved path, and read it."""
        if not self.switched:
            return os.access(path, os.R_OK)
        resolved = path.resolve()
        return all(self._may(folder, stat.S_IXOTH) for folder in resolved.parents) and self._may(
            resolved, stat.S_IROTH
        )

    def _may(self, path: Path, other_bit: int) -> bool:
        """Judge by owner, group or other, the first that fits, as the kernel does."""
        status = path.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & (other_bit << 6))
        if status.st_gid == self.gid:
            return bool(status.st_mode & (other_bit << 3))
        return bool(status.st_mode & other_bit)


def service_account() -> Account:
    """The caller; for root ``nobody``, because PostgreSQL refuses to run as root."""
    name = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    entry = pwd.getpwnam(name)
    return Account(name, entry.pw_uid, entry.pw_gid, switched=entry.pw_uid != os.geteuid())


def reachable_copy(source: Path, destination: Path, account: Account) -> Path:
    """The source itself where the account can read it, else a copy, renewed when it changed."""
    if account.can_reach(source):
        return source
    mark = destination / ".source"
    version = f"{source.resolve()} {source.stat().st_mtime_ns}\n"
    if mark.is_file() and mark.read_text() == version:
        return destination
    shutil.rmtree(destination, ignore_errors=True)
    shutil.copytree(source, destination, symlinks=True)
    mark.write_text(version)
    return destination
