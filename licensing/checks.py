"""What `manage.py check`, and every start, says of settings that do not fit together."""

from typing import Any

import pycountry
from django.conf import settings
from django.core.checks import CheckMessage, Error, register

# Beside those of ISO 3166-1 (migration 0002_countries).
KOSOVO = "XK"


@register()
def unknown_region_is_one(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Known without the database, which a check does not ask."""
    code = settings.UNKNOWN_REGION
    if not code or code == KOSOVO or pycountry.countries.get(alpha_2=code):
        return []
    return [
        Error(
            f"UNKNOWN_REGION is {code}, which is no region.",
            hint="Set UNKNOWN_REGION to a code of ISO 3166-1 such as US, or leave it empty.",
            id="licensing.E001",
        )
    ]
