"""Reading JSON that PostgreSQL built, and what it says of refused writes."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.db import DEFAULT_DB_ALIAS, DataError, IntegrityError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, Format, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult

_FORGOTTEN = b"26000"  # the SQLSTATE of a prepared statement that does not exist
_numbers = count(1)
_NAMED = re.compile(r"%\((\w+)\)s")

# The names prepared on each connection; an import that swaps a table needs nothing here, because
# PostgreSQL itself plans a prepared statement anew.
_prepared: WeakKeyDictionary[psycopg.Connection[Any], set[bytes]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class _Statement:
    """A statement as the protocol has it: parameters numbered in the order of `parameters`."""

    name: bytes
    text: bytes
    parameters: tuple[str, ...]


def fetch_json(statement: str, params: Mapping[str, Any]) -> bytes | None:
    """The one value that the statement answers: text as UTF-8, or bytea as it is; None without a
    row.

    Below Django's cursor and psycopg's: prepared once a connection, and nothing decoded
    (docs/adr/0008-driver-level.md). The statement must be a constant that only reads, for its
    text is kept, and it is sent once more where the connection turns out to be dead.
    """
    database = connections[DEFAULT_DB_ALIAS]
    compiled = _compiled(statement)
    values = [_as_text(params[name]) for name in compiled.parameters]
    began = time.monotonic()
    with database.wrap_database_errors:
        try:
            result = _execute(database, compiled, values)
        except psycopg.OperationalError as error:
            # A server that crashed says nothing, not even a code.
            is_lost = error.sqlstate is None or _is_dead(database)
            if database.in_atomic_block or not is_lost:
                raise
            database.close()
            result = _execute(database, compiled, values)
    # It answers: the writes of this request need not ask once more.
    database.health_check_done = True  # type: ignore[attr-defined]
    if database.queries_logged:
        duration = f"{time.monotonic() - began:.3f}"
        database.queries_log.append({"sql": statement, "time": duration})
    return result.get_value(0, 0) if result.ntuples else None


def marked(condition: str) -> str:
    """SQL of a mark in front of the JSON that a statement for `fetch_marked` answers."""
    return f"CASE WHEN {condition} THEN '!' ELSE ' ' END || "


def fetch_marked(statement: str, params: Mapping[str, Any]) -> tuple[bool, bytes] | None:
    """As `fetch_json`, of a value with a mark in front: whether it is set, and the JSON."""
    found = fetch_json(statement, params)
    return None if found is None else (found[:1] == b"!", found[1:])


def violated_constraint(error: IntegrityError) -> str:
    """The name of the constraint that PostgreSQL refused a write for; empty where it has none."""
    cause = error.__cause__
    return (cause.diag.constraint_name or "") if isinstance(cause, psycopg.Error) else ""


@cache
def _compiled(statement: str) -> _Statement:
    """The statement with `$1` for the parameter that is named first, and so on."""
    parameters = tuple(dict.fromkeys(_NAMED.findall(statement)))
    text = _NAMED.sub(lambda found: f"${parameters.index(found[1]) + 1}", statement)
    return _Statement(f"atelier_{next(_numbers)}".encode(), text.encode(), parameters)


def _as_text(value: object) -> bytes | None:
    """A parameter in PostgreSQL's text form: integers, text, None, and lists of integers."""
    if value is None:
        return None
    if isinstance(value, list):
        return f"{{{','.join(map(str, value))}}}".encode()
    text = str(value)
    if "\0" in text:
        # The protocol would take the text up to here.
        raise DataError("PostgreSQL text holds no NUL.")
    return text.encode()


def _execute(
    database: BaseDatabaseWrapper, statement: _Statement, values: Sequence[bytes | None]
) -> PGresult:
    database.ensure_connection()
    connection = database.connection
    server = connection.pgconn
    if database.in_atomic_block:
        if server.transaction_status == TransactionStatus.IDLE:
            # psycopg opens a transaction with its own first statement, and this is none.
            _checked(server, server.exec_(b"BEGIN"))
        # Not prepared, since a name that is gone would be the transaction's end.
        return _checked(
            server, server.exec_params(statement.text, values, result_format=Format.BINARY)
        )
    known = _prepared.get(connection)
    if known is None:
        known = _prepared[connection] = set()
    if statement.name in known:
        result = server.exec_prepared(statement.name, values, result_format=Format.BINARY)
        if result.error_field(DiagnosticField.SQLSTATE) != _FORGOTTEN:
            return _checked(server, result)
        # After a ROLLBACK psycopg lets go of everything prepared, ours included, but with its next
        # statement only: others may have been prepared since.
        known.discard(statement.name)
    _checked(server, server.prepare(statement.name, statement.text))
    known.add(statement.name)
    return _checked(
        server, server.exec_prepared(statement.name, values, result_format=Format.BINARY)
    )


def _checked(server: PGconn, result: PGresult) -> PGresult:
    if result.status in {ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK}:
        return result
    if server.status != ConnStatus.OK or not result.error_field(DiagnosticField.SQLSTATE):
        # libpq says so itself, without the code that would tell the kind of error, and perhaps
        # before it notes the connection's end.
        raise psycopg.OperationalError(result.get_error_message())
    raise error_from_result(result)


def _is_dead(database: BaseDatabaseWrapper) -> bool:
    connection = database.connection
    return connection is not None and connection.pgconn.status != ConnStatus.OK
