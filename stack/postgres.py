"""A PostgreSQL cluster of our own: made by initdb, reached through a Unix socket only."""

import os
import pwd
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from stack import debian
from stack.accounts import Account
from stack.errors import StackError
from stack.processes import Daemon, check_socket_path, run

PORT = 5432  # only names the socket file: nothing listens on TCP
SUPERUSER = "postgres"
ROLE = DATABASE = "atelier"
MEGABYTE = 1024 * 1024

THROW_AWAY: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "128MB",
    "max_wal_size": "512MB",
    "max_connections": "200",
}


def tuned_settings() -> dict[str, str]:
    """Settings for a small machine that also runs the rest, from its memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MEGABYTE
    return {
        "shared_buffers": f"{max(64, min(memory // 4, 8192))}MB",
        "effective_cache_size": f"{max(256, memory // 2)}MB",
        "work_mem": "16MB",
        "maintenance_work_mem": f"{max(64, min(memory // 16, 1024))}MB",
        "max_connections": "100",
        "max_wal_size": "8GB",
        # The embedded PostgreSQL knows pglz alone, which takes 0.1 ms a page: an import's updates
        # touch a page each.
        "wal_compression": "off",
        "checkpoint_timeout": "15min",
        # While an import fills the buffers, a read should find a clean one, and not wait until the
        # log of a dirty one is on disk.
        "bgwriter_delay": "20ms",
        "bgwriter_lru_maxpages": "1000",
        "bgwriter_lru_multiplier": "4",
        "random_page_cost": "1.1",
        "effective_io_concurrency": "100",
        "track_io_timing": "on",
        "log_min_duration_statement": "500ms",
        "log_lock_waits": "on",
        "idle_in_transaction_session_timeout": "10min",
    }


def socket_url(sockets: Path) -> str:
    """``DATABASE_URL`` as django-environ reads a socket folder: its path, before the database."""
    return f"postgresql://{ROLE}@/{quote(str(sockets))}/{DATABASE}"


class Postgres:
    """One cluster: its programs, data and socket folders. Everything is safe to call twice."""

    def __init__(
        self,
        *,
        bindir: Path,
        data: Path,
        sockets: Path,
        log: Path,
        account: Account,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.bindir = bindir
        self.data = data
        self.sockets = sockets
        self.log = log
        self.account = account
        self.settings = tuned_settings() if settings is None else settings
        self._daemon = Daemon(
            command=self.command,
            log=log,
            account=account,
            stop_signal=signal.SIGINT,
            environ={"PATH": os.defpath, "LC_ALL": "C", **self.environ},
        )

    @property
    def command(self) -> list[str]:
        """What a supervisor runs, as ``account``; SIGINT stops it fast and cleanly."""
        return [str(self.bindir / "postgres"), "-D", str(self.data)]

    @property
    def environ(self) -> dict[str, str]:
        """Where the libraries are of programs that were unpacked from a Debian package."""
        root = self.bindir.parents[4] if len(self.bindir.parents) > 4 else Path("/")
        is_unpacked = self.bindir.match("usr/lib/postgresql/*/bin") and root != Path("/")
        return {"LD_LIBRARY_PATH": debian.library_path(root)} if is_unpacked else {}

    @property
    def url(self) -> str:
        """``DATABASE_URL``."""
        return socket_url(self.sockets)

    def initialise(self) -> bool:
        """Make the cluster unless it is there, and write its settings. True if it was made now."""
        check_socket_path(self.sockets / f".s.PGSQL.{PORT}.lock")
        self.account.own(self.sockets, 0o700)
        made = not (self.data / "PG_VERSION").exists()
        if made:
            self._initdb()
        else:
            self._refuse_other_version()
        self._write("atelier.conf", self._settings_text())
        self._write("pg_hba.conf", "local all all peer map=atelier\n")
        self._write("pg_ident.conf", self._ident_text())
        return made

    def start(self) -> None:
        """Start as a child of this process, wait, and make the role and the database."""
        self._daemon.start(is_ready=self.is_ready)
        self.ensure_database()

    def stop(self) -> None:
        """Stop what ``start`` started."""
        self._daemon.stop()

    def is_ready(self) -> bool:
        """Whether it answers a query."""
        try:
            return self.psql("SELECT 1").strip() == "1"
        except StackError:
            return False

    def ensure_database(self) -> None:
        """Make the role (which may also create databases) and its database unless they exist."""
        if not self._exists(f"FROM pg_roles WHERE rolname = '{ROLE}'"):
            self.psql(f"CREATE ROLE {ROLE} LOGIN CREATEDB")
        if not self._exists(f"FROM pg_database WHERE datname = '{DATABASE}'"):
            self.psql(f"CREATE DATABASE {DATABASE} OWNER {ROLE}")

    def _exists(self, rows: str) -> bool:
        return self.psql(f"SELECT 1 {rows}").strip() == "1"

    def psql(self, statement: str, database: str = "postgres") -> str:
        """Run one statement as the cluster's superuser; unaligned rows without headings."""
        return run(
            [
                str(self.bindir / "psql"),
                *("--no-psqlrc", "--no-password", "--quiet", "--tuples-only", "--no-align"),
                *("-h", str(self.sockets), "-p", str(PORT), "-U", SUPERUSER, "-d", database),
                *("-v", "ON_ERROR_STOP=1", "-c", statement),
            ],
            environ={"PATH": os.defpath, "LC_ALL": "C", "PGCONNECT_TIMEOUT": "5", **self.environ},
            failure=f"PostgreSQL refused: {statement}",
        )

    def _initdb(self) -> None:
        """Work in a folder beside the final one, so that a killed initdb leaves no half cluster."""
        partial = self.data.with_name(f"{self.data.name}.partial")
        if partial.exists():
            run(["rm", "-rf", str(partial)], failure=f"{partial} could not be removed.")
        self.account.own(partial, 0o700)
        run(
            [
                *(str(self.bindir / "initdb"), "-D", str(partial), "--username", SUPERUSER),
                *("--encoding", "UTF8", "--locale", _locale(), "--data-checksums", "--no-sync"),
                *("--auth-local", "peer", "--auth-host", "reject"),
            ],
            account=self.account,
            cwd=Path("/"),
            environ={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", **self.environ},
            failure=f"initdb could not make a cluster in {partial}.",
        )
        with (partial / "postgresql.conf").open("a") as conf:
            conf.write("\ninclude_if_exists = 'atelier.conf'\ninclude_if_exists = 'local.conf'\n")
        partial.rename(self.data)

    def _refuse_other_version(self) -> None:
        """A cluster of another major version would fail later, with a less helpful sentence."""
        made_by = (self.data / "PG_VERSION").read_text().strip()
        output = run(
            [self.command[0], "--version"],
            environ={"PATH": os.defpath, **self.environ},
            failure="postgres cannot be run.",
        )
        major = output.split()[2].split(".")[0]
        if made_by != major:
            raise StackError(
                f"{self.data} was made by PostgreSQL {made_by} and {self.bindir} holds {major}: "
                "set POSTGRES_BINDIR to the old version, or dump and restore, or `make clean`."
            )

    def _settings_text(self) -> str:
        fixed = {
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
            "log_destination": "stderr",
            "logging_collector": "off",
            "log_line_prefix": "%m [%p] %q%u@%d ",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        head = "# Written by `make up`. Your own settings belong in local.conf beside this file.\n"
        merged = {**fixed, **self.settings}
        return head + "".join(f"{name} = '{value}'\n" for name, value in merged.items())

    def _ident_text(self) -> str:
        """The caller and the service account may be either role; no other system user may."""
        users = {pwd.getpwuid(os.geteuid()).pw_name, self.account.name}
        return "".join(
            f"atelier {user} {role}\n" for user in sorted(users) for role in (SUPERUSER, ROLE)
        )

    def _write(self, name: str, text: str) -> None:
        path = self.data / name
        path.write_text(text)
        path.chmod(0o600)
        if self.account.switched:
            os.chown(path, self.account.uid, self.account.gid)


def _locale() -> str:
    """C.UTF-8 sorts by code point and knows letters beyond ASCII; plain C is everywhere."""
    listed = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False)
    names = {name.lower().replace("-", "") for name in listed.stdout.split()}
    return "C.UTF-8" if "c.utf8" in names else "C"
