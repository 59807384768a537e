"""What only the whole stack can show: real nginx, three gunicorn instances, one supervisor."""

import http.client
import json
import os
import signal
import socket
import stat
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from stack import probes
from stack.application import Application, Made
from stack.errors import StackError
from stack.lifecycle import Stack
from stack.testing import TestStack
from tests.access_log import access_log
from tests.faults.cache.clients import Steady
from tests.faults.cache.site import UNTRUSTED, wait_until
from tests.users.test_matrix import ADMIN, ROUTES

pytestmark = pytest.mark.e2e

# An escape in the address: no cache in between, an instance answers.
UNCACHED = "/products?count=%35"

FAIL_TIMEOUT = 3.5  # fail_timeout of the upstream, and a little


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


@pytest.fixture
def ask(stack: TestStack) -> Callable[..., Answer]:
    """Send one request through nginx, from a trusted address unless told otherwise."""

    def send(
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        source: str | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection(
            "127.0.0.1", stack.port, timeout=20, source_address=source and (source, 0)
        )
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    return send


class Load:
    """GETs from several clients at once, until told to stop, counted by outcome."""

    def __init__(self, ask: Callable[..., Answer], path: str = UNCACHED) -> None:
        self.outcomes: Counter[object] = Counter()
        self.slowest = 0.0
        self._ask = ask
        self._path = path
        self._stopped = threading.Event()
        self._clients = [threading.Thread(target=self._run) for _ in range(4)]

    def __enter__(self) -> "Load":
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        for client in self._clients:
            client.join()

    def _run(self) -> None:
        # The machine is for those who restart, too.
        while not self._stopped.wait(0.01):
            began = time.monotonic()
            try:
                outcome: object = self._ask("GET", self._path).status
            except (OSError, http.client.HTTPException) as error:
                outcome = repr(error)
            self.outcomes[outcome] += 1
            self.slowest = max(self.slowest, time.monotonic() - began)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/products/1/styles", 200),
        ("GET", "/products/abc", 404),
        ("GET", "/products?min_price=x", 400),
        ("PUT", "/reviews/999999999/helpful", 204),
        ("OPTIONS", "/products", 204),
        ("GET", "/admin/login/", 200),
        ("GET", "/docs/", 200),
        ("GET", "/healthz", 200),
        ("GET", "/static/core/favicon.svg", 200),
        ("GET", "/static/absent.css", 404),
        ("GET", "/media/", 404),
        ("GET", "/profiles/018f0000-0000-7000-8000-000000000001", 401),
        ("GET", "/user/1", 401),
        ("POST", "/login", 401),
        ("GET", "/nothing", 404),
        ("TRACE", "/user/1", 405),
        ("GET", "/user/1?x=" + "y" * 9000, 414),
    ],
)
def test_every_answer_tells_browsers_once_not_to_guess_and_not_to_frame(ask, method, path, status):
    for _ in range(2):  # the second from the cache, where there is one
        answer = ask(method, path)
        assert answer.status == status
        assert answer.headers.get_all("X-Content-Type-Options") == ["nosniff"]
        assert answer.headers.get_all("X-Frame-Options") == ["DENY"]
        assert "Strict-Transport-Security" not in answer.headers


def test_sample_data_is_served(ask):
    answer = ask("GET", "/products?count=3")

    assert answer.status == 200
    assert [row["id"] for row in json.loads(answer.body)] == [1, 2, 3]


@pytest.mark.parametrize("campus", ["hr-rfp", "hr-lax", "anything"])
def test_legacy_base_path_is_the_same_without_a_redirect(ask, campus):
    legacy = ask("GET", f"/api/fec2/{campus}/products?page=2&count=2")

    assert legacy.status == 200
    assert legacy.body == ask("GET", "/products?page=2&count=2").body


def test_legacy_base_path_reaches_reviews_with_its_query(ask):
    answer = ask("GET", "/api/fec2/hr-rfp/reviews/?product_id=1&count=7")

    assert answer.status == 200
    assert json.loads(answer.body)["count"] == 7


@pytest.mark.parametrize("path", ["/products", "/reviews/1/helpful", "/api/fec2/hr-rfp/reviews"])
def test_preflight_is_answered_for_public_routes(ask, path):
    asked = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    answer = ask("OPTIONS", path, headers=asked)

    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD, POST, PUT, OPTIONS"
    allowed = answer.headers["Access-Control-Allow-Headers"].split(", ")
    assert {"Authorization", "Content-Type"} <= set(allowed)


def test_errors_of_public_routes_carry_cors_headers_too(ask):
    answer = ask("GET", "/reviews?product_id=none")

    assert answer.status == 422
    assert answer.headers.get_all("Access-Control-Allow-Origin") == ["*"]
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]


def test_staff_pages_have_no_cors_headers(ask):
    answer = ask("GET", "/admin/login/", headers={"Origin": "https://shop.example"})

    assert answer.status == 200
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_write_with_a_token_shows_at_once_through_nginx(ask, stack):
    """The first client of `make up`; a token that is revoked is refused by every instance."""
    secret = stack.config.text("FIRST_CLIENT_SECRET")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    credentials = f"client_id=first&client_secret={secret}"
    asked = ask(
        "POST", "/oauth/token", form, f"grant_type=client_credentials&{credentials}".encode()
    )
    assert asked.status == 200
    token = json.loads(asked.body)["access_token"]
    shown = {"Authorization": f"Bearer {token}"}
    made = ask("POST", "/products", shown, b'{"name":"Coat","default_price":"1"}')
    assert made.status == 201
    path = made.headers["Location"]
    for price in range(2, 12):
        body = json.dumps({"default_price": str(price)}).encode()
        assert ask("PATCH", path, shown, body).status == 200
        # A reader's token is dropped, and the answer shared.
        read = ask("GET", path, shown)
        assert json.loads(read.body)["default_price"] == f"{price}.00"
    assert ask("PATCH", path, None, b'{"name":"x"}').status == 401
    assert ask("DELETE", path, shown).status == 204
    assert ask("GET", path).status == 404
    assert {ask("DELETE", path, shown).status for _ in range(9)} == {404}
    assert ask("POST", "/oauth/revoke", form, f"token={token}&{credentials}".encode()).status == 200
    time.sleep(1)
    assert {ask("DELETE", path, shown).status for _ in range(9)} == {401}


def test_unknown_host_gets_no_answer_at_all(ask):
    with pytest.raises(ConnectionResetError):
        ask("GET", "/products", headers={"Host": "elsewhere.example"})


def test_request_id_is_kept_when_well_formed_and_sent_once(ask):
    answer = ask("GET", "/products", headers={"X-Request-ID": "front-end_7.a"})

    assert answer.headers.get_all("X-Request-ID") == ["front-end_7.a"]


@pytest.mark.parametrize("bad", ["two words", "x" * 65, "<script>"])
def test_malformed_request_id_is_replaced(ask, bad):
    answer = ask("GET", "/products", headers={"X-Request-ID": bad})

    assert len(answer.headers["X-Request-ID"]) == 32
    assert answer.headers["X-Request-ID"] != bad


def test_f17_spoofed_forwarding_headers_are_not_believed(ask, stack):
    spoofed = {
        "X-Request-ID": "spoof-1",
        "X-Forwarded-For": "203.0.113.9",
        "Forwarded": "for=203.0.113.9",
        "X-Forwarded-Host": "elsewhere.example",
        "X-Real-IP": "203.0.113.9",
    }
    assert ask("GET", "/products", headers=spoofed, source=UNTRUSTED).status == 200

    assert logged(stack, "spoof-1")["remote_addr"] == UNTRUSTED


def test_access_log_is_one_json_object_a_request(ask, stack):
    ask("GET", '/products?name="\\', headers={"X-Request-ID": "log-1"})

    entry = logged(stack, "log-1")
    assert entry["method"] == "GET"
    assert entry["status"] == 200
    assert entry["upstream"].endswith(".sock")
    assert set(entry) >= {"time", "uri", "bytes", "request_time", "upstream_time", "cache"}


def test_static_files_are_served_by_nginx(ask):
    answer = ask("GET", "/static/admin/css/base.css")

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/css"
    assert "max-age=" in answer.headers["Cache-Control"]
    assert "Set-Cookie" not in answer.headers
    assert ask("GET", "/static/../manage.py").status in {400, 404}


def test_f10_body_beyond_a_megabyte_is_refused(ask):
    answer = ask("POST", "/reviews", body=b"x" * 1_100_000)

    assert (answer.status, answer.body) == (413, b"Request body too large")


def test_client_beyond_its_rate_is_told_to_wait(ask):
    answers = [ask("GET", "/products", source=UNTRUSTED) for _ in range(40)]

    refused = [answer for answer in answers if answer.status == 429]
    assert refused
    assert {answer.status for answer in answers} == {200, 429}
    assert refused[0].body == b"Too many requests"
    assert refused[0].headers["Retry-After"] == "1"
    assert refused[0].headers["Access-Control-Allow-Origin"] == "*"


def test_trusted_networks_have_no_rate(ask):
    assert {ask("GET", "/products").status for _ in range(60)} == {200}
    assert {ask("POST", "/oauth/token").status for _ in range(40)} == {400}


@pytest.mark.parametrize(
    ("number", "path", "kind"),
    [
        (3, "/oauth/token", "application/json"),
        (4, "/oauth/introspect/", "application/json"),
        (5, "/oauth/revoke", "application/json"),
        (6, "/admin/login/", "text/plain"),
    ],
)
def test_secrets_and_passwords_are_tried_out_slowly(ask, number, path, kind):
    source = f"127.0.0.{number}"
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    def guess():
        # Slower than the rate of all requests.
        time.sleep(0.21)
        return ask("POST", path, form, b"client_id=a&client_secret=b", source)

    answers = [guess() for _ in range(9)]
    assert [answer.status == 429 for answer in answers] == [False] * 7 + [True] * 2
    refused = answers[-1]
    assert refused.headers["Content-Type"] == kind
    assert b"Too many requests" in refused.body
    assert refused.headers["Retry-After"] == "10"
    # Looking at the page, and everything else, goes on.
    assert ask("GET", "/admin/login/", source=source).status == 200
    assert ask("GET", "/products", source=source).status == 200


def test_a_connection_is_read_on_behind_a_refused_body(stack):
    connection = http.client.HTTPConnection(
        "127.0.0.1", stack.port, source_address=("127.0.0.7", 0)
    )
    try:
        for _ in range(30):
            connection.request(
                "POST", "/oauth/token", b"GET /admin/ HTTP/1.1\r\nHost: localhost\r\n"
            )
            response = connection.getresponse()
            response.read()
        assert response.status == 429
    finally:
        connection.close()


def test_versions_of_the_servers_are_not_told(ask):
    assert ask("GET", "/products").headers["Server"] == "nginx"


def test_json_is_compressed_when_asked(ask):
    answer = ask("GET", "/products?count=20", headers={"Accept-Encoding": "gzip"})

    assert answer.headers["Content-Encoding"] == "gzip"


def test_f1_killed_instances_lose_no_get_and_come_back(ask, stack):
    with Load(ask) as load:
        for instance in stack.config.instances:
            before = stack.pids(instance)
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            probes.wait_until(
                lambda instance=instance, before=before: is_replaced(stack, instance, before[0]),
                seconds=60,
                otherwise=lambda instance=instance: f"{instance} did not come back",
            )
            # nginx passes over a failed instance for this long; the next one is spared till then.
            time.sleep(FAIL_TIMEOUT)

    assert set(load.outcomes) == {200}
    assert load.outcomes[200] > 50


def test_f2_hung_instance_is_passed_over(ask, stack):
    secret = stack.config.text("FIRST_CLIENT_SECRET")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    asked = f"grant_type=client_credentials&client_id=first&client_secret={secret}"
    token = json.loads(ask("POST", "/oauth/token", form, asked.encode()).body)["access_token"]

    def search(*_: str) -> Answer:
        """A POST that only reads."""
        shown = {"Authorization": f"Bearer {token}"}
        return ask("POST", "/profiles/_search", shown, b'{"query":"nobody"}')

    pids = stack.pids("web-2")
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        with Load(ask) as load, Load(search) as searches:
            time.sleep(7)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

    assert set(load.outcomes) == set(searches.outcomes) == {200}
    # One read time-out of 5 s, then another instance.
    assert max(load.slowest, searches.slowest) < 7


def test_f3_rolling_restart_loses_no_request_and_puts_every_answer_out_of_reach(ask, site, stack):
    site.wait_for_hits("/products/1")
    before = {instance: stack.pids(instance)[1:] for instance in stack.config.instances}
    with Load(ask) as load:
        stack.stack.restart()

    assert set(load.outcomes) == {200}
    for instance, workers in before.items():
        assert not set(workers) & set(stack.pids(instance)[1:]), f"{instance} kept old workers"
    wait_until(site.is_trusted, "the new keeper renews the trust")
    for port in site.ports:
        assert site.get("/products/1", port, Steady).cache == "MISS"


def test_without_instances_stored_answers_are_served_and_others_are_a_clear_503(ask, stack):
    def is_served_from_the_cache() -> bool:
        # A busy machine may hold the keeper up, and then nginx trusts no stored answer for a while.
        answer = ask("GET", "/products")
        return (answer.status, answer.headers["X-Cache-Status"]) == (200, "HIT")

    probes.wait_until(is_served_from_the_cache, seconds=20, otherwise=lambda: "nothing is stored")
    for instance in stack.config.instances:
        stack.stack.client.stop(instance)
    try:
        probes.wait_until(
            is_served_from_the_cache, seconds=20, otherwise=lambda: "what was stored is not served"
        )
        answer = ask("GET", UNCACHED)
        unsent = ask("POST", "/products", body=b"{}")
    finally:
        stack.stack.up()

    assert answer.status == 503
    assert answer.headers["Retry-After"] == "2"
    assert (unsent.status, unsent.headers["Retry-After"]) == (503, "2")
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.body.startswith(b"An error occurred. If this error persists,")
    assert ask("GET", UNCACHED).status == 200


@pytest.mark.long
def test_f9_slow_headers_are_cut_off_and_innocents_served(ask, stack):
    with socket.create_connection(("127.0.0.1", stack.port), timeout=15) as slow:
        slow.sendall(b"GET /products HTTP/1.1\r\nHost: localhost\r\n")
        assert ask("GET", "/products").status == 200
        began = time.monotonic()
        with pytest.raises(ConnectionResetError):
            slow.recv(100)

    assert 8 < time.monotonic() - began < 13


def test_killed_nginx_is_replaced_although_its_workers_held_the_port(ask, stack):
    before = stack.pids("nginx")
    os.kill(before[0], signal.SIGKILL)
    probes.wait_until(
        lambda: stack.stack.client.pid("nginx") not in {0, before[0]} and orphans_are_gone(before),
        seconds=15,
        otherwise=lambda: "nginx did not come back",
    )
    probes.wait_until(
        lambda: probes.is_ready(stack.config), seconds=10, otherwise=lambda: "nginx does not answer"
    )
    # The master and its workers at least; the cache's loader comes and goes.
    assert len(stack.pids("nginx")) > 2
    assert ask("GET", "/products").status == 200


@pytest.mark.parametrize("name", ["Authorization", "Cookie", "X-Anything"])
@pytest.mark.parametrize("path", ["/user/1", "/products", "/login"])
def test_control_bytes_in_a_header_are_a_problem(ask, name, path):
    for byte in ("\x01", "\x0b", "\x1f", "\x7f"):
        # An escape in the address: an instance is asked.
        answer = ask("POST", f"{path}?%35", {name: f"Bearer {byte}x"})
        assert (answer.status, answer.headers["Content-Type"]) == (400, "application/problem+json")
        assert json.loads(answer.body)["code"] == "bad_request"


def test_a_nul_in_a_header_is_refused_in_the_words_of_the_route(stack):
    with socket.create_connection(("127.0.0.1", stack.port), timeout=15) as nul:
        nul.sendall(b"GET /user/1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: \0\r\n\r\n")
        head, _, body = nul.recv(4096).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert body == b'{"status":"error","message":"Bad request"}'


def test_nginx_refuses_public_routes_in_plain_text(ask):
    stored = "/products/1"
    assert ask("GET", stored).status == 200
    for method, path, headers, status in (
        ("TRACE", "/reviews", {}, 405),
        ("GET", "/reviews/%00/helpful", {}, 400),
        ("GET", "/static/absent.css", {}, 404),
        ("GET", "/products?x=" + "y" * 9000, {}, 414),
        ("GET", stored, {"If-Match": '"another"'}, 412),
        ("GET", "/static/core/favicon.svg", {"If-Match": '"another"'}, 412),
        ("GET", "/static/core/favicon.svg", {"Range": "bytes=999999999-"}, 416),
    ):
        answer = ask(method, path, headers=headers)
        assert (answer.status, answer.headers["Content-Type"]) == (status, "text/plain"), path
        assert len(answer.headers.get_all("X-Request-ID")) == 1
        assert b"<html" not in answer.body


def test_a_method_that_nginx_refuses_is_told_with_those_that_are_allowed(ask):
    # The admin's forms are posted.
    allowed, paths = defaultdict(set, {ADMIN: {"POST"}}), {}
    for (name, method), row in ROUTES.items():
        allowed[name].add(method.upper())
        paths.setdefault(name, row.path)
    files = {"favicon": "/static/core/favicon.svg", "picture": f"/media/profiles/{'0' * 32}.jpg"}
    for name, path in (paths | files).items():
        refused = ask("TRACE", path)
        assert refused.status == 405
        told = set(refused.headers["Allow"].split(", "))
        assert told - {"HEAD", "OPTIONS"} == allowed.get(name, {"GET"}), name
        assert ("HEAD" in told) == ("GET" in told)
    for path in files.values():
        refused = ask("PUT", path)
        assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("/products?x=", "text/plain"),
        ("/reviews/", "text/plain"),
        ("/user/1?x=", "application/json; charset=utf-8"),
        ("/nothing?x=", "application/problem+json"),
        ("/", "application/problem+json"),
    ],
)
def test_an_address_too_long_is_refused_in_the_words_of_its_route(ask, address, kind):
    refused = ask("GET", address + "y" * 9000)
    assert (refused.status, refused.headers["Content-Type"]) == (414, kind)
    if kind == "application/problem+json":
        assert json.loads(refused.body)["code"] == "too_long"


def test_a_line_that_nobody_can_read_is_a_problem(stack):
    for line in (b"\x16\x03\x01\x02", b"GET", b"GET products HTTP/1.1", b"GET /nothing HTTP/9.1"):
        with socket.create_connection(("127.0.0.1", stack.port), timeout=15) as broken:
            broken.sendall(line + b"\r\n\r\n")
            head, _, body = broken.recv(4096).partition(b"\r\n\r\n")
        assert b"Content-Type: application/problem+json\r\n" in head
        assert json.loads(body)["code"] == "bad_request"


def test_secrets_of_another_env_are_told_of_and_change_nothing(stack):
    application = stack.stack.application
    before = {"admin": Made.BEFORE, "client": Made.BEFORE}
    assert application.create_accounts() == before
    for mark in ("admin-done", "client-done"):
        assert stat.S_IMODE((stack.config.state / "marks" / mark).stat().st_mode) == 0o600

    values = {**stack.config.values, "ADMIN_PASSWORD": "another", "FIRST_CLIENT_SECRET": "s" * 64}
    anew, said = stack_with(stack, values)
    for _ in range(2):
        anew._create_accounts()
    assert len(said) == 4
    assert said[0].startswith("the account admin has another password than ADMIN_PASSWORD in .env")
    assert said[1].startswith("the client first has another secret than FIRST_CLIENT_SECRET")
    assert "another" not in said[0].replace("another password", "")

    # What was right all along is told again, where an earlier command did not come to it.
    (stack.config.state / "marks" / "admin-done").write_text("")
    (stack.config.state / "marks" / "client-done").write_text("")
    assert application.create_accounts() == {"admin": Made.NOW, "client": Made.NOW}
    assert application.create_accounts() == before

    values |= {"ADMIN_USERNAME": "eve", "FIRST_CLIENT_ID": "second"}
    other = Application(replace(stack.config, values=values), stack.stack.environ)
    assert other.create_accounts() == {"admin": Made.NOW, "client": Made.NOW}
    assert other.create_accounts() == before


def test_up_mends_what_a_failed_one_has_left_behind(stack):
    broken, _ = stack_with(stack, {**stack.config.values, "REDIS_BIN": "/bin/false"})
    stack.stack.client.stop("redis")
    # It ends at once, and is started again and again.
    broken._apply_supervisor_config()
    assert not stack.stack._redis().is_ready()

    stack.stack._start()
    assert stack.stack._redis().is_ready()
    assert stack.stack.is_complete()


def test_up_renews_what_runs_with_older_code(stack):
    """After a pull, the site is not whole and has to be started."""
    before = {name: probes.children(stack.stack.client.pid(name)) for name in ("web-1", "web-3")}
    worker = stack.stack.client.pid("worker")
    (stack.config.state / "marks" / "applied").write_text("older")
    stack.stack.client.stop("web-2")

    assert stack.stack.up() is True
    for name, old in before.items():
        assert not set(probes.children(stack.stack.client.pid(name))) & set(old)
    assert stack.stack.client.pid("worker") != worker
    assert stack.stack.is_outdated() is False
    assert stack.stack.is_complete()


def test_a_folder_that_cannot_be_made_is_told(stack):
    broken, _ = stack_with(stack, {**stack.config.values, "CACHE_DIR": "/proc/nowhere"})
    with pytest.raises(StackError, match=r"^The folder /proc/nowhere"):
        broken._make_folders()


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("WEB_STATEMENT_TIMEOUT_MS", "-1"),
        ("WEB_PARALLEL_WORKERS", "-1"),
        ("WEB_PARALLEL_WORKERS", "1025"),
        ("LOG_LEVEL", "-1"),
    ],
)
def test_what_instances_cannot_use_stops_the_start(stack, name, bad):
    environ = {**stack.stack.environ, name: bad}
    with pytest.raises(StackError, match=f"^{name} is '{bad}'"):
        Application(stack.config, environ).check_settings()


def test_what_the_supervisor_refuses_is_told_with_what_to_do(stack, monkeypatch):
    client = stack.stack.client
    with pytest.raises(StackError, match=r"refuses startProcess nobody .*`make down`"):
        client.start("nobody")
    # It was started, or ended, since it was looked at.
    monkeypatch.setattr(client, "is_program_running", lambda name: name != "web-1")
    before = client.pid("web-1")
    client.start("web-1")
    assert client.pid("web-1") == before
    monkeypatch.undo()
    client.stop("web-3")
    client.stop("web-3")
    client.start("web-3")


def test_up_again_changes_nothing(stack):
    before = {name: info["pid"] for name, info in stack.stack.client.processes().items()}

    assert stack.stack.up() is False
    assert stack.stack.is_outdated() is False
    assert {n: i["pid"] for n, i in stack.stack.client.processes().items()} == before


def stack_with(stack: TestStack, values: dict[str, str]) -> tuple[Stack, list[str]]:
    """The same state folder under other settings, and what it says."""
    said: list[str] = []
    other = Stack(
        replace(stack.config, values=values),
        nginx=stack.stack.nginx,
        site_packages=stack.stack.site_packages,
        environ=stack.stack.environ,
        say=said.append,
    )
    return other, said


def orphans_are_gone(pids: list[int]) -> bool:
    return not any(probes.is_alive(pid) for pid in pids)


def is_replaced(stack: TestStack, instance: str, old: int) -> bool:
    return stack.stack.client.pid(instance) not in {0, old} and probes.is_instance_alive(
        stack.config, instance
    )


def logged(stack: TestStack, request_id: str) -> dict[str, object]:
    """The access log's entry of a request."""
    log = access_log(stack.config.logs)
    (entry,) = log.wait_for(1, lambda row: row["request_id"] == request_id)
    return entry
