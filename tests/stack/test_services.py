import os
import pwd
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stack import probes
from stack.accounts import Account, reachable_copy, service_account
from stack.errors import StackError
from stack.postgres import Postgres
from stack.testing import TestServices


def test_services_leave_nothing_behind():
    folder = Path("/tmp") / f"atelier-leave-{os.getpid()}"
    with TestServices(folder) as services:
        assert {"DATABASE_URL", "REDIS_URL"} == set(services.environ)
        pids = [int((folder / "postgres/postmaster.pid").read_text().split()[0])]

    assert not any(probes.is_alive(pid) for pid in pids)
    assert not (folder / "postgres").exists()
    for log in folder.glob("*.log"):
        log.unlink()
    folder.rmdir()


def test_services_given_from_outside_are_used_and_not_started(monkeypatch):
    monkeypatch.setenv("ATELIER_TEST_USE_EXISTING", "1")
    monkeypatch.setenv("DATABASE_URL", "postgresql://somewhere/else")
    monkeypatch.setenv("REDIS_URL", "redis://somewhere")

    with TestServices() as services:
        assert services.environ == {
            "DATABASE_URL": "postgresql://somewhere/else",
            "REDIS_URL": "redis://somewhere",
        }


def test_services_die_with_a_killed_test_run():
    script = (
        "from stack.testing import services\n"
        "started = services()\n"
        "print(started._postgres._daemon.pid, started._directory, flush=True)\n"
        "input()\n"
    )
    environ = {name: v for name, v in os.environ.items() if name != "ATELIER_TEST_USE_EXISTING"}
    run = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environ,
        cwd=Path(__file__).parents[2],
    )
    pid, folder = run.stdout.readline().split()
    run.send_signal(signal.SIGKILL)
    run.wait()
    run.stdin.close()
    run.stdout.close()

    probes.wait_until(
        lambda: not probes.is_alive(int(pid)), seconds=20, otherwise=lambda: f"{pid} lives on"
    )
    subprocess.run(["rm", "-rf", folder], check=True)


def test_cluster_of_another_version_is_refused(tmp_path, monkeypatch):
    data = tmp_path / "data"
    data.mkdir()
    (data / "PG_VERSION").write_text("9\n")
    program = tmp_path / "bin" / "postgres"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 18.4'\n")
    program.chmod(0o755)
    me = pwd.getpwuid(os.geteuid())
    cluster = Postgres(
        bindir=program.parent,
        data=data,
        sockets=Path("/tmp") / f"atelier-version-{os.getpid()}",
        log=tmp_path / "log",
        account=Account(me.pw_name, me.pw_uid, me.pw_gid, switched=False),
    )

    with pytest.raises(StackError, match=r"made by PostgreSQL 9 and .* holds 18"):
        cluster.initialise()
    cluster.sockets.rmdir()


def test_programs_are_copied_only_where_the_account_cannot_reach_them(tmp_path):
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.mkdir()
    (source / "program").write_text("1")
    me = service_account()
    own = Account(me.name, os.geteuid(), os.getegid(), switched=False)

    assert reachable_copy(source, copy, own) == source

    source.chmod(0o700)
    stranger = Account("stranger", 54321, 54321, switched=True)
    assert reachable_copy(source, copy, stranger) == copy
    assert (copy / "program").read_text() == "1"


def test_taken_port_is_a_clear_error():
    import socket

    from stack.config import CHECKOUT, Config

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        config = Config(CHECKOUT, Path("python"), {"HTTP_PORT": port}, service_account())

        with pytest.raises(StackError, match=rf"Port {port} .* set HTTP_PORT"):
            probes.refuse_taken_port(config)


def test_pid_of_a_stranger_is_never_ended(tmp_path):
    sleeper = subprocess.Popen(["sleep", "60"], cwd="/")
    try:
        pid_file = tmp_path / "web-1.pid"
        pid_file.write_text(f"{sleeper.pid}\n")

        assert probes.end_leftover(pid_file, Path("/srv/state"), signal.SIGTERM, 1) is False
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()
