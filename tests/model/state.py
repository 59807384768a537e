"""The state of the whole system at one moment, and what may be read off it.

Tags are numbers: 0 is a missing tag, a negative one a writer's tombstone, a positive one a tag. A
real tag is random and used once; here a new tag is the smallest number that nothing refers to any
more, which keeps the states finite though reads and tags go on for ever.

Versions are numbers too: each commit adds one to each scope that it writes. What an answer or a
promise holds is a tuple with one version per scope.
"""

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

MISSING = 0
LEASES = -50  # and below, where the origin fills missing tags
NOBODY = -1
Versions: TypeAlias = tuple[int, ...]
Tags: TypeAlias = tuple[int, ...]
Cache: TypeAlias = tuple[tuple[Tags, Versions], ...]


class Alive(NamedTuple):
    """The key `alive`: the run id of the Redis process it is meant for, and its age.

    There is no clock. `older` is the set of writers, as bits, whose outbox entry was committed
    after this one's T0. When such a writer has waited long enough, this one has expired.
    """

    process: int
    older: int


class Redis(NamedTuple):
    tags: Tags
    alive: Alive | None
    run: int  # the process that a keeper has rid of foreign tags


class Writer(NamedTuple):
    step: str
    version: Versions = ()  # of its own scopes, once committed
    locked: int = NOBODY  # the writer whose outbox entry it holds FOR KEY SHARE


class Keeper(NamedTuple):
    step: str
    process: int = NOBODY  # what INFO said on its connection
    older: int = 0  # age of its T0, as in Alive
    entries: tuple[int, ...] = ()  # the writers of the outbox entries that it has read
    data: Versions = ()  # committed at T0; only `lasting` scenarios look at it


class Reader(NamedTuple):
    step: str
    node: int = 0
    promised: Versions = ()  # when the read started
    process: int = 0  # that its MGET was answered by
    tags: Tags = ()
    body: Versions = ()


class Entry(NamedTuple):
    writer: int
    lapsed: bool
    version: Versions


class Faults(NamedTuple):
    """How often each may still happen."""

    flush: int = 0  # Redis loses its data and goes on
    restart: int = 0  # Redis dies and starts empty
    reload: int = 0  # Redis dies and starts with an old copy of its data
    hang: int = 0  # a command is executed after its sender gave up waiting


class State(NamedTuple):
    redis: Redis
    process: int  # run id of the Redis process
    copy: Redis | None  # what a reload would bring back
    late: tuple[tuple, ...]  # (name, writer or process, argument): Redis has yet to execute them
    data: Versions  # committed in PostgreSQL
    outbox: tuple[Entry, ...]  # committed in PostgreSQL
    promised: Versions  # what a read that starts now must include
    writers: tuple[Writer, ...]
    keepers: tuple[Keeper, ...]
    readers: tuple[Reader, ...]
    caches: tuple[Cache, ...]  # of each nginx node
    faults: Faults
    broken: str = ""


OFF = Keeper("off")
IDLE = Reader("idle")


def fresh(state: State, scope: int) -> int:
    """A tag that nobody has used."""
    used = remembered(state, state.readers, scope)
    return next(tag for tag in range(1, 99) if tag not in used)


def remembered(state: State, readers: Iterable[Reader], scope: int) -> set[int]:
    """The tags in Redis, in its copy and with readers."""
    found = {reader.tags[scope] for reader in readers if reader.tags}
    found.add(state.redis.tags[scope])
    if state.copy:
        found.add(state.copy.tags[scope])
    return found


def reachable(key: Tags, known: list[set[int]]) -> bool:
    return all(tag in tags for tag, tags in zip(key, known, strict=True))


def is_tombstone(tag: int) -> bool:
    return LEASES < tag < MISSING


def cached(cache: Cache, key: Tags) -> Versions:
    return next((body for stored, body in cache if stored == key), ())


def later(left: Versions, right: Versions) -> Versions:
    return tuple(map(max, left, right))


def stale(body: Versions, promised: Versions) -> bool:
    """No body, which is (), is never stale."""
    return any(seen < least for seen, least in zip(body, promised, strict=False))


def put(items: tuple, place: int, item: object) -> tuple:
    return (*items[:place], item, *items[place + 1 :])
