"""The reads below Django's cursor: prepared once, and as safe as the cursor was."""

import os
import signal

import psycopg
import pytest
from django.db import DataError, OperationalError, ProgrammingError, connection, transaction
from django.test.utils import CaptureQueriesContext

from atelier.core.database import fetch_json
from tests.threads import Aside
from tests.waiting import wait_until

ECHO = "SELECT %(first)s::text || %(second)s::text || %(first)s::text"
BACKEND = "SELECT pg_backend_pid()::text || %(nothing)s::text"
IN_AND_OUT = pytest.mark.parametrize("within", [True, False], ids=["in a transaction", "outside"])

pytestmark = pytest.mark.django_db(transaction=True)


def fetch(statement, params, *, within):
    if not within:
        return fetch_json(statement, params)
    with transaction.atomic():
        return fetch_json(statement, params)


def backend():
    return int(fetch_json(BACKEND, {"nothing": ""}))


def prepared():
    """The texts of the statements that this connection keeps prepared through `fetch_json`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT statement FROM pg_prepared_statements WHERE starts_with(name, 'atelier')"
        )
        return [row[0] for row in cursor.fetchall()]


def end(pid):
    """End a session from another one, and wait until it is gone."""

    def work():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
            assert cursor.fetchone() == (True,)
        connection.close()

    with Aside(work) as aside:
        aside.result()


@IN_AND_OUT
@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("é", "'; DROP TABLE products_product; --", "é'; DROP TABLE products_product; --é"),
        (2**63 - 1, -1, "9223372036854775807-19223372036854775807"),
        ([1, 2], [], "{1,2}{}{1,2}"),
        ("", "\\ \"' %s %(first)s $1", "\\ \"' %s %(first)s $1"),
    ],
)
def test_parameters_arrive_as_they_are(within, first, second, expected):
    params = {"first": first, "second": second, "of no concern": 1}
    assert fetch(ECHO, params, within=within) == expected.encode()


@IN_AND_OUT
def test_bytes_arrive_as_they_are(within):
    statement = "SELECT convert_to(%(text)s, 'UTF8') || '\\x0a00ff5c'::bytea"
    assert fetch(statement, {"text": "é"}, within=within) == "é".encode() + b"\n\x00\xff\\"


def test_text_with_a_nul_is_refused_and_not_cut_short():
    with pytest.raises(DataError):
        fetch_json(ECHO, {"first": "a\0b", "second": ""})


@IN_AND_OUT
def test_null_and_no_row_are_none(within):
    assert fetch(ECHO, {"first": None, "second": "x"}, within=within) is None
    assert fetch("SELECT 1 WHERE %(no)s::int = 1", {"no": 2}, within=within) is None


def test_a_statement_is_prepared_once_a_connection():
    for number in range(3):
        fetch_json(ECHO, {"first": number, "second": ""})
    assert [text for text in prepared() if "$2::text || $1" in text] == [
        "SELECT $1::text || $2::text || $1::text"
    ]


@IN_AND_OUT
def test_each_read_counts_as_one_query(within):
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        fetch(ECHO, {"first": 1, "second": 2}, within=False)
    assert [query["sql"] for query in queries] == [ECHO]


def test_a_session_that_the_database_ended_costs_no_read():
    ended = backend()
    end(ended)
    assert backend() != ended


def test_a_crash_of_the_server_costs_no_read():
    lost = backend()
    with psycopg.connect(**connection.get_connection_params()) as witness:
        os.kill(lost, signal.SIGQUIT)
        wait_until(lambda: not answers(witness), "the server to end all its sessions")
    wait_until(accepts, "the server to come back")
    assert backend() != lost


def answers(session):
    try:
        return bool(session.execute("SELECT 1"))
    except psycopg.OperationalError:
        return False


def accepts():
    try:
        psycopg.connect(**connection.get_connection_params()).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_session_that_ends_within_a_transaction_is_an_error():
    """The statements before it are lost, so going on would be wrong."""

    def lose_the_session():
        with transaction.atomic():
            end(backend())
            backend()

    with pytest.raises(OperationalError):
        lose_the_session()
    assert backend()


def test_a_rollback_which_makes_psycopg_forget_statements_costs_no_read():
    fetch_json(ECHO, {"first": 1, "second": 2})
    with transaction.atomic():
        with connection.cursor() as cursor:
            for _ in range(3):
                cursor.execute("SELECT %s::int", [1])
        transaction.set_rollback(True)
    assert fetch_json(ECHO, {"first": 1, "second": 2}) == b"121"
    assert len(prepared()) >= 1


def test_what_was_prepared_after_statements_were_forgotten_stays_known():
    later = "SELECT %(first)s::text || 'later'"
    fetch_json(ECHO, {"first": 1, "second": 2})
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    for _ in range(2):
        assert fetch_json(later, {"first": 1}) == b"1later"
        assert fetch_json(ECHO, {"first": 1, "second": 2}) == b"121"


def test_statements_that_somebody_deallocated_cost_no_read():
    fetch_json(ECHO, {"first": 1, "second": 2})
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    assert fetch_json(ECHO, {"first": 1, "second": 2}) == b"121"


def test_the_first_read_of_a_transaction_is_part_of_it():
    statement = "SELECT pg_current_xact_id()::text || %(nothing)s::text"
    with transaction.atomic():
        first = fetch_json(statement, {"nothing": ""})
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id()::text")
            assert cursor.fetchone()[0].encode() == first
    assert fetch_json(statement, {"nothing": ""}) != first


def test_a_transaction_sees_its_own_writes():
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE shelf ON COMMIT DROP AS SELECT 7 AS number")
        assert fetch_json("SELECT number::text FROM shelf WHERE %(all)s::bool", {"all": True})


def test_a_table_that_an_import_swaps_is_read_anew():
    """An import renames a successor into the place of the table that statements rely on."""
    statement = "SELECT number::text FROM swapped WHERE number >= %(least)s"
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE swapped AS SELECT 1::bigint AS number")
    try:
        assert fetch_json(statement, {"least": 0}) == b"1"
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE successor AS SELECT 2::bigint AS number")
            cursor.execute("DROP TABLE swapped")
            cursor.execute("ALTER TABLE successor RENAME TO swapped")
        assert fetch_json(statement, {"least": 0}) == b"2"
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS swapped, successor")


def test_a_read_past_its_time_is_an_operational_error_and_harms_no_later_one():
    before = backend()
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 50")
    try:
        with pytest.raises(OperationalError, match="statement timeout"):
            fetch_json("SELECT pg_sleep(%(seconds)s)::text", {"seconds": 10})
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
    assert backend() == before


@IN_AND_OUT
def test_a_statement_that_postgresql_refuses_is_djangos_error(within):
    with pytest.raises(ProgrammingError, match="nowhere"):
        fetch("SELECT x FROM nowhere WHERE %(a)s::int = 1", {"a": 1}, within=within)
    assert fetch(ECHO, {"first": 1, "second": 2}, within=within) == b"121"


def test_after_a_read_a_write_of_the_same_request_needs_no_health_check():
    connection.health_check_done = False
    fetch_json(ECHO, {"first": 1, "second": 2})
    assert connection.health_check_done
