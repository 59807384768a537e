"""What `manage.py check`, and every start, warns of."""

from typing import Any

from django.conf import settings
from django.core import checks


@checks.register(checks.Tags.security)
def closed_without_tokens(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Account and profile routes are open to anybody on a developer's machine at most."""
    if not settings.OPEN_WITHOUT_TOKENS or settings.DEBUG:
        return []
    return [
        checks.Warning(
            "OPEN_WITHOUT_TOKENS is on: anybody can read and change accounts and profiles.",
            hint="Set OPEN_WITHOUT_TOKENS=false, or DEBUG=true on a developer's machine.",
            id="core.W001",
        )
    ]
