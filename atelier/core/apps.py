from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "atelier.core"
    label = "core"

    def ready(self) -> None:
        """Registers the checks."""
        from atelier.core import checks  # noqa: F401
