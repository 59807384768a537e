from importlib import import_module

from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "atelier.core"
    label = "core"

    def ready(self) -> None:
        import_module("atelier.core.checks")
        # Django looks for an app's admin in one module, which here is what all admins share.
        import_module("atelier.core.deliveries.admin")
