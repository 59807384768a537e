"""The measured site: a whole stack of its own, over data that are imported once for all runs."""

import fcntl
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from types import TracebackType

import psycopg

from stack import config as configuration
from stack import debian, dotenv, probes
from stack.accounts import service_account
from stack.config import Config
from stack.errors import StackError
from stack.lifecycle import Stack
from stack.postgres import DATABASE, ROLE, SUPERUSER
from stack.postgres import socket_url as postgres_url
from stack.redis import socket_url as redis_url
from stack.testing import site_packages

SEED = 1
REVIEWS_PER_PRODUCT = 5.8
IMPORTED, DONE_WITH_REJECTS = 0, 3
# What `make bench` may be told of the site itself; all else is as shipped.
PASSED_ON = (
    *("WEB_INSTANCES", "WEB_WORKERS", "WEB_THREADS", "CACHE_DIR"),
    *("POSTGRES_BINDIR", "REDIS_BIN"),
)

Say = Callable[[str], None]


class Site:
    """Servers, data and settings below `<state>/bench/<products>`, kept from run to run.

    Only the size and the number of reviews a product tell one data set from another.
    """

    prefix = ""

    def __init__(
        self, products: int, say: Say, *, reviews_per_product: float = REVIEWS_PER_PRODUCT
    ) -> None:
        self.products = products
        self.reviews_per_product = reviews_per_product
        self._say = say
        state = configuration.load().state
        self.programs = state / "debian"
        self.nginx = debian.nginx(self.programs)
        self.folder = state / "bench" / (self.prefix + _name(products, reviews_per_product))
        self.values = {**os.environ, **_settings(self.folder)}
        self.config = Config(
            configuration.CHECKOUT, Path(sys.executable), self.values, service_account()
        )
        self.stack = Stack(
            self.config,
            nginx=self.nginx,
            site_packages=site_packages(),
            environ=self.values,
            say=say,
        )

    @property
    def url(self) -> str:
        return probes.base_url(self.config)

    @property
    def metrics_socket(self) -> Path:
        return self.config.nginx_sockets / "metrics.sock"

    def __enter__(self) -> "Site":
        """Start it, with its data; what an interrupted run left is ended first."""
        self.config.check()
        self._lock()
        self.stack.down()
        self._say(f"starting the site in {self.folder}")
        try:
            self.stack.up()
            if not self._mark.exists():
                self._load()
        except BaseException:
            self.stack.down()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stack.down()
        self._lock_file.close()

    def connect(self, user: str = ROLE) -> psycopg.Connection:
        """A connection to the site's database, each statement a transaction."""
        return psycopg.connect(
            host=str(self.config.postgres_sockets), dbname=DATABASE, user=user, autocommit=True
        )

    def settle(self) -> None:
        """Write out what is dirty, so that no checkpoint of one round falls into the next."""
        with closing(self.connect(SUPERUSER)) as connection:
            connection.execute("CHECKPOINT")

    def _lock(self) -> None:
        """Two sittings on one data set would end each other's servers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock_file = (self.folder / ".sitting").open("w")
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StackError(
                f"Another `make bench` uses {self.folder}: wait for its end."
            ) from error

    @property
    def _mark(self) -> Path:
        return self.folder / "marks" / f"dataset-{SEED}"

    def _load(self) -> None:
        dataset = self.folder / "dataset"
        shutil.rmtree(dataset, ignore_errors=True)
        self._manage(
            *("generate_dataset", "--products", str(self.products), "--seed", str(SEED)),
            *("--reviews-per-product", str(self.reviews_per_product), str(dataset)),
        )
        self._manage("import_all", str(dataset))
        shutil.rmtree(dataset)
        self._say("VACUUM ANALYZE, so that autovacuum finds nothing to do while we measure")
        with closing(self.connect(SUPERUSER)) as connection:
            connection.execute("VACUUM (ANALYZE)")
        self._mark.touch()

    def _manage(self, *arguments: str) -> None:
        self._say(f"manage.py {' '.join(arguments)}")
        log = self.config.logs / "dataset.log"
        with log.open("ab") as output:
            finished = subprocess.run(
                [sys.executable, str(self.config.checkout / "manage.py"), *arguments],
                env=self.stack.environ,
                cwd=self.config.checkout,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=False,
            )
        if finished.returncode not in (IMPORTED, DONE_WITH_REJECTS):
            raise StackError(f"manage.py {arguments[0]} failed: see {log}.")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _name(products: int, reviews_per_product: float) -> str:
    if reviews_per_product == REVIEWS_PER_PRODUCT:
        return str(products)
    return f"{products}-{reviews_per_product:g}"


def _settings(folder: Path) -> Mapping[str, str]:
    """Every setting that a checkout's own `.env` could hold otherwise."""
    shipped = {**dotenv.read(configuration.CHECKOUT / ".env.example")}
    chosen = {name: os.environ[name] for name in PASSED_ON if os.environ.get(name)}
    return {
        **shipped,
        **chosen,
        "ATELIER_STATE_DIR": str(folder),
        "STATIC_ROOT": str(folder / "static"),
        "DATABASE_URL": postgres_url(folder / "run" / "postgres"),
        "REDIS_URL": redis_url(folder / "run" / "redis"),
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": str(free_port()),
        "SECRET_KEY": dotenv.secret_key(),
        "ADMIN_PASSWORD": dotenv.password(),
        "SAMPLE_PRODUCTS": "0",
    }
