"""nginx's configuration: templates of the repository, filled with settings, and tried."""

import grp
import ipaddress
import json
import os
import pwd
import shutil
import string
from math import ceil
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from stack.config import Config
from stack.debian import Nginx
from stack.errors import StackError
from stack.processes import run

TEMPLATES = ("nginx", "maps", "upstream", "site", "headers", "proxy", "cache")
MODULES = ("address", "cache", "lookups", "refusals", "tags")
CACHE_LOG = 'log_by_lua_block { require("cache").log() }'
NO_CACHE = "# CACHE_SECONDS=0: nothing is cached."
# Tags outlive the answers stored under them; a tag that nobody asks for any more frees its memory.
TAG_LIFETIMES = 4
LOOKUP_SECONDS = 30 * 60
# As the settings SECURE_HSTS_* say for the staff's pages.
TRANSPORT_SECURITY = "max-age=31536000; includeSubDomains; preload"
PRIMARY = "max_fails=3 fail_timeout=3s"
BACKUP = "backup max_fails=0"


def render(config: Config, nginx: Nginx, folder: Path) -> dict[str, str]:
    """The files of nginx's configuration by name, for the folder that they will lie in."""
    values = _values(config, nginx, folder)
    source = config.checkout / "nginx"
    files = {
        f"{name}.conf": _filled(source / f"{name}.conf.template", values) for name in TEMPLATES
    }
    # As they stand: they take their settings as arguments.
    modules = {f"{name}.lua": (source / "lua" / f"{name}.lua").read_text() for name in MODULES}
    return files | modules


def install(config: Config, nginx: Nginx) -> bool:
    """Write the configuration if it differs from the one in place and nginx accepts it.

    True if it changed. ``StackError`` with nginx's own words when it does not accept it; the one in
    place is then left alone.
    """
    folder = config.rendered / "nginx"
    files = render(config, nginx, folder)
    if all(_text(folder / name) == text for name, text in files.items()):
        return False
    trial = config.rendered / "nginx.trial"
    write(render(config, nginx, trial), trial)
    check(config, nginx, trial)
    shutil.rmtree(trial)
    write(files, folder)
    return True


def write(files: dict[str, str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def command(config: Config, nginx: Nginx, folder: Path | None = None) -> list[str]:
    """What a supervisor runs; QUIT stops it gracefully, HUP reloads."""
    main = (folder or config.rendered / "nginx") / "nginx.conf"
    return [str(nginx.program), "-p", str(config.state), "-c", str(main), "-e", "stderr"]


def check(config: Config, nginx: Nginx, folder: Path) -> None:
    """``nginx -t``, which also proves that the Lua module and its Redis client load."""
    run(
        [*command(config, nginx, folder), "-t", "-q"],
        environ={**os.environ, **nginx.environ},
        failure="nginx does not accept its configuration.",
    )


def worker_group() -> int | None:
    """The group of nginx's workers where they run as another user, which root's do."""
    return grp.getgrnam(_worker_user()).gr_gid if os.geteuid() == 0 else None


def _worker_user() -> str:
    """Debian's account for web servers. Not the one that owns the databases."""
    try:
        return pwd.getpwnam("www-data").pw_name
    except KeyError as error:
        raise StackError("The account www-data is missing: `adduser --system www-data`.") from error


def _values(config: Config, nginx: Nginx, folder: Path) -> dict[str, str]:
    user = _worker_user() if os.geteuid() == 0 else ""
    host = f"[{config.http_host}]" if ":" in config.http_host else config.http_host
    cache_seconds = config.number("CACHE_SECONDS", 300)
    redis = _redis(config)
    sign_in_rate = config.number("SIGN_IN_RATE", 30, least=1)
    https = config.text("HTTPS", "false").lower() == "true"
    return {
        "cache_seconds": str(cache_seconds),
        "cache_inactive": str(max(cache_seconds, 1)),
        "cache_size": config.cache_size,
        "cache_log": CACHE_LOG if cache_seconds else NO_CACHE,
        "cache_include": f"include {folder}/cache.conf;" if cache_seconds else NO_CACHE,
        "lookup_accounts": _lookups("accounts") if cache_seconds else NO_CACHE,
        "lookup_profiles": _lookups("profiles") if cache_seconds else NO_CACHE,
        "lua_redis": _lua_table(
            {
                **redis,
                "tag_ms": TAG_LIFETIMES * 1000 * max(cache_seconds, 1),
                "lookup_ms": 1000 * LOOKUP_SECONDS,
            },
        ),
        "resolver": _resolver(str(redis["host"])),
        "nginx_sockets": str(config.nginx_sockets),
        "user_directive": f"user {user};" if user else "# One user: no `user` directive.",
        "run": str(config.run),
        "logs": str(config.logs),
        "answers": str(config.answers),
        "cache": str(config.cache),
        "static": str(config.static),
        "media": str(config.media),
        "config": str(folder),
        "listen": f"{host}:{config.http_port}",
        "load_modules": "\n".join(f"load_module {path};" for path in nginx.modules),
        "mime_types": str(nginx.mime_types),
        "lua_package_path": nginx.lua_package_path,
        "servers": _servers(config),
        "server_names": _server_names(config),
        "trusted_networks": _trusted_networks(config),
        "real_ip": _real_ip(config),
        "forwarded_proto": "https" if https else "http",
        "transport_security": TRANSPORT_SECURITY if https else "",
        "rate_limit": str(config.number("RATE_LIMIT", 50, least=1)),
        "rate_burst": str(config.number("RATE_BURST", 100)),
        "sign_in_rate": str(sign_in_rate),
        "sign_in_burst": str(sign_in_rate),
        "sign_in_seconds": str(ceil(60 / sign_in_rate)),
        "connection_limit": str(config.number("CONNECTION_LIMIT", 50, least=1, most=65_535)),
    }


def _lookups(route: str) -> str:
    """What answers look-ups of a route of lua/lookups.lua."""
    return (
        f'access_by_lua_block {{ require("lookups").access("{route}") }}\n'
        '        header_filter_by_lua_block { require("lookups").header_filter() }'
    )


def _servers(config: Config) -> str:
    sockets = [f"unix:{config.web_sockets / name}.sock" for name in config.instances]
    lines = [f"server {socket} {PRIMARY};" for socket in sockets]
    lines += [f"server {socket} {BACKUP};" for socket in sockets]
    return "\n".join(f"    {line}" for line in lines)


def _server_names(config: Config) -> str:
    """Django's ALLOWED_HOSTS, which writes a domain with its subdomains as nginx does."""
    hosts = config.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
    if "*" in hosts:
        return '"~."'
    bad = [host for host in hosts if set(host) & set(" /;{}~*\"'\\$")]
    if bad:
        raise StackError(f"ALLOWED_HOSTS holds {bad[0]!r}: write host names, with commas.")
    return " ".join(hosts)


def _trusted_networks(config: Config) -> str:
    networks = _networks(config, "TRUSTED_NETWORKS", "127.0.0.0/8,::1")
    return "\n".join(f"    {network} 1;" for network in networks)


def _real_ip(config: Config) -> str:
    proxies = _networks(config, "TRUSTED_PROXIES", "")
    if not proxies:
        return "    # No proxy in front: the peer's address is the client's."
    lines = [f"    set_real_ip_from {proxy};" for proxy in proxies]
    return "\n".join([*lines, "    real_ip_header X-Forwarded-For;", "    real_ip_recursive on;"])


def _networks(config: Config, setting: str, default: str) -> list[str]:
    try:
        words = config.words(setting, default)
        return [str(ipaddress.ip_network(word, strict=False)) for word in words]
    except ValueError as error:
        raise StackError(
            f"{setting} cannot be read: {error}. Set it to networks such as 10.0.0.0/8."
        ) from error


def _redis(config: Config) -> dict[str, str | int]:
    """Where Lua finds the control database, out of ``REDIS_URL``."""
    parts = urlsplit(config.redis_url)
    if parts.scheme == "unix":
        number = parse_qs(parts.query).get("db", ["0"])[0]
        where: dict[str, str | int] = {"host": f"unix:{parts.path}"}
    elif parts.scheme == "redis" and parts.hostname:
        number = parts.path.strip("/") or "0"
        where = {"host": parts.hostname, "port": parts.port or 6379}
    else:
        raise StackError("REDIS_URL must start with unix:// or redis:// for nginx to reach it.")
    if not number.isdigit():
        raise StackError(f"REDIS_URL names the database {number!r}: write a number.")
    where["database"] = int(number)
    if parts.username:
        where["username"] = unquote(parts.username)
    if parts.password:
        where["password"] = unquote(parts.password)
    return where


def _lua_table(values: dict[str, str | int]) -> str:
    """The fields of a Lua table; strings as JSON, whose escapes for printable text Lua shares."""
    return ", ".join(f"{name} = {json.dumps(value)}" for name, value in values.items())


def _resolver(host: str) -> str:
    """Lua's sockets ask a name server themselves, so that one is named where the host is a name."""
    if host.startswith("unix:") or _is_address(host):
        return "    # Redis is reached by a socket or an address: no name server is asked."
    lines = Path("/etc/resolv.conf").read_text().splitlines()
    servers = [line.split()[1] for line in lines if line.startswith("nameserver ")]
    if not servers:
        raise StackError(f"REDIS_URL names {host}, but no name server is known: write its address.")
    named = " ".join(f"[{server}]" if ":" in server else server for server in servers)
    return f"    resolver {named};"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _filled(template: Path, values: dict[str, str]) -> str:
    try:
        return string.Template(template.read_text()).substitute(values)
    except (KeyError, ValueError) as error:
        raise StackError(f"{template} has an unknown or broken placeholder: {error}.") from error


def _text(path: Path) -> str | None:
    return path.read_text() if path.is_file() else None
