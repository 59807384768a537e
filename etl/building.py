"""Filling an empty table by building its successor beside it.

The successor is filled bare, indexed and constrained after the live table's own definitions, all
in committed steps that block no reader, and takes the live table's place in the final transaction.
A step that an earlier attempt has done already is passed over.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.backends.utils import CursorWrapper

from etl.staging import SCHEMA, create_successor


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

    def add(self, table: str, parent: str) -> None:
        """Add it, checked. Writers of the parent wait only until it is there, not for the check."""
        with connection.cursor() as cursor:
            cursor.execute(
                f"ALTER TABLE {table} ADD CONSTRAINT {self.name} FOREIGN KEY ({self.column})"
                f" REFERENCES {parent} ({self.parent_column}) {self.timing} NOT VALID"
            )
        self.validate(table)

    def validate(self, table: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {self.name}")


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


def foreign_keys(table: str, *, inbound: bool = False) -> list[ForeignKey]:
    with connection.cursor() as cursor:
        cursor.execute(_FOREIGN_KEYS.format(side="confrelid" if inbound else "conrelid"), [table])
        return [ForeignKey(*row) for row in cursor.fetchall()]


def is_empty(table: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT NOT EXISTS (SELECT FROM {table})")
        return bool(cursor.fetchone()[0])


def is_referred_to(table: str) -> bool:
    """Whether a table with rows has a foreign key to this one: it would be locked, and all of it
    checked, when a successor takes this one's place."""
    referring = {key.table for key in foreign_keys(table, inbound=True)}
    return any(not is_empty(each) for each in referring if not each.startswith(f"{SCHEMA}."))


def fill_from(table: str, columns: Sequence[str], select: str) -> int:
    """Make the successor of a table that no file is for, and fill it from a SELECT; its rows."""
    successor = f"{SCHEMA}.{table}"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {successor}")
        create_successor(cursor, table)
        cursor.execute(f"INSERT INTO {successor} ({', '.join(columns)}) {select}")
        return int(cursor.rowcount)


@dataclass(frozen=True, slots=True)
class Definition:
    """A key, an index or a trigger of a live table; `create` makes it on the successor."""

    name: str
    sort: str
    create: str

    @property
    def is_key(self) -> bool:
        return self.sort == "key"

    @property
    def is_of_words(self) -> bool:
        return " USING gin " in self.create


def definitions(table: str) -> list[Definition]:
    """Keys first, then indexes and triggers."""
    successor = f"{SCHEMA}.{table}"
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT * FROM (
            SELECT conname AS name, 'key' AS sort, pg_get_constraintdef(oid) AS text
            FROM pg_constraint WHERE conrelid = %(table)s::regclass AND contype IN ('p', 'u')
            UNION ALL
            SELECT relname, 'index', pg_get_indexdef(indexrelid)
            FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
            WHERE indrelid = %(table)s::regclass
                AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid
                                AND conrelid = indrelid)
            UNION ALL
            SELECT tgname, 'trigger', pg_get_triggerdef(oid) FROM pg_trigger
            WHERE tgrelid = %(table)s::regclass AND NOT tgisinternal
            ) definition ORDER BY sort <> 'key', sort, name
            """,
            {"table": table},
        )
        found = cursor.fetchall()
    made = []
    for name, sort, text in found:
        if sort == "key":
            create = f"ALTER TABLE {successor} ADD CONSTRAINT {name} {text}"
        else:
            create = text.replace(f" ON public.{table} ", f" ON {successor} ", 1)
            if create == text:
                raise AssertionError(f"not a definition on {table}: {text}")
        made.append(Definition(name, sort, create))
    return made


def define(table: str, definition: Definition) -> None:
    """Make it on the successor, unless it is there."""
    with connection.cursor() as cursor:
        if definition.name not in _names_on(cursor, table):
            cursor.execute(definition.create)


def constrain(table: str, key: ForeignKey, parent: str) -> None:
    """Add a foreign key to the successor, or what is left to do of it."""
    successor = f"{SCHEMA}.{table}"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT convalidated FROM pg_constraint WHERE conrelid = %s::regclass AND conname = %s",
            [successor, key.name],
        )
        found = cursor.fetchone()
    if found is None:
        key.add(successor, parent)
    elif not found[0]:
        # An earlier attempt was ended while it was checked.
        key.validate(successor)


def _names_on(cursor: CursorWrapper, table: str) -> set[str]:
    """What is defined on the successor so far."""
    cursor.execute(
        """
        SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
        WHERE indrelid = %(table)s::regclass
        UNION ALL SELECT tgname FROM pg_trigger WHERE tgrelid = %(table)s::regclass
        """,
        {"table": f"{SCHEMA}.{table}"},
    )
    return {row[0] for row in cursor.fetchall()}


def analyze(table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {SCHEMA}.{table}")


def take_over(tables: Collection[str]) -> None:
    """Put every successor in its table's place. Within the final transaction.

    Raises NotEmpty where a live table has got rows meanwhile.
    """
    if not tables:
        return
    names = ", ".join(tables)
    with connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")
        grants, inbound = [], []
        for table in tables:
            if not is_empty(table):
                raise NotEmpty(
                    f"{table} was empty when the import began and has rows now."
                    " Run it again with --resume: it will compare them."
                )
            grants += _grants(cursor, table)
            inbound += [
                key
                for key in foreign_keys(table, inbound=True)
                if key.table not in tables and not key.table.startswith(f"{SCHEMA}.")
            ]
            _carry_sequence(cursor, table, f"{SCHEMA}.{table}")
            _carry_autovacuum(cursor, table, f"{SCHEMA}.{table}")
        for key in inbound:
            cursor.execute(f"ALTER TABLE {key.table} DROP CONSTRAINT {key.name}")
        cursor.execute(f"DROP TABLE {names}")
        for table in tables:
            cursor.execute(f"ALTER TABLE {SCHEMA}.{table} SET SCHEMA public")
        for key in inbound:
            key.add(key.table, key.parent)
        for grant in grants:
            cursor.execute(grant)


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


def _carry_autovacuum(cursor: CursorWrapper, table: str, successor: str) -> None:
    """Successors are made without autovacuum."""
    cursor.execute(
        "SELECT option FROM pg_class, unnest(reloptions) option"
        " WHERE oid = %s::regclass AND option LIKE 'autovacuum_enabled=%%'",
        [table],
    )
    chosen = cursor.fetchone()
    change = f"SET ({chosen[0]})" if chosen else "RESET (autovacuum_enabled)"
    cursor.execute(f"ALTER TABLE {successor} {change}")


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
