"""Bringing a filled table to what a file says: what differs is found first, then applied."""

from dataclasses import dataclass

from django.db import connection

from etl.staging import SCHEMA, Staged

# Files whose rows the review aggregates are counted from.
COUNTED_FILES = {"reviews", "characteristics", "characteristic_reviews"}


@dataclass(frozen=True, slots=True)
class Changes:
    """The rows of a file that its table has not got, or has otherwise."""

    staged: Staged
    new: int
    changed: int

    @property
    def table(self) -> str:
        return f"{SCHEMA}.change_{self.staged.kind.name}"

    @property
    def touches_aggregates(self) -> bool:
        return bool(self) and self.staged.kind.name in COUNTED_FILES

    def __bool__(self) -> bool:
        return bool(self.new or self.changed)


def find_changes(staged: Staged) -> Changes:
    """Compare the staged rows with the table's, column by column of those that come from files."""
    kind = staged.kind
    values = [
        (column.table_column, kind.loaded(column))
        for column in staged.columns
        if column.name != "id"
    ]
    selected = ", ".join(f"{value} AS {name}" for name, value in values)
    ours = ", ".join(value for _, value in values)
    theirs = ", ".join(f"live.{name}" for name, _ in values)
    changes = Changes(staged, 0, 0)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            CREATE UNLOGGED TABLE {changes.table} AS
            SELECT staged.id, {selected}, live.id IS NULL AS is_new
            FROM {staged.table} staged LEFT JOIN {kind.table} live ON live.id = staged.id
            WHERE live.id IS NULL OR ({ours}) IS DISTINCT FROM ({theirs})
            """
        )
        cursor.execute(f"ANALYZE {changes.table}")
        cursor.execute(
            f"SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new)"
            f" FROM {changes.table}"
        )
        new, changed = cursor.fetchone()
    return Changes(staged, new, changed)


def apply_changes(changes: Changes) -> None:
    """Insert and update, within the final transaction, and count what was done in the report."""
    kind, report = changes.staged.kind, changes.staged.report
    names = [column.table_column for column in changes.staged.columns if column.name != "id"]
    columns = ", ".join(names)
    setting = ", ".join(f"{name} = change.{name}" for name in names)
    if kind.touched:
        setting += f", {kind.touched} = now()"
    with connection.cursor() as cursor:
        if changes.changed:
            cursor.execute(
                f"UPDATE {kind.table} live SET {setting} FROM {changes.table} change"
                " WHERE live.id = change.id AND NOT change.is_new"
            )
            report.updated += cursor.rowcount
        if changes.new:
            cursor.execute(
                f"INSERT INTO {kind.table} (id, {columns})"
                f" SELECT id, {columns} FROM {changes.table} WHERE is_new ORDER BY id"
            )
            report.loaded += cursor.rowcount
