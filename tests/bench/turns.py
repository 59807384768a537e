"""One contestant's turn under load, and all turns of a measure in alternating rounds."""

import os
import re
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from stack.supervisor import UnixConnection
from tests.bench import cpu
from tests.bench.contestants import COMPONENTS, Contestant
from tests.bench.draws import Draws
from tests.bench.load import Generators, Load, Shot
from tests.bench.options import Options
from tests.bench.probe import Prober
from tests.bench.site import Say, Site

RUN_IN_SECONDS = 2
CORES = os.cpu_count() or 1
CACHE_LINE = re.compile(r'^atelier_cache_answers_total\{status="([^"]*)"\} (\d+)$', re.MULTILINE)


@dataclass(frozen=True)
class Turn:
    """`cpu` is in seconds by component; `others` is the share of the cores that went elsewhere: to
    network interrupts, and to whoever else is at work on the machine. `cache` counts answers by
    status; `rows` are votes stored, and at most `cut_off` were on their way when the load ended;
    `checks` are reads after writes, of which `stale` were older than the write and not marked so.
    """

    shot: Shot
    cpu: dict[str, float]
    others: float
    cache: dict[str, int]
    rows: int
    cut_off: int = 0
    checks: int = 0
    stale: int = 0
    degraded: int = 0
    failed_checks: int = 0

    @property
    def errors(self) -> int:
        """Requests without the wished answer, and votes that left no row."""
        lost = max(0, self.shot.writes - self.rows - self.cut_off)
        return self.shot.errors + self.failed_checks + lost


@dataclass
class Score:
    """All turns of one contestant in one measure."""

    name: str
    title: str
    turns: list[Turn] = field(default_factory=list)

    def median(self, value: Callable[[Shot], float]) -> float:
        return statistics.median(value(turn.shot) for turn in self.turns)

    @property
    def rate(self) -> float:
        return self.median(lambda shot: shot.rate)

    @property
    def rates(self) -> list[float]:
        return [turn.shot.rate for turn in self.turns]

    @property
    def requests(self) -> int:
        return sum(turn.shot.requests for turn in self.turns)

    @property
    def errors(self) -> int:
        return sum(turn.errors for turn in self.turns)

    @property
    def dropped(self) -> int:
        return sum(turn.shot.dropped for turn in self.turns)

    @property
    def stale(self) -> int:
        return sum(turn.stale for turn in self.turns)

    @property
    def rows(self) -> int:
        return sum(turn.rows for turn in self.turns)

    @property
    def hit_rate(self) -> float | None:
        """Hits among the public answers; nothing where there is no cache."""
        answers = sum(sum(turn.cache.values()) for turn in self.turns)
        hits = sum(turn.cache.get("HIT", 0) for turn in self.turns)
        return hits / answers if answers else None

    @property
    def degraded(self) -> int:
        """Answers of the declared degraded mode."""
        return sum(
            count
            for turn in self.turns
            for status, count in turn.cache.items()
            if status.startswith("DEGRADED")
        )

    @property
    def others(self) -> float:
        """The largest share of the cores that went elsewhere in a turn."""
        return max(turn.others for turn in self.turns)

    @property
    def cpu_per_10000(self) -> dict[str, float]:
        """CPU seconds by component for each 10,000 requests."""
        total = {name: sum(turn.cpu.get(name, 0.0) for turn in self.turns) for name in COMPONENTS}
        return {name: seconds * 10_000 / self.requests for name, seconds in total.items()}


class Sitting:
    """What all measures of one sitting share."""

    def __init__(self, site: Site, draws: Draws, options: Options, say: Say) -> None:
        self.site = site
        self.draws = draws
        self.options = options
        self.say = say
        self._generators = Generators(draws, site.programs)
        self._seed = 0

    def measure(
        self, load: Load, contestants: Sequence[Contestant], *, probed: bool
    ) -> dict[str, Score]:
        """Warm each contestant up, then let them take turns, every other round in reverse."""
        self.site.settle()
        if self.options.warm_up:
            for contestant in contestants:
                self.say(f"warming up {contestant.title}: {self.options.warm_up} s")
                self._fire(load, contestant, self.options.warm_up, self._seed)
        scores = {one.name: Score(one.name, one.title) for one in contestants}
        for number in range(self.options.rounds):
            # Run-in and measured go have seeds of their own, the same for all contestants.
            self._seed += 2
            for contestant in reversed(contestants) if number % 2 else contestants:
                turn = self._turn(load, contestant, probed=probed)
                scores[contestant.name].turns.append(turn)
                self.say(
                    f"round {number + 1}, {contestant.title}: {turn.shot.rate:,.0f} a second, "
                    f"P95 {turn.shot.p95:.1f} ms"
                )
        return scores

    def _turn(self, load: Load, contestant: Contestant, *, probed: bool) -> Turn:
        self._fire(load, contestant, RUN_IN_SECONDS, self._seed - 1)
        newest = self._newest_vote()
        cache = _cache_answers(contestant.metrics)
        prober = Prober(self.site, contestant.url, self.draws) if probed else None
        own = time.process_time()
        busy = cpu.machine_seconds()
        used = cpu.seconds_of(contestant.components())
        if prober:
            prober.start()
        shot = self._fire(load, contestant, self.options.seconds, self._seed)
        if prober:
            prober.stop()
        now = cpu.seconds_of(contestant.components())
        busy = cpu.machine_seconds() - busy
        spent = {name: seconds - used.get(name, 0.0) for name, seconds in now.items()}
        spent |= {"load generator": shot.cpu, "prober": time.process_time() - own}
        return Turn(
            shot=shot,
            cpu=spent,
            others=max(0.0, busy - sum(spent.values())) / shot.seconds / CORES,
            cache={
                status: count - cache.get(status, 0)
                for status, count in _cache_answers(contestant.metrics).items()
            },
            # wrk hangs up when its time is over; k6 waits.
            cut_off=0 if load.rate else load.connections,
            rows=self._votes_after(newest) - (prober.votes if prober else 0),
            checks=prober.checks if prober else 0,
            stale=prober.stale if prober else 0,
            degraded=prober.degraded if prober else 0,
            failed_checks=prober.failed if prober else 0,
        )

    def _fire(self, load: Load, contestant: Contestant, seconds: int, seed: int) -> Shot:
        return self._generators.fire(load, contestant.url, seconds, seed=seed)

    def _newest_vote(self) -> int:
        return self._number("SELECT coalesce(max(id), 0) FROM reviews_helpfulvote")

    def _votes_after(self, newest: int) -> int:
        return self._number(f"SELECT count(*) FROM reviews_helpfulvote WHERE id > {newest}")

    def _number(self, statement: str) -> int:
        with closing(self.site.connect()) as connection:
            row = connection.execute(statement.encode()).fetchone()
        return int(row[0]) if row else 0


def _cache_answers(metrics: Path | None) -> dict[str, int]:
    """Answers of the cache by status since nginx started."""
    if metrics is None or not metrics.exists():
        return {}
    connection = UnixConnection(metrics, seconds=5)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    return {status: int(count) for status, count in CACHE_LINE.findall(text)}
