"""Throw-away PostgreSQL and Redis for the test suite."""

import os
import shutil
import sysconfig
import tempfile
from pathlib import Path
from types import TracebackType

from stack.accounts import service_account
from stack.binaries import postgres_bindir, redis_server
from stack.postgres import THROW_AWAY, Postgres
from stack.redis import Redis


class TestServices:
    """PostgreSQL (fsync off) and Redis, gone with everything in them at ``stop``.

    ``environ`` holds ``DATABASE_URL`` and ``REDIS_URL``. With ``ATELIER_TEST_USE_EXISTING=1`` a URL
    that the environment already has is passed through and nothing is started for it.
    ``POSTGRES_BINDIR`` and ``REDIS_BIN`` choose other programs than the wheels'.

    Without a directory a short one is made in the system's temporary folder, which is also what
    root needs: ``nobody`` cannot enter a closed home or pytest's own temporary folders.
    """

    __test__ = False

    def __init__(self, directory: Path | str | None = None) -> None:
        self.environ: dict[str, str] = {}
        self._account = service_account()
        self._made = directory is None
        self._directory = Path(directory or tempfile.mkdtemp(prefix="atelier-test-"))
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
        if self._existing("DATABASE_URL"):
            return
        self._postgres = Postgres(
            bindir=postgres_bindir(_site_packages(), self._directory / "copies", self._account),
            data=self._directory / "postgres",
            sockets=self._directory / "run",
            log=self._directory / "postgres.log",
            account=self._account,
            settings=THROW_AWAY,
        )
        self._postgres.initialise()
        self._postgres.start()
        self.environ["DATABASE_URL"] = self._postgres.url

    def _start_redis(self) -> None:
        if self._existing("REDIS_URL"):
            return
        self._redis = Redis(
            program=redis_server(_site_packages(), self._directory / "copies", self._account),
            folder=self._directory / "redis",
            sockets=self._directory / "run",
            log=self._directory / "redis.log",
            account=self._account,
        )
        self._redis.initialise()
        self._redis.start()
        self.environ["REDIS_URL"] = self._redis.url

    def _existing(self, name: str) -> bool:
        if os.environ.get("ATELIER_TEST_USE_EXISTING") != "1" or not os.environ.get(name):
            return False
        self.environ[name] = os.environ[name]
        return True


def services(directory: Path | str | None = None) -> TestServices:
    """Started services; the caller puts ``environ`` in place and calls ``stop`` in the end."""
    return TestServices(directory).start()


def _site_packages() -> Path:
    return Path(sysconfig.get_path("purelib"))
