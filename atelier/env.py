"""Typed readers of the environment.

A missing or malformed value stops the process at start, with the sentence that mends it.
"""

import os
import re
from collections.abc import Collection
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


def secret(name: str, *, is_checked: bool) -> str:
    """What signs, as long and varied as Django's check security.W009 wants it, if it is checked."""
    value = text(name)
    is_random = len(value) >= 50 and len(set(value)) >= 5
    if is_checked and (not is_random or value.startswith("django-insecure-")):
        raise ImproperlyConfigured(
            f"{name} can be guessed. Set it to 50 random characters or more."
        )
    return value


def boolean(name: str, default: bool) -> bool:
    value = text(name, str(default)).strip().lower()
    if value in {"true", "1", "yes", "on"}:
        return True
    if value in {"false", "0", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name} is {value!r}. Set it to true or false.")


def integer(name: str, default: int, *, minimum: int = 0, maximum: int = 2**31 - 1) -> int:
    value = text(name, str(default))
    digits = value.strip()
    # Of thousands of digits Python makes no integer.
    is_short = digits.isascii() and digits.isdigit() and len(digits) < 100
    if not is_short or not minimum <= int(digits) <= maximum:
        raise ImproperlyConfigured(
            f"{name} is {value!r}. Set it to an integer >= {minimum} and <= {maximum}."
        )
    return int(digits)


def choice(name: str, default: str, among: Collection[str]) -> str:
    value = text(name, default)
    if value not in among:
        raise ImproperlyConfigured(f"{name} is {value!r}. Set it to one of {', '.join(among)}.")
    return value


def file(name: str) -> str:
    """The path of a file that can be read, or nothing."""
    value = text(name, default="")
    if value and not (os.path.isfile(value) and os.access(value, os.R_OK)):
        raise ImproperlyConfigured(
            f"{name} is {value!r}. Set it to a file that can be read, or leave it empty."
        )
    return value


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


def base_url(name: str, default: str) -> str:
    """An absolute http or https address that others continue; it ends in a slash."""
    value = text(name, default)
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment:
        raise ImproperlyConfigured(
            f"{name} is {value!r}. Set it to an address such as https://shop.example."
        )
    return value if value.endswith("/") else f"{value}/"


def media_storage(
    *, folder: str, bucket: str, endpoint: str, region: str, access_key: str, secret_key: str
) -> dict[str, Any]:
    """Where uploads are kept, as an entry of STORAGES: the bucket if one is named, or the folder.

    Without keys the client looks for them where those of AWS usually are.
    """
    if endpoint and not re.fullmatch(r"https?://[^/\s]+/?", endpoint):
        raise ImproperlyConfigured(
            f"MEDIA_S3_ENDPOINT is {endpoint!r}. Set it to an address such as"
            " https://s3.example, or leave it empty."
        )
    if not bucket:
        return {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            # nginx reads them as another user, whatever the umask of an instance is.
            "OPTIONS": {
                "location": folder,
                "file_permissions_mode": 0o644,
                "directory_permissions_mode": 0o755,
            },
        }
    # Heavy, and of use here only.
    from botocore.config import Config

    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": bucket,
            "endpoint_url": endpoint or None,
            "region_name": region or None,
            "access_key": access_key or None,
            "secret_key": secret_key or None,
            # Names are random: nobody need ask whether one is taken.
            "file_overwrite": True,
            # A request has seconds, not minutes, and clients that get a 503 try again themselves.
            "client_config": Config(
                connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 1}
            ),
            "object_parameters": {"CacheControl": "private, max-age=31536000, immutable"},
        },
    }


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
