"""Explicit-state model checking: every reachable state, breadth first.

States are hashable values. As the search is breadth first, the trace to the first state that
breaks the promise is a shortest one.
"""

import gc
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, NamedTuple, TypeVar

S = TypeVar("S", bound=Hashable)
Successors = Callable[[S], Iterable[tuple[str, S]]]


class Result(NamedTuple, Generic[S]):
    """What a search saw.

    `seconds` are of processor time. `exhausted` is true when no state was left unvisited. `steps`
    counts how often each label was taken, `kinds` how many states were of each kind. `trace` leads
    from the initial state to the first that breaks the promise, each after the step into it.
    """

    states: int
    seconds: float
    exhausted: bool
    steps: Counter[str]
    kinds: Counter[str]
    fault: str
    trace: list[tuple[str, S]]


def explore(
    initial: S,
    successors: Successors[S],
    fault: Callable[[S], str],
    kind: Callable[[S], str],
    limit: int,
) -> Result[S]:
    """Visit what can be reached from `initial`, up to `limit` states or the first fault.

    `fault` says what is wrong with a state, or nothing; `kind` sorts the states for counting.
    """
    # States make no cycles, and looking for some costs a fifth of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _explore(initial, successors, fault, kind, limit)
    finally:
        if collecting:
            gc.enable()


def _explore(
    initial: S,
    successors: Successors[S],
    fault: Callable[[S], str],
    kind: Callable[[S], str],
    limit: int,
) -> Result[S]:
    began = time.process_time()
    steps: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    states, parents, known = [initial], [0], {initial}
    wrong, visited = "", 0
    while visited < len(states) <= limit:
        state = states[visited]
        kinds[kind(state)] += 1
        wrong = fault(state)
        if wrong:
            break
        for label, successor in successors(state):
            steps[label] += 1
            if successor not in known:
                known.add(successor)
                states.append(successor)
                parents.append(visited)
        visited += 1
    return Result(
        states=len(states),
        seconds=time.process_time() - began,
        exhausted=visited == len(states),
        steps=steps,
        kinds=kinds,
        fault=wrong,
        trace=_trace(states, parents, visited, successors) if wrong else [],
    )


def _trace(
    states: list[S], parents: list[int], place: int, successors: Successors[S]
) -> list[tuple[str, S]]:
    """The labels are not stored: each is found again among its parent's steps."""
    trace = []
    while place:
        state, parent = states[place], states[parents[place]]
        trace.append((next(label for label, found in successors(parent) if found == state), state))
        place = parents[place]
    return [("at first", states[0]), *reversed(trace)]
