"""The tables that imports fill: emptied, written out clean, and filled by plain COPY."""

import queue
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg

from etl.columns import FIRST_OWN_ID
from etl.files import KINDS, FileKind
from tests.bench.site import Site

SCHEMA = "baseline"
SESSIONS = 2
BLOCK_BYTES = 1 << 20
# Memory as an import has it.
SETTINGS = "SET maintenance_work_mem = '512MB'; SET work_mem = '128MB'; SET statement_timeout = 0"

CONSTRAINTS = """
SELECT conname, pg_get_constraintdef(oid), contype::text FROM pg_constraint
WHERE conrelid = %s::regclass AND contype IN ('p', 'u', 'c', 'f') ORDER BY contype DESC, conname
"""
INDEXES = """
SELECT pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid = %s::regclass AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""


@dataclass(frozen=True)
class Phase:
    """`statements` run in their order; those of different lists at the same time."""

    name: str
    statements: Sequence[Sequence[str]]


def empty(site: Site) -> None:
    """As a new site has them, and nothing left to write out."""
    with closing(site.connect()) as connection:
        connection.execute("SET client_min_messages = error")
        connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        connection.execute("DROP SCHEMA IF EXISTS etl CASCADE")
        connection.execute("TRUNCATE products_product, reviews_review, etl_importrun CASCADE")
        connection.execute("TRUNCATE etl_fingerprint, etl_touchedrow")
    site.settle()


def write_clean(site: Site, folder: Path) -> None:
    """What the tables hold, as files that COPY takes without a word."""
    folder.mkdir(parents=True, exist_ok=True)
    with closing(site.connect()) as connection:
        connection.execute("SET statement_timeout = 0")
        for kind in KINDS.values():
            columns = ", ".join(kind.table_columns)
            rows = f"SELECT {columns} FROM {kind.table} WHERE id < {FIRST_OWN_ID} ORDER BY id"
            with (
                (folder / f"{kind.name}.csv").open("wb") as file,
                connection.cursor().copy(f"COPY ({rows}) TO STDOUT (FORMAT csv)") as copy,
            ):
                for data in copy:
                    file.write(data)


def copy_plainly(site: Site, folder: Path) -> dict[str, float]:
    """The baseline: COPY by two sessions, then keys, indexes and checks, then foreign keys, then
    ANALYZE. Seconds of each phase."""
    with closing(site.connect()) as connection:
        connection.execute(f"CREATE SCHEMA {SCHEMA}")
        for kind in KINDS.values():
            connection.execute(_bare_table(connection, kind))
        phases = _phases(connection)
    began = time.monotonic()
    _all_at_once(site, [[(kind, folder / f"{kind.name}.csv")] for kind in _largest_first(folder)])
    seconds = {"copy": time.monotonic() - began}
    for phase in phases:
        began = time.monotonic()
        _all_at_once(site, phase.statements)
        seconds[phase.name] = time.monotonic() - began
    return seconds


def _largest_first(folder: Path) -> list[FileKind]:
    return sorted(KINDS.values(), key=lambda kind: -(folder / f"{kind.name}.csv").stat().st_size)


def _bare_table(connection: psycopg.Connection, kind: FileKind) -> str:
    row = connection.execute(
        "SELECT coalesce(array_to_string(reloptions, ', '), '') FROM pg_class"
        " WHERE oid = %s::regclass",
        [kind.table],
    ).fetchone()
    options = f" WITH ({row[0]})" if row and row[0] else ""
    return (
        f"CREATE TABLE {SCHEMA}.{kind.table} (LIKE {kind.table} INCLUDING DEFAULTS"
        f" INCLUDING GENERATED INCLUDING IDENTITY INCLUDING STORAGE){options}"
    )


def _phases(connection: psycopg.Connection) -> list[Phase]:
    indexes, keys, statistics = [], [], []
    for kind in KINDS.values():
        table = f"{SCHEMA}.{kind.table}"
        found = connection.execute(CONSTRAINTS, [kind.table]).fetchall()
        indexes.append(
            [
                f"ALTER TABLE {table} ADD CONSTRAINT {name} {text}"
                for name, text, sort in found
                if sort != "f"
            ]
            + [
                text.replace(f" ON public.{kind.table} ", f" ON {table} ")
                for (text,) in connection.execute(INDEXES, [kind.table])
            ]
        )
        keys.append(
            [
                f"ALTER TABLE {table} ADD CONSTRAINT {name} "
                + text.replace("REFERENCES ", f"REFERENCES {SCHEMA}.")
                for name, text, sort in found
                if sort == "f"
            ]
        )
        statistics.append([f"ANALYZE {table}"])
    return [
        Phase("indexes, constraints", indexes),
        Phase("foreign keys", keys),
        Phase("analyze", statistics),
    ]


def _all_at_once(site: Site, lists: Sequence[Sequence[str | tuple[FileKind, Path]]]) -> None:
    """Each list by whichever session is free."""
    waiting: queue.SimpleQueue[Sequence[str | tuple[FileKind, Path]]] = queue.SimpleQueue()
    for each in lists:
        waiting.put(each)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with closing(site.connect()) as connection:
                connection.execute(SETTINGS)
                while True:
                    try:
                        steps = waiting.get_nowait()
                    except queue.Empty:
                        return
                    for step in steps:
                        if isinstance(step, str):
                            connection.execute(step)
                        else:
                            _copy(connection, *step)
        except BaseException as error:  # told by the main thread
            errors.append(error)

    sessions = [threading.Thread(target=work) for _ in range(SESSIONS)]
    for session in sessions:
        session.start()
    for session in sessions:
        session.join()
    if errors:
        raise errors[0]


def _copy(connection: psycopg.Connection, kind: FileKind, path: Path) -> None:
    columns = ", ".join(kind.table_columns)
    with (
        path.open("rb", buffering=0) as file,
        connection.cursor().copy(
            f"COPY {SCHEMA}.{kind.table} ({columns}) FROM STDIN (FORMAT csv)"
        ) as copy,
    ):
        while block := file.read(BLOCK_BYTES):
            copy.write(block)
