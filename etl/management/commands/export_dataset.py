import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from etl.commands import WITH_REJECTS
from etl.exporting import Exported, NotEmptyDirectory, export_dataset
from etl.tasks import DATABASE_FAILURES


class Command(BaseCommand):
    help = (
        "Write the imported products and reviews as CSV files that import to the same tables."
        " Ends with 3 where some rows hold what no file can bring back, and names them."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", type=Path, metavar="DIR")
        parser.add_argument("--gzip", action="store_true", help="compress the files")
        parser.add_argument(
            "--force", action="store_true", help="replace CSV files that are there already"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            exported = export_dataset(
                options["directory"],
                compresses=options["gzip"],
                overwrites=options["force"],
                told=self._tell,
            )
        except NotEmptyDirectory as error:
            raise CommandError(f"{error} Add --force to replace them.", returncode=2) from error
        except (OSError, *DATABASE_FAILURES) as error:
            raise CommandError(f"The export failed: {str(error).strip()}") from error
        own = sum(each.own for each in exported)
        self.stdout.write(f"{sum(each.rows for each in exported):,} rows written.")
        if own:
            self.stdout.write(
                f"{own:,} rows of the shop's own were left out: imports refuse their ids."
            )

        unfaithful = [each for each in exported if each.unfaithful.count]
        for each in unfaithful:
            ids = ", ".join(map(str, each.unfaithful.ids))
            more = ", ..." if each.unfaithful.count > len(each.unfaithful.ids) else ""
            self.stderr.write(
                f"{each.path.name}: {each.unfaithful.count:,} rows hold what no file can bring back"
                f" as it is (ids {ids}{more})."
            )
        if unfaithful:
            sys.exit(WITH_REJECTS)

    def _tell(self, exported: Exported) -> None:
        self.stderr.write(f"{exported.path.name}: {exported.rows:,} rows")
