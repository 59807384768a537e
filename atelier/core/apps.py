from importlib import import_module

from django.apps import AppConfig
from django.conf import settings
from django.core.cache import close_caches
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, reset_queries


class CoreConfig(AppConfig):
    name = "atelier.core"
    label = "core"
    verbose_name = "Operation"

    def ready(self) -> None:
        import_module("atelier.core.checks")
        # Django looks for an app's admin in one module, which here is what all admins share.
        import_module("atelier.core.deliveries.admin")
        # A tenth of a short request. Connections are looked at after each one, once is enough; only
        # DEBUG keeps queries to forget; and caches have nothing to close.
        request_started.disconnect(close_old_connections)
        request_finished.disconnect(close_caches)
        if not settings.DEBUG:
            request_started.disconnect(reset_queries)
