"""Writers and readers at once, and the tally of what the readers saw."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.cache.clients import Client, Lost
from tests.faults.cache.faults import Fault
from tests.faults.cache.hot import HotSet, Read
from tests.faults.cache.ledger import Bounds, Ledger
from tests.faults.cache.site import Site
from tests.faults.cache.writers import Poster, Pricer, Voter, Writer

READERS = 5


@dataclass
class Tally:
    """`stale` and `older` describe unmarked answers: below what was acknowledged, or below what an
    earlier answer had shown. `oldest_marked` is the greatest age of a marked one, in seconds from
    the first acknowledgement it misses to the start of the read."""

    reads: int = 0
    writes: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    stale: list[str] = field(default_factory=list)
    older: list[str] = field(default_factory=list)
    marked_stale: int = 0
    oldest_marked: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.writes} writes, {self.reads} reads, {len(self.stale)} stale,"
            f" {len(self.older)} older than seen, {self.marked_stale} stale and marked"
            f" (at most {self.oldest_marked:.2f} s), {dict(self.answers)}, errors"
            f" {dict(self.errors)}"
        )


class Race:
    """Writers and readers of one hot set, which may race as often as wanted.

    `settings` and `instance` are for writers: the environment of those that are processes, and
    where the others send their writes to instead of nginx.
    """

    def __init__(
        self,
        site: Site,
        first_product: int,
        *,
        settings: Mapping[str, str] | None = None,
        instance: Path | None = None,
    ) -> None:
        self.site = site
        self.settings = dict(settings or {})
        self.writes_to: list[int | Path] = [instance] if instance else list(site.ports)
        self.hot = HotSet(site, first_product)
        self.tally = Tally()
        self._ledger = Ledger()
        for name in self.hot.names:
            self._ledger.add(name)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._crashes: list[BaseException] = []
        self.writers: list[Writer] = [
            *(Voter(self, review) for review in self.hot.reviews),
            *(Poster(self, rating) for rating in (1, 5)),
            Pricer(self, "price", self.hot.priced),
            Pricer(self, "everything", self.hot.imported),
        ]

    def run(self, fault: Fault, seconds: float) -> Tally:
        """Everybody races for some seconds, and the fault beside them."""
        self.begin()
        timer = threading.Timer(seconds, self.end)
        works = [writer.run for writer in self.writers]
        works += [lambda number=number: self._read_on(number) for number in range(READERS)]
        works.append(lambda: fault(self.site, self._stopped))
        threads = [threading.Thread(target=self._guarded, args=[work]) for work in works]
        for thread in [timer, *threads]:
            thread.start()
        for thread in [timer, *threads]:
            thread.join()
        if self._crashes:
            raise self._crashes[0]
        return self.tally

    def begin(self) -> None:
        self.tally = Tally()
        self._stopped.clear()

    def end(self) -> None:
        self._stopped.set()

    def close(self) -> None:
        for writer in self.writers:
            writer.close()

    @property
    def is_over(self) -> bool:
        return self._stopped.is_set()

    def acknowledge(self, name: str, value: int) -> None:
        self._ledger.acknowledge(name, value, time.monotonic())
        with self._lock:
            self.tally.writes += 1

    def count_error(self, what: str) -> None:
        with self._lock:
            self.tally.errors[what] += 1

    def read(self, read: Read, client: Client) -> None:
        """One read-after-write check."""
        bounds = self._ledger.bounds(read.names)
        began = time.monotonic()
        try:
            answer = client.get(read.path)
        except Lost:
            self.count_error("GET lost")
            return
        if answer.status != 200:
            self.count_error(f"GET {answer.status}")
            return
        values = read.find(answer.body)
        assert values.keys() == bounds.keys(), (read.path, answer.body)
        with self._lock:
            self.tally.reads += 1
            self.tally.answers[answer.cache] += 1
            for name, value in values.items():
                if value < bounds[name].floor:
                    self._record_stale(name, value, bounds[name], began, answer.cache)
                elif value < bounds[name].seen and not answer.is_marked:
                    self.tally.older.append(f"{name}: {value}, seen {bounds[name].seen}")
        if not answer.is_marked:
            self._ledger.see(values)

    def _record_stale(
        self, name: str, value: int, bounds: Bounds, began: float, cache: str
    ) -> None:
        age = began - self._ledger.missed_since(name, value)
        if cache.startswith("DEGRADED-"):
            self.tally.marked_stale += 1
            self.tally.oldest_marked = max(self.tally.oldest_marked, age)
        else:
            self.tally.stale.append(f"{name}: {value}, {bounds}, {age:.3f} s old, {cache}")

    def _read_on(self, number: int) -> None:
        chance = random.Random(number)
        clients = [Client(port) for port in self.site.ports]
        while not self.is_over:
            self.read(chance.choice(self.hot.reads), chance.choice(clients))
        for client in clients:
            client.close()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._crashes.append(error)
            self._stopped.set()

    def check_settled(self) -> None:
        """In the end both nodes answer from their caches, alike, and nothing is lost."""
        self.site.expire_tombstones()
        for read in self.hot.reads:
            self.site.wait_for_hits(read.path)
            bounds = self._ledger.bounds(read.names)
            bodies = {self.site.get(read.path, port).body for port in self.site.ports}
            assert len(bodies) == 1, read.path
            values: Mapping[str, int] = read.find(bodies.pop())
            for name, value in values.items():
                assert value >= bounds[name].floor, (name, value, bounds[name])
