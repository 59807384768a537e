"""The supervised programs and how each wants to be stopped."""

from stack.config import Config
from stack.debian import Nginx
from stack.nginx import command as nginx_command
from stack.postgres import Postgres
from stack.redis import Redis
from stack.supervisor import Program

KEEPER = "keeper"
WORKER = "worker"
# Apart from requests; `make restart` starts them anew.
BACKGROUND = (KEEPER, WORKER)


def programs(
    config: Config, nginx: Nginx, postgres: Postgres | None, redis: Redis | None
) -> list[Program]:
    """In the order of starting. What the settings say is elsewhere has no entry."""
    user = config.account.name if config.account.switched else ""
    found = []
    if postgres:
        command, environ = postgres.command, postgres.environ
        found.append(Program("postgres", command, "INT", 60, config.state, user, environ))
    if redis:
        found.append(Program("redis", redis.command, "TERM", 15, config.state, user))
    found += [_keeper(config), _worker(config)]
    found += [_instance(config, name) for name in config.instances]
    launcher = config.checkout / "stack" / "nginx_master.py"
    command = [str(config.python), "-P", str(launcher), str(config.state)]
    command += nginx_command(config, nginx)
    found.append(Program("nginx", command, "QUIT", 15, config.state, environ=nginx.environ))
    return found


def _keeper(config: Config) -> Program:
    """Lets nginx trust the cache tags. Its queries take a millisecond, or PostgreSQL is ill."""
    return Program(
        name=KEEPER,
        command=[str(config.python), str(config.checkout / "manage.py"), "keep_trust"],
        stop_signal="TERM",
        stop_seconds=5,
        directory=config.checkout,
        environ={"DATABASE_STATEMENT_TIMEOUT_MS": "500"},
    )


def _worker(config: Config) -> Program:
    """Does the jobs. It ends what it is about first, which takes a delivery ten seconds."""
    return Program(
        name=WORKER,
        command=[
            *(str(config.python), str(config.checkout / "manage.py")),
            *("procrastinate", "worker"),
        ],
        stop_signal="TERM",
        stop_seconds=30,
        directory=config.checkout,
        environ={"DATABASE_STATEMENT_TIMEOUT_MS": "5000", "DATABASE_LOCK_TIMEOUT_MS": "2000"},
    )


def _instance(config: Config, name: str) -> Program:
    configuration = config.checkout / "atelier" / "gunicorn.py"
    return Program(
        name=name,
        command=[str(config.python), "-m", "gunicorn", "-c", str(configuration)],
        stop_signal="TERM",
        stop_seconds=15,
        directory=config.checkout,
        environ={
            "WEB_NAME": name,
            "WEB_BIND": f"unix:{config.web_sockets / name}.sock",
            "WEB_PIDFILE": str(config.run / f"{name}.pid"),
            "WEB_WORKERS": str(config.number("WEB_WORKERS", 1, least=1, most=64)),
            "WEB_THREADS": str(config.number("WEB_THREADS", 2, least=1, most=64)),
            # What is left empty in .env, nginx and the instances must know alike.
            "MEDIA_ROOT": str(config.media),
            "PUBLIC_URL": config.text("PUBLIC_URL", config.base_url),
        },
    )
