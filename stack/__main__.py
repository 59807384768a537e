"""``python3 -m stack COMMAND``: what the Makefile calls."""

import argparse
import contextlib
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from stack import config as configuration
from stack import debian, dotenv, probes
from stack import nginx as nginx_files
from stack.config import Config
from stack.errors import StackError
from stack.lifecycle import Stack, follow_logs
from stack.supervisor import Client
from stack.virtualenv import VirtualEnvironment

RUNTIME_LOCK = "requirements.txt"
DEVELOPMENT_LOCK = "requirements-dev.txt"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 done, 1 failed with a sentence, 2 usage."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except StackError as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted: run the same command again to go on", file=sys.stderr)
        return 130


def up(options: argparse.Namespace) -> int:
    began = time.monotonic()
    with kept_environment() as config:
        stack = _stack(config)
        started = stack.up()
    if started:
        say(f"ready in {time.monotonic() - began:.0f} s")
    elif stack.is_outdated():
        say("already up; code or settings changed since: `make restart` applies them")
    else:
        say("already up")
    _print_urls(stack.url)
    return 0


def down(options: argparse.Namespace) -> int:
    config = configuration.load()
    stopped = config.state.exists() and _stack(config, install=False).down()
    say("stopped" if stopped else "nothing was running")
    return 0


def restart(options: argparse.Namespace) -> int:
    with kept_environment() as config:
        _stack(config).restart()
    say("restarted")
    return 0


def status(options: argparse.Namespace) -> int:
    """Exit code 1 unless everything runs and the site is ready."""
    config = configuration.load()
    client = Client(config.run / "supervisor.sock")
    if not client.is_running():
        say("down")
        return 1
    processes = client.processes()
    for name, info in sorted(processes.items()):
        print(f"  {name:<10} {info['statename']:<9} {info['description']}")
    ready = probes.is_ready(config)
    all_run = all(info["statename"] == "RUNNING" for info in processes.values())
    say(f"{probes.base_url(config)} is {'ready' if ready else 'NOT ready'}")
    return 0 if ready and all_run else 1


def logs(options: argparse.Namespace) -> int:
    return follow_logs(configuration.load(), options.lines)


def environment(options: argparse.Namespace) -> int:
    """Install what the tests and checks need: the development pins, nginx and a browser."""
    config = configuration.load()
    if VirtualEnvironment(config.checkout, config.state / "debian").ensure(lock=DEVELOPMENT_LOCK):
        say(f"{DEVELOPMENT_LOCK} installed")
    debian.nginx(config.state / "debian")
    if not debian.chromium():
        say("no browser tests: they need chromium and chromium-driver, which apt installs for root")
    return 0


def postgres_15(options: argparse.Namespace) -> int:
    """Print shell assignments for running the tests on Debian's PostgreSQL 15."""
    bindir = debian.postgres_15(configuration.load().state / "debian")
    print(f"export POSTGRES_BINDIR='{bindir}'")
    return 0


def geoip(options: argparse.Namespace) -> int:
    """Fetch the newest tables of addresses and countries; nothing is installed."""
    files = debian.geoip(configuration.load().state / "debian")
    for file in files:
        print(file)
    say("import them: manage.py import_ip_ranges --source geoip " + " ".join(map(str, files)))
    return 0


def render(options: argparse.Namespace) -> int:
    """Write nginx's configuration for a machine where systemd runs the programs."""
    config = configuration.load()
    config.check()
    nginx = debian.nginx(config.state / "debian")
    nginx_files.write(nginx_files.render(config, nginx, options.folder), options.folder)
    say(f"written; try it with: {' '.join(nginx_files.command(config, nginx, options.folder))} -t")
    return 0


def clean(options: argparse.Namespace) -> int:
    """Remove the virtual environment and the state folder, databases included."""
    config = configuration.load()
    if not options.yes:
        raise StackError(
            f"This removes {config.state} with its databases, and .venv: "
            "run `make clean CONFIRM=yes` if that is what you want."
        )
    if (config.state / ".lock").exists():
        _stack(config, install=False).down()
        shutil.rmtree(config.state)
        shutil.rmtree(config.answers, ignore_errors=True)
    shutil.rmtree(config.checkout / ".venv", ignore_errors=True)
    say("removed; .env is kept")
    return 0


def say(sentence: str) -> None:
    try:
        print(f"» {sentence}", flush=True)
    except BrokenPipeError:
        # Nobody reads on, as behind `| head`: what was begun is done all the same.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def kept_environment() -> Iterator[Config]:
    """The settings, in a `.env` that is made if need be. What the environment sets now holds from
    now on, so that later commands, and whatever the supervisor starts again, see the same; unless
    it is refused."""
    configuration.load().check()
    path = configuration.CHECKOUT / ".env"
    folder = {name: os.environ[name] for name in os.environ.keys() & {"ATELIER_STATE_DIR"}}
    if configuration.create_env_file(configuration.CHECKOUT, folder):
        say(".env made")
    before = path.read_text()
    names = dotenv.keep(path, os.environ)
    try:
        yield configuration.load()
    except StackError:
        if names:
            dotenv.write(path, before.splitlines())
        raise
    if names:
        say(f"kept in .env: {', '.join(names)}")


def _stack(config: Config, *, install: bool = True) -> Stack:
    environment = VirtualEnvironment(config.checkout, config.state / "debian")
    if install and environment.ensure(lock=RUNTIME_LOCK):
        say(f"{RUNTIME_LOCK} installed in .venv")
    nginx = debian.nginx(config.state / "debian") if install else debian.Nginx(config.state)
    return Stack(
        config,
        nginx=nginx,
        site_packages=environment.site_packages,
        # Settings come from .env: inherited ones would stay with the servers for good.
        environ={
            name: value
            for name, value in os.environ.items()
            if name not in dotenv.read(config.checkout / ".env")
        },
        say=say,
    )


def _print_urls(url: str) -> None:
    print(f"\n  products  {url}/products")
    print(f"  reviews   {url}/reviews?product_id=1")
    print(f"  docs      {url}/docs/")
    print(f"  admin     {url}/admin/    (account in .env)")
    print(f"  tokens    {url}/oauth/token    (client in .env; docs/oauth.md)\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stack", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, function, text in (
        ("up", up, "start everything that does not run"),
        ("down", down, "stop exactly what up started"),
        ("restart", restart, "apply code and settings, one instance at a time"),
        ("status", status, "what runs"),
        ("environment", environment, "install what tests and checks need"),
        ("geoip", geoip, "fetch Debian's tables of addresses and countries"),
        ("postgres-15", postgres_15, "print the setting for Debian's PostgreSQL 15"),
    ):
        commands.add_parser(name, help=text).set_defaults(command=function)
    parser_logs = commands.add_parser("logs", help="follow all logs")
    parser_logs.add_argument("--lines", type=int, default=20)
    parser_logs.set_defaults(command=logs)
    parser_render = commands.add_parser("render", help="write nginx's configuration to a folder")
    parser_render.add_argument("folder", type=Path)
    parser_render.set_defaults(command=render)
    parser_clean = commands.add_parser("clean", help="remove state and virtual environment")
    parser_clean.add_argument("--yes", action="store_true")
    parser_clean.set_defaults(command=clean)
    return parser


if __name__ == "__main__":
    sys.exit(main())
