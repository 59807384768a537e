"""Entry point of a web worker.

A request may wait for the database this long and no longer, so that the application itself
answers 503 before nginx and gunicorn lose patience. Commands have no such limit.
"""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "atelier.settings")
os.environ.setdefault("DATABASE_STATEMENT_TIMEOUT_MS", "1500")
os.environ.setdefault("DATABASE_LOCK_TIMEOUT_MS", "1000")

application = get_wsgi_application()
