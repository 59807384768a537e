"""An nginx of its own for each contestant, from the site's templates and with its settings."""

import http.client
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stack import nginx as nginx_files
from stack.accounts import Account
from stack.config import Config
from stack.processes import Daemon
from tests.bench.site import Site, free_port

Files = dict[str, str]
Change = Callable[[Files], Files]


@dataclass(frozen=True)
class FrontConfig(Config):
    """Settings of an nginx whose instances listen in the folder `sockets`."""

    sockets: Path = Path()

    @property
    def web_sockets(self) -> Path:
        return self.sockets


class Front:
    """nginx without a cache in front of other servers, or of files.

    `sockets` is where `web-1.sock` and its brothers are; without it a folder is made for them.
    `change` is given the rendered files and answers what nginx shall read instead.
    """

    def __init__(
        self, site: Site, name: str, *, sockets: Path | None = None, change: Change | None = None
    ) -> None:
        folder = site.folder / "contestants" / name
        values = {
            **site.values,
            "ATELIER_STATE_DIR": str(folder),
            "HTTP_PORT": str(free_port()),
            "CACHE_SECONDS": "0",
        }
        self.sockets = sockets or folder / "run" / "web"
        self.config = FrontConfig(
            site.config.checkout, site.config.python, values, site.config.account, self.sockets
        )
        self._nginx = site.nginx
        self._change = change or _unchanged
        self._rendered = self.config.rendered / "nginx"
        self._daemon = Daemon(
            command=nginx_files.command(self.config, self._nginx, self._rendered),
            log=folder / "nginx.log",
            account=caller(),
            stop_signal=signal.SIGTERM,
            environ={**os.environ, **self._nginx.environ},
        )

    @property
    def port(self) -> int:
        return self.config.http_port

    @property
    def pids(self) -> list[int]:
        return [self._daemon.pid] if self._daemon.pid else []

    def start(self) -> None:
        self._make_folders()
        files = nginx_files.render(self.config, self._nginx, self._rendered)
        nginx_files.write(self._change(files), self._rendered)
        nginx_files.check(self.config, self._nginx, self._rendered)
        self._daemon.start(is_ready=self._answers, seconds=20)

    def stop(self) -> None:
        self._daemon.stop()

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/no-such-page")
            connection.getresponse()
        except OSError:
            return False
        finally:
            connection.close()
        return True

    def _make_folders(self) -> None:
        config = self.config
        for path in (config.logs, config.run, config.nginx_sockets, config.cache):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o755)
        for leftover in config.nginx_sockets.glob("*.sock"):
            leftover.unlink()
        self.sockets.mkdir(exist_ok=True)


def caller() -> Account:
    """Who runs this: servers that need no other account."""
    return Account("", os.geteuid(), os.getegid(), switched=False)


def _unchanged(files: Files) -> Files:
    return files
