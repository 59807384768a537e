"""The measures under load, each with its targets."""

from dataclasses import dataclass

from tests.bench.contestants import HOT_PRODUCTS, PEERS, Field
from tests.bench.load import Load, shortened
from tests.bench.targets import NothingStale, Ratio, Tail, Target, Verdict
from tests.bench.turns import Score, Sitting

ALL = 1_000_000_000
WRITES = 0.05
HOT = Load("uniform", HOT_PRODUCTS, connections=64)


@dataclass(frozen=True)
class Measure:
    """`probed`: a client checks reads after writes all the while."""

    name: str
    title: str
    load: Load
    contestants: tuple[str, ...]
    targets: tuple[Target, ...]
    probed: bool = False


@dataclass(frozen=True)
class Outcome:
    measure: Measure
    scores: dict[str, Score]
    verdicts: list[Verdict]

    @property
    def title(self) -> str:
        return self.measure.title


MEASURES = (
    Measure(
        "hot",
        f"Hot set: the pages of {HOT_PRODUCTS} products, all cached",
        HOT,
        ("atelier", "static"),
        (Ratio("atelier", ("static",), 0.5),),
    ),
    Measure(
        "zipf",
        "Zipf reads over all products with 5 % writes, no stale read allowed",
        Load("zipf", ALL, writes=WRITES),
        ("atelier", "atelier-uncached", *PEERS),
        (Ratio("atelier", PEERS, 3), NothingStale("atelier")),
        probed=True,
    ),
    Measure(
        "uniform",
        "Uniform reads over all products, nothing cached",
        Load("uniform", ALL),
        ("atelier-uncached", *PEERS),
        (
            Ratio("atelier-uncached", ("express",), 1.3),
            Ratio("atelier-uncached", ("express-tuned",), 0.8, " (1 × as a stretch)"),
        ),
    ),
    Measure(
        "open-styles",
        "Styles, nothing cached, open loop at 1,000 a second",
        Load("uniform", ALL, routes=("styles",), rate=1000),
        ("atelier-uncached", "express", "express-tuned"),
        (Tail("atelier-uncached", "p95", 25),),
    ),
    Measure(
        "open-mix",
        "The public mix with 5 % writes, open loop at 2,000 a second, k6 on the same cores",
        Load("zipf", ALL, writes=WRITES, rate=2000),
        ("atelier",),
        (Tail("atelier", "p95", 25),),
    ),
    Measure(
        "open-hot",
        "Hot set, open loop at 6,000 a second, k6 on the same cores",
        Load("uniform", HOT_PRODUCTS, rate=6000),
        ("atelier",),
        (Tail("atelier", "p99", 50),),
    ),
)


def take(measure: Measure, sitting: Sitting, field: Field) -> Outcome:
    sitting.say(f"{measure.name}: {measure.title}")
    load = shortened(measure.load, len(sitting.draws.products))
    contestants = field.get(measure.contestants)
    scores = sitting.measure(load, contestants, probed=measure.probed)
    return Outcome(measure, scores, [target.judge(scores) for target in measure.targets])
