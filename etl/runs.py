"""The record of each import run, and its life from command line to exit code."""

from collections.abc import Callable, Sequence
from pathlib import Path

from django.db import transaction
from django.db.models.functions import Now

from etl import importing
from etl.files import FileKind, find_sources
from etl.models import ImportFile, ImportRun
from etl.progress import Progress
from etl.report import FileReport, RejectsFile

Status = ImportRun.Status


def run_import(
    *,
    command: str,
    wanted: Sequence[FileKind],
    given: Sequence[Path],
    rejects: Callable[[int], Path],
    progress: Progress,
    left: Callable[[Path, str], None],
) -> tuple[ImportRun, list[FileReport]]:
    """Import, and record it. `rejects` names the rejects file from the run's id.

    Raises SourceError for files that cannot be imported, with nothing touched.
    """
    sources = find_sources(given, wanted, command)
    for path, reason in sources.left:
        left(path, reason)
    files = importing.open_files(sources)
    importing.take_lock()
    try:
        # Whoever holds the lock knows that no other run is alive.
        ImportRun.objects.filter(status=Status.RUNNING).update(
            status=Status.ABANDONED, finished_at=Now()
        )
        run = ImportRun.objects.create(
            command=command, sources=[str(path.resolve()) for _, path in sources.paths]
        )
        try:
            with RejectsFile(rejects(run.pk)) as rejects_file:
                reports = importing.import_files(files, rejects_file, progress)
        except BaseException as error:
            _finish(run, Status.FAILED, error=f"{type(error).__name__}: {error}")
            raise
        written = str(rejects_file.path.resolve()) if rejects_file.count else ""
        status = Status.REJECTS if written else Status.DONE
        _finish(run, status, rejects_path=written, reports=reports)
    finally:
        importing.release_lock()
    return run, reports


def _finish(
    run: ImportRun,
    status: ImportRun.Status,
    *,
    error: str = "",
    rejects_path: str = "",
    reports: Sequence[FileReport] = (),
) -> None:
    with transaction.atomic():
        ImportRun.objects.filter(pk=run.pk).update(
            status=status, finished_at=Now(), error=error, rejects_path=rejects_path
        )
        ImportFile.objects.bulk_create(
            ImportFile(
                run=run,
                name=report.name,
                path=str(report.path),
                lines=report.lines,
                blank=report.blank,
                continued=report.continued,
                read=report.read,
                loaded=report.loaded,
                updated=report.updated,
                unchanged=report.unchanged,
                duplicate=report.duplicate,
                rejected=report.rejected,
                repairs=dict(report.repairs),
                rejects=dict(report.rejects),
            )
            for report in reports
        )
    run.refresh_from_db()
