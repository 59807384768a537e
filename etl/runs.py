"""The record of each import run, and its life from command line to exit code."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from django.db import DatabaseError, transaction
from django.db.models.functions import Now

from etl import importing
from etl.files import FileKind, find_sources
from etl.models import ImportFile, ImportRun
from etl.progress import Progress
from etl.report import FileReport, RejectsFile
from etl.staging import Staged

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
                reports = importing.import_files(
                    files, rejects_file, progress, record=lambda: _done(run, files, rejects_file)
                )
        except BaseException as error:
            _failed(run, error)
            raise
    finally:
        importing.release_lock()
    run.refresh_from_db()
    return run, reports


def _done(run: ImportRun, files: Sequence[Staged], rejects: RejectsFile) -> None:
    """Record what became of every line, in the transaction that makes it so."""
    path = str(rejects.path.resolve()) if rejects.count else ""
    status = Status.REJECTS if path else Status.DONE
    with transaction.atomic():
        ImportRun.objects.filter(pk=run.pk).update(
            status=status, finished_at=Now(), rejects_path=path
        )
        ImportFile.objects.bulk_create(_row(run, staged.report) for staged in files)


def _failed(run: ImportRun, error: BaseException) -> None:
    """Record a failure. Where PostgreSQL is gone, the next run marks this one as abandoned."""
    with suppress(DatabaseError):
        ImportRun.objects.filter(pk=run.pk, status=Status.RUNNING).update(
            status=Status.FAILED, finished_at=Now(), error=f"{type(error).__name__}: {error}"
        )


def _row(run: ImportRun, report: FileReport) -> ImportFile:
    return ImportFile(
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
