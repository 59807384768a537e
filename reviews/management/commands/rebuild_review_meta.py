from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from reviews.services import rebuild_review_meta


class Command(BaseCommand):
    help = "Recount the review aggregates of every product, and mend those that are wrong."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--batch", type=int, default=20_000, help="product ids per transaction (20000)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["batch"] < 1:
            raise CommandError("--batch must be at least 1.")
        wrong = rebuild_review_meta(
            batch=options["batch"], progress=lambda done: self.stderr.write(f"up to id {done}")
        )
        self.stdout.write(f"{wrong} aggregate rows were wrong and are mended.")
