"""One web process on servers of its own, which a test may stop, freeze and start again."""

import http.client
import os
import signal
import subprocess
import sys
from dataclasses import dataclass

import environ
import orjson
import psycopg
from django.conf import settings

from stack.testing import TestServices

# The real WSGI application in a real process; the port it got is its first line.
SERVER = """
from wsgiref.simple_server import WSGIRequestHandler, make_server
from atelier.wsgi import application

WSGIRequestHandler.log_message = lambda *ignored: None
server = make_server("127.0.0.1", 0, application)
print(server.server_port, flush=True)
server.serve_forever()
"""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> object:
        return orjson.loads(self.body)


class Instance:
    """PostgreSQL, Redis and a web process, none of them the suite's own."""

    def __init__(self) -> None:
        # Not migrated yet.
        self._services = TestServices(copies=False)
        self._process: subprocess.Popen[str] | None = None
        self._port = 0

    def __enter__(self) -> "Instance":
        existing = os.environ.pop("ATELIER_TEST_USE_EXISTING", None)
        try:
            self._services.start()
        finally:
            if existing is not None:
                os.environ["ATELIER_TEST_USE_EXISTING"] = existing
        self.postgres, self.redis = self._services._postgres, self._services._redis
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            cwd=settings.BASE_DIR,
            env=self._environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._port = int(self._process.stdout.readline())
        return self

    def __exit__(self, *error: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process.stdout.close()
        self._services.stop()

    def request(self, method: str, path: str, body: bytes | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request(method, path, body, {"Host": "localhost"})
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def manage(self, *command: str) -> None:
        subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=settings.BASE_DIR,
            env=self._environ(),
            stdout=subprocess.DEVNULL,
            check=True,
        )

    def psql(self) -> psycopg.Connection:
        """A connection of one's own."""
        parts = environ.Env.db_url_config(self._services.environ["DATABASE_URL"])
        return psycopg.connect(host=parts["HOST"], user=parts["USER"], dbname=parts["NAME"])

    def freeze_redis(self) -> None:
        os.kill(self.redis._daemon.pid, signal.SIGSTOP)

    def thaw_redis(self) -> None:
        os.kill(self.redis._daemon.pid, signal.SIGCONT)

    def _environ(self) -> dict[str, str]:
        return {**os.environ, **self._services.environ}
