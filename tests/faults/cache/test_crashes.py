"""Writers that die at a given step: what nginx serves then, and that its cache comes back."""

import contextlib
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from tests.faults.cache.clients import Steady
from tests.faults.cache.hot import HotSet, Read, price, stars, votes
from tests.faults.cache.proxy import Proxy
from tests.faults.cache.site import Process, Site, WriteFailed, wait_until

pytestmark = pytest.mark.e2e

VISITOR = "00000000-0000-0000-0000-00000000000a"
TOMBSTONE_SECONDS = 30
# How the commands are known among the bytes that a writer sends.
TOMBSTONE, RELEASE = b"\r\nT:", b"EVALSHA"
_products = count(20_000, 10)


@pytest.fixture
def hot(site: Site) -> HotSet:
    return HotSet(site, next(_products))


@pytest.fixture
def proxy(site: Site) -> Iterator[Proxy]:
    proxy = site.proxy("crash")
    yield proxy
    proxy.close()


@pytest.fixture
def writer(site: Site, proxy: Proxy, hot: HotSet) -> Iterator[Process]:
    process = site.process(REDIS_URL=f"unix://{proxy.path}")
    # From now on Redis knows the script.
    process.write("price", hot.priced, 0)
    yield process
    process.close()


# The process's words, the number that it makes 1, and the scope whose tag it hides.
Write = tuple[list[object], str, str]
WRITES: dict[str, Callable[[HotSet], Write]] = {
    "vote": lambda hot: (
        ["vote", hot.reviews[0], VISITOR],
        votes(hot.reviews[0]),
        f"reviews:{hot.voted}",
    ),
    "review": lambda hot: (
        ["review", hot.reviewed, 4],
        stars(hot.reviewed, 4),
        f"reviews_meta:{hot.reviewed}",
    ),
    "price": lambda hot: (["price", hot.priced, 1], price(hot.priced), f"product:{hot.priced}"),
    "everything": lambda hot: (["everything", hot.imported, 1], price(hot.imported), "epoch"),
}
EACH_WRITE = pytest.mark.parametrize("kind", WRITES)


def reads_of(hot: HotSet, name: str) -> list[Read]:
    return [read for read in hot.reads if name in read.names]


def shown(site: Site, read: Read, name: str) -> set[tuple[int, str]]:
    """Value and X-Cache-Status at each node."""
    answers = [site.get(read.path, port, Steady) for port in site.ports]
    return {(read.find(answer.body)[name], answer.cache) for answer in answers}


@pytest.fixture
def killed(
    site: Site, hot: HotSet, proxy: Proxy, writer: Process
) -> Callable[..., tuple[str, str]]:
    """Store the answers that a write changes, and kill its writer when it sends this command, which
    reaches Redis all the same or never. The number that it makes 1, and the scope that it hides."""

    def kill(kind: str, command: bytes, *, sent: bool) -> tuple[str, str]:
        def watch(chunk: bytes) -> None:
            if command in chunk:
                writer.kill()
                if not sent:
                    raise ConnectionAbortedError

        words, name, scope = WRITES[kind](hot)
        for read in reads_of(hot, name):
            site.wait_for_hits(read.path)
        proxy.watch = watch
        with pytest.raises(WriteFailed, match="gone"):
            writer.write(*words)
        return name, scope

    return kill


@EACH_WRITE
@pytest.mark.parametrize("sent", [True, False], ids=["release sent", "release not sent"])
def test_a_writer_killed_after_its_commit_is_shown_at_once_and_the_cache_comes_back(
    site: Site, hot: HotSet, killed: Callable[..., tuple[str, str]], kind: str, sent: bool
):
    name, scope = killed(kind, RELEASE, sent=sent)
    for read in reads_of(hot, name):
        statuses = {"MISS", "HIT"} if sent else {"BYPASS"}
        for value, status in shown(site, read, name) | shown(site, read, name):
            assert (value, status in statuses) == (1, True), (read.path, status)
    if not sent:
        assert tag_of(site, scope).startswith("T:")
        site.expire_tombstones()
    for read in reads_of(hot, name):
        site.wait_for_hits(read.path)
        assert shown(site, read, name) == {(1, "HIT")}


@EACH_WRITE
def test_a_writer_killed_before_its_commit_changes_nothing(
    site: Site, hot: HotSet, killed: Callable[..., tuple[str, str]], kind: str
):
    name, scope = killed(kind, TOMBSTONE, sent=True)
    wait_until(lambda: tag_of(site, scope).startswith("T:"), "its tombstone")
    for read in reads_of(hot, name):
        assert shown(site, read, name) == {(0, "BYPASS")}
    site.expire_tombstones()
    for read in reads_of(hot, name):
        site.wait_for_hits(read.path)
        assert shown(site, read, name) == {(0, "HIT")}


@pytest.mark.long
def test_a_tombstone_ends_by_itself(
    site: Site, hot: HotSet, killed: Callable[..., tuple[str, str]]
):
    name, _ = killed("vote", RELEASE, sent=False)
    [read] = reads_of(hot, name)
    site.wait_for_hits(read.path, seconds=TOMBSTONE_SECONDS + 1)
    assert shown(site, read, name) == {(1, "HIT")}


def tag_of(site: Site, scope: str) -> str:
    with contextlib.closing(site.redis()) as client:
        return client.get(f"tag:{scope}") or ""
