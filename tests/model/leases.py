"""The other way to fill a missing tag: the origin seeds it from PostgreSQL, under a lease."""

from tests.model.model import Steps
from tests.model.protocol import Protocol
from tests.model.state import IDLE, LEASES, MISSING, Reader, State, Versions


class OriginLease(Protocol):
    """Each commit stores a new tag with its data; a read that misses a tag bypasses.

    Its origin first takes a lease (SET NX L:<uuid>), then reads data and tag in one snapshot, then
    sets the tag if the lease is still there. A stored tag comes back each time it is seeded, so
    here it is named after the version that it was stored with. The origin uses a connection of its
    own, so that it may lease from one Redis process and seed another.
    """

    def new_tag(self, state: State, scope: int, version: Versions) -> int:
        return stored(version, scope)

    def remembered(self, state: State, readers: tuple[Reader, ...], scope: int) -> set[int]:
        return set(range(1, 1 + stored(state.data, scope)))

    def reader_mint(self, state: State, place: int) -> Steps:
        reader = state.readers[place]
        lease = LEASES - place
        while any(lease in tags for tags in self.leases(state)):
            lease -= len(state.readers)
        leases = {
            scope: lease
            for scope, tag in enumerate(reader.tags)
            if tag == MISSING == state.redis.tags[scope]
        }
        if leases:
            tags = tuple(leases.get(scope, MISSING) for scope in range(self.scopes))
            leased = self.turn(self.set_tags(state, leases), place, Reader("snapshot", tags=tags))
            yield "an origin takes a lease", leased

    def leases(self, state: State) -> list[tuple[int, ...]]:
        copied = [state.copy.tags] if state.copy else []
        return [state.redis.tags, *copied, *(reader.tags for reader in state.readers)]

    def reader_snapshot(self, state: State, place: int) -> Steps:
        seed = state.readers[place]._replace(step="seed", body=state.data)
        yield "an origin reads data and tag", self.turn(state, place, seed)

    def reader_seed(self, state: State, place: int) -> Steps:
        reader = state.readers[place]
        seeded = {
            scope: stored(reader.body, scope)
            for scope, lease in enumerate(reader.tags)
            if lease == state.redis.tags[scope] != MISSING
        }
        yield "an origin seeds a tag", self.turn(self.set_tags(state, seeded), place, IDLE)

    def is_over(self, state: State, reader: Reader, known: list[set[int]]) -> bool:
        if reader.step == "mint":
            return False
        if reader.step in ("snapshot", "seed"):
            held = {tag for tag in reader.tags if tag != MISSING}
            copied = state.copy.tags if state.copy else ()
            return held.isdisjoint((*state.redis.tags, *copied))
        return super().is_over(state, reader, known)


def stored(version: Versions, scope: int) -> int:
    return 1 + version[scope]
