"""What befalls the stack while a race is on. Each fault works until it is told to stop, and leaves
everything well."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import psycopg
import redis

from stack import probes
from tests.faults.cache.site import Site, send, wait_until

Fault = Callable[[Site, threading.Event], None]

chance = random.Random(3)


def nothing(site: Site, stopped: threading.Event) -> None:
    stopped.wait()


def slow_answers(site: Site, stopped: threading.Event) -> None:
    """Workers and database sessions stand still for a while, in the middle of whatever they do."""
    while not stopped.wait(chance.uniform(0.01, 0.1)):
        pids = site.pids(chance.choice(site.stack.config.instances))[1:]
        if chance.random() < 0.5:
            pids = chance.sample(_sessions(site), 2)
        with _frozen(pids):
            stopped.wait(chance.choice([0.05, 0.2, 0.6]))


def killed_workers(site: Site, stopped: threading.Event) -> None:
    while not stopped.wait(chance.uniform(0.1, 0.5)):
        instance = chance.choice(site.stack.config.instances)
        send(site.pids(instance)[1:], signal.SIGKILL)
        _wait_for_instance(site, instance)


def workers_killed_at_their_release(site: Site, stopped: threading.Event) -> None:
    """While Redis stands still writers hang before their commit or after it: those die there."""
    while not stopped.wait(chance.uniform(0.1, 0.5)):
        instance = chance.choice(site.stack.config.instances)
        workers = site.pids(instance)[1:]
        with _frozen([site.pid("redis")]):
            stopped.wait(chance.uniform(0.01, 0.04))
            send(workers, signal.SIGKILL)
        _wait_for_instance(site, instance)


def killed_sessions(site: Site, stopped: threading.Event) -> None:
    """PostgreSQL ends sessions that are within a transaction, so that commits fail or nobody
    knows."""
    with site.psql() as connection:
        while not stopped.wait(chance.uniform(0.02, 0.2)):
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid()"
                " AND application_name = 'atelier'"
            )


def redis_killed(site: Site, stopped: threading.Event) -> None:
    while not stopped.wait(chance.uniform(0.3, 1.5)):
        _kill_redis(site)


def redis_flushed(site: Site, stopped: threading.Event) -> None:
    with contextlib.closing(site.redis()) as client:
        while not stopped.wait(chance.uniform(0, 0.2)):
            client.flushall()


def redis_frozen(site: Site, stopped: threading.Event) -> None:
    """Commands that were sent meanwhile are executed afterwards, though nobody waits for them."""
    while not stopped.wait(chance.uniform(0.05, 1)):
        with _frozen([site.pid("redis")]):
            stopped.wait(chance.choice([0.03, 0.07, 0.2, 1, 3]))


def redis_out_of_memory(site: Site, stopped: threading.Event) -> None:
    with contextlib.closing(site.redis()) as client:
        limit = client.config_get("maxmemory")["maxmemory"]
        while not stopped.wait(chance.uniform(0.1, 0.7)):
            client.config_set("maxmemory", 1)
            stopped.wait(chance.choice([0.05, 0.3, 1.5]))
            client.config_set("maxmemory", limit)


def redis_reloaded(site: Site, stopped: threading.Event) -> None:
    """It comes back with what it held a while ago: old tags, and perhaps an old `alive`."""
    dump = site.stack.config.state / "redis" / "dump.rdb"
    try:
        while not stopped.wait(chance.uniform(0.1, 0.5)):
            if not dump.exists() or chance.random() < 0.7:
                with contextlib.closing(site.redis()) as client:
                    client.save()
            stopped.wait(chance.choice([0, 0.3, 1]))
            _kill_redis(site)
    finally:
        dump.unlink(missing_ok=True)


def keeper_killed(site: Site, stopped: threading.Event) -> None:
    while not stopped.wait(chance.uniform(0.2, 2.5)):
        send([site.pid("keeper")], signal.SIGKILL)


def keeper_frozen(site: Site, stopped: threading.Event) -> None:
    while not stopped.wait(chance.uniform(0.02, 0.5)):
        with _frozen([site.pid("keeper")]):
            stopped.wait(chance.choice([0.1, 0.9, 2.5]))


def two_keepers_and_flushes(site: Site, stopped: threading.Event) -> None:
    """A second keeper works beside the first; one of the two is always held up."""
    second = subprocess.Popen(
        [sys.executable, "manage.py", "keep_trust"],
        cwd=site.stack.config.checkout,
        env=site.environ(),
        stderr=subprocess.DEVNULL,
    )
    try:
        with contextlib.closing(site.redis()) as client:
            while not stopped.wait(chance.uniform(0.02, 0.3)):
                with _frozen([chance.choice([second.pid, site.pid("keeper")])]):
                    stopped.wait(chance.choice([0.1, 0.5, 1.5]))
                if chance.random() < 0.5:
                    client.flushall()
    finally:
        second.terminate()
        second.wait()


def nginx_frozen(site: Site, stopped: threading.Event) -> None:
    """Workers stand still, between the tags and the stored answer too."""
    while not stopped.wait(chance.uniform(0.02, 0.2)):
        workers = sorted(probes.children(site.pid("nginx")) | probes.children(site.node.pid))
        with _frozen([chance.choice(workers)]):
            stopped.wait(chance.choice([0.02, 0.2, 1.2]))


def nginx_reloaded(site: Site, stopped: threading.Event) -> None:
    while not stopped.wait(chance.uniform(0.2, 1)):
        send([chance.choice([site.pid("nginx"), site.node.pid])], signal.SIGHUP)


def loses_tags(fault: Fault) -> bool:
    return fault in {redis_killed, redis_flushed, redis_reloaded, two_keepers_and_flushes}


def _wait_for_instance(site: Site, name: str) -> None:
    """One at a time: with all instances gone nobody is left to answer."""
    wait_until(lambda: probes.is_instance_alive(site.stack.config, name), f"{name} answers")


def _kill_redis(site: Site) -> None:
    """It dies, and its supervisor starts another."""
    before = site.pid("redis")
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: site.pid("redis") not in {0, before} and _answers(site), "Redis is back")


def _answers(site: Site) -> bool:
    with contextlib.closing(site.redis()) as client:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False


def _sessions(site: Site) -> list[int]:
    """Process ids of the web workers' sessions in PostgreSQL."""
    with site.psql() as connection:
        try:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'atelier'"
            ).fetchall()
        except psycopg.OperationalError:
            return []
    return [pid for (pid,) in rows]


@contextlib.contextmanager
def _frozen(pids: list[int]) -> Iterator[None]:
    send(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        send(pids, signal.SIGCONT)
