"""Entry point of a web worker.

A request may wait for the database so long and no longer, so that the application itself answers
503 before nginx and gunicorn lose patience. Commands have no such limit.
"""

import os

from django.core.signals import request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, reset_queries

from atelier import env

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "atelier.settings")
for limit, default in (("STATEMENT_TIMEOUT_MS", 1500), ("LOCK_TIMEOUT_MS", 1000)):
    os.environ[f"DATABASE_{limit}"] = str(env.integer(f"WEB_{limit}", default))

application = get_wsgi_application()

# A request's end closes what has become unusable; to look again at the next one's start is a tenth
# of Django's work on a read. Queries are only kept with DEBUG.
request_started.disconnect(close_old_connections)
request_started.disconnect(reset_queries)
