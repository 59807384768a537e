"""What staff see of imports: every line accounted for, nothing to change."""

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from etl.models import ImportRun
from tests.factories.etl import ImportFileFactory, ImportRunFactory
from tests.factories.users import UserFactory

pytestmark = pytest.mark.django_db

RUNS = "/admin/etl/importrun/"


@pytest.fixture
def run():
    run = ImportRunFactory(
        id=1005,
        status=ImportRun.Status.REJECTS,
        sources=["/data/product.csv", "<b>bold</b>"],
        started_at=datetime(2026, 1, 1, 11, 58, 30, tzinfo=UTC),
    )
    ImportFileFactory(
        run=run,
        name="product.csv",
        read=1_000_100,
        loaded=1_000_011,
        duplicate=39,
        rejected=50,
        repairs={"missing_cents": 4211, "dollar_sign": 120},
        rejects={"bad_id": 20, "missing_name": 30},
    )
    return run


@pytest.mark.parametrize("path", [RUNS, f"{RUNS}?q=1005", f"{RUNS}?p=2", f"{RUNS}1005/change/"])
def test_page_opens(admin_client, run, path):
    assert admin_client.get(path).status_code == 200


def test_account_of_a_file_is_readable(admin_client, run):
    page = admin_client.get(f"{RUNS}1005/change/").content.decode()
    account = (
        "1,000,100 read = 1,000,011 loaded + 0 updated + 0 unchanged + 39 duplicate + 50 rejected"
    )
    assert account in page
    assert "missing_cents: 4,211<br>dollar_sign: 120" in page
    assert "missing_name: 30<br>bad_id: 20" in page
    assert "done, with rejected lines" in page
    assert "90.0 s" in page
    assert "<b>bold</b>" not in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page


def test_running_import_has_taken_no_time_yet(admin_client):
    ImportRunFactory(id=1006, status=ImportRun.Status.RUNNING, finished_at=None, sources=[])
    assert admin_client.get(f"{RUNS}1006/change/").status_code == 200
    assert admin_client.get(RUNS).status_code == 200


def test_nothing_is_changed(admin_client, run):
    assert admin_client.get(f"{RUNS}add/").status_code == 403
    for path in ("1005/change/", "1005/delete/"):
        assert (
            admin_client.post(f"{RUNS}{path}", {"command": "x", "post": "yes"}).status_code == 403
        )
    chosen = {"action": "delete_selected", "_selected_action": ["1005"], "post": "yes"}
    admin_client.post(RUNS, chosen)
    assert ImportRun.objects.get().command == "import_products"


def test_strangers_are_sent_to_the_login(client, run):
    client.force_login(UserFactory(is_staff=False))
    assert client.get(RUNS)["Location"].startswith("/admin/login/")


def test_list_takes_as_many_queries_for_50_rows_as_for_1_and_counts_nothing(admin_client, run):
    def statements():
        with CaptureQueriesContext(connection) as captured:
            assert admin_client.get(RUNS).status_code == 200
        return [query["sql"] for query in captured.captured_queries]

    admin_client.get("/admin/")
    few = statements()
    for _ in range(49):
        ImportFileFactory()
    many = statements()
    assert len(many) == len(few)
    assert not [sql for sql in many if "COUNT(" in sql]
