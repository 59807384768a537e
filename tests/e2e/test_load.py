"""The load test runs, sees every route, and can fail."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg
import pytest

from stack.postgres import DATABASE, ROLE
from tests.faults.cache.site import SHARED
from tests.repository.checkout import ROOT

pytestmark = pytest.mark.e2e

THRESHOLDS_MISSED = 99  # k6's exit code
READS = {
    *("product_list", "product_detail", "product_styles", "product_related"),
    *("review_list", "review_meta"),
}
WRITES = {"review_helpful", "review_create"}
PEOPLE = {"account_detail", "profile_detail", "profile_search"}
PATIENT = {"SCENARIO": "smoke", "VUS": "100"}


@dataclass
class Finished:
    """A run of `python -m tests.load`."""

    code: int
    said: str
    folder: Path | None

    @property
    def summary(self) -> Any:
        assert self.folder, self.said
        return json.loads((self.folder / "summary.json").read_text())

    @property
    def missed(self) -> set[str]:
        """Metrics whose threshold does not hold, without their tags."""
        rows = self.summary["thresholds"]
        return {row["metric"].partition("{")[0] for row in rows if not row["ok"]}


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Finished]:
    """Run the smoke scenario, or another one, with these settings.

    Unless they say so, k6 has users enough to drop no request where this machine stands still.
    """

    def run(**settings: str) -> Finished:
        environ = {**os.environ, "ATELIER_STATE_DIR": str(tmp_path), **PATIENT}
        for name in ("VISITOR_ID_KEY", "TOKEN_KEY", "TOKEN_AUDIENCE", "CLIENT_ID"):
            environ.pop(name, None)
        done = subprocess.run(
            [sys.executable, "-m", "tests.load"],
            cwd=ROOT,
            env={**environ, **settings},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        folder = next((tmp_path / "load").glob("*"), None)
        return Finished(done.returncode, done.stdout + done.stderr, folder)

    return run


@pytest.fixture
def empty_shop() -> Iterator[str]:
    """A site that lists one product, knows nothing about it, and misses what is related."""

    class EmptyShop(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            listed = self.path.startswith("/products?")
            body = json.dumps([{"id": 1, "default_price": "1.00"}] if listed else {}).encode()
            self.send_response(404 if self.path.endswith("/related") else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), EmptyShop)
    Thread(target=server.serve_forever).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_smoke_passes_and_reports_on_one_page(stack, load):
    done = load(URL=stack.url)

    assert done.code == 0, done.said
    summary = done.summary
    assert set(summary["routes"]) == READS | WRITES
    assert all(route["requests"] > 0 for route in summary["routes"].values())
    assert all(route["failed"] == 0 for route in summary["routes"].values())
    assert summary["dropped"] == 0
    assert summary["checks"]["failed"] == 0
    assert summary["checks"]["passed"] == sum(summary["routes"][name]["requests"] for name in READS)
    assert all(threshold["ok"] for threshold in summary["thresholds"])
    limited = {threshold["metric"] for threshold in summary["thresholds"]}
    for name in READS | WRITES:
        for metric in ("http_req_duration", "http_req_failed", "http_reqs"):
            assert f"{metric}{{scenario:smoke,name:{name}}}" in limited
    assert "dropped_iterations{scenario:smoke}" in limited

    report = (done.folder / "report.html").read_text()
    assert "smoke, mixed" in report
    assert all(name in report for name in READS | WRITES)
    assert re.findall(r"""(?:src|href)=["']?(?!data:)[\w/.:]+""", report) == []
    assert str(done.folder / "report.html") in done.said


def test_smoke_of_accounts_and_profiles_passes(site, stack, load):
    keys = site.environ()
    client = {
        "CLIENT_ID": keys.get("FIRST_CLIENT_ID", "first"),
        "CLIENT_SECRET": keys["FIRST_CLIENT_SECRET"],
    }
    sockets = str(stack.config.postgres_sockets)
    with psycopg.connect(host=sockets, user=ROLE, dbname=DATABASE) as connection:
        connection.execute(
            "INSERT INTO users_account (userid, subscription_status, ip)"
            " VALUES (1, 'None', '192.0.2.1') ON CONFLICT DO NOTHING"
        )
        # The next account of this site has a number of its own.
        connection.execute(
            "SELECT setval(pg_get_serial_sequence('users_account', 'userid'), max(userid))"
            " FROM users_account"
        )
        connection.execute(
            "INSERT INTO users_profile (id, tenant_id, profile_type, full_name, email, email_key,"
            " mobile, gender, address, city, country, image, created_by, updated_by, deleted_by,"
            " name_key, search_words) SELECT gen_random_uuid(), id, 'personal', 'Ann Lee', mail,"
            " mail, '', '', '', '', '', '', 'tests', '', '', 'ann lee',"
            " ' ann lee | ' || mail"
            " FROM users_tenant, (SELECT 'load@example.com' AS mail) address"
            " WHERE name = 'default' ON CONFLICT DO NOTHING"
        )
    done = load(URL=stack.url, DOMAIN="users", ACCOUNTS="1", DURATION="3s", **client)

    assert done.code == 0, done.said
    routes = done.summary["routes"]
    assert set(routes) == PEOPLE
    assert all(route["requests"] > 0 and route["failed"] == 0 for route in routes.values())
    assert done.summary["checks"]["failed"] == 0
    assert done.summary["checks"]["passed"] == sum(route["requests"] for route in routes.values())


def test_answers_are_counted_by_cache_status_without_the_warm_up(stack, load):
    done = load(URL=stack.url, WARMUP="1s", DURATION="2s", MIX="product_styles=1", PRODUCTS="1")

    route = done.summary["routes"]["product_styles"]
    assert sum(route["cache"].values()) == route["requests"] > 1
    assert any(status.endswith("HIT") for status in route["cache"])


@pytest.mark.parametrize(
    "keys",
    [{}, *({name: SHARED[name]} for name in ("VISITOR_ID_KEY", "TOKEN_KEY"))],
    ids=["user agent", "signed id", "token"],
)
def test_every_vote_comes_from_a_new_visitor(stack, load, keys):
    def votes() -> int:
        sockets = str(stack.config.postgres_sockets)
        with psycopg.connect(host=sockets, user=ROLE, dbname=DATABASE) as connection:
            row = connection.execute("SELECT count(*) FROM reviews_helpfulvote").fetchone()
        return int(row[0])

    before = votes()
    # Three products show fifteen reviews at most: one visitor could not vote forty times on them.
    done = load(URL=stack.url, DURATION="2s", MIX="review_helpful=1", PRODUCTS="3", **keys)

    assert done.code == 0, done.said
    assert votes() - before == done.summary["routes"]["review_helpful"]["requests"] > 15


def test_an_answer_that_is_too_slow_fails_the_run(stack, load):
    done = load(URL=stack.url, DURATION="1s", P95="0.001")

    assert done.code == THRESHOLDS_MISSED
    assert done.missed == {"http_req_duration"}


def test_a_dropped_request_fails_the_run(stack, load):
    done = load(URL=stack.url, DURATION="1s", VUS="1", RATE="3000")

    assert done.code == THRESHOLDS_MISSED
    assert done.missed == {"dropped_iterations"}
    assert done.summary["dropped"] > 0


def test_an_answer_of_the_wrong_shape_fails_the_run(load, empty_shop):
    done = load(URL=empty_shop, DURATION="1s", MIX="product_list=1,product_styles=1")

    assert done.code == THRESHOLDS_MISSED
    assert done.missed == {"checks"}
    styles = done.summary["routes"]["product_styles"]
    assert done.summary["checks"]["failed"] == styles["requests"] > 0


def test_a_wrong_status_fails_the_run(load, empty_shop):
    done = load(URL=empty_shop, DURATION="1s", MIX="product_list=1,product_related=1")

    assert done.code == THRESHOLDS_MISSED
    assert "http_req_failed" in done.missed
    routes = done.summary["routes"]
    assert routes["product_related"]["failed"] == routes["product_related"]["requests"] > 0
    assert routes["product_list"]["failed"] == 0


def test_an_address_without_the_site_is_named(stack, load):
    done = load(URL=f"{stack.url}/static")

    assert done.code == 1
    assert f"{stack.url}/static/products answers 404" in done.said


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "http://127.0.0.1:port", "http://[::1"])
def test_an_address_that_is_none_is_named(load, url):
    done = load(URL=url)

    assert done.code == 1
    assert f"URL is '{url}'" in done.said
    assert "Traceback" not in done.said


def test_orders_to_k6_do_not_switch_its_thresholds_off(stack, load):
    done = load(URL=stack.url, DURATION="1s", P95="0.001", K6_NO_THRESHOLDS="true")

    assert done.code == THRESHOLDS_MISSED


def test_a_site_that_is_down_is_named(load):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        done = load(URL=url)

    assert done.code == 1
    assert f"Nothing answers at {url}" in done.said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("SCENARIO", "smok"), ("SCENARIO", "toString"), ("SCENARIO", "../../smoke")),
        *(("DOMAIN", "cart"), ("DOMAIN", "constructor"), ("MIX", "cart=1"), ("DURATION", "soon")),
        *(("RATE", "0.5"), ("VUS", "1.5"), ("PRODUCTS", "0")),
    ],
)
def test_a_setting_that_cannot_be_meant_is_named(stack, load, name, value):
    done = load(URL=stack.url, **{name: value})

    assert done.code not in (0, THRESHOLDS_MISSED)
    assert f"{name} " in done.said
    assert f"'{value}'" in done.said
