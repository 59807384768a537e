#!/usr/bin/env python
"""Django's command line, with atelier's settings."""

import gc
import os
import signal
import sys


def main() -> None:
    # What is loaded stays: to look for cycles in it meanwhile is a twelfth of a short command.
    gc.set_threshold(50_000, 20, 20)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "atelier.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError, connection

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        # A setting that cannot be used: the sentence says which, and what it shall be.
        sys.exit(f"error: {error}")
    except OperationalError as error:
        if connection.connection is not None:
            raise
        sys.exit(f"error: DATABASE_URL cannot be reached: {' '.join(str(error).split())}")


if __name__ == "__main__":
    try:
        try:
            main()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Nobody reads on, as behind `| head`: ends as tools do, and prints nothing at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
