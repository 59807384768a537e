"""How long answers are kept, what ends them besides the API's writes, and what operators see."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import orjson
import pytest

from stack.supervisor import UnixConnection
from tests.faults.cache.clients import Steady
from tests.faults.cache.hot import HotSet
from tests.faults.cache.node import Node
from tests.faults.cache.site import Instance, Site, wait_until
from tests.faults.cache.staff import Staff

pytestmark = pytest.mark.e2e

_products = count(50_000, 10)


def statuses(site: Site, path: str) -> list[str]:
    return [site.get(path, port, Steady).cache for port in site.ports]


def manage(site: Site, *command: str) -> str:
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=site.stack.config.checkout,
        env=site.environ(),
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def counted(site: Site) -> dict[str, int]:
    connection = UnixConnection(site.stack.config.nginx_sockets / "metrics.sock")
    with contextlib.closing(connection):
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
    counters = [line.split("} ") for line in lines if not line.startswith("#")]
    return {name.split('"')[1]: int(value) for name, value in counters}


def test_answers_are_made_anew_when_their_time_is_over(site: Site):
    instance = Instance(site, "web-short", CACHE_SECONDS="1")
    with (
        contextlib.closing(instance),
        Node(site.stack, "node-short", instance.socket, CACHE_SECONDS="1") as node,
    ):
        path = "/products/1?short"
        assert site.get(path, node.port, Steady).cache == "MISS"
        first = time.monotonic()
        seen = []
        while time.monotonic() < first + 2.5:
            seen.append(site.get(path, node.port, Steady).cache)
        assert set(seen) <= {"HIT", "EXPIRED", "MISS"}
        made_anew = [status for status in seen if status != "HIT"]
        assert 1 <= len(made_anew) <= 3
        assert len(seen) > 3 * len(made_anew)


def test_zero_seconds_switch_the_cache_off(site: Site):
    instance = Instance(site, "web-uncached", CACHE_SECONDS="0")
    with (
        contextlib.closing(instance),
        Node(site.stack, "node-uncached", instance.socket, CACHE_SECONDS="0") as node,
    ):
        for _ in range(3):
            answer = site.get("/products/1", node.port)
            assert (answer.status, answer.cache) == (200, "")
        # An instance that stores nothing needs no nginx that agrees.
        with Node(site.stack, "node-hopeful", instance.socket) as hopeful:
            for _ in range(3):
                assert site.get("/products/1", hopeful.port, Steady).cache == "MISS"


def test_answers_are_counted_for_a_scraper(site: Site):
    path = f"/products/1/related?{next(_products)}"
    site.get(path, kind=Steady)
    before = counted(site)
    assert [site.get(path, kind=Steady).cache for _ in range(5)] == ["HIT"] * 5
    assert site.get("/products/1/related?%00").status in {200, 400}
    after = counted(site)
    assert after["HIT"] >= before["HIT"] + 5


def test_expire_caches_puts_every_answer_out_of_reach(site: Site):
    paths = ["/products", "/products/1", "/reviews?product_id=1", "/reviews/meta?product_id=1"]
    for path in paths:
        site.wait_for_hits(path)
    assert "out of reach" in manage(site, "expire_caches")
    for path in paths:
        assert statuses(site, path) == ["MISS", "MISS"]
        assert statuses(site, path) == ["HIT", "HIT"]


def test_an_import_shows_once_its_command_has_ended(site: Site, tmp_path: Path):
    product = next(_products)
    site.add_product(product, [])
    paths = [f"/products/{product}", "/products?category=Imported"]
    file = tmp_path / "product.csv"
    for number in range(2):
        for path in paths:
            site.wait_for_hits(path)
        file.write_text(
            "id,name,slogan,description,category,default_price\n"
            f'{product},"Coat {number}","","","Imported",{number + 1}\n'
        )
        manage(site, "import_products", "--rejects", str(tmp_path / "rejects"), str(file))
        for path in paths:
            for port in site.ports:
                answer = site.get(path, port)
                assert f'"name":"Coat {number}"'.encode() in answer.body, answer.cache


def test_what_the_staff_decides_shows_at_once(site: Site):
    hot = HotSet(site, next(_products))
    staff = Staff(site)
    path = f"/reviews?product_id={hot.voted}"
    for action, listed in (("reject", False), ("approve", True)):
        site.wait_for_hits(path)
        staff.post(
            "/admin/reviews/review/", action=action, index=0, _selected_action=hot.reviews[0]
        )
        for port in site.ports:
            found = orjson.loads(site.get(path, port).body)["results"]
            assert (hot.reviews[0] in [review["review_id"] for review in found]) == listed


def test_without_a_keeper_readiness_and_answers_say_degraded(site: Site):
    site.wait_for_hits("/products/1")
    keeper = site.pid("keeper")
    os.kill(keeper, signal.SIGSTOP)
    try:
        wait_until(lambda: not site.is_trusted(), "the trust runs out")
        ready = site.get("/readyz")
        assert (ready.status, orjson.loads(ready.body)) == (
            200,
            {"status": "degraded", "database": "ok", "redis": "ok", "cache": "degraded"},
        )
        for port in site.ports:
            assert site.get("/products/1", port).cache in {"DEGRADED-MISS", "DEGRADED-HIT"}
        assert any(status.startswith("DEGRADED-") for status in counted(site))
    finally:
        os.kill(keeper, signal.SIGCONT)
    site.wait_for_hits("/products/1")
    assert site.pid("keeper") == keeper, "it goes on where it stood"
