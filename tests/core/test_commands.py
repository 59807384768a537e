"""What all commands share, seen from a shell."""

import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.db import connection

from tests.factories.etl import ImportRunFactory


@pytest.mark.django_db(transaction=True)
def test_a_command_whose_reader_has_gone_ends_quietly():
    ImportRunFactory.create_batch(3)
    reading, writing = os.pipe()
    os.close(reading)
    url = os.environ["DATABASE_URL"].rsplit("/", 1)[0]
    done = subprocess.run(
        [sys.executable, "manage.py", "import_runs", "list"],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DATABASE_URL": f"{url}/{connection.settings_dict['NAME']}"},
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    # As a shell tells of SIGPIPE.
    assert (done.returncode, done.stderr) == (141, b"")
