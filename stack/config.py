"""What the stack is told: `.env` under the environment, as one typed object."""

import hashlib
import os
import re
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stack import dotenv
from stack.accounts import Account, service_account
from stack.errors import StackError
from stack.postgres import PORT as POSTGRES_PORT
from stack.postgres import socket_url as postgres_url
from stack.processes import check_socket_path
from stack.redis import DEFAULT_MAXMEMORY
from stack.redis import socket_url as redis_url

CHECKOUT = Path(__file__).resolve().parent.parent
ROOT_STATE = Path("/var/lib/atelier")
MAX_PORT = 65_535
NGINX_SIZE = re.compile(r"[1-9][0-9]*[kKmMgG]?")
REDIS_SIZE = re.compile(r"[0-9]{1,12}(b|[kmg]b?)?", re.IGNORECASE)
REDIS_UNITS = {"": 1, "b": 1} | {
    f"{letter}{unit}": base**power
    for power, letter in enumerate("kmg", start=1)
    for unit, base in (("", 1000), ("b", 1024))
}
# Redis needs some of it for itself, and takes no write with less than that. Zero is no bound.
LEAST_MAXMEMORY = 16 * 1024**2


@dataclass(frozen=True)
class Config:
    """Settings and the folders that follow from them."""

    checkout: Path
    python: Path
    values: Mapping[str, str]
    account: Account

    def text(self, name: str, default: str = "") -> str:
        """A setting; empty counts as not set."""
        return self.values.get(name) or default

    def number(self, name: str, default: int, *, least: int = 0, most: int = 10**9) -> int:
        """A whole number, or ``StackError`` naming the setting."""
        value = self.text(name, str(default))
        if not value.isascii() or not value.isdigit() or not least <= int(value) <= most:
            raise StackError(f"{name} is {value!r}: set it to a whole number, {least} to {most}.")
        return int(value)

    def size(self, name: str, default: str, form: re.Pattern[str]) -> str:
        """An amount of memory or room in the words of the program that reads it."""
        value = self.text(name, default)
        if not form.fullmatch(value):
            raise StackError(f"{name} is {value!r}: set it to a size such as {default}.")
        return value

    def words(self, name: str, default: str = "") -> list[str]:
        """A list, written with commas."""
        return [word.strip() for word in self.text(name, default).split(",") if word.strip()]

    @property
    def state(self) -> Path:
        """Where everything lives that is not in the repository."""
        return Path(self.text("ATELIER_STATE_DIR", str(default_state(self.checkout))))

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def rendered(self) -> Path:
        """Configuration files made from templates."""
        return self.state / "config"

    @property
    def cache(self) -> Path:
        """What nginx stores: answers, and bodies on their way."""
        return Path(self.text("CACHE_DIR", str(self.state / "cache")))

    @property
    def answers(self) -> Path:
        return self.cache / "answers"

    @property
    def cache_size(self) -> str:
        return self.size("CACHE_SIZE", "1g", NGINX_SIZE)

    @property
    def redis_maxmemory(self) -> str:
        value = self.size("REDIS_MAXMEMORY", DEFAULT_MAXMEMORY, REDIS_SIZE)
        unit = value.lstrip("0123456789")
        number = int(value.removesuffix(unit))
        if 0 < number * REDIS_UNITS[unit.lower()] < LEAST_MAXMEMORY:
            raise StackError(f"REDIS_MAXMEMORY is {value!r}: set it to 16mb or more, or to 0.")
        return value

    @property
    def static(self) -> Path:
        return Path(self.text("STATIC_ROOT", str(self.state / "static")))

    @property
    def media(self) -> Path:
        """Pictures that were uploaded, where they are not in a bucket."""
        return Path(self.text("MEDIA_ROOT", str(self.state / "media")))

    @property
    def http_host(self) -> str:
        return self.text("HTTP_HOST", "127.0.0.1")

    @property
    def http_port(self) -> int:
        return self.number("HTTP_PORT", 8000, least=1, most=MAX_PORT)

    @property
    def base_url(self) -> str:
        """Where a person on this machine finds the site."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.http_host, self.http_host)  # noqa: S104
        return f"http://{host}:{self.http_port}"

    @property
    def instances(self) -> list[str]:
        """Names of the gunicorn instances."""
        count = self.number("WEB_INSTANCES", 3, least=1, most=64)
        return [f"web-{number}" for number in range(1, count + 1)]

    @property
    def web_sockets(self) -> Path:
        return self.run / "web"

    @property
    def nginx_sockets(self) -> Path:
        """Where nginx listens for this machine only."""
        return self.run / "nginx"

    @property
    def postgres_sockets(self) -> Path:
        return self.run / "postgres"

    @property
    def redis_sockets(self) -> Path:
        return self.run / "redis"

    @property
    def database_url(self) -> str:
        return self.text("DATABASE_URL", postgres_url(self.postgres_sockets))

    @property
    def redis_url(self) -> str:
        return self.text("REDIS_URL", redis_url(self.redis_sockets))

    @property
    def has_own_postgres(self) -> bool:
        """Whether the database is the embedded one, which the stack starts."""
        return self.database_url == postgres_url(self.postgres_sockets)

    @property
    def has_own_redis(self) -> bool:
        return self.redis_url == redis_url(self.redis_sockets)

    @property
    def environ(self) -> dict[str, str]:
        """The environment of every Django process: the caller's, completed by these settings."""
        return {
            **os.environ,
            **{name: value for name, value in self.values.items() if value},
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "STATIC_ROOT": str(self.static),
            "MEDIA_ROOT": str(self.media),
            "PUBLIC_URL": self.text("PUBLIC_URL", self.base_url),
            "PYTHONUNBUFFERED": "1",
        }

    def check(self) -> None:
        """``StackError`` for what would only fail later and less clearly."""
        if not self.state.is_absolute():
            raise StackError(f"ATELIER_STATE_DIR is {self.state}: set it to an absolute path.")
        if not self.cache.is_absolute():
            raise StackError(f"CACHE_DIR is {self.cache}: set it to an absolute path.")
        if not self.media.is_absolute():
            raise StackError(f"MEDIA_ROOT is {self.media}: set it to an absolute path.")
        check_socket_path(self.postgres_sockets / f".s.PGSQL.{POSTGRES_PORT}.lock")
        check_socket_path(self.web_sockets / f"{self.instances[-1]}.sock")
        if not _is_known(self.http_host):
            raise StackError(
                f"HTTP_HOST is {self.http_host!r}: set it to an address of this machine, such as"
                " 127.0.0.1."
            )
        _ = self.http_port, self.cache_size, self.redis_maxmemory
        self.number("SAMPLE_PRODUCTS", 0)


def load(checkout: Path = CHECKOUT, environ: Mapping[str, str] = os.environ) -> Config:
    """Settings of this checkout, for its own virtual environment."""
    values = {**dotenv.read(checkout / ".env"), **environ}
    return Config(checkout, checkout / ".venv" / "bin" / "python", values, service_account())


def create_env_file(checkout: Path = CHECKOUT, environ: Mapping[str, str] = os.environ) -> bool:
    """Make `.env`, or what it leaves empty of secrets and addresses. True if it was made now."""
    path, example = checkout / ".env", checkout / ".env.example"
    name = "ATELIER_STATE_DIR"
    state = Path(environ.get(name) or dotenv.read(path).get(name) or default_state(checkout))
    made = {
        "SECRET_KEY": dotenv.secret_key,
        "ADMIN_PASSWORD": dotenv.password,
        "DELIVERY_KEYS": dotenv.secret_key,
        "FIRST_CLIENT_SECRET": dotenv.secret_key,
        name: lambda: str(state),
        "STATIC_ROOT": lambda: str(state / "static"),
        "MEDIA_ROOT": lambda: str(state / "media"),
        "DATABASE_URL": lambda: postgres_url(state / "run" / "postgres"),
        "REDIS_URL": lambda: redis_url(state / "run" / "redis"),
    }
    if dotenv.create(path, example, environ, made):
        return True
    asked = {name for name in dotenv.read(example) if not environ.get(name)}
    dotenv.fill(path, {name: make for name, make in made.items() if name in asked})
    return False


def default_state(checkout: Path) -> Path:
    """Beside the code; for root elsewhere, because ``nobody`` cannot enter a closed home."""
    if os.geteuid() != 0:
        return checkout / "var"
    digest = hashlib.sha256(os.fsencode(checkout)).hexdigest()[:8]
    return ROOT_STATE / f"{checkout.name}-{digest}"


def _is_known(host: str) -> bool:
    """Whether it is an address, or a name of one."""
    try:
        return bool(socket.getaddrinfo(host, None))
    except (OSError, UnicodeError):
        return False


def running_python() -> Path:
    """The interpreter of this process, for tests that bring their own environment."""
    return Path(sys.executable)
