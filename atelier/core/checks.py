"""What `manage.py check` says of settings that do not fit together."""

from typing import Any

from django.conf import settings
from django.core.checks import Error, register


@register()
def deliveries_can_be_signed(app_configs: Any, **kwargs: Any) -> list[Error]:
    if not settings.CALLBACK_URL or settings.DELIVERY_KEYS:
        return []
    return [
        Error(
            "CALLBACK_URL is set, and DELIVERY_KEYS is empty.",
            hint="Set DELIVERY_KEYS to a random text that the receiver knows too.",
            id="core.E001",
        )
    ]
