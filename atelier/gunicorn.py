"""gunicorn's configuration, shared by every instance: ``gunicorn -c atelier/gunicorn.py``.

An instance differs from the others only by its environment: ``WEB_BIND`` says where it listens.
"""

import gc
import importlib
import os
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from atelier import responder, worker
from atelier.core.logging import json_handlers

# This file is read again on HUP, by a master that has imported them long before.
for module in (responder, worker):
    importlib.reload(module)

wsgi_app = "atelier.wsgi:application"
bind = os.environ.get("WEB_BIND", "127.0.0.1:8001")
proc_name = os.environ.get("WEB_NAME", "atelier")
pidfile = os.environ.get("WEB_PIDFILE") or None

# Threads, because they keep nginx's connections open: a sync worker closes each and waits until
# nginx has done so too (docs/adr/0007-workers.md), and without a hand-over between them
# (docs/adr/0014-own-worker.md). Each thread has a database connection.
worker_class = worker.EpollWorker
workers = int(os.environ.get("WEB_WORKERS", "1"))
threads = int(os.environ.get("WEB_THREADS", "2"))
backlog = 512
# Longer than nginx keeps an idle connection, so that no request meets a closed one.
keepalive = 75

# Deadlines nest, so that whoever knows most about a slow request answers it:
# statement_timeout 1.5 s, or 3.5 s of a write that has waited for its scopes, 1 s at most < nginx
# proxy_read_timeout 5 s < timeout < graceful_timeout < the supervisor's stopwaitsecs. `timeout`
# ends a process that hangs as a whole, not one request.
timeout = 8
graceful_timeout = 10

# Workers are renewed now and then, never all at once, so that a leak stays small.
max_requests = 200_000
max_requests_jitter = 40_000

# The heartbeat file must not wait for a disk.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108

# Every master would open its control socket at one and the same path.
control_socket_disable = True

limit_request_line = 4094
limit_request_fields = 50
limit_request_field_size = 8190

# The folder of the socket, not its mode, says who may connect; nginx runs as another user.
umask = 0o000
# Only what nginx sends is believed, and a Unix socket has no peer address to check.
forwarded_allow_ips = "*" if bind.startswith("unix:") else "127.0.0.1,::1"


class ServerLogger(Logger):
    """Without a line for each request: nginx writes those.

    gunicorn composes the line, a third of its own work, wherever `logconfig_dict` is set.
    """

    def access(self, *request: Any) -> None:
        pass


# What gunicorn says of itself is JSON like all other lines.
logger_class = ServerLogger
accesslog = None
errorlog = "-"
loglevel = os.environ.get("GUNICORN_LOG_LEVEL", "info")
logconfig_dict = {
    **json_handlers(),
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {"gunicorn.error": {"level": loglevel.upper(), "handlers": [], "propagate": True}},
}


def post_fork(server: Any, worker: Any) -> None:
    responder.install()


def post_worker_init(worker: Any) -> None:
    """Have all ready before the first request comes: it would wait for what the URLs import."""
    from django.urls import get_resolver

    get_resolver().url_patterns  # noqa: B018 - a cached property
    # What is loaded by now stays: full collections need not walk it each time.
    gc.collect()
    gc.freeze()
    # A request leaves few cycles, and looking for them every third request costs a twentieth.
    gc.set_threshold(10_000, 20, 20)
