"""An import from its files to its final transaction.

1. Headers are read; nothing is touched before all of them hold.
2. Each file goes into a staging table, line by line accounted for.
3. References and repeated ids are checked there.
4. A filled table is compared; for an empty one a successor is built beside it.
5. One transaction, through the write door with the scope `epoch`, makes everything visible.

A process killed before the end of 5 leaves the tables as they were; what it left in the schema
`etl` is dropped by the next run.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from django.db import DatabaseError, connection

from atelier.core.publishing import EPOCH, publish
from etl import aggregates, building, merging, staging
from etl.files import FileKind, SourceError, Sources
from etl.progress import Progress
from etl.report import FileReport, RejectsFile
from etl.staging import SCHEMA, Staged
from reviews import services as review_services

# Any number, as long as every import asks for the same.
IMPORT_LOCK = 0x61746C72


@dataclass(frozen=True, slots=True)
class Plan:
    """What step 4 found: changes for filled tables, successors for empty ones."""

    changes: list[merging.Changes]
    successors: building.Successors

    def __bool__(self) -> bool:
        return bool(self.successors.tables) or any(self.changes)


def open_files(sources: Sources) -> list[Staged]:
    """Read every header. Raises SourceError before anything is touched."""
    return [
        Staged(kind, path, staging.read_header(kind, path), FileReport(kind.name, path))
        for kind, path in sources.paths
    ]


def import_files(
    files: Sequence[Staged],
    rejects: RejectsFile,
    progress: Progress,
    record: Callable[[], None] = lambda: None,
) -> list[FileReport]:
    """Import the opened files; their reports, each checked to account for every line.

    The session must hold the lock of `take_lock`. `record` is called within the final
    transaction, when the reports and the rejects file are complete.
    """
    _prepare()
    try:
        for staged in files:
            progress.begin(f"read {staged.path.name}", staged.path.stat().st_size)
            staging.stage(staged, rejects, progress)
        for staged in files:
            progress.begin(f"check {staged.path.name}")
            staging.check_staged(staged, files)
            staging.write_rejects(staged, rejects)
        rejects.finish()
        _publish(_plan(files, progress), files, progress, record)
    finally:
        # Where PostgreSQL is gone, the next run drops them.
        with suppress(DatabaseError):
            _drop_leftovers()
    return [staged.report for staged in files]


def take_lock() -> None:
    """Hold the import lock in this session. Raises SourceError while another import runs."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [IMPORT_LOCK])
        if not cursor.fetchone()[0]:
            raise SourceError("Another import is running. Wait for it to end, then try again.")


def release_lock() -> None:
    """Let the next import run. A lost session has let go already."""
    with suppress(DatabaseError), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s)", [IMPORT_LOCK])


def _prepare() -> None:
    _drop_leftovers()
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        for setting, value in (
            ("statement_timeout", "0"),
            ("lock_timeout", "0"),
            ("idle_in_transaction_session_timeout", "0"),
            ("work_mem", "128MB"),
            ("maintenance_work_mem", "512MB"),
            # A killed import must not go on working in the server.
            ("client_connection_check_interval", "1s"),
        ):
            cursor.execute("SELECT set_config(%s, %s, false)", [setting, value])


def _drop_leftovers() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('%%I.%%I', schemaname, tablename) FROM pg_tables WHERE schemaname = %s",
            [SCHEMA],
        )
        tables = [row[0] for row in cursor.fetchall()]
        if tables:
            cursor.execute(f"DROP TABLE {', '.join(tables)} CASCADE")


def _plan(files: Sequence[Staged], progress: Progress) -> Plan:
    """Build the empty tables that can be built, and compare all others."""
    changes: list[merging.Changes] = []
    successors = building.Successors()
    counted = {staged.kind.table for staged in files} & aggregates.COUNTED_TABLES
    may_build_counted = not counted or aggregates.can_be_built(counted)
    growing: set[str] = set()
    for staged in files:
        kind = staged.kind
        is_built = (
            building.is_empty(kind.table)
            # A key to rows that are not there yet would be checked under the final locks.
            and not growing & kind.parent_tables
            # So would a recount.
            and (kind.table not in aggregates.COUNTED_TABLES or may_build_counted)
        )
        if is_built:
            progress.begin(f"build {kind.table}")
            staged.report.loaded = _build(staged, successors)
        else:
            progress.begin(f"compare {kind.table}")
            found = merging.find_changes(staged)
            staged.report.unchanged = _staged_rows(staged) - found.new - found.changed
            changes.append(found)
            if found.new:
                growing.add(kind.table)
    aggregates.build_aggregates(successors)
    return Plan(changes, successors)


def _build(staged: Staged, successors: building.Successors) -> int:
    if not _staged_rows(staged):
        return 0
    kind: FileKind = staged.kind
    columns = ", ".join(column.table_column for column in staged.columns)
    values = ", ".join(kind.loaded(column) for column in staged.columns)
    return successors.build(
        kind.table, columns, f"SELECT {values} FROM {staged.table} staged ORDER BY n"
    )


def _staged_rows(staged: Staged) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {staged.table}")
        return int(cursor.fetchone()[0])


def _publish(
    plan: Plan, files: Sequence[Staged], progress: Progress, record: Callable[[], None]
) -> None:
    """The final transaction, the record of the run included. Without a change no door is opened,
    and the caches keep their tags."""
    progress.begin("publish")
    if not plan:
        _check(files)
        record()
        return
    with publish(EPOCH):
        _remember(aggregates.affected_products(plan.changes))
        for changes in plan.changes:
            merging.apply_changes(changes)
        if any(changes.touches_aggregates for changes in plan.changes):
            review_services.recount_reviews(products=f"SELECT id FROM {SCHEMA}.affected")
        plan.successors.take_over()
        _check(files)
        record()


def _remember(query: str) -> None:
    """Keep the affected products' ids: once applied, the changes no longer tell the old ones."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE UNLOGGED TABLE {SCHEMA}.affected AS SELECT * FROM ({query}) a (id)")


def _check(files: Sequence[Staged]) -> None:
    for staged in files:
        staged.report.check()
