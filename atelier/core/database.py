"""Reading JSON that PostgreSQL built, and what it says of refused writes."""

from collections.abc import Mapping
from typing import Any

import psycopg
from django.db import IntegrityError, connection


def fetch_json(statement: str, params: Mapping[str, Any]) -> bytes | None:
    """The one text value that the statement answers, as UTF-8; None without a row."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        row = cursor.fetchone()
    return None if row is None or row[0] is None else row[0].encode()


def violated_constraint(error: IntegrityError) -> str:
    """The name of the constraint that PostgreSQL refused a write for; empty where it has none."""
    cause = error.__cause__
    return (cause.diag.constraint_name or "") if isinstance(cause, psycopg.Error) else ""
