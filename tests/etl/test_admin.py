"""What staff see of imports: every line accounted for, nothing to change."""

import csv
import io
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from etl.models import ImportRun
from tests.factories.etl import ImportFileFactory, ImportRejectFactory, ImportRunFactory
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
        "1,000,100 read = 1,000,011 loaded + 0 updated + 0 unchanged + 0 skipped + 39 duplicate"
        " + 50 rejected"
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


REJECTS = "/admin/etl/importreject/"


@pytest.fixture
def rejects(run):
    """Those of a run, and one of an earlier run."""
    earlier = ImportFileFactory(run=ImportRunFactory(id=900), rejected=1, read=11)
    ImportRejectFactory(file=earlier, original=b"earlier")
    file = ImportFileFactory(
        run=run, name="skus", read=13, rejected=3, rejects={"missing_parent": 2, "bad_number": 1}
    )
    ImportRejectFactory(file=file, line=12, original=b'=HYPERLINK("x"),"<b>",\xff\0')
    ImportRejectFactory(file=file, line=13, value="4711", original=b"-1,2")
    return ImportRejectFactory(
        file=file, line=14, column="id", reason="bad_number", value="+x", original=b"+x,2"
    )


def shown(client, query=""):
    page = client.get(f"{REJECTS}{query}")
    assert page.status_code == 200
    return [reject.line for reject in page.context["cl"].result_list]


def test_rejected_lines_of_the_last_run_are_listed(admin_client, rejects):
    assert shown(admin_client) == [12, 13, 14]
    assert len(shown(admin_client, "?run=900")) == 1
    page = admin_client.get(REJECTS).content.decode()
    assert "&lt;b&gt;&quot;,\\xff\\x00" in page
    assert "skus.csv, line 12" in page
    assert f'href="{REJECTS}?run=1005"' in admin_client.get(f"{RUNS}1005/change/").content.decode()
    assert admin_client.get(f"{REJECTS}{rejects.pk}/change/").status_code == 200


@pytest.mark.parametrize(
    ("query", "lines"),
    [
        ("?q=13", [13]),
        ("?q=4711", [13]),
        ("?q=HYPERLINK", [12]),
        ("?q=missing_parent", [12, 13]),
        ("?q=nothing", []),
        ("?reason=bad_number", [14]),
        ("?reason=bad_number&q=HYPERLINK", []),
        ("?run=x", [12, 13, 14]),
        ("?run=%C2%B2", [12, 13, 14]),
        ("?run=99999", []),
        ("?reason=%00", []),
    ],
)
def test_rejected_lines_are_searched(admin_client, rejects, query, lines):
    assert shown(admin_client, query) == lines


def test_rejected_lines_are_downloaded_without_formulas(admin_client, rejects):
    answer = admin_client.get(f"{REJECTS}download/?run=1005")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer["Content-Disposition"]
    rows = list(csv.reader(io.StringIO(answer.getvalue().decode(), newline="")))
    assert rows == [
        ["run", "file", "line", "column", "reason", "value", "original"],
        *(
            ["1005", "skus.csv", *cells]
            for cells in (
                ["12", "product_id", "missing_parent", "99", '\'=HYPERLINK("x"),"<b>",\\xff\\x00'],
                ["13", "product_id", "missing_parent", "4711", "'-1,2"],
                ["14", "id", "bad_number", "'+x", "'+x,2"],
            )
        ),
    ]
    narrowed = admin_client.get(f"{REJECTS}download/?run=1005&reason=bad_number").getvalue()
    assert narrowed.count(b"skus.csv") == 1


def test_staff_without_the_permission_download_nothing(client, rejects):
    client.force_login(UserFactory(is_staff=True))
    assert client.get(f"{REJECTS}download/").status_code == 403
