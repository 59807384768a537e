"""What `manage.py check`, and every start, says of settings that do not fit together."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from atelier.core.deliveries.guard import Refused, target_of


@register()
def deliveries_can_be_signed(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    if not settings.CALLBACK_URL or settings.DELIVERY_KEYS:
        return []
    return [
        Error(
            "CALLBACK_URL is set, and DELIVERY_KEYS is empty.",
            hint="Set DELIVERY_KEYS to a random text that the receiver knows too.",
            id="core.E001",
        )
    ]


@register()
def deliveries_have_an_address(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """One that is none would be refused by each login."""
    if not settings.CALLBACK_URL:
        return []
    try:
        target_of(settings.CALLBACK_URL)
    except Refused as error:
        hint = "Set it to an address such as https://shop.example/logins."
        return [Error(f"CALLBACK_URL: {error}", hint=hint, id="core.E003")]
    return []


@register()
def pictures_in_a_bucket_have_an_address(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Its service alone could not say under which name browsers reach it."""
    ours = f"{settings.PUBLIC_URL}media/"
    if not settings.MEDIA_S3_BUCKET or ours != settings.MEDIA_URL:
        return []
    return [
        Error(
            "MEDIA_S3_BUCKET is set, and MEDIA_URL is not that of the bucket.",
            hint="Set MEDIA_URL to the address under which browsers find the bucket's objects.",
            id="core.E002",
        )
    ]


@register(Tags.security)
def closed_without_tokens(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Account and profile routes are open to anybody on a developer's machine at most."""
    if not settings.OPEN_WITHOUT_TOKENS or settings.DEBUG:
        return []
    return [
        Warning(
            "OPEN_WITHOUT_TOKENS is on: anybody can read and change accounts and profiles.",
            hint="Set OPEN_WITHOUT_TOKENS=false, or DEBUG=true on a developer's machine.",
            id="core.W001",
        )
    ]
