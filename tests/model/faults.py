"""What happens to Redis by itself: expiry, faults, and commands whose senders gave up."""

from tests.model.keepers import Keepers
from tests.model.model import Steps
from tests.model.state import MISSING, Redis, State, is_tombstone
from tests.model.writers import Writers


class World(Writers, Keepers):
    def expiry(self, state: State) -> Steps:
        """Tags, tombstones and trust may run out at any moment."""
        for scope, tag in enumerate(state.redis.tags):
            if tag == MISSING:
                continue
            lasts = self.scenario.lasting and is_tombstone(tag)
            if lasts and state.writers[-1 - tag].step == "tombstoned":
                continue
            label = "a tombstone expires" if is_tombstone(tag) else "a tag expires"
            yield label, self.set_tags(state, {scope: MISSING})
        if state.keepers and state.redis.alive:
            yield "`alive` expires", state._replace(redis=state.redis._replace(alive=None))

    def execution(self, state: State) -> Steps:
        for place, (name, number, argument) in enumerate(state.late):
            rest = state._replace(late=state.late[:place] + state.late[place + 1 :])
            if name == "tombstone":
                executed = self.tombstone(rest, number)
            elif name == "release":
                executed = self.release(rest, number, argument)
            else:
                executed = self.renew(rest, number, argument)
            yield f"Redis executes a late {name}", executed

    def accidents(self, state: State) -> Steps:
        faults, redis = state.faults, state.redis
        empty = Redis((MISSING,) * self.scopes, None, -1)
        if faults.flush:
            left = faults._replace(flush=faults.flush - 1)
            yield "Redis is flushed", state._replace(redis=empty, faults=left)
        if faults.restart:
            left = faults._replace(restart=faults.restart - 1)
            yield "Redis restarts empty", self.restart(state, empty)._replace(faults=left)
        if faults.reload and state.copy is None:
            yield "Redis saves a copy", state._replace(copy=redis)
        if faults.reload and state.copy:
            left = faults._replace(reload=faults.reload - 1)
            again = self.restart(state, state.copy)
            if not left.reload:
                again = again._replace(copy=None)
            yield "Redis restarts with its copy", again._replace(faults=left)

    def restart(self, state: State, redis: Redis) -> State:
        """Another process, with another run id: connections and what was sent on them are gone."""
        return state._replace(redis=redis, process=state.process + 1, late=())
