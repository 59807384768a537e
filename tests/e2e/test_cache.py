"""What nginx's cache may and may not do, seen by clients; `tests/faults/cache` races it."""

import contextlib
import http.client
from collections.abc import Iterator
from itertools import count, cycle

import orjson
import pytest

from tests.faults.cache.addresses import PREFIX, addresses
from tests.faults.cache.clients import Answer, Client, Lost, Steady, header
from tests.faults.cache.hot import HotSet
from tests.faults.cache.site import OTHER_HOST, Process, Site, wait_until

pytestmark = pytest.mark.e2e

# Some errors name the request.
SAME_ID = "X-Request-ID: same\r\n"
_products = count(40_000, 10)
# Each is a cold address with an answer of its own.
_cold = (
    f"/reviews?product_id={product}&count={number}" for number in count(20) for product in (1, 2)
)


@pytest.fixture(scope="module")
def hot(site: Site) -> HotSet:
    return HotSet(site, next(_products))


@pytest.fixture(scope="module")
def writer(site: Site) -> Iterator[Process]:
    writer = site.process()
    yield writer
    writer.close()


@pytest.fixture(autouse=True)
def trusted(site: Site) -> None:
    wait_until(site.is_trusted, "the keeper renews the trust")


@pytest.fixture
def client(site: Site) -> Iterator[Client]:
    with contextlib.closing(Steady(site.stack.port)) as client:
        yield client


@pytest.fixture
def instance(site: Site) -> Iterator[Client]:
    """Past nginx."""
    socket = site.stack.config.web_sockets / "web-1.sock"
    with contextlib.closing(Client(socket)) as client:
        yield client


def same(answer: Answer, other: Answer) -> bool:
    return (answer.status, answer.body) == (other.status, other.body)


def differing(client: Client, instance: Client, spellings: list[str]) -> list[str]:
    """Addresses that nginx answers otherwise than an instance does, at the first or second time."""
    found = []
    for address in spellings:
        truth = instance.ask("GET", address, SAME_ID)
        for turn in ("first", "second"):
            answer = client.ask("GET", address, SAME_ID)
            if not same(answer, truth):
                found.append(
                    f"{address[:80]} {turn}: {answer.status} {answer.cache}"
                    f" {answer.body[:60]!r}, not {truth.status} {truth.body[:60]!r}"
                )
    return found


def test_f18_however_an_address_is_written_the_stored_answer_is_the_instances(
    client: Client, instance: Client
):
    known = addresses()
    assert len(known) > 800
    assert not differing(client, instance, known)
    statuses = {client.get(address).cache for address in known}
    assert {"HIT", "BYPASS"} <= statuses <= {"HIT", "BYPASS", "MISS", ""}


def test_f18_the_legacy_base_path_shares_the_stored_answers(client: Client, instance: Client):
    for address in addresses():
        if address.startswith(("/products", "/reviews")) and "." not in address.split("?")[0]:
            truth = instance.ask("GET", address, SAME_ID)
            if truth.status == 200:
                assert same(client.get(PREFIX + address), truth), address
    cold = next(_cold)
    assert client.get(PREFIX + cold).cache == "MISS"
    assert client.get(cold).cache == "HIT"


HOSTILE = {
    "credentials": "Authorization: Bearer somebody\r\nCookie: sessionid=somebody; visitor=x\r\n",
    "forwarded host": "X-Forwarded-Host: evil.example\r\nForwarded: host=evil.example\r\n",
    "forwarded protocol": "X-Forwarded-Proto: https\r\nX-Forwarded-Port: 1\r\n",
    "forwarded address": "X-Forwarded-For: 203.0.113.9\r\nX-Real-IP: 203.0.113.9\r\n",
    "another scope": "X-Cache-Scope: reviews:3\r\nX_Cache_Scope: reviews:3\r\n",
    "scope taken off": "Connection: close, X-Cache-Scope\r\n",
    "orders to nginx": "X-Accel-Expires: 0\r\nX-Accel-Redirect: /static/\r\n",
    "another method": "X-HTTP-Method-Override: DELETE\r\nX-Method-Override: PUT\r\n",
    "another address": "X-Original-URL: /admin/\r\nX-Rewrite-URL: /products/2\r\n",
    "a range": "Range: bytes=0-9\r\n",
    "many ranges": "Range: bytes=0-0,2-2,4-\r\n",
    "any tag matches": "If-None-Match: *\r\n",
    "no tag matches": 'If-Match: "none"\r\n',
    "long unchanged": "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT\r\n",
    "nothing stored": "Cache-Control: no-store, no-cache, max-age=0\r\nPragma: no-cache\r\n",
    "another format": "Accept: text/html\r\nAccept-Language: de\r\nAccept-Charset: utf-16\r\n",
    "another origin": "Origin: https://evil.example\r\nReferer: https://evil.example/\r\n",
    "another visitor": "X-Visitor-Id: somebody.00\r\nUser-Agent: <script>\r\n",
    "an upgrade": "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AA\r\n",
    "a long header": f"X-Long: {'x' * 7000}\r\n",
}


@pytest.mark.parametrize("sent", HOSTILE)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_f18_no_header_of_one_client_changes_what_another_gets(
    client: Client, instance: Client, method: str, sent: str
):
    for comes_first in (True, False):
        address = next(_cold)
        truth = instance.get(address)
        if not comes_first:
            assert client.get(address).cache == "MISS"
        theirs = client.ask(method, address, HOSTILE[sent])
        client.close()
        assert b"evil.example" not in theirs.head
        assert theirs.status in {200, 206, 304, 412}
        for _ in range(2):
            ours = client.get(address)
            assert same(ours, truth), (sent, comes_first)
        assert ours.cache == "HIT"
        for name in ("ETag", "Content-Type", "Cache-Control"):
            assert header(ours, name) == header(truth, name)


def test_f18_a_body_or_a_method_of_ones_own_is_not_stored(client: Client, instance: Client):
    for method in ("POST", "PUT", "DELETE", "PATCH", "PROPFIND"):
        address = next(_cold)
        refused = client.ask(method, address, "", b"{}")
        assert refused.status in {401, 405, 422}, method
        assert refused.cache == ""
        assert client.get(address).cache == "MISS"
    address = next(_cold)
    assert same(client.ask("GET", address, "", b"smuggled"), instance.get(address))
    assert same(client.get(address), instance.get(address))


def test_f18_hosts_do_not_share_answers_and_unknown_ones_get_none(client: Client):
    address = next(_cold)
    first = client.ask("GET", address)
    assert (first.status, first.cache) == (200, "MISS")
    other = client.ask("GET", address, host=OTHER_HOST)
    assert (other.status, other.cache, other.body) == (200, "MISS", first.body)
    assert client.ask("GET", address, host=OTHER_HOST.upper()).cache == "HIT"
    for host in ("evil.example", "localhost.evil.example"):
        with pytest.raises(Lost):
            client.ask("GET", address, host=host)
    assert client.ask("GET", address, host="").body == b"Bad request"
    # A name in the request line goes before that in the header, with nginx as in RFC 9112.
    with pytest.raises(Lost):
        client.ask("GET", f"http://evil.example{address}")
    # The instances are told the one in the header.
    confused = client.ask("GET", f"http://localhost{address}", host="evil.example")
    assert confused.status == 400
    assert b"Content-Length: " in confused.head
    assert client.ask("GET", address).body == first.body


def test_f18_head_range_and_conditional_requests_leave_a_whole_answer_behind(client: Client):
    address = next(_cold)
    head = client.ask("HEAD", address)
    assert (head.status, head.cache, head.body) == (200, "MISS", b"")
    whole = client.get(address)
    assert (whole.cache, str(len(whole.body))) == ("HIT", header(head, "Content-Length"))
    address = next(_cold)
    client.ask("GET", address, "Range: bytes=0-9\r\n")
    whole = client.get(address)
    assert (whole.status, whole.cache) == (200, "HIT")
    assert orjson.loads(whole.body)
    tag = header(whole, "ETag")
    known = client.ask("GET", address, f"If-None-Match: {tag}\r\n")
    assert (known.status, known.cache, known.body) == (304, "HIT", b"")
    unknown = client.ask("GET", address, 'If-None-Match: "other"\r\n')
    assert (unknown.status, unknown.body) == (200, whole.body)
    cold = next(_cold)
    tag = header(whole, "ETag")
    client.ask("GET", cold, f"If-None-Match: {tag}\r\n")
    assert client.get(cold).status == 200


@pytest.mark.parametrize("first", ["gzip", "identity"])
def test_f18_compressed_and_plain_answers_are_kept_apart(site: Site, first: str):
    address = "/products?count=20&page=" + {"gzip": "1", "identity": "01"}[first]
    second = {"gzip": "identity", "identity": "gzip"}[first]
    for coding in (first, second, first):
        connection = http.client.HTTPConnection("127.0.0.1", site.stack.port, timeout=20)
        connection.request("GET", address, headers={"Accept-Encoding": coding})
        answer = connection.getresponse()
        assert answer.headers.get("Content-Encoding", "identity") == coding
        body = answer.read()
        connection.close()
        assert (body[:2] == b"\x1f\x8b") == (coding == "gzip")


def test_f18_errors_are_never_stored(site: Site, client: Client, writer: Process):
    product = next(_products) + 5
    for address, status in (
        (f"/products/{product}", 404),
        ("/reviews?product_id=none", 422),
        ("/reviews/meta", 422),
    ):
        assert [client.get(address).status for _ in range(2)] == [status] * 2
        assert client.get(address).cache != "HIT"
    with site.psql() as connection, connection.transaction():
        connection.execute("LOCK TABLE reviews_review")
        cold = next(_cold)
        busy = client.get(cold)
        assert (busy.status, busy.cache) == (503, "MISS")
    assert client.get(cold).status == 200
    # What was unknown shows as soon as it is there.
    site.add_product(product, [])
    assert client.get(f"/products/{product}").status == 200


def test_f18_cookies_are_neither_stored_nor_passed_on(client: Client, hot: HotSet):
    vote = client.ask("PUT", f"/reviews/{hot.reviews[3]}/helpful", "User-Agent: cookie\r\n")
    assert vote.status == 204
    assert header(vote, "Set-Cookie").startswith("visitor=")
    for address in (hot.reads[0].path, next(_cold)):
        for _ in range(2):
            answer = client.ask("GET", address, "Cookie: visitor=forged\r\n")
            assert b"Set-Cookie" not in answer.head
            assert header(answer, "Vary") in {"", "Accept-Encoding"}


def test_a_vote_leaves_the_stored_meta(site: Site, hot: HotSet, client: Client):
    listed, meta = (f"/reviews{kind}?product_id={hot.voted}" for kind in ("", "/meta"))
    for address in (listed, meta):
        site.wait_for_hits(address)
    vote = client.ask("PUT", f"/reviews/{hot.reviews[0]}/helpful", "User-Agent: meta\r\n")
    assert vote.status == 204
    assert [client.get(address).cache for address in (listed, meta)] == ["MISS", "HIT"]


def test_f18_after_any_write_the_stored_answers_are_the_instances(
    site: Site, hot: HotSet, writer: Process, client: Client, instance: Client
):
    """Each write shows at its first read, whichever address and node it is read by."""
    spellings = [read.path for read in hot.reads]
    spellings += [
        f"/products/{hot.priced}/",
        f"/reviews?count=9&product_id={hot.voted}",
        f"/reviews/?product_id={hot.voted}&sort=newest",
        f"/reviews/meta/?product_id={hot.reviewed}",
        f"/reviews/meta?product_id={hot.voted}",
        f"{PREFIX}/products/{hot.imported}",
        "/products",
    ]
    body = orjson.dumps(
        {
            "product_id": hot.reviewed,
            "rating": 5,
            "body": "b",
            "recommend": True,
            "name": "n",
            "email": "e@example.com",
        }
    )
    vote = ("PUT", f"/reviews/{hot.reviews[2]}/helpful", "User-Agent: {}\r\n", b"")
    decisions = cycle(("rejected", "approved"))
    writes = [
        lambda turn: client.ask(vote[0], vote[1], vote[2].format(turn)).status == 204,
        lambda turn: client.ask("POST", "/reviews", "", body).status == 201,
        lambda turn: writer.write("price", hot.priced, 100 + turn),
        lambda turn: writer.write("everything", hot.imported, 100 + turn),
        lambda turn: client.ask("PUT", f"/reviews/{hot.reviews[2]}/report").status == 204,
        lambda _: writer.write("moderate", hot.reviews[1], next(decisions)),
    ]
    with contextlib.closing(Steady(site.node.port)) as other:
        for turn, write in enumerate(writes * 3):
            assert write(turn) in {True, None}
            for node in (client, other):
                for spelling in spellings:
                    truth = instance.get(spelling.removeprefix(PREFIX))
                    assert same(node.get(spelling), truth), (turn, spelling)
                    assert same(node.get(spelling), truth), (turn, spelling)


def paths_of(product: int) -> list[str]:
    return [
        *(f"/products/{product}{below}" for below in ("", "/styles", "/related")),
        *(f"/reviews{kind}?product_id={product}" for kind in ("", "/meta")),
    ]


def test_f18_a_first_licence_puts_stored_answers_out_of_reach_and_the_last_brings_them_back(
    site: Site, client: Client, writer: Process
):
    """Visitors of these tests come from no region, and a licence for one denies elsewhere."""
    product, showing = next(_products) + 6, next(_products) + 6
    for number in (product, showing):
        site.add_product(number, [10 * number])
    with site.psql() as connection, connection.transaction():
        connection.execute("SELECT set_config('atelier.scopes', 'epoch', true)")
        connection.execute(
            "INSERT INTO products_relatedproduct (product_id, related_product_id) VALUES (%s, %s)",
            [showing, product],
        )
    site.lose_tags()
    paths, related = paths_of(product), f"/products/{showing}/related"
    with contextlib.closing(Steady(site.node.port)) as other:
        for _ in range(2):
            for path in [*paths, related]:
                site.wait_for_hits(path)
            writer.write("license", product, "CA")
            for node in (client, other):
                for path in paths:
                    withheld = node.get(path)
                    assert (withheld.status, withheld.cache) == (451, "BYPASS"), path
                    expected = f'</licensing/products/{product}>; rel="blocked-by"'
                    assert header(withheld, "Link") == expected
                for _ in range(2):
                    shown = node.get(related)
                    assert (shown.status, shown.body) == (200, b"[]")
                    assert shown.cache != "HIT"
            writer.write("unlicense", product)
            for node in (client, other):
                assert [node.get(path).status for path in paths] == [200] * len(paths)
                assert node.get(related).body == f"[{product}]".encode()


def test_parallel_reads_of_a_restricted_product_do_not_wait_for_each_other(
    site: Site, client: Client, writer: Process
):
    """The marker says that nothing is stored before anybody has asked."""
    product = next(_products) + 7
    site.add_product(product, [])
    writer.write("license", product, "CA")
    try:
        with contextlib.closing(site.redis()) as redis:
            tags = [redis.get(f"tag:{scope}:{product}") for scope in ("product", "reviews")]
            assert tags == ["restricted"] * 2
        for path in paths_of(product) * 2:
            assert client.get(path).cache == "BYPASS"
    finally:
        # A licence keeps pages of the list out of the cache.
        writer.write("unlicense", product)


def test_f17_through_nginx_a_client_is_where_its_connection_comes_from(
    site: Site, client: Client, instance: Client
):
    spoofed = "".join(
        f"{name}: 203.0.113.9\r\n"
        for name in ("X-Forwarded-For", "X_Forwarded_For", "X-Real-IP", "Forwarded", "Via")
    )
    for headers in ("", spoofed, "X-Forwarded-For: 203.0.113.9\r\n" * 2):
        told = client.ask("GET", "/licensing/region", headers)
        assert (told.status, orjson.loads(told.body)["ip"]) == (200, "127.0.0.1")
        assert told.cache == ""
    # Who speaks on an instance's own socket, where only nginx may, and is not nginx.
    for headers in ("", "X-Forwarded-For: 203.0.113.9, 203.0.113.8\r\n"):
        assert instance.ask("GET", "/licensing/region", headers).status == 422
