from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from licensing import importing


class Command(BaseCommand):
    help = "Removes a source of address ranges and all that it holds, while look-ups go on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", metavar="NAME", help="name of the source, such as geoip")

    def handle(self, *args: Any, **options: Any) -> None:
        name: str = options["source"]
        try:
            number = importing.remove_source(name=name)
        except (importing.Locked, importing.UnknownSource) as error:
            raise CommandError(f"{error} Nothing was changed.", returncode=1) from error
        self.stdout.write(f"{name}: {number:,} ranges removed.")
