"""The writer's steps. Each method yields what one atomic step may lead to.

A writer may crash between any two steps. A rollback is no step of its own: it is a crash whose
tombstone happens to expire at once. BEGIN, the locks and the tombstone are one step, as before the
tombstone nothing of the write can be seen.
"""

from tests.model.model import Model, Steps
from tests.model.state import Entry, State, Versions, Writer, fresh, later, put

OPEN = ("tombstoned", "unconfirmed")  # the steps at which it holds its scopes' locks
GONE = Writer("gone")


class Writers(Model):
    def writer(self, state: State, number: int) -> Steps:
        writer = state.writers[number]
        if writer.step != "gone":
            yield from getattr(self, f"writer_{writer.step}")(state, number)
        if writer.step not in ("new", "gone"):
            yield f"writer {number + 1} crashes", self.move(state, number, GONE)

    def writer_new(self, state: State, number: int) -> Steps:
        """BEGIN, lock the scopes, set the tombstones."""
        scopes = set(self.scenario.writes[number])
        for other, writer in enumerate(state.writers):
            if self.holds_locks(writer) and scopes & set(self.scenario.writes[other]):
                return
            # Of two writers that are alike the first one is number 1: no loss of generality.
            if other < number and writer.step == "new" and self.alike(other, number):
                return
        sent = self.move(state, number, Writer("tombstoned"))
        yield f"writer {number + 1} sets its tombstone", self.tombstone(sent, number)
        unconfirmed = self.move(state, number, Writer("unconfirmed"))
        label = f"writer {number + 1} cannot set its tombstone"
        yield from self.unanswered(unconfirmed, number, label, ("tombstone", number, ()))

    def tombstone(self, state: State, number: int) -> State:
        return self.set_tags(state, dict.fromkeys(self.scenario.writes[number], -1 - number))

    def writer_tombstoned(self, state: State, number: int) -> Steps:
        state, version = self.commit(state, number)
        if self.scenario.lasting:
            state = self.promise(state, version)
        yield f"writer {number + 1} commits", self.move(state, number, Writer("committed", version))

    def writer_committed(self, state: State, number: int) -> Steps:
        """One script in Redis removes what was set before the commit; then the answer."""
        version = state.writers[number].version
        released = self.release(state, number, version)
        yield f"writer {number + 1} releases and answers", self.answer(released, number)
        unreleased = self.move(state, number, Writer("unreleased", version))
        label = f"writer {number + 1} cannot release"
        yield from self.unanswered(unreleased, number, label, ("release", number, version))

    def release(self, state: State, number: int, version: Versions) -> State:
        scopes = self.scenario.writes[number]
        return self.set_tags(
            state, {scope: self.released(state, number, scope, version) for scope in scopes}
        )

    def released(self, state: State, number: int, scope: int, version: Versions) -> int:
        tag = state.redis.tags[scope]
        if tag == -1 - number:
            return self.new_tag(state, scope, version)
        return self.without(tag)

    def new_tag(self, state: State, scope: int, version: Versions) -> int:
        return fresh(state, scope)

    # The outbox path: Redis did not confirm the tombstone, or the release.

    def writer_unconfirmed(self, state: State, number: int) -> Steps:
        """The entry goes into the same transaction."""
        yield from self.lock_lapsed(state, number)
        state, version = self.commit(state, number)
        entered = self.move(state, number, Writer("entered", version))
        yield f"writer {number + 1} commits with an entry", self.enter(entered, number, version)

    def writer_entered(self, state: State, number: int) -> Steps:
        """Redis may be back: then nobody needs to wait, and the keeper drains the entry as well."""
        version = state.writers[number].version
        released = self.release(state, number, version)
        yield f"writer {number + 1} releases and answers", self.answer(released, number)
        waiting = self.move(state, number, Writer("waiting", version))
        label = f"writer {number + 1} cannot release"
        yield from self.unanswered(waiting, number, label, ("release", number, version))

    def writer_unreleased(self, state: State, number: int) -> Steps:
        """The entry goes into a transaction of its own."""
        yield from self.lock_lapsed(state, number)
        version = state.writers[number].version
        waiting = self.move(state, number, Writer("waiting", version))
        yield f"writer {number + 1} commits an entry", self.enter(waiting, number, version)

    def lock_lapsed(self, state: State, number: int) -> Steps:
        """SKIP LOCKED: it may also pass by an entry that the keeper is about to delete."""
        writer = state.writers[number]
        for entry in state.outbox:
            if entry.lapsed:
                sure = writer._replace(step="sure", locked=entry.writer)
                label = f"writer {number + 1} locks writer {entry.writer + 1}'s lapsed entry"
                yield label, self.move(state, number, sure)

    def writer_sure(self, state: State, number: int) -> Steps:
        """Trust is known to be dead until this transaction has ended, so there is no wait."""
        version = state.writers[number].version
        if not version:
            state, version = self.commit(state, number)
        state = self.move(state, number, Writer("sure", version))
        entered = self.enter(state, number, version)
        yield f"writer {number + 1} commits with an entry and answers", self.answer(entered, number)

    def enter(self, state: State, number: int, version: Versions) -> State:
        entry = Entry(number, False, version)
        return self.age(state._replace(outbox=tuple(sorted((*state.outbox, entry)))), number)

    def writer_waiting(self, state: State, number: int) -> Steps:
        """After 1.1 s every `alive` whose T0 precedes the commit has expired."""
        state = self.wait(state, number)
        outbox = tuple(
            entry._replace(lapsed=True) if entry.writer == number else entry
            for entry in state.outbox
        )
        state = state._replace(outbox=outbox)
        yield f"writer {number + 1} has waited and answers", self.answer(state, number)

    def wait(self, state: State, number: int) -> State:
        return self.lapse(state, number)

    def repeat(self, state: State) -> Steps:
        """A request that changes nothing, since it finds its change committed by another.

        What it answers is a promise too, and the other one may not have released yet.
        """
        if self.scenario.repeats and state.promised != state.data:
            tags = {scope: self.without(tag) for scope, tag in enumerate(state.redis.tags)}
            promised = self.promise(state, state.data)
            yield "a repeated write drops the tags and answers", self.set_tags(promised, tags)

    # What the steps are made of.

    def holds_locks(self, writer: Writer) -> bool:
        return writer.step in OPEN or (writer.step == "sure" and not writer.version)

    def alike(self, one: int, other: int) -> bool:
        writes, cut = self.scenario.writes, self.scenario.cut
        return writes[one] == writes[other] and (one in cut) == (other in cut)

    def move(self, state: State, number: int, writer: Writer) -> State:
        return state._replace(writers=put(state.writers, number, writer))

    def commit(self, state: State, number: int) -> tuple[State, Versions]:
        scopes = self.scenario.writes[number]
        data = tuple(held + (scope in scopes) for scope, held in enumerate(state.data))
        version = tuple(held * (scope in scopes) for scope, held in enumerate(data))
        return state._replace(data=data), version

    def answer(self, state: State, number: int) -> State:
        promised = self.promise(state, state.writers[number].version)
        return self.move(promised, number, GONE)

    def promise(self, state: State, version: Versions) -> State:
        return state._replace(promised=later(state.promised, version))

    def unanswered(self, state: State, number: int, label: str, command: tuple) -> Steps:
        """Redis refuses the command, or executes it when the writer no longer waits for it."""
        if number in self.scenario.cut:
            yield label, state
        yield from self.late(state, f"{label} in time", command)
