"""What docs/operations.md tells people to run is run here."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack.accounts import service_account
from stack.binaries import postgres_bindir
from stack.config import CHECKOUT
from stack.postgres import THROW_AWAY, Postgres
from stack.testing import site_packages

BLOCK = re.compile(r"^```sql\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Postgres]:
    folder = Path(f"/tmp/atelier-roles-{tmp_path_factory.getbasetemp().stat().st_ino}")
    account = service_account()
    account.own(folder, 0o755)
    postgres = Postgres(
        bindir=postgres_bindir(site_packages(), folder / "copies", account),
        data=folder / "postgres",
        sockets=folder / "run",
        log=folder / "log",
        account=account,
        settings=THROW_AWAY,
    )
    try:
        postgres.initialise()
        (postgres.data / "pg_hba.conf").write_text("local all all trust\n")
        postgres.start()
        postgres.psql("DROP DATABASE atelier")
        postgres.psql("DROP ROLE atelier")
        yield postgres
    finally:
        postgres.stop()
        subprocess.run(["rm", "-rf", str(folder)], check=True)


def query(cluster: Postgres, role: str, statement: str, database: str = "atelier") -> str:
    """Rows, or the error that PostgreSQL gave."""
    command = [
        *(str(cluster.bindir / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"),
        *("-h", str(cluster.sockets), "-U", role, "-d", database),
    ]
    environ = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", **cluster.environ}
    done = subprocess.run(
        command, input=statement, capture_output=True, text=True, check=False, env=environ
    )
    return (done.stdout + done.stderr).strip()


def test_documented_roles_can_do_their_own_work_and_no_more(cluster):
    roles, after_migration = BLOCK.findall((CHECKOUT / "docs" / "operations.md").read_text())
    assert query(cluster, "postgres", roles, database="postgres") == ""
    revoked = re.search(r"REVOKE SELECT ON ([a-z0-9_,\s]+) FROM", after_migration)[1]
    for table in ["products_product", *re.split(r",\s+", revoked)]:
        query(cluster, "atelier_owner", f"CREATE TABLE {table} (id bigserial PRIMARY KEY, n int)")
    assert query(cluster, "atelier_owner", after_migration) == ""

    insert = "INSERT INTO products_product (n) VALUES (1) RETURNING id"
    assert query(cluster, "atelier_app", insert) == "1"
    assert "permission denied" in query(cluster, "atelier_app", "CREATE TABLE mine (id int)")
    assert "must be owner" in query(cluster, "atelier_app", "DROP TABLE products_product")
    assert query(cluster, "atelier_app", "SHOW statement_timeout") == "5s"

    assert query(cluster, "atelier_import", "CREATE TEMP TABLE staging (id int)") == ""
    assert query(cluster, "atelier_import", "CREATE TABLE made_by_import (id int)") == ""
    owner = "SELECT tableowner FROM pg_tables WHERE tablename = 'made_by_import'"
    assert query(cluster, "atelier_import", owner) == "atelier_owner"

    assert query(cluster, "atelier_read", "SELECT n FROM products_product") == "1"
    assert "permission denied" in query(cluster, "atelier_read", "SELECT * FROM users_user")
    write = "SET default_transaction_read_only = off; DELETE FROM products_product"
    assert "permission denied" in query(cluster, "atelier_read", write)
