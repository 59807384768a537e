"""Typed readers of the environment.

A missing or malformed value stops the process at start, with the sentence that mends it.
"""

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent

_env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")


def text(name: str, default: str | None = None) -> str:
    """The value; the default where it is missing or empty."""
    value = _env.str(name, default="") or default
    if not value and default is None:
        raise ImproperlyConfigured(f"{name} is not set. Set it in the environment or in .env.")
    return str(value or "")


def boolean(name: str, default: bool) -> bool:
    value = text(name, str(default)).strip().lower()
    if value in {"true", "1", "yes", "on"}:
        return True
    if value in {"false", "0", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name} is {value!r}. Set it to true or false.")


def integer(name: str, default: int, *, minimum: int = 0) -> int:
    value = text(name, str(default))
    if not value.strip().isascii() or not value.strip().isdigit() or int(value) < minimum:
        raise ImproperlyConfigured(f"{name} is {value!r}. Set it to an integer >= {minimum}.")
    return int(value)


def words(name: str, default: str) -> list[str]:
    """A list, written with commas."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def addresses(name: str) -> frozenset[str]:
    """IP addresses, written with commas."""
    try:
        return frozenset(str(ip_address(word)) for word in words(name, default=""))
    except ValueError as error:
        raise ImproperlyConfigured(
            f"{name}: {error}. Set it to IP addresses, or leave it empty."
        ) from error


def region(name: str) -> str:
    """The alpha-2 code of a country, or nothing."""
    value = text(name, default="").strip().upper()
    if value and not (len(value) == 2 and value.isascii() and value.isalpha()):
        raise ImproperlyConfigured(
            f"{name} is {value!r}. Set it to a code such as US, or leave it empty."
        )
    return value


def networks(name: str, default: str) -> list[IPv4Network | IPv6Network]:
    """Networks in CIDR form, or single addresses, written with commas."""
    found = []
    for word in words(name, default):
        try:
            found.append(ip_network(word))
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{name} holds {word!r}. Set it to networks such as 10.0.0.0/8."
            ) from error
    return found


def database(name: str) -> dict[str, Any]:
    """Connection settings from a URL; a socket's folder stands before the database's name:

    `postgresql://user@//folder/database`.
    """
    try:
        settings = environ.Env.db_url_config(text(name))
    except ImproperlyConfigured:
        raise
    except Exception as error:
        raise ImproperlyConfigured(f"{name} cannot be read as a database URL: {error}") from error
    if settings.get("ENGINE") != "django.db.backends.postgresql":
        raise ImproperlyConfigured(f"{name} must start with postgres://; atelier needs PostgreSQL.")
    return dict(settings)


def redis(name: str) -> str:
    value = text(name)
    if urlsplit(value).scheme not in {"redis", "rediss", "unix"}:
        raise ImproperlyConfigured(f"{name} must start with redis://, rediss:// or unix://.")
    return value


def redis_database(url: str, number: int) -> str:
    """The same server with another database number; `unix://` URLs carry it as `?db=`."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        # urlunsplit would drop the slashes before an empty host, and the client insists on them.
        return f"unix://{parts.netloc}{parts.path}?db={number}"
    return urlunsplit(parts._replace(path=f"/{number}"))
