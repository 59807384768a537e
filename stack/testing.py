"""Throw-away servers for the test suite: PostgreSQL and Redis, or the whole stack."""

import os
import shutil
import socket
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType

from stack import config as configuration
from stack import debian, dotenv, probes
from stack.accounts import service_account
from stack.binaries import postgres_bindir, redis_server
from stack.config import Config
from stack.errors import StackError
from stack.lifecycle import Stack
from stack.postgres import THROW_AWAY, Postgres
from stack.postgres import socket_url as postgres_url
from stack.processes import run
from stack.redis import Redis
from stack.redis import socket_url as redis_url

# Names the folder of the template.
TEMPLATE = "ATELIER_TEST_TEMPLATE"
MEMORY = Path("/dev/shm")  # noqa: S108
ROOM_BYTES = 4_000_000_000


class Template:
    """A cluster that is migrated already, for test servers to start with a copy of it.

    To migrate takes longer than all else that a server needs. It is made while the caller goes on;
    servers of this process and of those that inherit ``environ`` wait for it.
    """

    def __init__(self, settings: Mapping[str, str]) -> None:
        """`settings` is the environment that Django's settings come from."""
        self._folder = Path(_scratch_folder("atelier-template"))
        self._settings = settings
        self._thread = threading.Thread(target=self._make)
        self.environ = {TEMPLATE: str(self._folder)}

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._thread.join()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _make(self) -> None:
        try:
            with TestServices(self._folder, copies=False) as services:
                run(
                    [sys.executable, str(configuration.CHECKOUT / "manage.py"), "migrate"],
                    environ={**self._settings, **services.environ},
                    failure="The template of the databases cannot be migrated.",
                )
                services.keep_cluster(self._folder / "cluster")
        except (StackError, OSError) as error:
            # Told by those who wait for it.
            (self._folder / "failed").write_text(str(error))


class TestServices:
    """PostgreSQL (fsync off) and Redis, gone with everything in them at ``stop``.

    ``environ`` holds ``DATABASE_URL`` and ``REDIS_URL``, before they are started. With
    ``ATELIER_TEST_USE_EXISTING=1`` a URL that the environment already has is passed through and
    nothing is started for it.
    ``POSTGRES_BINDIR`` and ``REDIS_BIN`` choose other programs than the wheels'. The cluster
    ``copies`` the template's, if there is one.

    Without a directory a short one is made outside of homes, which is also what root needs:
    ``nobody`` cannot enter a closed home or pytest's own temporary folders.
    """

    __test__ = False

    def __init__(self, directory: Path | str | None = None, *, copies: bool = True) -> None:
        self._copies = copies
        self._account = service_account()
        self._made = directory is None
        self._directory = Path(directory or _scratch_folder("atelier-test"))
        run = self._directory / "run"
        own = {"DATABASE_URL": postgres_url(run), "REDIS_URL": redis_url(run)}
        self._offered = _offered(own)
        self.environ = {**own, **self._offered}
        self._postgres: Postgres | None = None
        self._redis: Redis | None = None

    def start(self) -> "TestServices":
        """Start both, ready for queries; ``StackError`` with its log's end where one does not."""
        self._account.own(self._directory, 0o755)
        try:
            self._start_postgres()
            self._start_redis()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop both and remove their files. Harmless when called twice."""
        for service in (self._redis, self._postgres):
            if service is not None:
                service.stop()
        self._redis = self._postgres = None
        for name in ("postgres", "redis", "run", "copies"):
            shutil.rmtree(self._directory / name, ignore_errors=True)
        if self._made:
            shutil.rmtree(self._directory, ignore_errors=True)

    def keep_cluster(self, destination: Path) -> None:
        """Stop PostgreSQL and move its data there, at once."""
        if self._postgres is not None:
            self._postgres.stop()
            self._postgres.data.rename(destination)

    def __enter__(self) -> "TestServices":
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _start_postgres(self) -> None:
        if "DATABASE_URL" in self._offered:
            return
        self._postgres = Postgres(
            bindir=postgres_bindir(site_packages(), self._directory / "copies", self._account),
            data=self._directory / "postgres",
            sockets=self._directory / "run",
            log=self._directory / "postgres.log",
            account=self._account,
            settings=THROW_AWAY,
        )
        if self._copies:
            _copy_template(self._postgres.data)
        self._postgres.initialise()
        self._postgres.start()

    def _start_redis(self) -> None:
        if "REDIS_URL" in self._offered:
            return
        self._redis = Redis(
            program=redis_server(site_packages(), self._directory / "copies", self._account),
            folder=self._directory / "redis",
            sockets=self._directory / "run",
            log=self._directory / "redis.log",
            account=self._account,
        )
        self._redis.initialise()
        self._redis.start()


class TestStack:
    """The whole stack of this checkout under a supervisor of its own, gone at ``stop``.

    ``settings`` are laid over defaults that suit tests: a free port, few sample products, one
    worker an instance. It runs on the Python that runs the tests, and this checkout's code.
    """

    __test__ = False

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self._folder = Path(_scratch_folder("atelier-e2e"))
        self.said: list[str] = []
        environ = {**os.environ, **self._settings(), **(settings or {})}
        self.config = Config(
            configuration.CHECKOUT, Path(sys.executable), environ, service_account()
        )
        self.stack = Stack(
            self.config,
            nginx=debian.nginx(configuration.load().state / "debian"),
            site_packages=site_packages(),
            environ=environ,
            say=self.said.append,
        )

    @property
    def port(self) -> int:
        return self.config.http_port

    @property
    def url(self) -> str:
        return probes.base_url(self.config)

    def start(self) -> "TestStack":
        self._folder.chmod(0o755)
        try:
            if self.config.has_own_postgres:
                _copy_template(self.config.state / "postgres")
            self.stack.up()
            if self.config.has_own_postgres:
                self._spare_the_disk()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        self.stack.down()
        shutil.rmtree(self._folder, ignore_errors=True)

    def pid(self, program: str) -> int:
        """The process of a program; one that has just ended is started again first.

        The supervisor says 0 in between, and a signal to 0 would reach the caller's own group.
        """
        pid = 0

        def runs() -> bool:
            nonlocal pid
            pid = self.stack.client.pid(program)
            return pid != 0

        probes.wait_until(runs, seconds=30, otherwise=lambda: f"{program} does not come back")
        return pid

    def pids(self, program: str) -> list[int]:
        """The process of a program and its children."""
        main = self.pid(program)
        return [main, *sorted(probes.children(main))]

    def _spare_the_disk(self) -> None:
        """A disk that stands still for a second would be an outage, and only processes die here."""
        settings = self.config.state / "postgres" / "local.conf"
        settings.write_text("fsync = off\nmax_wal_size = 256MB\n")
        settings.chmod(0o644)
        self.stack.client.signal("postgres", "HUP")

    def _settings(self) -> dict[str, str]:
        run = self._folder / "run"
        return {
            "ATELIER_STATE_DIR": str(self._folder),
            "STATIC_ROOT": str(self._folder / "static"),
            "MEDIA_ROOT": str(self._folder / "media"),
            "PUBLIC_URL": "",
            "DATABASE_URL": postgres_url(run / "postgres"),
            "REDIS_URL": redis_url(run / "redis"),
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": str(_free_port()),
            "SECRET_KEY": dotenv.secret_key(),
            "ADMIN_PASSWORD": dotenv.password(),
            "FIRST_CLIENT_SECRET": dotenv.secret_key(),
            "SAMPLE_PRODUCTS": "20",
            "WEB_WORKERS": "1",
        }


def services(directory: Path | str | None = None) -> TestServices:
    """Started services; the caller puts ``environ`` in place and calls ``stop`` in the end."""
    return TestServices(directory).start()


def site_packages() -> Path:
    """Where the running Python keeps the wheels with the servers' programs."""
    return Path(sysconfig.get_path("purelib"))


def _copy_template(data: Path) -> None:
    """Put a copy of the template's cluster there, if there is a template."""
    if TEMPLATE not in os.environ:
        return
    folder = Path(os.environ[TEMPLATE])
    cluster, failed = folder / "cluster", folder / "failed"
    probes.wait_until(
        lambda: cluster.exists() or failed.exists(),
        seconds=180,
        otherwise=lambda: f"{cluster} is not made.",
    )
    if failed.exists():
        raise StackError(failed.read_text())
    run(["cp", "-a", str(cluster), str(data)], failure=f"{data} cannot be copied.")


def _scratch_folder(kind: str) -> str:
    """A new folder in memory, where tables are made and emptied faster, if there is plenty of it.

    Copies of programs must be able to run there. What is left of runs that were killed is removed
    where its servers have died too; a whole stack goes on, until somebody ends it.
    """
    suits = (
        MEMORY.is_dir()
        and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC
        and shutil.disk_usage(MEMORY).free >= ROOM_BYTES
    )
    if not suits:
        return tempfile.mkdtemp(prefix=f"{kind}-")
    for left in MEMORY.glob("atelier-te*-[0-9]*-*"):
        if not probes.is_alive(int(left.name.split("-")[-2])):
            shutil.rmtree(left, ignore_errors=True)
    return tempfile.mkdtemp(prefix=f"{kind}-{os.getpid()}-", dir=MEMORY)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def has_servers_of_others() -> bool:
    """Whether the environment offers servers to the tests."""
    return os.environ.get("ATELIER_TEST_USE_EXISTING") == "1"


def _offered(names: Iterable[str]) -> dict[str, str]:
    """The addresses of servers that the environment offers to the tests."""
    if not has_servers_of_others():
        return {}
    return {name: os.environ[name] for name in names if os.environ.get(name)}
