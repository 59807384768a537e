"""What readers must see: for each number that only grows, the least value it may have."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass
class _Number:
    floor: int = 0
    seen: int = 0
    # Each acknowledged value and its moment, the newest last.
    history: list[tuple[int, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Bounds:
    """`floor` was acknowledged, `seen` was in an answer, before a read began."""

    floor: int
    seen: int


class Ledger:
    """Numbers by name. Writers raise them, readers check answers against them."""

    def __init__(self) -> None:
        self._numbers: dict[str, _Number] = {}
        self._lock = threading.Lock()

    def add(self, name: str) -> None:
        self._numbers[name] = _Number()

    def acknowledge(self, name: str, value: int, moment: float) -> None:
        """A write that made it `value` was answered at this moment."""
        number = self._numbers[name]
        with self._lock:
            number.floor = max(number.floor, value)
            number.history.append((value, moment))

    def see(self, values: Mapping[str, int]) -> None:
        """An answer that is not marked showed these."""
        with self._lock:
            for name, value in values.items():
                number = self._numbers[name]
                number.seen = max(number.seen, value)

    def bounds(self, names: Iterable[str]) -> dict[str, Bounds]:
        with self._lock:
            return {
                name: Bounds(self._numbers[name].floor, self._numbers[name].seen) for name in names
            }

    def missed_since(self, name: str, value: int) -> float:
        """The moment when the first value beyond this one was acknowledged."""
        with self._lock:
            return min(moment for known, moment in self._numbers[name].history if known > value)
