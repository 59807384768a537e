"""A read through nginx. Each method yields what one atomic step may lead to.

It starts with its MGET: one that started a while earlier was promised less. A read that waits for
another one's fill is one that pauses before it looks into the cache. A read that fails, or that
ends degraded or bypassing, leaves nothing behind and needs no step.
"""

from tests.model.model import Model, Steps
from tests.model.state import IDLE, MISSING, Reader, State, Tags, cached, fresh, put, stale


class Readers(Model):
    def reader(self, state: State, place: int) -> Steps:
        reader = state.readers[place]
        yield from getattr(self, f"reader_{reader.step}")(state, place)
        if reader.step != "idle":
            yield "a read fails", self.turn(state, place, IDLE)

    def reader_idle(self, state: State, place: int) -> Steps:
        """One MGET of `alive` and the tags."""
        tags = self.tags(state)
        if not self.trusted(state) or self.bypasses(tags):
            return
        step = "mint" if MISSING in tags else "lookup"
        for node in range(self.scenario.nodes):
            reader = Reader(step, node, state.promised, state.process, tags)
            yield f"a read begins on node {node + 1}", self.turn(state, place, reader)

    def reader_mint(self, state: State, place: int) -> Steps:
        """SET NX, on the connection of the MGET."""
        reader = state.readers[place]
        if self.connected(state, reader):
            minted = {
                scope: fresh(state, scope)
                for scope, tag in enumerate(reader.tags)
                if tag == MISSING and self.mints(state.redis.tags[scope])
            }
            confirm = reader._replace(step="confirm")
            yield "a read mints a tag", self.turn(self.set_tags(state, minted), place, confirm)

    def reader_confirm(self, state: State, place: int) -> Steps:
        """GET what is there now; a tombstone, or nothing again, means bypass."""
        reader = state.readers[place]
        if self.connected(state, reader):
            tags = tuple(tag or now for tag, now in zip(reader.tags, self.tags(state), strict=True))
            if MISSING not in tags and not self.bypasses(tags):
                lookup = reader._replace(step="lookup", tags=tags)
                yield "a read gets the tag", self.turn(state, place, lookup)

    def reader_lookup(self, state: State, place: int) -> Steps:
        """A hit, or a miss that asks the origin. What is there may have outlived its time."""
        reader = state.readers[place]
        body = cached(state.caches[reader.node], reader.tags)
        if body:
            broken = "a read that paused hits a stale answer"
            broken = broken if stale(body, reader.promised) else ""
            yield "a read hits", self.turn(state, place, IDLE)._replace(broken=broken)
        store = reader._replace(step="store", body=state.data, promised=(), process=0)
        yield "a read asks the origin", self.turn(state, place, store)

    def reader_store(self, state: State, place: int) -> Steps:
        reader = state.readers[place]
        cache = dict(state.caches[reader.node]) | {reader.tags: reader.body}
        caches = put(state.caches, reader.node, tuple(sorted(cache.items())))
        yield "a read stores its answer", self.turn(state, place, IDLE)._replace(caches=caches)

    def turn(self, state: State, place: int, reader: Reader) -> State:
        return state._replace(readers=put(state.readers, place, reader))

    # The rules that the steps go by.

    def trusted(self, state: State) -> bool:
        """`alive` names the process that answers."""
        alive = state.redis.alive
        return alive is not None and alive.process == state.process

    def tags(self, state: State) -> Tags:
        return state.redis.tags

    def bypasses(self, tags: Tags) -> bool:
        return min(tags) < 0

    def mints(self, tag: int) -> bool:
        return tag == MISSING

    def connected(self, state: State, reader: Reader) -> bool:
        return reader.process == state.process

    # A read that does not pause changes nothing, so it is judged in every state.

    def quick(self, state: State) -> str:
        """How a read ends that starts and ends now."""
        if not self.trusted(state):
            return "degraded"
        key = self.tags(state)
        if self.bypasses(key):
            return "bypass"
        if MISSING in key:
            return "missing tag"
        bodies = [body for cache in state.caches if (body := cached(cache, key))]
        if any(stale(body, state.promised) for body in bodies):
            return "stale"
        if any(stale(body, state.data) for body in bodies):
            return "hit, a write is under way"
        return "hit" if bodies else "miss"
