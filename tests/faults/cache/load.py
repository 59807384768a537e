"""A load of so many requests a second, whatever becomes of them, and how long they took."""

import random
import threading
import time
from collections.abc import Callable

from tests.faults.cache.clients import Client
from tests.faults.cache.race import Race
from tests.faults.cache.writers import Voter

READERS = 12
READS_A_SECOND = 97
VOTES_A_SECOND = 3


class Load:
    """Reads of a race's hot set and votes, in the background while it is entered.

    `reads` and `votes` hold when each request was sent and how long it took, in seconds; the race's
    tally says what was read.
    """

    def __init__(self, race: Race) -> None:
        self.reads: list[tuple[float, float]] = []
        self.votes: list[tuple[float, float]] = []
        self._race = race
        voters = [writer for writer in race.writers if isinstance(writer, Voter)]
        reading, voting = READERS / READS_A_SECOND, len(voters) / VOTES_A_SECOND
        self._threads = [
            threading.Thread(
                target=self._keep_on, args=[self._reading(number), reading, self.reads]
            )
            for number in range(READERS)
        ]
        self._threads += [
            threading.Thread(target=self._keep_on, args=[voter.vote, voting, self.votes])
            for voter in voters
        ]

    def __enter__(self) -> "Load":
        self._race.begin()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._race.end()
        for thread in self._threads:
            thread.join()

    def _reading(self, number: int) -> Callable[[], object]:
        chance = random.Random(number)
        clients = [Client(port) for port in self._race.site.ports]
        reads = self._race.hot.reads
        return lambda: self._race.read(chance.choice(reads), chance.choice(clients))

    def _keep_on(
        self, work: Callable[[], object], period: float, taken: list[tuple[float, float]]
    ) -> None:
        due = time.monotonic() + random.uniform(0, period)
        while not self._race.is_over:
            time.sleep(max(0, due - time.monotonic()))
            sent = time.monotonic()
            work()
            taken.append((sent, time.monotonic() - sent))
            due = max(due + period, sent)


def percentile(share: float, taken: list[tuple[float, float]], since: float) -> float:
    """Of the requests that were sent since a moment, in seconds."""
    chosen = sorted(seconds for sent, seconds in taken if sent >= since)
    assert len(chosen) > 9
    return chosen[int(share * len(chosen))]
