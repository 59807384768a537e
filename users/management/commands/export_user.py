import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError

from users.management.people import add_arguments, person_of
from users.services.people import export_person


class Command(BaseCommand):
    help = "Write all that is kept of a person, as one JSON document."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_arguments(parser)
        parser.add_argument(
            "--output", type=Path, metavar="FILE", help="a file that you alone can read"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        person = person_of(options)
        if not person.is_known:
            raise CommandError("Nothing is kept of that person.")
        document = orjson.dumps(export_person(person=person), option=orjson.OPT_INDENT_2) + b"\n"
        output: Path | None = options["output"]
        if output is None:
            self.stdout.write(document.decode(), ending="")
            return
        try:
            output.unlink(missing_ok=True)
            made = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(made, "wb") as file:
                file.write(document)
        except OSError as error:
            raise CommandError(f"{output}: {error.strerror}.") from error
        self.stdout.write(f"written to {output}")
