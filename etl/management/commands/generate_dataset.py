import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table

from etl.dataset import DirectoryNotEmptyError, Manifest, generate

COUNTS = ("lines", "records", "loaded", "duplicate", "rejected", "repaired", "blank")


class Command(BaseCommand):
    help = (
        "Write a data set of the legacy release's shape, or accounts and profiles, with a known"
        " amount of dirt."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("directory", type=Path, metavar="DIR", help="new or empty directory")
        parser.add_argument("--products", type=int, default=0, metavar="N")
        parser.add_argument("--accounts", type=int, default=0, metavar="N")
        parser.add_argument("--profiles", type=int, default=0, metavar="N")
        parser.add_argument("--seed", type=int, required=True, metavar="S")
        parser.add_argument("--reviews-per-product", type=float, default=5.8, metavar="R")
        parser.add_argument(
            "--dirt",
            action=argparse.BooleanOptionalAction,
            default=True,
            help="spoil some lines and add others that an import must refuse",
        )
        parser.add_argument("--threads", type=int, metavar="T", help="default: one a core")
        parser.add_argument(
            "--force", action="store_true", help="write into a directory that is not empty"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        directory: Path = options["directory"]
        try:
            with self._progress() as progress:
                manifest = generate(
                    directory,
                    products=options["products"],
                    accounts=options["accounts"],
                    profiles=options["profiles"],
                    seed=options["seed"],
                    reviews_per_product=options["reviews_per_product"],
                    dirt=options["dirt"],
                    overwrite=options["force"],
                    threads=options["threads"],
                    progress=progress,
                )
        except DirectoryNotEmptyError as error:
            raise CommandError(
                f"{error}. Name another directory, or pass --force to replace the data set there."
            ) from error
        except (ValueError, OSError) as error:
            raise CommandError(f"No data set written: {error}") from error
        self._print(manifest)

    @contextmanager
    def _progress(self) -> Iterator[Callable[[str, int, int], None]]:
        """Bars on a terminal, one line for each finished file elsewhere; on stderr."""
        if not self.stderr.isatty():
            yield self._say_when_done
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=Console(stderr=True)) as bars:
            tasks: dict[str, TaskID] = {}

            def advance(name: str, done: int, total: int) -> None:
                if name not in tasks:
                    tasks[name] = bars.add_task(name)
                bars.update(tasks[name], completed=done, total=total)

            yield advance

    def _say_when_done(self, name: str, done: int, total: int) -> None:
        if done == total:
            self.stderr.write(f"{name}: {total:,} clean lines", self.style.NOTICE)

    def _print(self, manifest: Manifest) -> None:
        heading = ("file", *COUNTS)
        rows = [(name, *counts) for name, counts in _summary(manifest).items()]
        if self.stdout.isatty():
            table = Table(*heading, title=f"{manifest.lines:,} lines")
            for row in rows:
                table.add_row(*row)
            Console().print(table)
            return
        for row in (heading, *rows):
            self.stdout.write(row[0].ljust(28) + "".join(cell.rjust(12) for cell in row[1:]))


def _summary(manifest: Manifest) -> dict[str, tuple[str, ...]]:
    """For each file its `COUNTS`, kinds of dirt added up."""
    summary = {}
    for name, count in manifest.as_dict()["files"].items():
        cells = (count[key] for key in COUNTS)
        totals = (sum(cell.values()) if isinstance(cell, dict) else cell for cell in cells)
        summary[name] = tuple(f"{total:,}" for total in totals)
    return summary
