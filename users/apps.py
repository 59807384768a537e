from django.apps import AppConfig, apps


class UsersConfig(AppConfig):
    name = "users"
    verbose_name = "Accounts and access"

    def ready(self) -> None:
        # Parts of the same section, kept by Django and django-oauth-toolkit.
        for label in ("auth", "oauth2_provider"):
            apps.get_app_config(label).verbose_name = self.verbose_name
