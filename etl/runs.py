"""The record of each import run, and its life from command line to exit code."""

import os
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Now

from etl import fingerprints, importing, staging
from etl.files import KINDS, FileKind, SourceError
from etl.importing import DryRun, Import, Options
from etl.memory import peak_bytes
from etl.models import ImportFile, ImportReject, ImportRun
from etl.progress import Progress
from etl.report import FileReport, RejectsFile
from etl.sources import Source, find_sources
from etl.staging import Staged
from etl.tasks import DATABASE_FAILURES

Status = ImportRun.Status
ENDED_EARLY = (Status.FAILED, Status.ABANDONED)
SECONDS_BETWEEN_TRIES = 1.0


class Locked(Exception):
    """Another import holds the lock; the message says which."""


def run_import(
    *,
    command: str,
    wanted: Sequence[FileKind],
    given: Sequence[str],
    options: Options,
    progress: Progress,
    left: Callable[[Source, str], None],
    rejects: Path | None = None,
    encoding: str = "",
    resumes: bool = False,
    waits: bool = False,
    importer: type[Import] = Import,
) -> tuple[ImportRun, list[FileReport]]:
    """Import, and record it. `left` is told of files that are not loaded; importer: how files of
    these kinds come into their tables.

    Raises SourceError for files that cannot be imported, and Locked, with nothing touched.
    """
    found = find_sources(given, wanted, command)
    for source, reason in found.left:
        left(source, reason)
    files = staging.open_files(
        found, tuple(wanted), encoding, are_read_twice=importer.are_read_twice
    )
    if rejects is not None:
        RejectsFile.refuse_unusable(rejects)
    _lock(progress, waits=waits)
    try:
        importing.prepare_session()
        # Whoever holds the lock knows that no other run is alive.
        ImportRun.objects.filter(status=Status.RUNNING).update(
            status=Status.ABANDONED, finished_at=Now()
        )
        settings = {"command": command, "sources": _locations(files), "options": asdict(options)}
        run, kept = _begin(settings, files, encoding, importer, resumes=resumes)
        current = importer(run.pk, files, new_file(run, files), options, progress, kept)
        return run, _import(run, current, rejects)
    finally:
        importing.release_lock()


def _locations(files: Sequence[Staged]) -> list[str]:
    return [_location(staged.source) for staged in files]


def _location(source: Source) -> str:
    is_path = source.is_path
    return str(Path(source.location).resolve()) if is_path else source.location


def _lock(progress: Progress, *, waits: bool) -> None:
    """Take the import lock. Raises Locked, or waits for it."""
    said = False
    while not importing.take_lock():
        if not waits:
            raise Locked(f"{_holder()} Wait for it to end, or add --wait.")
        if not said:
            progress.say(f"{_holder()} Waiting for it to end.")
            said = True
        time.sleep(SECONDS_BETWEEN_TRIES)


def _holder() -> str:
    run = ImportRun.objects.filter(status=Status.RUNNING).order_by("-id").first()
    if run is None:
        return "Another import is running: it has just begun, or is about to end."
    return (
        f"Another import is running: run {run.pk}, {run.command},"
        f" since {run.started_at:%Y-%m-%d %H:%M:%S} UTC, {run.process}."
    )


def _begin(
    settings: dict[str, Any],
    files: Sequence[Staged],
    encoding: str,
    importer: type[Import],
    *,
    resumes: bool,
) -> tuple[ImportRun, dict[str, ImportFile]]:
    """A new run, or the last one again, with the files that it has read already."""
    process = f"process {os.getpid()} on {socket.gethostname()}"
    settings["options"]["encoding"] = encoding
    last = ImportRun.objects.order_by("-id").first()
    if not resumes:
        return ImportRun.objects.create(process=process, **settings), {}
    if last is None or last.status not in ENDED_EARLY:
        raise SourceError(
            "There is nothing to resume: the last import did not end early. Leave --resume out."
        )
    if (last.command, last.sources) != (settings["command"], settings["sources"]):
        raise SourceError(
            f"The last import, run {last.pk}, was {last.command} of other files:"
            f" {', '.join(last.sources)}. Leave --resume out to begin anew."
        )
    if last.options.get("encoding", "") != encoding:
        raise SourceError(f"Run {last.pk} read its files in another encoding. Leave --resume out.")
    asked = settings["options"]
    # To tell what is absent, everything has to be read, and what is skipped leaves no fingerprint.
    reads_anew = asked["deletes_absent"] or asked["on_conflict"] != last.options.get("on_conflict")
    kept = {} if reads_anew else _kept_files(last, files, importer)
    last.files.exclude(pk__in=[file.pk for file in kept.values()]).delete()
    ImportRun.objects.filter(pk=last.pk).update(
        status=Status.RUNNING,
        process=process,
        options=settings["options"],
        attempts=last.attempts + 1,
        finished_at=None,
        error="",
    )
    last.refresh_from_db()
    return last, kept


def _kept_files(
    run: ImportRun, files: Sequence[Staged], importer: type[Import]
) -> dict[str, ImportFile]:
    """What an earlier attempt has read of files that are still the same, if its tables are too.
    Children go with their parents."""
    recorded = {file.name: file for file in run.files.all()}
    kept: dict[str, ImportFile] = {}
    for staged in files:
        file = recorded.get(staged.kind.name)
        parents = {column.parent for column in staged.kind.references}
        if (
            file is not None
            and staged.identity
            and file.identity == staged.identity
            and importer.still_holds(
                staged,
                file,
                [KINDS[name].table for name in parents if not _is_among(name, files)],
            )
            and all(parent in kept for parent in parents if _is_among(parent, files))
        ):
            kept[staged.kind.name] = file
    return kept


def _is_among(kind_name: str, files: Sequence[Staged]) -> bool:
    return any(staged.kind.name == kind_name for staged in files)


def _import(run: ImportRun, current: Import, rejects: Path | None) -> list[FileReport]:
    try:
        try:
            current.prepare()
        finally:
            # Whoever mends the files wants to see them, however the run ends.
            if rejects is not None:
                with suppress(*DATABASE_FAILURES):
                    write_rejects(run, rejects)
        try:
            current.publish(lambda: _done(run, current, rejects))
        except DryRun:
            _done(run, current, rejects, status=Status.DRY_RUN)
    except BaseException as error:
        if not (isinstance(error, KeyboardInterrupt) and _is_committed(run)):
            _failed(run, current, error)
            raise
    # What is left is of no use; where PostgreSQL is gone, the next run drops it.
    with suppress(*DATABASE_FAILURES):
        importing.drop_leftovers()
        fingerprints.forget_unfinished([])
        fingerprints.forget_older()
    run.refresh_from_db()
    return current.reports


def new_file(run: ImportRun, files: Sequence[Staged]) -> Callable[[Staged], ImportFile]:
    """How the account of a file begins."""
    positions = {staged.kind.name: position for position, staged in enumerate(files)}
    names = ("lines", "blank", "continued", "read", "duplicate", "rejected")

    def make(staged: Staged) -> ImportFile:
        return ImportFile(
            run=run,
            position=positions[staged.kind.name],
            name=staged.kind.name,
            path=_location(staged.source),
            identity=staged.identity,
            **dict.fromkeys(names, 0),
        )

    return make


def _done(run: ImportRun, current: Import, rejects: Path | None, status: str = "") -> None:
    """Record what became of every line, in the transaction that makes it so."""
    any_rejected = any(report.rejected for report in current.reports)
    with transaction.atomic():
        ImportRun.objects.filter(pk=run.pk).update(
            status=status or (Status.REJECTS if any_rejected else Status.DONE),
            finished_at=Now(),
            rejects_path=str(rejects.resolve()) if rejects and any_rejected else "",
            **_measures(current),
        )
        for staged in current.files:
            if staged.file is not None:
                staged.report.write_to(staged.file)
                staged.file.is_finished = True
                staged.file.save()


def _is_committed(run: ImportRun) -> bool:
    """Asked in a new session, since the old one may be anywhere in its commit, which holds the lock
    of the run's row: whoever gets that knows how it ended."""
    connection.close()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
        return ImportRun.objects.select_for_update().get(pk=run.pk).finished_at is not None


def _failed(run: ImportRun, current: Import, error: BaseException) -> None:
    """Record a failure. Where PostgreSQL is gone, the next run marks this one as abandoned."""
    with suppress(*DATABASE_FAILURES):
        ImportRun.objects.filter(pk=run.pk, status=Status.RUNNING).update(
            status=Status.FAILED,
            finished_at=Now(),
            error=f"{type(error).__name__}: {error}",
            **_measures(current),
        )


def _measures(current: Import) -> dict[str, Any]:
    steps = [asdict(done) for done in current.lanes.done]
    return {"steps": steps, "peak_bytes": peak_bytes() + current.readers.peak_bytes}


def write_rejects(run: ImportRun, path: Path) -> int:
    """Write the run's rejected lines to a file; how many there are.

    Raises SourceError where another file has that name, OSError where it cannot be written.
    """
    with RejectsFile(path) as file:
        for name, reject in rejected_lines(run):
            file.write(
                f"{name}.csv",
                reject.line,
                reject.column,
                reject.reason,
                reject.value,
                bytes(reject.original),
            )
        return file.count


def rejected_lines(run: ImportRun) -> Any:
    """Pairs of a file's name and a rejected line of it, in the order of files and lines."""
    for file in run.files.order_by("position", "id"):
        rows = ImportReject.objects.filter(file=file).order_by("line", "id")
        for reject in rows.iterator(chunk_size=500):
            yield file.name, reject


def can_resume(run: ImportRun) -> bool:
    """Whether `--resume` would go on with this run, unless it is still going on itself."""
    last = ImportRun.objects.order_by("-id").first()
    # One that was killed is `running` till the next run finds out.
    stopped = {*ENDED_EARLY, Status.RUNNING}
    return last is not None and last.pk == run.pk and run.status in stopped
