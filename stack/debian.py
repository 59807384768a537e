"""Programs from Debian's packages: installed by apt for root, unpacked into a folder otherwise."""

import contextlib
import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stack.errors import StackError
from stack.processes import last_lines, run

# The first one wants LuaJIT 2 by name: with the other LuaJIT nginx ends on an undefined symbol.
NGINX_INSTALL = ("nginx", "libnginx-mod-http-lua", "libluajit2-5.1-2", "lua-nginx-redis")
NGINX_UNPACK = (
    *("nginx", "nginx-common", "libnginx-mod-http-ndk", "libnginx-mod-http-lua"),
    *("libluajit2-5.1-2", "libluajit2-5.1-common", "lua-resty-core", "lua-resty-lrucache"),
    *("lua-nginx-redis", "libpcre2-8-0", "libpcre3", "libssl3", "libcrypt1", "zlib1g"),
)
POSTGRES_15_UNPACK = (
    *("postgresql-15", "postgresql-client-15", "libpq5", "libicu72", "libllvm14", "libz3-4"),
    *("libxml2", "libxslt1.1", "libldap-2.5-0", "libsasl2-2", "libedit2", "libbsd0", "libmd0"),
    *("libgssapi-krb5-2", "libkrb5-3", "libk5crypto3", "libkrb5support0", "libkeyutils1"),
    *("libcom-err2", "liblz4-1", "libzstd1", "libssl3", "libreadline8", "libtinfo6", "libffi8"),
    *("libgmp10", "libhogweed6", "libnettle8", "libgnutls30", "libp11-kit0", "libtasn1-6"),
    *("libidn2-0", "libunistring2", "libbrotli1", "libpam0g", "libsystemd0", "libuuid1"),
)
POLICY = Path("/usr/sbin/policy-rc.d")


@dataclass(frozen=True)
class Nginx:
    """Where nginx, its Lua modules and their libraries are. ``root`` is ``/`` or a folder."""

    root: Path

    @property
    def program(self) -> Path:
        return self.root / "usr/sbin/nginx"

    @property
    def modules(self) -> list[Path]:
        """In the order in which they must be loaded."""
        folder = self.root / "usr/lib/nginx/modules"
        return [folder / "ndk_http_module.so", folder / "ngx_http_lua_module.so"]

    @property
    def mime_types(self) -> Path:
        return self.root / "etc/nginx/mime.types"

    @property
    def lua_package_path(self) -> str:
        return f"{self.root / 'usr/share/lua/5.1'}/?.lua;;"

    @property
    def environ(self) -> dict[str, str]:
        """What its process needs to find the libraries."""
        return {} if self.root == Path("/") else {"LD_LIBRARY_PATH": library_path(self.root)}

    def is_complete(self) -> bool:
        redis = self.root / "usr/share/lua/5.1/nginx/redis.lua"
        return all(path.exists() for path in (self.program, *self.modules, self.mime_types, redis))


def library_path(root: Path) -> str:
    """LD_LIBRARY_PATH for programs unpacked below ``root``."""
    folders = [*root.glob("usr/lib/*-linux-gnu"), *root.glob("lib/*-linux-gnu")]
    return ":".join(str(folder) for folder in folders)


def nginx(folder: Path) -> Nginx:
    """nginx with Lua: the machine's, else installed (root), else unpacked below ``folder``."""
    installed, unpacked = Nginx(Path("/")), Nginx(folder / "nginx")
    if not installed.is_complete() and os.geteuid() == 0:
        install(NGINX_INSTALL)
    if installed.is_complete():
        return installed
    if not unpacked.is_complete():
        unpack(NGINX_UNPACK, unpacked.root)
    if not unpacked.is_complete():
        raise StackError(f"{unpacked.root} lacks parts of nginx: remove it and try again.")
    return unpacked


def postgres_15(folder: Path) -> Path:
    """The program folder of Debian's PostgreSQL 15, installed or unpacked below ``folder``.

    Unpacked programs find their libraries through ``LD_LIBRARY_PATH``; see ``library_path``.
    """
    bindir = Path("usr/lib/postgresql/15/bin")
    if (Path("/") / bindir / "postgres").exists():
        return Path("/") / bindir
    root = folder / "postgresql-15"
    if not (root / bindir / "postgres").exists():
        unpack(POSTGRES_15_UNPACK, root)
    return root / bindir


def geoip(folder: Path) -> list[Path]:
    """The tables of Debian's tor-geoipdb, fetched anew and unpacked below ``folder``.

    Not installed even for root: the package brings a daemon along.
    """
    root = folder / "tor-geoipdb"
    unpack(("tor-geoipdb",), root)
    files = [root / "usr/share/tor" / name for name in ("geoip", "geoip6")]
    if missing := [str(file) for file in files if not file.exists()]:
        raise StackError(f"The package tor-geoipdb has no {' and no '.join(missing)} any more.")
    return files


def chromium() -> bool:
    """The browser and its driver for the browser tests: the machine's, else installed for root.

    False for an ordinary user without them: unpacking a browser takes too much of the system along.
    """
    if shutil.which("chromium") and shutil.which("chromedriver"):
        return True
    if os.geteuid() != 0:
        return False
    install(("chromium", "chromium-driver"))
    return True


def install(packages: Sequence[str]) -> None:
    """apt-get install, without starting any service that the packages bring."""
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    wait = ("-o", "DPkg::Lock::Timeout=300")
    had_service = _systemd_knows_nginx()
    with _services_kept_down():
        run(
            ["apt-get", *wait, "-qq", "update"],
            environ=environ,
            failure="apt-get update failed: the package lists could not be fetched.",
        )
        run(
            ["apt-get", *wait, "-qq", "-y", "--no-install-recommends", "install", *packages],
            environ=environ,
            failure=f"apt-get could not install {' '.join(packages)}.",
        )
    if not had_service and _systemd_knows_nginx():
        # Ours runs under our supervisor; the packaged unit must not take port 80 at the next boot.
        subprocess.run(["systemctl", "disable", "nginx"], capture_output=True, check=False)


def unpack(packages: Sequence[str], root: Path) -> None:
    """Fetch packages with package lists of our own and unpack them, asking for no privilege.

    Complete or not there at all: a broken run leaves nothing that a later one would trust.
    """
    for program in ("apt-get", "dpkg"):
        if shutil.which(program) is None:
            raise StackError(f"{program} is missing: install {' '.join(packages)} by hand.")
    root.parent.mkdir(parents=True, exist_ok=True)
    with _locked(root.parent / f".{root.name}.lock"):
        partial = root.with_name(f"{root.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        downloads = partial / "packages"
        downloads.mkdir(parents=True)
        downloads.chmod(0o755)
        options = _private_apt(root.parent / "apt")
        run(
            ["apt-get", *options, "-qq", "update"],
            failure="apt-get update failed: the package lists could not be fetched.",
        )
        run(
            ["apt-get", *options, "-qq", "download", *packages],
            cwd=downloads,
            failure=f"apt-get could not download {' '.join(packages)}.",
        )
        for package in sorted(downloads.glob("*.deb")):
            run(["dpkg", "-x", str(package), str(partial)], failure=f"{package} is broken.")
        shutil.rmtree(downloads)
        shutil.rmtree(root, ignore_errors=True)
        partial.rename(root)


def _private_apt(folder: Path) -> list[str]:
    """Options that keep lists, cache and locks of apt below ``folder``."""
    lists, cache = folder / "lists", folder / "cache"
    for path in (lists / "partial", cache / "archives" / "partial"):
        path.mkdir(parents=True, exist_ok=True)
    return [
        *("-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={cache}"),
        *("-o", "Dir::State::Status=/var/lib/dpkg/status", "-o", "Debug::NoLocking=1"),
        *("-o", "APT::Sandbox::User=", "-o", "APT::Update::Post-Invoke="),
        *("-o", "APT::Update::Post-Invoke-Success="),
    ]


@contextlib.contextmanager
def _services_kept_down() -> Iterator[None]:
    """Debian's own switch: while policy-rc.d answers 101, no package starts a service."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _systemd_knows_nginx() -> bool:
    if shutil.which("systemctl") is None:
        return False
    asked = subprocess.run(
        ["systemctl", "is-enabled", "nginx"], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() == "enabled"


def missing_libraries(program: Path, libraries: str) -> str:
    """What the dynamic linker does not find for a program; empty when it finds all."""
    asked = subprocess.run(
        ["ldd", str(program)],
        env={**os.environ, "LD_LIBRARY_PATH": libraries},
        capture_output=True,
        text=True,
        check=False,
    )
    return last_lines("\n".join(line for line in asked.stdout.splitlines() if "not found" in line))
