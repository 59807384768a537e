"""Entry point of a web worker.

A request may wait for the database so long and no longer, so that the application itself answers
503 before nginx and gunicorn lose patience. Commands have no such limit.
"""

import os

from django.core.management import BaseCommand
from django.core.wsgi import get_wsgi_application

from atelier import env
from atelier.health import wanted_migrations

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "atelier.settings")
# Each with its default and the most that PostgreSQL takes.
LIMITS = {
    "STATEMENT_TIMEOUT_MS": (1500, 2**31 - 1),
    "LOCK_TIMEOUT_MS": (1000, 2**31 - 1),
    "WRITE_TIMEOUT_MS": (3500, 2**31 - 1),
    "PARALLEL_WORKERS": (0, 1024),
}
for limit, (default, most) in LIMITS.items():
    os.environ[f"DATABASE_{limit}"] = str(env.integer(f"WEB_{limit}", default, maximum=most))

application = get_wsgi_application()
# As every command does: settings that do not fit together end the start, others are warned of.
BaseCommand().check()
wanted_migrations()
