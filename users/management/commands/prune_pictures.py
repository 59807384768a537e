from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from users.services.images import prune_images


class Command(BaseCommand):
    help = "Delete pictures older than a day that no profile names, as killed uploads leave them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count them, and delete none")

    def handle(self, *args: Any, **options: Any) -> None:
        is_dry = options["dry_run"]
        number = prune_images(is_dry=is_dry)
        self.stdout.write(f"files {'to delete' if is_dry else 'deleted'}: {number}")
