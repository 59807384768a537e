"""The embedded stack: PostgreSQL, Redis, three gunicorn instances, nginx and their supervisor.

Runs before the virtual environment exists, so it imports nothing outside the standard library.
``python3 -m stack up`` is what ``make up`` calls; ``stack.testing`` is what the tests use.
"""
