"""gunicorn's configuration, shared by every instance: ``gunicorn -c atelier/gunicorn.py``.

An instance differs from the others only by its environment: ``WEB_BIND`` says where it listens.
"""

import os
from pathlib import Path

from atelier.core.logging import json_handlers

wsgi_app = "atelier.wsgi:application"
bind = os.environ.get("WEB_BIND", "127.0.0.1:8001")
proc_name = os.environ.get("WEB_NAME", "atelier")
pidfile = os.environ.get("WEB_PIDFILE") or None

# Stock sync workers: nginx buffers slow clients, and a request is mostly PostgreSQL's time.
worker_class = "sync"
workers = int(os.environ.get("WEB_WORKERS", "2"))
backlog = 512

# Deadlines nest, so that whoever knows most about a slow request answers it:
# statement_timeout 1.5 s < nginx proxy_read_timeout 5 s < timeout < graceful_timeout < the
# supervisor's stopwaitsecs.
timeout = 8
graceful_timeout = 10

# Workers are renewed now and then, never all at once, so that a leak stays small.
max_requests = 20_000
max_requests_jitter = 4_000

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

# nginx writes the access log; what gunicorn says of itself is JSON like all other lines.
accesslog = None
errorlog = "-"
loglevel = os.environ.get("GUNICORN_LOG_LEVEL", "info")
logconfig_dict = {
    **json_handlers(),
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {"gunicorn.error": {"level": loglevel.upper(), "handlers": [], "propagate": True}},
}
