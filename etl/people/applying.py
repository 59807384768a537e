"""Bringing accepted rows into the tables: into the successor of an empty one, or as changes."""

from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

import psycopg
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from etl.merging import Changes
from etl.people.files import ACCOUNTS, PROFILES, People, Target
from etl.people.settling import kept, rows_of
from etl.staging import SCHEMA, Staged, copy_spool, create_successor, spooled
from licensing import services as licensing
from users.services import mapping
from users.terms import search_columns

# Who is named as the one that made or changed a profile.
DOER = "import"
# The region of an address that the operator's MMDB file holds.
COUNTRY_CODES = f"{SCHEMA}.country_codes"
# An id that sorts by its time, as atelier.core.numbers.uuid7 makes it: a random one whose first
# bytes are the milliseconds since 1970, its version's bits put right.
_UUID7 = """encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING
    substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
    FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid"""

# What a row has beside the columns of files.
_OF_NEW_PROFILES = {
    "image": "''",
    "created_by": f"'{DOER}'",
    "updated_by": "''",
    "deleted_by": "''",
}
AT_ONCE = 5_000
# Profiles that search is told of one by one, a millisecond or two each.
MOST_MARKED = 2_000


def _key(people: People) -> str:
    return "staged.row_id" if people.kind is ACCOUNTS else f"coalesce(staged.row_id, {_UUID7})"


def _extra(people: People) -> dict[str, str]:
    """Columns that follow from others of the row `staged`."""
    if people.kind is PROFILES:
        return {"tenant_id": "staged.tenant_id"}
    code = None
    if licensing.has_country_file():
        code = f"(SELECT code FROM {COUNTRY_CODES} found WHERE found.ip = staged.ip)"
    return {"region_id": licensing.region_expression("staged.ip", mmdb_code=code)}


def _all_targets(people: People) -> list[Target]:
    return [target for targets in people.targets.values() for target in targets]


def fill_successor(staged: Staged, people: People) -> int:
    """Make the successor of an empty table, and fill it with the accepted rows; how many."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {SCHEMA}.{people.kind.table}")
        create_successor(cursor, people.kind.table)
        rows = rows_of(people, is_compared=False)
        _find_countries(cursor, people, rows)
        values = {people.key: _key(people), **_extra(people)}
        values |= {target.name: target.new("staged") for target in _all_targets(people)}
        if people.kind is PROFILES:
            values |= _OF_NEW_PROFILES
        cursor.execute(
            f"INSERT INTO {SCHEMA}.{people.kind.table} ({', '.join(values)})"
            f" SELECT {', '.join(values.values())} FROM {rows} staged WHERE {kept(people)}"
        )
        return int(cursor.rowcount)


def find_changes(staged: Staged, people: People) -> Changes:
    """Set the accepted rows apart that are new or have changed; the table has rows."""
    changes = Changes(staged)
    names = [target.name for target in _all_targets(people)]
    live = "live.deleted_at IS NULL" if people.kind is PROFILES else "true"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {changes.table}")
        changing = f"(SELECT * FROM {people.rows} WHERE standing <> 'same')"
        _find_countries(cursor, people, changing)
        extra = ", ".join(f"{sql} AS {name}" for name, sql in _extra(people).items())
        cursor.execute(
            f"CREATE UNLOGGED TABLE {changes.table} AS SELECT {_key(people)} AS id,"
            f" standing = 'new' AS is_new, {', '.join(f'staged.{name}' for name in names)}, {extra}"
            f" FROM {changing} staged WHERE {kept(people)}"
        )
        if people.kind is PROFILES:
            _find_words(cursor, changes)
        cursor.execute(f"ANALYZE {changes.table}")
        cursor.execute(
            "SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new)"
            f" FROM {changes.table}"
        )
        changes.new, changes.changed = cursor.fetchone()
        cursor.execute(f"SELECT count(*) FROM {people.kind.table} live WHERE {live}")
        changes.absent = cursor.fetchone()[0] - (staged.report.accepted - changes.new)
    return changes


def _find_words(cursor: CursorWrapper, changes: Changes) -> None:
    """What changed profiles are found by, where the file has not all of it: the rest is theirs."""
    brought = {column.table_column for column in changes.staged.columns}
    if brought >= {"mobile", "city", "country"}:
        return
    of_number = "change" if "mobile" in brought else "live"
    city, country = (
        f"{'change' if name in brought else 'live'}.{name}" for name in ("city", "country")
    )
    query = (
        "SELECT change.id, change.full_name, change.email_key,"
        f" coalesce({of_number}.mobile, ''), {of_number}.mobile_key,"
        f" coalesce({city}, ''), coalesce({country}, '')"
        f" FROM {changes.table} change JOIN users_profile live USING (id) WHERE NOT change.is_new"
    )
    cursor.execute(
        "CREATE TEMPORARY TABLE found_words (id uuid, name_key text, search_words text)"
        " ON COMMIT DROP"
    )
    with (
        spooled() as spool,
        psycopg.ServerCursor(connection.connection, "changed_profiles") as rows,
    ):
        rows.itersize = AT_ONCE
        rows.execute(query)
        for profile, full_name, email_key, mobile, mobile_key, city_name, country_name in rows:
            found = search_columns(
                full_name=full_name,
                email_key=email_key,
                mobile=mobile,
                mobile_key=mobile_key,
                city=city_name,
                country=country_name,
            )
            name_key = found["name_key"].replace('"', '""')
            words = found["search_words"].replace('"', '""')
            spool.write(f'{profile},"{name_key}","{words}"\n'.encode())
        copy_spool(cursor, spool, "COPY found_words FROM STDIN (FORMAT csv)")
    cursor.execute(
        f"UPDATE {changes.table} change SET name_key = found.name_key,"
        " search_words = found.search_words FROM found_words found WHERE found.id = change.id"
    )


def update_rows(changes: Changes, people: People) -> None:
    """Bring the rows that differ to what the file says, in the final transaction."""
    if not changes.changed:
        return
    brought = people.brought(changes.staged.columns)
    values = {target.name: target.changed("change") for target in brought}
    if people.kind is PROFILES:
        values["updated_by"] = f"'{DOER}'"
    else:
        values["region_id"] = "change.region_id"
    values["updated_at"] = "now()"
    setting = ", ".join(f"{name} = {value}" for name, value in values.items())
    alive = " AND live.deleted_at IS NULL" if people.kind is PROFILES else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {people.kind.table} live SET {setting} FROM {changes.table} change"
            f" WHERE live.{people.key} = change.id AND NOT change.is_new{alive}"
        )
        changes.staged.report.updated += cursor.rowcount


def insert_rows(changes: Changes, people: People) -> None:
    """The same for rows that are new."""
    if not changes.new:
        return
    values = {people.key: "change.id"}
    values |= {target.name: target.new("change") for target in _all_targets(people)}
    if people.kind is PROFILES:
        values |= {"tenant_id": "change.tenant_id", **_OF_NEW_PROFILES}
    else:
        values["region_id"] = "change.region_id"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {people.kind.table} ({', '.join(values)})"
            f" SELECT {', '.join(values.values())} FROM {changes.table} change"
            " WHERE change.is_new ORDER BY change.id"
        )
        changes.staged.report.loaded += cursor.rowcount


def tell_search_of(changes: Changes) -> None:
    """Let search know of the profiles that were written: of few, each of them; of more, that the
    maps of their tenants hold no longer. Last of all in the final transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT live.tenant_id, live.id FROM {changes.table} change"
            f" JOIN {PROFILES.table} live ON live.id = change.id LIMIT %s",
            [MOST_MARKED + 1],
        )
        written = cursor.fetchall()
    if len(written) <= MOST_MARKED:
        by_tenant = defaultdict(list)
        for tenant_id, profile_id in written:
            by_tenant[tenant_id].append(profile_id)
        for tenant_id in sorted(by_tenant):
            mapping.mark_profiles(tenant_id=tenant_id, profile_ids=by_tenant[tenant_id])
        return
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT tenant_id FROM {changes.table} ORDER BY tenant_id")
        tenants = [row[0] for row in cursor.fetchall()]
    forget_maps(tenants)


def forget_maps(tenants: Iterable[UUID]) -> None:
    """Let the worker build the maps of search anew: until it has, some searches take longer."""
    for tenant_id in tenants:
        mapping.forget_map(tenant_id=tenant_id)
    mapping.map_soon()


def carry_userids() -> None:
    """No login gets a userid that an account has already. In the final transaction, but a sequence
    is not rolled back: at worst some ids are left out."""
    with connection.cursor() as cursor:
        # Index: the primary key, its last entry.
        cursor.execute(
            "SELECT setval(seq, greatest(last_userid, nextval(seq)), true)"
            " FROM (SELECT pg_get_serial_sequence('users_account', 'userid')::regclass AS seq,"
            " (SELECT max(userid) FROM users_account) AS last_userid) account"
            " WHERE last_userid IS NOT NULL"
        )


def _find_countries(cursor: CursorWrapper, people: People, rows: str) -> None:
    """What the operator's MMDB file says of each address, which only this process can read."""
    if people.kind is not ACCOUNTS or not licensing.has_country_file():
        return
    cursor.execute(f"DROP TABLE IF EXISTS {COUNTRY_CODES}")
    cursor.execute(f"CREATE UNLOGGED TABLE {COUNTRY_CODES} (ip inet, code text)")
    cursor.execute(
        "DECLARE addresses NO SCROLL CURSOR FOR"
        f" SELECT DISTINCT host(ip) FROM {rows} staged WHERE {kept(people)}"
    )
    with spooled() as spool:
        while True:
            cursor.execute(f"FETCH {AT_ONCE} FROM addresses")
            addresses = [row[0] for row in cursor.fetchall()]
            if not addresses:
                break
            for address in addresses:
                code = licensing.country_in_file(address)
                if code is not None:
                    spool.write(f'{address},"{code}"\n'.encode())
        copy_spool(cursor, spool, f"COPY {COUNTRY_CODES} FROM STDIN (FORMAT csv)")
    cursor.execute("CLOSE addresses")
    cursor.execute(f"ALTER TABLE {COUNTRY_CODES} ADD PRIMARY KEY (ip)")
    cursor.execute(f"ANALYZE {COUNTRY_CODES}")
