"""What the two import commands share."""

import io
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseFailure
from rich.console import Console
from rich.table import Table

from etl.building import NotEmpty
from etl.files import FileKind, SourceError
from etl.progress import Progress
from etl.report import FileReport, Unaccounted, table
from etl.runs import run_import

# Exit codes: 0 clean, 1 failed, 2 usage, 3 done with rejects.
USAGE, WITH_REJECTS = 2, 3


class ImportCommand(BaseCommand):
    """Loads the files it wants; a subclass names itself and them."""

    name: ClassVar[str]
    wanted: ClassVar[Sequence[FileKind]]

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "source", nargs="+", type=Path, help="a folder with the CSV files, or the files"
        )
        parser.add_argument(
            "--rejects",
            metavar="FILE",
            help="where rejected lines go (a file of the run's number in var/rejects)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        given = options["rejects"]
        try:
            with Progress(self.stderr) as progress:
                run, reports = run_import(
                    command=self.name,
                    wanted=self.wanted,
                    given=options["source"],
                    rejects=lambda run_id: Path(given) if given else self._default_path(run_id),
                    progress=progress,
                    left=lambda path, reason: self.stderr.write(f"{path.name}: {reason}"),
                )
        except SourceError as error:
            raise CommandError(str(error), returncode=USAGE) from error
        except (Unaccounted, NotEmpty) as error:
            raise CommandError(f"{error} Nothing was changed.") from error
        except KeyboardInterrupt:
            raise CommandError("Interrupted. Nothing was changed.") from None
        except (DatabaseFailure, OSError) as error:
            raise CommandError(f"The import failed: {error} Nothing was changed.") from error
        self._summarise(reports)
        if run.rejects_path:
            self.stdout.write(f"Rejected lines are in {run.rejects_path}")
            sys.exit(WITH_REJECTS)

    def _default_path(self, run_id: int) -> Path:
        return Path(settings.IMPORT_REJECTS_DIR) / f"{self.name}-{run_id}.csv"

    def _summarise(self, reports: Sequence[FileReport]) -> None:
        heading, *rows = table(reports)
        grid = Table(*heading, box=None)
        for column in grid.columns[1:]:
            column.justify = "right"
        for row in rows:
            grid.add_row(*row)
        drawn = io.StringIO()
        Console(file=drawn, width=120).print(grid)
        self.stdout.write(drawn.getvalue().rstrip())
        for report in reports:
            for label, counts in (("repaired", report.repairs), ("rejected", report.rejects)):
                if counts:
                    kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(counts.items()))
                    self.stdout.write(f"{report.name}: {label}: {kinds}")
        self.stdout.write("Every line is accounted for.")
