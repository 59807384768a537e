"""Bringing a filled table to what a file says: what differs is found first, then applied."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from etl import fingerprints, staging
from etl.columns import FIRST_OWN_ID
from etl.files import FileKind
from etl.keys import AnyOf, IdSet
from etl.models import ImportFile, ImportRun
from etl.staging import SCHEMA, Staged

# How many ids an error names.
SHOWN_IDS = 5

# What visitors and staff did to a row: it stays, whatever a file says. SQL of a row `live`.
ACTED_ON = {
    "reviews_review": (
        "live.vote_count > 0 OR live.report_count > 0 OR live.moderation <> 'pending'"
        " OR live.staff_response IS NOT NULL"
    ),
}


# Rows that no file changes any more. SQL of a row `staged`, and of its twin `live`.
_ERASED = "IN (SELECT review_id FROM reviews_erasure)"
ERASED = {
    "reviews_review": f"live.id IS NOT NULL AND staged.id {_ERASED}",
    "reviews_reviewphoto": f"live.id IS NOT NULL AND staged.review_id {_ERASED}",
}


class Conflicts(Exception):
    """Rows that are there already and differ, where --on-conflict is `fail`."""


@dataclass(slots=True)
class Changes:
    """The rows of a file that its table has not got, or has otherwise."""

    staged: Staged
    new: int = 0
    changed: int = 0
    absent: int = 0

    @property
    def kind(self) -> FileKind:
        return self.staged.kind

    @property
    def table(self) -> str:
        return f"{SCHEMA}.change_{self.kind.table}"

    @property
    def absent_table(self) -> str:
        return f"{SCHEMA}.absent_{self.kind.table}"

    def __bool__(self) -> bool:
        return bool(self.new or self.changed)


def find_changes(staged: Staged) -> Changes:
    """Compare the staged rows with the table's, column by column of those that come from files.

    Erased reviews are as they are, whatever the file says.
    """
    kind = staged.kind
    names = [name for name in kind.table_columns if name != "id"]
    selected = ", ".join(f"staged.{name}" for name in names)
    theirs = ", ".join(f"live.{name}" for name in names)
    changes = Changes(staged)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {changes.table}")
        # Both sides are nearly in the order of ids, so a merge takes half as long as a hash join.
        cursor.execute("SET LOCAL enable_hashjoin = off")
        cursor.execute(
            f"""
            CREATE UNLOGGED TABLE {changes.table} AS
            SELECT staged.id, {selected}, live.id IS NULL AS is_new
            FROM {staged.table} staged LEFT JOIN {kind.table} live ON live.id = staged.id
            WHERE (live.id IS NULL OR ({selected}) IS DISTINCT FROM ({theirs}))
                AND NOT ({ERASED.get(kind.table, "false")})
            """
        )
        cursor.execute(f"ANALYZE {changes.table}")
        cursor.execute(
            f"SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new)"
            f" FROM {changes.table}"
        )
        changes.new, changes.changed = cursor.fetchone()
        changes.absent = _held(cursor, kind) - (staged.report.accepted - changes.new)
    return changes


def _held(cursor: CursorWrapper, kind: FileKind) -> int:
    """The rows of the table that files brought: as many as the last import left, unless anybody has
    changed or deleted one since. Counting them reads the whole table, and those parts of it that
    the last import changed are written anew for it, which visitors wait for."""
    if not fingerprints.were_touched(kind.table):
        last = (
            ImportFile.objects.filter(name=kind.name, is_finished=True)
            .exclude(run__status=ImportRun.Status.DRY_RUN)
            .order_by("-run")
            .values_list("accepted", "absent")
            .first()
        )
        if last is not None:
            return sum(last)
    cursor.execute(f"SELECT count(*) FROM {kind.table} WHERE id < {FIRST_OWN_ID}")
    return int(cursor.fetchone()[0])


def refuse_conflicts(changes: Changes) -> None:
    """Raises Conflicts, with some of the ids, where rows that are there would change."""
    if not changes.changed:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM {changes.table} WHERE NOT is_new ORDER BY id LIMIT {SHOWN_IDS}"
        )
        ids = ", ".join(str(row[0]) for row in cursor.fetchall())
    more = ", ..." if changes.changed > SHOWN_IDS else ""
    raise Conflicts(
        f"{changes.staged.source.name}: {changes.changed:,} rows are there already and differ"
        f" (ids {ids}{more})."
    )


def update_rows(changes: Changes) -> None:
    """Bring the rows that differ to what the file says, within the final transaction; the report is
    told what the database did."""
    if not changes.changed:
        return
    kind = changes.kind
    setting = ", ".join(f"{name} = change.{name}" for name in kind.table_columns if name != "id")
    if kind.touched:
        setting += f", {kind.touched} = now()"
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {kind.table} live SET {setting} FROM {changes.table} change"
            " WHERE live.id = change.id AND NOT change.is_new"
        )
        changes.staged.report.updated += cursor.rowcount


def insert_rows(changes: Changes) -> None:
    """The same for rows that are new."""
    if not changes.new:
        return
    columns = ", ".join(changes.kind.table_columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {changes.kind.table} ({columns})"
            f" SELECT {columns} FROM {changes.table} WHERE is_new ORDER BY id"
        )
        changes.staged.report.loaded += cursor.rowcount


def analyze_grown(changes: Changes) -> None:
    """Renew the statistics of a table that has got more rows than autovacuum waits for, a tenth of
    those it had: until it comes, within a minute, plans are those for the table as it was.

    Within the final transaction, so that they count from its commit on.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT %s > 50 + 0.1 * greatest(reltuples, 0) FROM pg_class WHERE oid = %s::regclass",
            [changes.new, changes.kind.table],
        )
        if cursor.fetchone()[0]:
            cursor.execute(f"ANALYZE {changes.kind.table}")


def find_absent(changes: Changes) -> None:
    """Note the ids of the table's rows, the shop's own apart, that the file does not hold, not even
    in a line that was rejected."""
    held = AnyOf([changes.staged.accepted, changes.staged.refused or IdSet()])
    absent = (ids[~held.contains(ids)] for ids in staging.stored_ids(changes.kind.table))
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {changes.absent_table}")
        cursor.execute(f"CREATE UNLOGGED TABLE {changes.absent_table} (id bigint)")
        staging.copy_ids(cursor, changes.absent_table, absent)
        cursor.execute(f"ANALYZE {changes.absent_table}")


def delete_absent(
    changes: Changes,
    referring: Sequence[tuple[str, str]],
    derived: Sequence[tuple[str, str]],
) -> None:
    """Delete the noted rows, but not those that somebody acted on or that others refer to.

    `referring` are the tables and columns that do, `derived` those whose rows go along. Children go
    before their parents.
    """
    table = changes.kind.table
    kept = [
        f"EXISTS (SELECT FROM {child} child WHERE child.{column} = live.id)"
        for child, column in referring
    ]
    if table in ACTED_ON:
        kept.append(f"({ACTED_ON[table]})")
    staying = " OR ".join(kept) or "false"
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {changes.absent_table} absent USING {table} live"
            f" WHERE live.id = absent.id AND ({staying})"
        )
        for child, column in derived:
            cursor.execute(
                f"DELETE FROM {child} child USING {changes.absent_table} absent"
                f" WHERE child.{column} = absent.id"
            )
        cursor.execute(
            f"DELETE FROM {table} live USING {changes.absent_table} absent"
            " WHERE live.id = absent.id"
        )
        changes.staged.report.deleted += cursor.rowcount
