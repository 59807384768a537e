"""Filling an empty table by building its successor beside it.

The successor is filled bare, indexed and constrained after the live table's own definitions, all
in committed steps that block no reader, and takes the live table's place in the final transaction.
"""

from dataclasses import dataclass

from django.db import connection
from django.db.backends.utils import CursorWrapper

from etl.staging import SCHEMA


class NotEmpty(Exception):
    """A table that was empty when the import began has got rows since."""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key of one column, as all of ours are."""

    name: str
    table: str
    column: str
    parent: str
    parent_column: str
    timing: str

    def add(self, table: str, parent: str) -> str:
        return (
            f"ALTER TABLE {table} ADD CONSTRAINT {self.name} FOREIGN KEY ({self.column})"
            f" REFERENCES {parent} ({self.parent_column}) {self.timing}"
        )


_FOREIGN_KEYS = """
SELECT con.conname, con.conrelid::regclass::text, child.attname, con.confrelid::regclass::text,
    parent.attname,
    CASE WHEN con.condeferrable THEN 'DEFERRABLE' ELSE '' END
        || CASE WHEN con.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END
FROM pg_constraint con
JOIN pg_attribute child ON child.attrelid = con.conrelid AND child.attnum = con.conkey[1]
JOIN pg_attribute parent ON parent.attrelid = con.confrelid AND parent.attnum = con.confkey[1]
WHERE con.contype = 'f' AND con.{side} = %s::regclass ORDER BY con.conname
"""


def foreign_keys(cursor: CursorWrapper, table: str, *, inbound: bool) -> list[ForeignKey]:
    cursor.execute(_FOREIGN_KEYS.format(side="confrelid" if inbound else "conrelid"), [table])
    return [ForeignKey(*row) for row in cursor.fetchall()]


def is_empty(table: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT NOT EXISTS (SELECT FROM {table})")
        return bool(cursor.fetchone()[0])


class Successors:
    """The tables being built, by the live table's name."""

    def __init__(self) -> None:
        self.tables: dict[str, str] = {}

    def name_of(self, table: str) -> str:
        """Where the table's next rows are: its successor, or else the table itself."""
        return self.tables.get(table, table)

    def build(self, table: str, columns: str, select: str) -> int:
        """Make the successor, fill it from the SELECT, index and constrain it; rows filled."""
        successor = f"{SCHEMA}.{table}"
        with connection.cursor() as cursor:
            cursor.execute(
                f"CREATE TABLE {successor} (LIKE {table} INCLUDING DEFAULTS INCLUDING GENERATED"
                " INCLUDING IDENTITY INCLUDING CONSTRAINTS INCLUDING STORAGE)"
            )
            cursor.execute(f"INSERT INTO {successor} ({columns}) {select}")
            rows = int(cursor.rowcount)
            for definition in _definitions(cursor, table, successor):
                cursor.execute(definition)
            for key in foreign_keys(cursor, table, inbound=False):
                cursor.execute(key.add(successor, self.name_of(key.parent)))
            cursor.execute(f"ANALYZE {successor}")
        self.tables[table] = successor
        return rows

    def take_over(self) -> None:
        """Put every successor in its table's place. Within the final transaction.

        Raises NotEmpty where a live table has got rows meanwhile.
        """
        if not self.tables:
            return
        names = ", ".join(self.tables)
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")
            grants, inbound = [], []
            for table in self.tables:
                self._refuse_rows(cursor, table)
                grants += _grants(cursor, table)
                inbound += [
                    key
                    for key in foreign_keys(cursor, table, inbound=True)
                    if key.table not in self.tables and not key.table.startswith(f"{SCHEMA}.")
                ]
                _carry_sequence(cursor, table, self.tables[table])
            for key in inbound:
                cursor.execute(f"ALTER TABLE {key.table} DROP CONSTRAINT {key.name}")
            cursor.execute(f"DROP TABLE {names}")
            for successor in self.tables.values():
                cursor.execute(f"ALTER TABLE {successor} SET SCHEMA public")
            for key in inbound:
                cursor.execute(key.add(key.table, key.parent))
            for grant in grants:
                cursor.execute(grant)

    def _refuse_rows(self, cursor: CursorWrapper, table: str) -> None:
        cursor.execute(f"SELECT EXISTS (SELECT FROM {table})")
        if cursor.fetchone()[0]:
            raise NotEmpty(
                f"{table} was empty when the import began and has rows now."
                " Run the import again: it will compare them."
            )


def _definitions(cursor: CursorWrapper, table: str, successor: str) -> list[str]:
    """Keys, indexes and triggers of the live table, spelled for its successor."""
    cursor.execute(
        """
        SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conrelid = %s::regclass AND contype IN ('p', 'u') ORDER BY contype, conname
        """,
        [table],
    )
    definitions = [
        f"ALTER TABLE {successor} ADD CONSTRAINT {name} {definition}"
        for name, definition in cursor.fetchall()
    ]
    cursor.execute(
        """
        SELECT pg_get_indexdef(indexrelid) FROM pg_index
        WHERE indrelid = %s::regclass
            AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid
                            AND conrelid = indrelid)
        UNION ALL
        SELECT pg_get_triggerdef(oid) FROM pg_trigger
        WHERE tgrelid = %s::regclass AND NOT tgisinternal
        """,
        [table, table],
    )
    for (definition,) in cursor.fetchall():
        spelled = definition.replace(f" ON public.{table} ", f" ON {successor} ", 1)
        if spelled == definition:
            raise AssertionError(f"not a definition on {table}: {definition}")
        definitions.append(spelled)
    return definitions


def _grants(cursor: CursorWrapper, table: str) -> list[str]:
    """The grants on a table and on the sequence of its ids, as statements."""
    cursor.execute(
        """
        SELECT format('GRANT %%s ON %%s public.%%I TO %%s', privilege_type,
            CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, relname,
            CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END)
        FROM pg_class, aclexplode(relacl)
        WHERE grantee <> relowner AND (
            pg_class.oid = %s::regclass
            OR pg_class.oid IN (
                SELECT objid FROM pg_depend
                WHERE refobjid = %s::regclass AND classid = 'pg_class'::regclass AND deptype = 'i'
            )
        )
        """,
        [table, table],
    )
    return [row[0] for row in cursor.fetchall()]


def _carry_sequence(cursor: CursorWrapper, table: str, successor: str) -> None:
    """Ids that the shop gave out are never given out again."""
    cursor.execute(
        "SELECT pg_get_serial_sequence(seq.name, attname), attname FROM pg_attribute,"
        " (SELECT %s::text AS name) seq"
        " WHERE attrelid = %s::regclass AND attidentity <> ''",
        [table, table],
    )
    for sequence, column in cursor.fetchall():
        cursor.execute(
            f"SELECT setval(pg_get_serial_sequence(%s, %s), last_value, is_called) FROM {sequence}",
            [successor, column],
        )
