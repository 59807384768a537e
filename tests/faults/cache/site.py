"""The stack, a second nginx, and whatever the tests reach behind them for."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
import orjson
import psycopg
import redis

from stack.testing import TestStack
from tests.faults.cache.clients import Answer, Client, Lost
from tests.faults.cache.node import Node
from tests.faults.cache.proxy import Proxy

PATIENCE_SECONDS = 60
OTHER_HOST = "shop.example"
UNTRUSTED = "127.0.0.2"  # a second loopback address, outside of TRUSTED_NETWORKS below
# What the tests that share one site want of it.
SHARED = {
    "ALLOWED_HOSTS": f"localhost,127.0.0.1,{OTHER_HOST}",
    "TRUSTED_NETWORKS": "127.0.0.1",
    "RATE_LIMIT": "5",
    "RATE_BURST": "5",
    "SIGN_IN_RATE": "6",
    # Counted, and nobody comes near to it.
    "CLIENT_RATE": "20000",
    "VISITOR_ID_KEY": "visitors-of-the-load-test",
    "TOKEN_KEY": "tokens-of-the-load-test-" + "0123456789" * 3,
}


class WriteFailed(Exception):
    """A writer's process says that its service raised, or the process is gone."""


class Process:
    """A writer outside of the web, see process.py."""

    def __init__(self, environ: dict[str, str], folder: Path) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.cache.process"],
            cwd=folder,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._result()

    @property
    def pid(self) -> int:
        return self._child.pid

    def write(self, *words: object) -> None:
        """Return when the service has returned. Raises WriteFailed."""
        try:
            self._child.stdin.write(" ".join(map(str, words)) + "\n")
            self._child.stdin.flush()
        except BrokenPipeError as error:
            raise WriteFailed("the process is gone") from error
        self._result()

    def kill(self) -> None:
        self._child.kill()

    def close(self) -> None:
        self._child.kill()
        self._child.wait()
        self._child.stdin.close()
        self._child.stdout.close()

    def _result(self) -> None:
        said = self._child.stdout.readline()
        if said != "\n":
            raise WriteFailed(said.strip() or "the process is gone")


class Instance:
    """A gunicorn instance besides those that nginx knows, with settings of its own."""

    def __init__(self, site: "Site", name: str, **settings: str) -> None:
        self.socket = site.folder / f"{name}.sock"
        configuration = site.stack.config.checkout / "atelier" / "gunicorn.py"
        self._child = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", str(configuration)],
            cwd=site.stack.config.checkout,
            env=site.environ(
                WEB_NAME=name, WEB_BIND=f"unix:{self.socket}", WEB_WORKERS="2", **settings
            ),
            stderr=subprocess.DEVNULL,
        )
        wait_until(self.is_ready, f"{name} answers")

    def is_ready(self) -> bool:
        return status_of(self.socket, "/healthz") == 200

    def close(self) -> None:
        self._child.terminate()
        self._child.wait()


class Site:
    """Two nginx nodes in front of the same three instances and one Redis."""

    def __init__(self, settings: dict[str, str] | None = None) -> None:
        self.stack = TestStack(settings)
        self.node = Node(self.stack, "node-2")

    def start(self) -> "Site":
        self.stack.start()
        try:
            self.node.start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        self.node.stop()
        self.stack.stop()

    @property
    def ports(self) -> tuple[int, int]:
        return self.stack.port, self.node.port

    @property
    def folder(self) -> Path:
        """Where sockets may be made."""
        return self.stack.config.run

    @property
    def redis_socket(self) -> Path:
        return Path(urlsplit(self.stack.config.redis_url).path)

    def pid(self, program: str) -> int:
        return self.stack.pid(program)

    def pids(self, program: str) -> list[int]:
        return self.stack.pids(program)

    def environ(self, **settings: str) -> dict[str, str]:
        return {**self.stack.stack.environ, **settings}

    def process(self, **settings: str) -> Process:
        return Process(self.environ(**settings), self.stack.config.checkout)

    def proxy(self, name: str) -> Proxy:
        return Proxy(self.folder / f"{name}.sock", self.redis_socket)

    def psql(self) -> psycopg.Connection[Any]:
        """A connection of one's own, in autocommit."""
        parts = environ.Env.db_url_config(self.stack.config.database_url)
        return psycopg.connect(
            host=parts["HOST"], user=parts["USER"], dbname=parts["NAME"], autocommit=True
        )

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(
            self.stack.config.redis_url, socket_timeout=10, decode_responses=True
        )

    def get(self, path: str, port: int | None = None, kind: type[Client] = Client) -> Answer:
        client = kind(port or self.stack.port)
        try:
            return client.get(path)
        finally:
            client.close()

    def is_trusted(self) -> bool:
        try:
            return bool(orjson.loads(self.get("/readyz").body)["cache"] == "trusted")
        except (Lost, KeyError, orjson.JSONDecodeError):
            return False

    def wait_for_hits(self, path: str = "/products", seconds: float = PATIENCE_SECONDS) -> None:
        """Until both nodes answer from their caches as usual."""
        wait_until(self.is_trusted, "the keeper renews the trust", seconds)
        for port in self.ports:
            hits = lambda port=port: self.get(path, port).cache == "HIT"  # noqa: E731
            wait_until(hits, f"a HIT at {port}", seconds)

    def expire_tombstones(self) -> None:
        """Half a minute passes at once, for writers that have ended in whatever way."""
        with self.psql() as connection:

            def is_quiet() -> bool:
                query = (
                    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'atelier'"
                    " AND xact_start IS NOT NULL"
                )
                return connection.execute(query).fetchone() == (0,)

            wait_until(is_quiet, "no session is within a transaction")
        self.lose_tombstones()

    def lose_tombstones(self) -> None:
        """Those of writers at work too, as when Redis loses its data."""
        with contextlib.closing(self.redis()) as client:
            for tag in client.scan_iter("tag:*"):
                if (client.get(tag) or "").startswith("T:"):
                    client.delete(tag)

    def lose_tags(self) -> None:
        with contextlib.closing(self.redis()) as client:
            client.delete(*client.scan_iter("tag:*", count=1000), "tag:epoch")

    def add_product(self, product: int, reviews: list[int]) -> None:
        """A product with short reviews, each of five stars. It comes in beside the write door, so
        the stored answers are put out of reach here."""
        with self.psql() as connection, connection.transaction():
            connection.execute("SELECT set_config('atelier.scopes', 'epoch', true)")
            connection.execute(
                "INSERT INTO products_product (id, name, slogan, description, category,"
                " default_price) VALUES (%s, 'Coat', '', '', 'Coats', 0)",
                [product],
            )
            for review in reviews:
                connection.execute(
                    "INSERT INTO reviews_review (id, product_id, rating, created_at, summary, body,"
                    " recommend, reviewer_name, reviewer_email, source_helpfulness,"
                    " source_reported) VALUES (%s, %s, 5, now(), '', 'Any.', true, 'any', 'any', 0,"
                    " false)",
                    [review, product],
                )
            connection.execute(
                "INSERT INTO reviews_reviewmeta (product_id, rating_1, rating_2, rating_3,"
                " rating_4, rating_5, recommended_count, not_recommended_count)"
                " VALUES (%s, 0, 0, 0, 0, %s, %s, 0)",
                [product, len(reviews), len(reviews)],
            )
        self.lose_tags()


def status_of(address: int | Path, path: str) -> int | None:
    """Nothing where nobody answers."""
    client = Client(address)
    try:
        return client.ask("GET", path).status
    except Lost:
        return None
    finally:
        client.close()


def wait_until(condition: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Return once it holds; AssertionError where it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"It did not come: {what}"
        time.sleep(0.01)


def send(pids: list[int], number: int) -> None:
    """A signal to each that is still there."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
