"""The cache protocol of docs/caching.md, with all that may happen to it.

What is modelled: writers of one scope or two, their tombstones, commits, releases and outbox
entries, and their crashes between any two steps; reads through one nginx node or two, which may
pause before they mint a tag, look into the cache, ask the origin or store; keepers, which may pause
or fail between any two steps; a Redis that is flushed, restarts empty, restarts with an old copy of
its data, executes commands whose senders gave up waiting, or is out of one writer's reach; tags,
tombstones, `alive` and stored answers that expire at any moment.

What is promised to a read that starts now: every write that was answered, and every write whose
outbox entry a keeper has drained, since that may renew trust. `lasting` scenarios promise more.

Time has no clock. A writer's wait of 1.1 s may end at any moment, and ending it makes expire
whatever came from a T0 before its commit: keys, copies of keys, commands under way. So the model
holds for every speed of everybody, as long as 1.1 s on the writer's clock are no less than 1 s on
the clock of Redis.

What is not modelled: a clock that is set back, two Redis servers at once, a PostgreSQL that loses
commits, and how old a degraded answer may be: such a read ends without a trace here. A COMMIT that
outlasts its tombstone is modelled (tombstones expire at any moment) except where a scenario is
`lasting`. A repeated write that itself cannot reach Redis takes the outbox path like any writer,
and is left out. The tombstones of several scopes are set at once.

A step is atomic where nothing that others do in the middle can make a difference, or where the
middle is less strict than the whole: a read starts with its MGET, since one that started earlier
was promised less, and a writer answers as soon as it may.
"""

from tests.model.faults import World
from tests.model.model import Steps
from tests.model.readers import Readers
from tests.model.state import (
    IDLE,
    OFF,
    Faults,
    Keeper,
    Reader,
    State,
    cached,
    put,
    reachable,
    remembered,
    stale,
)


class Protocol(World, Readers):
    """The protocol in one scenario, as `checker.explore` wants it."""

    def successors(self, state: State) -> Steps:
        for label, successor in self.steps(state):
            yield label, self.tidy(state, successor)

    def steps(self, state: State) -> Steps:
        for number in range(len(state.writers)):
            yield from self.writer(state, number)
        yield from self.repeat(state)
        for place in range(len(state.keepers)):
            yield from self.keeper(state, place)
        for place in range(len(state.readers)):
            yield from self.reader(state, place)
        yield from self.expiry(state)
        yield from self.execution(state)
        yield from self.accidents(state)

    def fault(self, state: State) -> str:
        if state.broken:
            return state.broken
        return "a read hits a stale answer" if self.quick(state) == "stale" else ""

    def kind(self, state: State) -> str:
        """How a read that starts and ends now would end, and after which faults."""
        budget = self.scenario.faults
        used = [
            f"after {name}"
            for name, left, most in zip(Faults._fields, state.faults, budget, strict=True)
            if left < most
        ]
        return " ".join([self.quick(state), *used])

    # One spelling for states that differ in nothing that matters keeps them few.

    def tidy(self, before: State, state: State) -> State:
        """Keepers are alike, and so are reads: their order means nothing."""
        restarted = state.process != before.process
        if restarted or state.keepers is not before.keepers:
            keepers = tuple(self.settled(state, keeper) for keeper in state.keepers)
            state = state._replace(keepers=tuple(sorted(keepers)))
        if (
            restarted
            or state.redis.tags is not before.redis.tags
            or state.readers is not before.readers
            or state.copy is not before.copy
        ):
            state = self.forget(state)
        return state

    def settled(self, state: State, keeper: Keeper) -> Keeper:
        """One that has lost its connection can only start again."""
        lost = keeper.process != state.process and keeper.step != "forget"
        return OFF if lost else keeper

    def forget(self, state: State) -> State:
        """Drop answers under keys that nobody can ask for again, and reads that hold them."""
        if any(reader is not IDLE for reader in state.readers):
            state = state._replace(readers=tuple(sorted(self.finish(state))))
        if any(state.caches):
            known = self.known(state, state.readers)
            caches = tuple(
                tuple(item for item in cache if reachable(item[0], known)) for cache in state.caches
            )
            if caches != state.caches:
                state = state._replace(caches=caches)
        return state

    def finish(self, state: State) -> tuple[Reader, ...]:
        """End the reads that can make no difference any more."""
        readers = state.readers
        for place, reader in enumerate(readers):
            if reader is not IDLE:
                others = put(readers, place, IDLE)
                if self.is_over(state, reader, self.known(state, others)):
                    readers = others
        return readers

    def is_over(self, state: State, reader: Reader, known: list[set[int]]) -> bool:
        if reader.step in ("mint", "confirm"):
            return not self.connected(state, reader)
        if reachable(reader.tags, known):
            return False
        body = cached(state.caches[reader.node], reader.tags)
        return reader.step == "store" or not stale(body, reader.promised)

    def known(self, state: State, readers: tuple[Reader, ...]) -> list[set[int]]:
        """For each scope the tags of which a reader could yet make a key."""
        return [self.remembered(state, readers, scope) for scope in range(self.scopes)]

    def remembered(self, state: State, readers: tuple[Reader, ...], scope: int) -> set[int]:
        return remembered(state, readers, scope)
