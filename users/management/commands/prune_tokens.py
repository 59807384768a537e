from typing import Any

from django.core.management.base import BaseCommand

from users.services.tokens import prune_tokens


class Command(BaseCommand):
    help = "Delete expired tokens, and revocations that every process has seen. Run it daily."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"revocations deleted: {prune_tokens()}")
