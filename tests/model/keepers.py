"""The keeper's steps, again and again. Each method yields what one atomic step may lead to.

A keeper may fail, or be killed and started again, between any two steps, and pause for as long as
the others like.
"""

from tests.model.model import Model, Steps
from tests.model.state import MISSING, OFF, Alive, Keeper, State, later, put


class Keepers(Model):
    def keeper(self, state: State, place: int) -> Steps:
        keeper = state.keepers[place]
        if keeper.step in ("off", "forget") or keeper.process == state.process:
            yield from getattr(self, f"keeper_{keeper.step}")(state, place)
        if keeper.step != "off":
            yield "a keeper fails", self.go_on(state, place, OFF)

    def keeper_off(self, state: State, place: int) -> Steps:
        """INFO, GET run, TIME in one pipeline: tags of another process must go first."""
        step = "look" if state.redis.run == state.process else "clean"
        begun = Keeper(step, state.process, data=state.data if self.scenario.lasting else ())
        yield "a keeper takes T0", self.go_on(state, place, begun)

    def keeper_clean(self, state: State, place: int) -> Steps:
        cleaned = self.set_tags(state, dict.fromkeys(range(self.scopes), MISSING))
        sign = state.keepers[place]._replace(step="sign")
        yield "a keeper deletes all tags", self.go_on(cleaned, place, sign)

    def keeper_sign(self, state: State, place: int) -> Steps:
        signed = state._replace(redis=state.redis._replace(run=state.process))
        look = state.keepers[place]._replace(step="look")
        yield "a keeper sets `run`", self.go_on(signed, place, look)

    def keeper_look(self, state: State, place: int) -> Steps:
        keeper = state.keepers[place]
        entries = tuple(entry.writer for entry in state.outbox)
        if entries:
            drain = Keeper("drain", keeper.process, entries=entries)
            yield "a keeper reads entries", self.go_on(state, place, drain)
        else:
            renew = keeper._replace(step="renew")
            yield "a keeper finds no entry", self.go_on(state, place, renew)

    def keeper_drain(self, state: State, place: int) -> Steps:
        """Tombstones stay: their writers are about to commit, or will remove them."""
        keeper = state.keepers[place]
        scopes = {scope for writer in keeper.entries for scope in self.scenario.writes[writer]}
        drained = {scope: self.without(state.redis.tags[scope]) for scope in scopes}
        label = "a keeper deletes the tags of its entries"
        yield (
            label,
            self.go_on(self.set_tags(state, drained), place, keeper._replace(step="forget")),
        )

    def keeper_forget(self, state: State, place: int) -> Steps:
        """DELETE waits for whoever holds an entry FOR KEY SHARE."""
        entries = state.keepers[place].entries
        if any(writer.locked in entries for writer in state.writers):
            return
        outbox = tuple(entry for entry in state.outbox if entry.writer not in entries)
        promised = state.promised
        for entry in state.outbox:
            if entry.writer in entries:
                promised = later(promised, entry.version)
        forgotten = state._replace(outbox=outbox, promised=promised)
        label = "a keeper deletes its entries"
        yield label, self.go_on(forgotten, place, OFF)

    def keeper_renew(self, state: State, place: int) -> Steps:
        """The expiry is absolute, T0 + 1 s, so a late command gains nothing."""
        keeper = state.keepers[place]
        renewed = self.renew(state, keeper.process, keeper.older)
        if keeper.data:
            renewed = renewed._replace(promised=later(state.promised, keeper.data))
        yield "a keeper renews `alive`", self.go_on(renewed, place, OFF)
        yield from self.late(
            self.go_on(state, place, OFF),
            "a keeper cannot renew `alive` in time",
            ("renew", keeper.process, keeper.older),
        )

    def renew(self, state: State, process: int, older: int) -> State:
        return state._replace(redis=state.redis._replace(alive=Alive(process, older)))

    def go_on(self, state: State, place: int, keeper: Keeper) -> State:
        return state._replace(keepers=put(state.keepers, place, keeper))
