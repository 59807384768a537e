"""What the import commands share."""

import codecs
import io
import re
import signal
import sys
import threading
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import orjson
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from etl.building import NotEmpty
from etl.files import FileKind, SourceError
from etl.importing import Import, Options, TooManyRejects
from etl.merging import Conflicts
from etl.models import ImportRun
from etl.progress import Progress
from etl.readers import ReaderLost
from etl.report import FileReport, Unaccounted, table
from etl.runs import Locked, run_import
from etl.tasks import DATABASE_FAILURES

# Exit codes: 0 clean, 1 failed, 2 usage, 3 done with rejects.
USAGE, WITH_REJECTS = 2, 3
NOTHING_CHANGED = "Nothing was changed."


def limit(text: str) -> str:
    """A number of rejects, or a share of the records. Raises ArgumentTypeError."""
    if not re.fullmatch(r"[0-9]{1,12}|(?:[0-9]{1,2}(?:\.[0-9]+)?|100)%", text):
        raise ArgumentTypeError(f"{text!r} is neither a number nor a percentage such as 0.5%")
    return text


def encoding(text: str) -> str:
    """Raises ArgumentTypeError for one that Python does not know."""
    try:
        codec = codecs.lookup(text)
    except LookupError as error:
        raise ArgumentTypeError(f"{text!r} is no known encoding") from error
    # Two of domain names, and one that refuses everything.
    if not codec._is_text_encoding or codec.name in {"idna", "punycode", "undefined"}:
        raise ArgumentTypeError(f"{text!r} is no encoding of text")
    return codec.name


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Interrupts and terminations are passed over."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.signal(each, lambda *_: None) for each in signals]
    try:
        yield
    finally:
        for each, handler in zip(signals, handlers, strict=True):
            signal.signal(each, handler)


class ImportCommand(BaseCommand):
    """Loads the files it wants; a subclass names itself and them."""

    name: ClassVar[str]
    wanted: ClassVar[Sequence[FileKind]]
    importer: ClassVar[type[Import]] = Import
    # Whether rows that the files do not hold may be deleted.
    deletes: ClassVar[bool] = True
    # Given by whoever resumes a run.
    stealth_options = ("delete_absent",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "source",
            nargs="+",
            help="a folder with the CSV files, the files, an s3:// address, or - for standard"
            " input; .csv or .csv.gz",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="do everything but the commit, and report"
        )
        parser.add_argument(
            "--max-errors",
            type=limit,
            metavar="N|P%",
            help="give up when more lines than that are rejected",
        )
        parser.add_argument(
            "--rejects", type=Path, metavar="FILE", help="write rejected lines to a file as well"
        )
        parser.add_argument(
            "--on-conflict",
            choices=["update", "skip", "fail"],
            default="update",
            help="what to do with rows that are there already and differ (update)",
        )
        parser.set_defaults(delete_absent=False)
        if self.deletes:
            parser.add_argument(
                "--delete-absent",
                action="store_true",
                help="delete rows that the files do not hold, unless others need them",
            )
        parser.add_argument(
            "--resume", action="store_true", help="go on with the last import, which ended early"
        )
        parser.add_argument(
            "--wait", action="store_true", help="wait for another import instead of giving up"
        )
        parser.add_argument(
            "--encoding",
            type=encoding,
            help="of files without a byte-order mark, such as cp1252 (utf-8)",
        )
        parser.add_argument(
            "--format", choices=["text", "json"], default="text", help="of the report on stdout"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # Told to end, it ends like an interrupted one, and says so.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        run, reports = self._import(options)
        # What is done is done: nothing is left but to tell.
        with _undisturbed():
            if options["format"] == "json":
                told = orjson.dumps(as_dict(run, reports), option=orjson.OPT_INDENT_2)
                self.stdout.write(told.decode())
            else:
                self._summarise(run, reports)
        if any(report.rejected for report in reports):
            sys.exit(WITH_REJECTS)

    def _import(self, options: dict[str, Any]) -> tuple[ImportRun, list[FileReport]]:
        try:
            with Progress(self.stderr) as progress:
                return run_import(
                    command=self.name,
                    wanted=self.wanted,
                    given=options["source"],
                    options=Options(
                        on_conflict=options["on_conflict"],
                        max_errors=options["max_errors"] or "",
                        is_dry_run=options["dry_run"],
                        deletes_absent=options["delete_absent"],
                    ),
                    progress=progress,
                    left=lambda source, reason: self.stderr.write(f"{source.name}: {reason}"),
                    rejects=options["rejects"],
                    encoding=options["encoding"] or "",
                    resumes=options["resume"],
                    waits=options["wait"],
                    importer=self.importer,
                )
        except (SourceError, Locked) as error:
            raise CommandError(str(error), returncode=USAGE) from error
        except (Unaccounted, NotEmpty, TooManyRejects, Conflicts, ReaderLost) as error:
            raise CommandError(f"{error} {NOTHING_CHANGED}") from error
        except KeyboardInterrupt:
            raise CommandError(f"Interrupted. {NOTHING_CHANGED}") from None
        except (*DATABASE_FAILURES, OSError) as error:
            said = " ".join(str(error).split()).removesuffix(".")
            raise CommandError(f"The import failed: {said}. {NOTHING_CHANGED}") from error

    def _summarise(self, run: ImportRun, reports: Sequence[FileReport]) -> None:
        self.stdout.write(summary(reports))
        self.stdout.write(f"Run {run.pk}: every line is accounted for.")
        if run.status == ImportRun.Status.DRY_RUN:
            self.stdout.write(f"Dry run: {NOTHING_CHANGED.lower()}")
        if run.rejects_path:
            self.stdout.write(f"Rejected lines are in {run.rejects_path}")
        elif any(report.rejected for report in reports):
            self.stdout.write(
                f"Rejected lines: `manage.py import_runs show {run.pk} --rejects FILE`,"
                " or in the admin."
            )


def summary(reports: Sequence[FileReport]) -> str:
    """A table of the files' accounts, and a line for each that has repairs or rejects."""
    heading, *rows = table(reports)
    grid = Table(*heading, box=None)
    for column in grid.columns[1:]:
        column.justify = "right"
    for row in rows:
        grid.add_row(*row)
    drawn = io.StringIO()
    Console(file=drawn, width=150).print(grid)
    lines = [line.rstrip() for line in drawn.getvalue().splitlines()]
    for report in reports:
        for label, counts in (("repaired", report.repairs), ("rejected", report.rejects)):
            if counts:
                kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(counts.items()))
                lines.append(f"{report.name}: {label}: {kinds}")
    return "\n".join(lines)


def as_dict(run: ImportRun, reports: Sequence[FileReport]) -> dict[str, Any]:
    """The report for programs. Seconds since the import began; bytes."""
    return {
        "run": run.pk,
        "command": run.command,
        "status": run.status,
        "attempts": run.attempts,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "options": run.options,
        "rejects_path": run.rejects_path,
        "peak_bytes": run.peak_bytes,
        "files": [report.as_dict() for report in reports],
        "steps": run.steps,
    }
