"""A second nginx in front of the same instances, with an answer cache of its own."""

import http.client
import os
import shutil
import signal
from pathlib import Path

from stack import nginx as nginx_files
from stack.accounts import Account
from stack.config import Config
from stack.processes import Daemon
from stack.testing import TestStack, _free_port


class Node:
    """What another machine would run: the stack's templates with another port and state folder.

    `settings` are laid over those of the stack, such as another `REDIS_URL`. With the socket of an
    `instance` it asks only that one.
    """

    def __init__(
        self, stack: TestStack, name: str, instance: Path | None = None, **settings: str
    ) -> None:
        folder = stack.config.state / name
        values = {
            **stack.config.values,
            "ATELIER_STATE_DIR": str(folder),
            "HTTP_PORT": str(_free_port()),
            **settings,
        }
        first = stack.config
        self.config = Config(first.checkout, first.python, values, first.account)
        self._instance = instance
        self._sockets = stack.config.web_sockets
        self._nginx = stack.stack.nginx
        self._daemon = Daemon(
            command=nginx_files.command(self.config, self._nginx),
            log=folder / "nginx.log",
            account=Account("", os.geteuid(), os.getegid(), switched=False),
            stop_signal=signal.SIGTERM,
            environ={**os.environ, **self._nginx.environ},
        )

    @property
    def port(self) -> int:
        return self.config.http_port

    @property
    def pid(self) -> int:
        assert self._daemon.pid
        return self._daemon.pid

    def start(self) -> "Node":
        config = self.config
        for folder in (config.logs, config.nginx_sockets, config.state / "cache"):
            folder.mkdir(parents=True)
            folder.chmod(0o755)
        if self._instance is None:
            config.web_sockets.symlink_to(self._sockets)
        else:
            config.web_sockets.mkdir()
            for name in config.instances:
                (config.web_sockets / f"{name}.sock").symlink_to(self._instance)
        nginx_files.install(config, self._nginx)
        self._daemon.start(is_ready=self._is_ready, seconds=30)
        return self

    def stop(self) -> None:
        self._daemon.stop()
        shutil.rmtree(self.config.state)

    def __enter__(self) -> "Node":
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/readyz", headers={"Host": "localhost"})
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()
