from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from etl.commands import USAGE, as_dict, summary
from etl.files import SourceError
from etl.models import ImportReject, ImportRun
from etl.report import FileReport
from etl.runs import can_resume, write_rejects

LISTED = KEPT = 20


class Command(BaseCommand):
    help = "List import runs, show one with its account, resume the last one, forget old ones."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", metavar="{list,show,resume,prune}")
        listing = actions.add_parser("list", help="the latest runs (the default)")
        listing.add_argument("--limit", type=int, default=LISTED, metavar="N")
        showing = actions.add_parser("show", help="what became of every line")
        showing.add_argument("run", type=int, metavar="RUN")
        showing.add_argument("--rejects", type=Path, metavar="FILE", help="write rejected lines")
        showing.add_argument("--format", choices=["text", "json"], default="text")
        resuming = actions.add_parser("resume", help="go on with the last run, which ended early")
        resuming.add_argument("run", type=int, metavar="RUN")
        pruning = actions.add_parser("prune", help="forget old runs and their rejected lines")
        pruning.add_argument("--keep", type=int, default=KEPT, metavar="N", help="the latest, 20")

    def handle(self, *args: Any, **options: Any) -> None:
        action = options["action"] or "list"
        if action == "list":
            self._list(options.get("limit", LISTED))
        elif action == "show":
            self._show(self._run(options["run"]), options)
        elif action == "prune":
            self._prune(options["keep"])
        else:
            self._resume(self._run(options["run"]))

    def _run(self, number: int) -> ImportRun:
        run = ImportRun.objects.filter(pk=number).first()
        if run is None:
            raise CommandError(f"There is no run {number}.", returncode=USAGE)
        return run

    def _list(self, limit: int) -> None:
        if limit < 1:
            raise CommandError("--limit takes a number from 1.", returncode=USAGE)
        for run in ImportRun.objects.order_by("-id")[:limit]:
            took = ""
            if run.finished_at:
                took = f"{(run.finished_at - run.started_at).total_seconds():,.0f} s"
            started = f"{run.started_at:%Y-%m-%d %H:%M:%S}"
            status = run.get_status_display()
            self.stdout.write(f"{run.pk:>6}  {started}  {took:>8}  {run.command:<16} {status}")

    def _show(self, run: ImportRun, options: dict[str, Any]) -> None:
        reports = [FileReport.of(file) for file in run.files.order_by("position", "id")]
        if options["format"] == "json":
            told = orjson.dumps(as_dict(run, reports), option=orjson.OPT_INDENT_2)
            self.stdout.write(told.decode())
        else:
            self._describe(run, reports)
        if options["rejects"]:
            try:
                written = write_rejects(run, options["rejects"])
            except SourceError as error:
                raise CommandError(str(error), returncode=USAGE) from error
            except OSError as error:
                raise CommandError(f"Rejected lines cannot be written: {error}") from error
            self.stderr.write(f"{written:,} rejected lines written to {options['rejects']}")

    def _describe(self, run: ImportRun, reports: Sequence[FileReport]) -> None:
        self.stdout.write(f"Run {run.pk}, {run.command}: {run.get_status_display()}")
        for source in run.sources:
            self.stdout.write(f"  {source}")
        if run.error:
            self.stdout.write(run.error)
        if reports:
            self.stdout.write(summary(reports))
        if can_resume(run):
            self.stdout.write(f"`manage.py import_runs resume {run.pk}` goes on with it.")
            if run.options.get("max_errors"):
                self.stdout.write(
                    f"It keeps --max-errors {run.options['max_errors']};"
                    f" `manage.py {run.command} ... --resume` takes another limit."
                )

    def _resume(self, run: ImportRun) -> None:
        if not can_resume(run):
            raise CommandError(
                f"Run {run.pk} cannot be resumed: only the last one, where it ended early.",
                returncode=USAGE,
            )
        options = run.options
        call_command(
            run.command,
            *run.sources,
            resume=True,
            dry_run=options.get("is_dry_run", False),
            on_conflict=options.get("on_conflict", "update"),
            max_errors=options.get("max_errors") or None,
            delete_absent=options.get("deletes_absent", False),
            encoding=options.get("encoding") or None,
            stdout=self.stdout,
            stderr=self.stderr,
        )

    def _prune(self, keep: int) -> None:
        if keep < 1:
            raise CommandError("--keep takes a number from 1.", returncode=USAGE)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            kept = ImportRun.objects.order_by("-id").values("id")[:keep]
            old = ImportRun.objects.exclude(pk__in=kept).exclude(status=ImportRun.Status.RUNNING)
            _, deleted = old.delete()
        runs, lines = (deleted.get(model._meta.label, 0) for model in (ImportRun, ImportReject))
        self.stdout.write(f"{runs:,} runs forgotten, and {lines:,} rejected lines.")
