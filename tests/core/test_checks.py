"""What `manage.py check` says of settings."""

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
