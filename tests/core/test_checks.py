"""What `manage.py check`, and every start, says of settings."""

import os
import subprocess
import sys

import pytest
from django.core.checks import run_checks


@pytest.mark.parametrize(
    ("url", "keys", "found"),
    [
        ("", [], []),
        ("https://shop.example/", ["key"], []),
        ("https://shop.example/", [], ["core.E001"]),
        ("shop.example/logins", ["key"], ["core.E003"]),
        ("ftp://shop.example/", ["key"], ["core.E003"]),
        ("https://me:secret@shop.example/", ["key"], ["core.E003"]),
    ],
)
def test_announcements_need_an_address_and_a_key_to_be_signed_with(settings, url, keys, found):
    settings.CALLBACK_URL, settings.DELIVERY_KEYS = url, keys
    assert [error.id for error in run_checks() if error.id.startswith("core.")] == found


@pytest.mark.parametrize(
    ("setting", "value", "code", "said"),
    [
        ("UNKNOWN_REGION", "QQ", 1, "UNKNOWN_REGION is QQ, which is no region."),
        ("OPEN_WITHOUT_TOKENS", "true", 0, "OPEN_WITHOUT_TOKENS is on: anybody can read"),
        ("OPEN_WITHOUT_TOKENS", "false", 0, ""),
    ],
)
def test_an_instance_is_checked_as_it_starts(settings, setting, value, code, said):
    done = subprocess.run(
        [sys.executable, "-c", "import atelier.wsgi"],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DEBUG": "false", setting: value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert said in done.stderr
    assert bool(done.stderr) == bool(said)
