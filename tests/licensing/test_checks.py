"""What `manage.py check` says of settings."""

import pytest
from django.core.checks import run_checks

from licensing.checks import unknown_region_is_one
from licensing.models import Region


@pytest.mark.parametrize(
    ("code", "is_told"),
    [("", False), ("US", False), ("XK", False), ("QQ", True), ("UK", True), ("EU", True)],
)
def test_the_policy_for_unknown_addresses_names_a_region(settings, code, is_told):
    settings.UNKNOWN_REGION = code
    found = [error for error in run_checks() if error.id == "licensing.E001"]
    assert bool(found) is is_told
    assert all("UNKNOWN_REGION" in error.msg and code in error.msg for error in found)


@pytest.mark.django_db
@pytest.mark.usefixtures("regions")
def test_every_region_may_be_the_policy(settings):
    for settings.UNKNOWN_REGION in Region.objects.values_list("code", flat=True):
        assert unknown_region_is_one(None) == []
