"""Which staged rows may be loaded: each against those before it in the file, against those whom it
refers to, and against the rows of the table.

Nothing of it is visible. What may not be loaded is noted in a table of its own, with the reason, so
that all of this can be done again.
"""

from collections.abc import Callable, Iterator
from itertools import tee
from typing import IO

import psycopg
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from etl.cleaning import MAX_SHOWN
from etl.files import SourceError
from etl.models import ImportFile, ImportReject
from etl.people.files import ACCOUNTS, PROFILES, People
from etl.people.reading import originals
from etl.reading import Reject
from etl.staging import COPY_REJECTS, Staged, copy_spool, refuse_changed, spooled, write_reject

DUPLICATE = "duplicate"
# The reasons that are found here, and not while a file is read.
REASONS = (
    "conflicting_id",
    "repeated_email",
    "repeated_mobile",
    "repeated_type",
    "missing_parent",
    "email_taken",
    "mobile_taken",
    "type_taken",
    "deleted_profile",
    "other_tenant",
)

# What a row of the table has to do with one of the file: rows of another id, and live ones. The
# first reason of a row counts. Indexes: those of the profile's constraints, where the planner
# prefers them to a hash of the table.
_TAKEN = """
SELECT DISTINCT ON (line) line, span, "column", reason, value FROM (
    SELECT staged.line, staged.span, 'profile_id' AS "column",
        CASE WHEN live.tenant_id <> staged.tenant_id THEN 'other_tenant' ELSE 'deleted_profile' END
            AS reason, live.id::text AS value, 1 AS rank
    FROM {rows} staged JOIN users_profile live ON live.id = staged.row_id
    WHERE live.tenant_id <> staged.tenant_id OR live.deleted_at IS NOT NULL
    UNION ALL
    SELECT staged.line, staged.span, 'email_id', 'email_taken', live.id::text, 2
    FROM {rows} staged JOIN users_profile live
        ON live.tenant_id = staged.tenant_id AND live.email_key = staged.email_key
        AND live.deleted_at IS NULL
    WHERE staged.standing <> 'same' AND live.id IS DISTINCT FROM staged.row_id
    UNION ALL
    SELECT staged.line, staged.span, 'mobile', 'mobile_taken', live.id::text, 3
    FROM {rows} staged JOIN users_profile live
        ON live.tenant_id = staged.tenant_id AND live.mobile_key = staged.mobile_key
        AND live.deleted_at IS NULL
    WHERE staged.standing <> 'same' AND live.id IS DISTINCT FROM staged.row_id
    UNION ALL
    SELECT staged.line, staged.span, 'profile_type', 'type_taken', live.id::text, 4
    FROM {rows} staged JOIN users_profile live
        ON live.tenant_id = staged.tenant_id AND live.account_id = staged.account_id
        AND live.profile_type = coalesce(staged.profile_type, 'personal')
        AND live.deleted_at IS NULL
    WHERE staged.standing <> 'same' AND live.id IS DISTINCT FROM staged.row_id
) taken ORDER BY line, rank
"""


def rows_of(people: People, *, is_compared: bool) -> str:
    """SQL of the staged rows, with the key of the row that each is to be, and what it is to the
    table's: new, changed or the same. A profile whose id nobody gave yet has none."""
    if is_compared:
        return people.rows
    key = "userid" if people.kind is ACCOUNTS else "id"
    return f"(SELECT *, {key} AS row_id, 'new' AS standing FROM {people.staged})"


def kept(people: People) -> str:
    """A condition: the row `staged` may be loaded."""
    return f"NOT EXISTS (SELECT FROM {people.refused} refused WHERE refused.line = staged.line)"


def settle(staged: Staged, people: People, *, is_compared: bool, brings_accounts: bool) -> int:
    """Note which staged rows may not be loaded, their rejects, and the file's account; the number
    of those that may. All of it or nothing.

    is_compared: the table has rows; brings_accounts: the run brings accounts along, which are
    staged. Raises SourceError where the file is another since it was read.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        _begin_again(staged)
        cursor.execute(f"DROP TABLE IF EXISTS {people.refused}, {people.rows}")
        cursor.execute(
            f"CREATE UNLOGGED TABLE {people.refused}"
            ' (line bigint, span smallint, "column" text, reason text, value text)'
        )
        rows = rows_of(people, is_compared=is_compared)
        if is_compared:
            _compare(cursor, staged, people)
        if people.kind is PROFILES:
            _refuse_orphans(cursor, people, rows, brings_accounts=brings_accounts)
            if is_compared:
                taken = _TAKEN.format(rows=rows)
                cursor.execute(
                    f"INSERT INTO {people.refused}"
                    f" SELECT * FROM ({taken}) staged WHERE {kept(people)}"
                )
        _refuse_repeated(cursor, people, rows)
        cursor.execute(f"ANALYZE {people.refused}")
        _tell(cursor, staged, people)
    return staged.report.accepted


def _begin_again(staged: Staged) -> None:
    """Forget what an earlier attempt has settled of a file that is not read again."""
    report = staged.report
    again = sum(report.rejects.pop(reason, 0) for reason in REASONS)
    if again:
        ImportReject.objects.filter(file=staged.file, reason__in=REASONS).delete()
    report.accepted += again + report.duplicate
    report.duplicate = 0


def _compare(cursor: CursorWrapper, staged: Staged, people: People) -> None:
    """Find the row of the table that each staged one is to be: that of its id, else the live one of
    its e-mail address."""
    live, key = people.kind.table, people.key
    brought = [target for target in people.brought(staged.columns) if not target.follows]
    ours = ", ".join(target.changed("staged") for target in brought)
    theirs = ", ".join(f"live.{target.name}" for target in brought)
    given = "userid" if people.kind is ACCOUNTS else "id"
    select = (
        f"SELECT staged.*, {{row_id}} AS row_id, CASE WHEN live.{key} IS NULL THEN 'new'"
        f" WHEN ROW({ours}) IS DISTINCT FROM ROW({theirs}) THEN 'changed' ELSE 'same' END"
        f" AS standing FROM {people.staged} staged LEFT JOIN {live} live ON "
    )
    by_key = select.format(row_id=f"staged.{given}") + f"live.{key} = staged.{given}"
    if people.kind is PROFILES:
        by_key += (
            " WHERE staged.id IS NOT NULL UNION ALL "
            + select.format(row_id="live.id")
            + (
                "live.tenant_id = staged.tenant_id AND live.email_key = staged.email_key"
                " AND live.deleted_at IS NULL WHERE staged.id IS NULL"
            )
        )
    cursor.execute(f"CREATE UNLOGGED TABLE {people.rows} AS {by_key}")
    cursor.execute(f"ANALYZE {people.rows}")


def _refuse_orphans(
    cursor: CursorWrapper, people: People, rows: str, *, brings_accounts: bool
) -> None:
    """Profiles of an account that is neither in the table nor staged. Of staged accounts with one
    userid always one is accepted."""
    unknown = "NOT EXISTS (SELECT FROM users_account own WHERE own.userid = staged.account_id)"
    if brings_accounts:
        unknown += (
            f" AND NOT EXISTS (SELECT FROM etl.staged_{ACCOUNTS.table} given"
            " WHERE given.userid = staged.account_id)"
        )
    cursor.execute(
        f"INSERT INTO {people.refused}"
        " SELECT line, span, 'userid', 'missing_parent', account_id::text"
        f" FROM {rows} staged WHERE account_id IS NOT NULL AND {unknown}"
    )


def _refuse_repeated(cursor: CursorWrapper, people: People, rows: str) -> None:
    """Of rows that share a key the first in the file is kept, unless it shares another with one
    before it, and so on: those that share any are gone through one after the other."""
    shared = []
    for key in people.keys:
        number = f"hashtextextended({key.text}, 0)"
        shared.append(
            f"SELECT line FROM {rows} staged WHERE {number} IN ("
            f"SELECT number FROM (SELECT {number} AS number FROM {rows} staged"
            f" WHERE {key.text} IS NOT NULL AND {kept(people)}) numbered"
            " GROUP BY number HAVING count(*) > 1)"
        )
    cursor.execute("DROP TABLE IF EXISTS contested")
    cursor.execute(
        "CREATE TEMPORARY TABLE contested ON COMMIT DROP AS"
        f" SELECT DISTINCT line FROM ({' UNION ALL '.join(shared)}) shared"
    )
    cursor.execute("ANALYZE contested")
    content = ", ".join(f"staged.{name}" for name, _ in people.columns())
    texts = ", ".join(key.text for key in people.keys)
    query = (
        f"SELECT line, span, md5(ROW({content})::text), {texts}"
        f" FROM {rows} staged JOIN contested USING (line) WHERE {kept(people)} ORDER BY line"
    )
    with spooled() as spool:
        for row in _streamed("contested_rows", query, _decided(people)):
            spool.write(row)
        copy_spool(cursor, spool, f"COPY {people.refused} FROM STDIN (FORMAT csv)")


def _decided(people: People) -> Callable[[tuple], bytes]:
    """Told of rows in the order of the file, answers the note about one that may not be loaded."""
    holders: dict[tuple[str, str], str] = {}

    def decide(row: tuple) -> bytes:
        line, span, content, *texts = row
        own = [(key, text) for key, text in zip(people.keys, texts, strict=True) if text]
        for key, text in own:
            holder = holders.get((key.reason, text))
            if holder == content:
                return f"{line},{span},,{DUPLICATE},\n".encode()
            if holder is not None:
                value = text.partition(" ")[2] or text
                shown = value[:MAX_SHOWN].replace('"', '""')
                return f'{line},{span},{key.column},{key.reason},"{shown}"\n'.encode()
        for key, text in own:
            holders[key.reason, text] = content
        return b""

    return decide


def _streamed(name: str, query: str, each: Callable[[tuple], bytes]) -> Iterator[bytes]:
    with psycopg.ServerCursor(connection.connection, name) as cursor:
        cursor.itersize = 5_000
        cursor.execute(query)
        for row in cursor:
            yield each(row)


def _tell(cursor: CursorWrapper, staged: Staged, people: People) -> None:
    """Count what is refused, and store the rejected lines as they were in the file."""
    report, file = staged.report, staged.file
    if file is None:
        raise SourceError(f"{staged.source.name} was not read.")
    cursor.execute(f"SELECT reason, count(*) FROM {people.refused} GROUP BY reason")
    for reason, number in cursor.fetchall():
        report.accepted -= number
        if reason == DUPLICATE:
            report.duplicate = number
        else:
            report.rejects[reason] += number
    if any(report.rejects[reason] for reason in REASONS):
        with spooled() as spool:
            _store_rejects(staged, file, people, spool)
            copy_spool(cursor, spool, COPY_REJECTS)
    report.check_read()
    report.write_to(file)
    file.save()


def _store_rejects(staged: Staged, file: ImportFile, people: People, spool: IO[bytes]) -> None:
    with psycopg.ServerCursor(connection.connection, "refused_rows") as rows:
        rows.itersize = 5_000
        rows.execute(
            f"SELECT line, span, coalesce(\"column\", ''), reason, coalesce(value, '')"
            f" FROM {people.refused} WHERE reason <> %s ORDER BY line",
            [DUPLICATE],
        )
        refused, asked = tee(rows)
        # The file is read once more, up to the last of these lines.
        text = staged.text.again()
        found = originals(text, ((row[0], row[1]) for row in asked))
        for (line, _, column, reason, value), original in zip(refused, found, strict=True):
            write_reject(spool, file, Reject(line, column, reason, value, original))
    refuse_changed(staged)
