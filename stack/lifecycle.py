"""Bringing the stack up and down, and renewing it while it serves."""

import contextlib
import fcntl
import hashlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from stack import nginx as nginx_files
from stack import probes
from stack.application import Application, Made, code_files
from stack.binaries import postgres_bindir, redis_server
from stack.config import Config
from stack.debian import Nginx
from stack.errors import StackError
from stack.nginx_master import end_orphans
from stack.postgres import Postgres
from stack.processes import run, tail
from stack.programs import BACKGROUND, programs
from stack.redis import Redis
from stack.supervisor import Client, Program
from stack.supervisor import render as render_supervisor

ACCESS_LOG_LIMIT = 100_000_000
ACCESS_LOGS_KEPT = 5


class Stack:
    """Everything of one state folder.

    ``environ`` is what the processes inherit; ``.env`` is read by Django itself, so that a restart
    finds its new values. ``site_packages`` holds the wheels with the servers' programs.
    """

    def __init__(
        self,
        config: Config,
        *,
        nginx: Nginx,
        site_packages: Path,
        environ: Mapping[str, str],
        say: Callable[[str], None],
    ) -> None:
        self.config = config
        self.nginx = nginx
        self.site_packages = site_packages
        self.environ = {**environ, "PYTHONUNBUFFERED": "1"}
        self.say = say
        self.client = Client(config.run / "supervisor.sock")
        self.application = Application(config, self.environ)

    @property
    def url(self) -> str:
        return probes.base_url(self.config)

    def is_complete(self) -> bool:
        """Whether every program runs and the site answers."""
        if not self.client.is_running():
            return False
        processes = self.client.processes()
        names = {program.name for program in self._programs()}
        running = {n for n, info in processes.items() if info["statename"] == "RUNNING"}
        return names <= running and probes.is_ready(self.config)

    def up(self) -> bool:
        """Bring everything up that is not. False if everything already was."""
        with self._locked():
            self._rotate_access_log()
            if self.is_complete():
                return False
            self._start()
            return True

    def is_outdated(self) -> bool:
        """Whether code or configuration differ from what was last applied."""
        mark = self.config.state / "marks" / "applied"
        return not mark.exists() or mark.read_text() != self._fingerprint()

    def restart(self) -> None:
        """Apply code and configuration: migrations, one instance after the other, then nginx."""
        with self._locked():
            if not self.client.is_running():
                raise StackError("Nothing runs here: `make up` starts it.")
            self._check_settings()
            self._rotate_access_log()
            self.application.prepare()
            self._create_accounts()
            nginx_changed = nginx_files.install(self.config, self.nginx)
            self._renew_all(self._apply_supervisor_config(), nginx_changed=nginx_changed)
            self._wait_ready()
            self._remember_applied()

    def down(self) -> bool:
        """Stop exactly what this state folder started, and wait. False if nothing ran."""
        with self._locked():
            if not self.client.is_running():
                return self._end_leftovers()
            pid_file = self.config.run / "supervisord.pid"
            pid = int(pid_file.read_text())
            self.client.shutdown()
            probes.wait_until(
                lambda: not probes.is_alive(pid),
                seconds=120,
                otherwise=lambda: f"supervisord ({pid}) did not end.\n{self._log('supervisord')}",
            )
            self._end_leftovers()
            return True

    def _check_settings(self) -> None:
        """``StackError`` for what nginx's configuration or Django could not be made of."""
        nginx_files.render(self.config, self.nginx, self.config.rendered / "nginx")
        self.application.check_settings()

    def _start(self) -> None:
        self._check_settings()
        fresh = not self.client.is_running()
        # What runs already has older code, or other settings.
        is_outdated = not fresh and self.is_outdated()
        renewed: set[str] = set()
        if fresh:
            self._end_leftovers()
            probes.refuse_taken_port(self.config)
        self._make_folders()
        postgres, redis = self._postgres(), self._redis()
        if postgres and postgres.initialise():
            self.say("database cluster made")
        if redis:
            redis.initialise()
        if fresh:
            self._start_supervisor()
        else:
            renewed = self._apply_supervisor_config()
        self._start_storage(postgres, redis)
        if self.application.prepare():
            self._import_sample()
        self._create_accounts()
        nginx_changed = nginx_files.install(self.config, self.nginx)
        for name in BACKGROUND:
            self.client.start(name)
        for instance in self.config.instances:
            self.client.start(instance)
        for instance in self.config.instances:
            self._wait_instance(instance)
        self.client.start("nginx")
        if is_outdated:
            self._renew_all(renewed, nginx_changed=nginx_changed)
        self._wait_ready()
        self._remember_applied()

    def _renew_all(self, renewed: set[str], *, nginx_changed: bool) -> None:
        """One instance after the other, then the rest; not those that were renewed just now."""
        for instance in self.config.instances:
            if instance not in renewed:
                self._renew(instance)
                self.say(f"{instance} renewed")
        for name in BACKGROUND:
            if name not in renewed:
                self.client.stop(name)
                self.client.start(name)
        self._reload_nginx(started_anew="nginx" in renewed, changed=nginx_changed)
        self.application.expire_caches()

    def _make_folders(self) -> None:
        config = self.config
        for path, mode in (
            (config.state, 0o755),
            (config.run, 0o755),
            (config.logs, 0o750),
            (config.rendered, 0o755),
            (config.cache, 0o755),
            (config.static, 0o755),
            (config.media, 0o755),
            (config.web_sockets, 0o750),
            (config.nginx_sockets, 0o755),
        ):
            try:
                path.mkdir(parents=True, exist_ok=True)
                path.chmod(mode)
            except OSError as error:
                raise StackError(f"The folder {path} cannot be made: {error.strerror}.") from error
        group = nginx_files.worker_group()
        if group is not None:
            os.chown(config.web_sockets, -1, group)

    def _postgres(self) -> Postgres | None:
        if not self.config.has_own_postgres:
            return None
        config = self.config
        copies = config.state / "programs"
        return Postgres(
            bindir=postgres_bindir(self.site_packages, copies, config.account, config.values),
            data=config.state / "postgres",
            sockets=config.postgres_sockets,
            log=config.logs / "postgres.log",
            account=config.account,
        )

    def _redis(self) -> Redis | None:
        if not self.config.has_own_redis:
            return None
        config = self.config
        copies = config.state / "programs"
        return Redis(
            program=redis_server(self.site_packages, copies, config.account, config.values),
            folder=config.state / "redis",
            sockets=config.redis_sockets,
            log=config.logs / "redis.log",
            account=config.account,
            maxmemory=config.redis_maxmemory,
            readers=nginx_files.worker_group(),
        )

    def _programs(self) -> list[Program]:
        return programs(self.config, self.nginx, self._postgres(), self._redis())

    def _supervisor_text(self) -> str:
        return render_supervisor(
            self._programs(),
            run=self.config.run,
            logs=self.config.logs,
            user="root" if os.geteuid() == 0 else "",
        )

    def _start_supervisor(self) -> None:
        conf = self.config.rendered / "supervisord.conf"
        conf.write_text(self._supervisor_text())
        launcher = self.config.checkout / "stack" / "quick_supervisord.py"
        run(
            [str(self.config.python), "-P", str(launcher), "-c", str(conf)],
            environ=self.environ,
            cwd=self.config.state,
            failure="supervisord did not start.",
        )
        probes.wait_until(
            self.client.is_running,
            seconds=20,
            otherwise=lambda: f"supervisord does not answer.\n{self._log('supervisord')}",
        )

    def _apply_supervisor_config(self) -> set[str]:
        """Take up programs whose definition changed, one after the other. Names of those started.

        PostgreSQL and Redis keep running as they are, where they answer: restarting them would lose
        requests.
        """
        # It is asked each time: an earlier command may have written the file and applied nothing.
        conf = self.config.rendered / "supervisord.conf"
        conf.write_text(self._supervisor_text())
        added, changed, removed = self.client.reload()
        for name in removed:
            self.client.remove(name)
        renewable = {*self.config.instances, *BACKGROUND, "nginx"}
        storage = {"postgres": self._postgres(), "redis": self._redis()}
        renewable |= {name for name, one in storage.items() if one and not one.is_ready()}
        for name in sorted({*changed, *added} & renewable):
            self._replace(name, known=name in changed)
        for name in sorted({*changed, *added} - renewable):
            self.say(f"{name}: `make down` and `make up` apply its new definition")
        return {*changed, *added} & renewable

    def _replace(self, name: str, *, known: bool) -> None:
        if known:
            self.client.remove(name)
        self.client.add(name)
        self.client.start(name)
        if name in self.config.instances:
            self._wait_instance(name)
            self.say(f"{name} started anew")

    def _start_storage(self, postgres: Postgres | None, redis: Redis | None) -> None:
        for name, service in (("postgres", postgres), ("redis", redis)):
            if service is not None:
                self.client.start(name)
                self._wait_storage(name, service)
        if postgres:
            postgres.ensure_database()

    def _wait_storage(self, name: str, service: Postgres | Redis) -> None:
        probes.wait_until(
            service.is_ready,
            seconds=120,
            otherwise=lambda: f"{name} does not answer.\n{self._log(name)}",
        )

    def _import_sample(self) -> None:
        self.say("importing the sample data")
        for line in self.application.import_sample():
            self.say(line)

    def _create_accounts(self) -> None:
        made = self.application.create_accounts()
        name = self.config.text("ADMIN_USERNAME", "admin")
        if made["admin"] is Made.OTHERWISE:
            self.say(
                f"the account {name} has another password than ADMIN_PASSWORD in .env: it was made"
                f" with an earlier one, or changed since. Sign in with that,"
                f" or set one: .venv/bin/python manage.py changepassword {name}"
            )
        if made["admin"] is Made.NOW:
            self.say(f"staff account {name}, password {self.config.text('ADMIN_PASSWORD')}")
        client = self.config.text("FIRST_CLIENT_ID", "first")
        if made["client"] is Made.OTHERWISE:
            self.say(
                f"the client {client} has another secret than FIRST_CLIENT_SECRET in .env: it was"
                " made with an earlier one. Put that there,"
                " or another id into FIRST_CLIENT_ID, and run `make restart`"
            )
        if made["client"] is Made.NOW:
            secret = self.config.text("FIRST_CLIENT_SECRET")
            self.say(f"client {client} of the tenant default; a token for it:")
            self.say(
                f"curl -u {client}:{secret} -d grant_type=client_credentials {self.url}/oauth/token"
            )

    def _renew(self, instance: str) -> None:
        """HUP: the master keeps its socket, so that waiting requests are not lost."""
        if not self.client.is_program_running(instance):
            self.client.start(instance)
            self._wait_instance(instance)
            return
        master = self.client.pid(instance)
        old = probes.children(master)
        self.client.signal(instance, "HUP")
        probes.wait_until(
            lambda: self._are_renewed(instance, master, old),
            seconds=60,
            otherwise=lambda: f"{instance} did not take its new code.\n{self._log(instance)}",
        )

    def _are_renewed(self, instance: str, master: int, old: set[int]) -> bool:
        if self.client.pid(instance) != master:
            raise StackError(f"{instance} broke off with the new code.\n{self._log(instance)}")
        now = probes.children(master)
        return bool(now) and not now & old and probes.is_instance_alive(self.config, instance)

    def _reload_nginx(self, *, started_anew: bool, changed: bool) -> None:
        if started_anew:
            return
        if not self.client.is_program_running("nginx"):
            self.client.start("nginx")
        elif changed:
            self.client.signal("nginx", "HUP")
            self.say("nginx reloaded")

    def _wait_instance(self, instance: str) -> None:
        probes.wait_until(
            lambda: probes.is_instance_alive(self.config, instance),
            seconds=60,
            otherwise=lambda: f"{instance} does not answer.\n{self._log(instance)}",
        )

    def _wait_ready(self) -> None:
        probes.wait_until(
            lambda: probes.is_ready(self.config),
            seconds=60,
            otherwise=lambda: (
                f"{self.url}/readyz does not answer 200.\n{self._log('nginx')}\n"
                f"{self._log(self.config.instances[0])}"
            ),
        )

    def _end_leftovers(self) -> bool:
        """End servers whose supervisor was killed; the last user of a thing before the thing."""
        run_folder, state = self.config.run, self.config.state
        files: list[tuple[Path, signal.Signals]] = [(run_folder / "nginx.pid", signal.SIGQUIT)]
        files += [(path, signal.SIGTERM) for path in sorted(run_folder.glob("web-*.pid"))]
        files.append((state / "redis" / "redis.pid", signal.SIGTERM))
        files.append((state / "postgres" / "postmaster.pid", signal.SIGINT))
        ended = [probes.end_leftover(path, state, number, 60) for path, number in files]
        return end_orphans(state) or any(ended)

    def _rotate_access_log(self) -> None:
        """nginx writes this one itself, because a pipe to the supervisor could hold requests up."""
        log = self.config.logs / "access.log"
        if not log.exists() or log.stat().st_size < ACCESS_LOG_LIMIT:
            return
        for number in range(ACCESS_LOGS_KEPT - 1, 0, -1):
            older = log.with_name(f"access.log.{number}")
            if older.exists():
                older.rename(log.with_name(f"access.log.{number + 1}"))
        log.rename(log.with_name("access.log.1"))
        if self.client.is_running() and self.client.is_program_running("nginx"):
            self.client.signal("nginx", "USR1")

    def _fingerprint(self) -> str:
        digest = hashlib.sha256(self._supervisor_text().encode())
        rendered = nginx_files.render(self.config, self.nginx, self.config.rendered / "nginx")
        digest.update("".join(rendered.values()).encode())
        env_file = self.config.checkout / ".env"
        for path in [*code_files(self.config.checkout), *([env_file] if env_file.exists() else [])]:
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def _remember_applied(self) -> None:
        mark = self.config.state / "marks" / "applied"
        mark.parent.mkdir(exist_ok=True)
        mark.write_text(self._fingerprint())

    def _log(self, name: str) -> str:
        return tail(self.config.logs / f"{name}.log")

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Two of these commands at once would trip over each other."""
        self.config.state.mkdir(parents=True, exist_ok=True)
        with (self.config.state / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.say("waiting for another command on this stack to end")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


def follow_logs(config: Config, lines: int) -> int:
    """Show the end of every log and what comes after, until interrupted."""
    logs = sorted(str(path) for path in config.logs.glob("*.log"))
    if not logs:
        raise StackError(f"{config.logs} holds no logs: `make up` starts the stack.")
    with contextlib.suppress(KeyboardInterrupt):
        subprocess.run(["tail", "-n", str(lines), "-F", *logs], check=False)
    return 0
