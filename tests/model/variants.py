"""The protocol with one rule changed.

`BROKEN` names for each variant a scenario in which it breaks the promise: this shows that the model
finds faults, and what each rule is for. Where that scenario is `lasting`, the rule serves only
reads after a commit that is not answered yet, or never. `SOUND` are other ways to keep the promise.
"""

from tests.model.leases import OriginLease
from tests.model.model import Steps
from tests.model.protocol import Protocol
from tests.model.state import (
    MISSING,
    NOBODY,
    OFF,
    Keeper,
    Reader,
    State,
    Tags,
    Versions,
    Writer,
    fresh,
)

CONSTANT = 98


class TimeToLive(Protocol):
    """The key carries no tags: a plain cache with a time to live."""

    def tags(self, state: State) -> Tags:
        return (CONSTANT,) * self.scopes

    def remembered(self, state: State, readers: tuple[Reader, ...], scope: int) -> set[int]:
        return {CONSTANT}


class Purge(TimeToLive):
    """No tags: the writer purges the caches of all nodes after its commit."""

    def release(self, state: State, number: int, version: Versions) -> State:
        return state._replace(caches=((),) * self.scenario.nodes)


class ConstantForMissing(Protocol):
    """A missing tag counts as a tag of its own."""

    def tags(self, state: State) -> Tags:
        return tuple(tag or CONSTANT for tag in state.redis.tags)

    def remembered(self, state: State, readers: tuple[Reader, ...], scope: int) -> set[int]:
        return super().remembered(state, readers, scope) | {CONSTANT}


class TagBeforeCommit(Protocol):
    """The writer sets its new tag before it commits, and nothing afterwards."""

    def tombstone(self, state: State, number: int) -> State:
        scopes = self.scenario.writes[number]
        return self.set_tags(state, {scope: fresh(state, scope) for scope in scopes})

    def released(self, state: State, number: int, scope: int, version: Versions) -> int:
        return state.redis.tags[scope]


class AnswerBeforeRelease(Protocol):
    """The writer answers once it has committed, and releases afterwards."""

    def commit(self, state: State, number: int) -> tuple[State, Versions]:
        state, version = super().commit(state, number)
        return self.promise(state, version), version


class NoTombstone(Protocol):
    """The writer only sets a new tag after its commit."""

    def tombstone(self, state: State, number: int) -> State:
        return state


class NoLocks(Protocol):
    """Writers of one scope do not queue."""

    def holds_locks(self, writer: Writer) -> bool:
        return False


class ReleaseOverTombstones(Protocol):
    """A release sets its new tag whatever it finds."""

    def released(self, state: State, number: int, scope: int, version: Versions) -> int:
        return self.new_tag(state, scope, version)


class ReleaseLeavesTags(Protocol):
    """A release touches nothing but its own tombstone."""

    def released(self, state: State, number: int, scope: int, version: Versions) -> int:
        own = state.redis.tags[scope] == -1 - number
        return self.new_tag(state, scope, version) if own else state.redis.tags[scope]


class MintOverTombstones(Protocol):
    """A read sets the tag that it missed without NX."""

    def mints(self, tag: int) -> bool:
        return True


class StoreOnBypass(Protocol):
    """nginx takes a tombstone for a tag."""

    def bypasses(self, tags: Tags) -> bool:
        return False


class OtherConnection(Protocol):
    """nginx may mint a missing tag on another connection than that of its MGET."""

    def connected(self, state: State, reader: Reader) -> bool:
        return True


class NoTrust(Protocol):
    """nginx does not look at `alive`."""

    def trusted(self, state: State) -> bool:
        return True


class NoRunId(Protocol):
    """`alive` is good for any Redis process."""

    def trusted(self, state: State) -> bool:
        return state.redis.alive is not None


class NoCleaning(Protocol):
    """The keeper leaves the tags that it finds in a new Redis process."""

    def keeper_off(self, state: State, place: int) -> Steps:
        yield "a keeper takes T0", self.go_on(state, place, Keeper("look", state.process))


class RelativeExpiry(Protocol):
    """`alive` expires 1 s after Redis has executed the command, not after T0."""

    timed = ()

    def renew(self, state: State, process: int, older: int) -> State:
        return super().renew(state, process, 0)


class LookBeforeClock(Protocol):
    """The keeper takes T0 when it has read the outbox."""

    def keeper_look(self, state: State, place: int) -> Steps:
        for label, looked in super().keeper_look(state, place):
            keeper = looked.keepers[place]
            step = "stamp" if keeper.step == "renew" else keeper.step
            yield label, self.go_on(looked, place, keeper._replace(step=step))

    def keeper_stamp(self, state: State, place: int) -> Steps:
        process = state.keepers[place].process
        yield "a keeper takes T0", self.go_on(state, place, Keeper("renew", process))


class NoDraining(Protocol):
    """The keeper renews trust whatever the outbox holds."""

    def keeper_look(self, state: State, place: int) -> Steps:
        for label, looked in super().keeper_look(state._replace(outbox=()), place):
            yield label, looked._replace(outbox=state.outbox)


class ForgetWithoutDraining(Protocol):
    """The keeper deletes the entries and not the tags."""

    def keeper_drain(self, state: State, place: int) -> Steps:
        for label, drained in super().keeper_drain(state, place):
            yield label, drained._replace(redis=state.redis)


class ForgetBeforeDraining(Protocol):
    """The keeper deletes the entries first, then the tags."""

    def keeper_drain(self, state: State, place: int) -> Steps:
        entries = state.keepers[place].entries
        for label, forgotten in super().keeper_forget(state, place):
            keeper = Keeper("forget", state.process, entries=entries)
            # Nothing is promised before the tags are gone too.
            forgotten = forgotten._replace(promised=state.promised)
            yield label, self.go_on(forgotten, place, keeper)

    def keeper_forget(self, state: State, place: int) -> Steps:
        for label, drained in super().keeper_drain(state, place):
            yield label, self.go_on(drained, place, OFF)


class DrainTombstones(Protocol):
    """The keeper deletes tombstones too."""

    def keeper_drain(self, state: State, place: int) -> Steps:
        for label, drained in super().keeper_drain(state, place):
            gone = {scope: max(tag, MISSING) for scope, tag in enumerate(drained.redis.tags)}
            yield label, self.set_tags(drained, gone)


class RepeatWithoutDropping(Protocol):
    """A repeated write is answered at once."""

    def repeat(self, state: State) -> Steps:
        for label, repeated in super().repeat(state):
            yield label, repeated._replace(redis=state.redis)


class NoOutbox(Protocol):
    """A writer that could not set its tombstone commits no entry, though it waits."""

    def writer_unconfirmed(self, state: State, number: int) -> Steps:
        for label, entered in super().writer_unconfirmed(state, number):
            yield label, entered._replace(outbox=state.outbox)


class NoOutboxForReleases(Protocol):
    """A writer answers though it could not release."""

    def writer_unreleased(self, state: State, number: int) -> Steps:
        yield f"writer {number + 1} answers", self.answer(state, number)


class EntryAfterCommit(Protocol):
    """A writer that could not set its tombstone commits its entry in a second transaction."""

    def writer_unconfirmed(self, state: State, number: int) -> Steps:
        state, version = self.commit(state, number)
        unreleased = self.move(state, number, Writer("unreleased", version))
        yield f"writer {number + 1} commits without an entry", unreleased


class NoWait(Protocol):
    """A writer on the outbox path answers at once."""

    def wait(self, state: State, number: int) -> State:
        return state


class NoEntryLock(Protocol):
    """A writer trusts a lapsed entry without holding it FOR KEY SHARE."""

    def lock_lapsed(self, state: State, number: int) -> Steps:
        for label, sure in super().lock_lapsed(state, number):
            writer = sure.writers[number]._replace(locked=NOBODY)
            yield label, self.move(sure, number, writer)


class LapsedFromTheStart(Protocol):
    """Sound: the entry of a writer that locked a lapsed one is born lapsed."""

    def writer_sure(self, state: State, number: int) -> Steps:
        for label, entered in super().writer_sure(state, number):
            outbox = tuple(
                entry._replace(lapsed=True) if entry.writer == number else entry
                for entry in entered.outbox
            )
            yield label, entered._replace(outbox=outbox)


class ReleaseOverLeases(OriginLease):
    """A release leaves an origin's lease alone as it does a tombstone."""

    def without(self, tag: int) -> int:
        return min(tag, MISSING)


BROKEN: dict[type[Protocol], str] = {
    TimeToLive: "nodes",
    Purge: "nodes",
    ConstantForMissing: "nodes",
    TagBeforeCommit: "nodes",
    AnswerBeforeRelease: "nodes",
    NoTombstone: "crashes",
    NoLocks: "crashes",
    ReleaseOverTombstones: "crashes",
    ReleaseLeavesTags: "nodes",
    MintOverTombstones: "crashes",
    StoreOnBypass: "cut off",
    RepeatWithoutDropping: "repeats",
    OtherConnection: "reload",
    NoTrust: "cut off",
    NoRunId: "reload",
    NoCleaning: "reload",
    RelativeExpiry: "cut off",
    LookBeforeClock: "cut off",
    NoDraining: "cut off",
    ForgetWithoutDraining: "cut off",
    ForgetBeforeDraining: "cut off",
    DrainTombstones: "recovery",
    NoOutbox: "cut off",
    NoOutboxForReleases: "cut off",
    EntryAfterCommit: "recovery",
    NoWait: "cut off",
    NoEntryLock: "outage",
    ReleaseOverLeases: "overlap",
}
SOUND: dict[type[Protocol], tuple[str, ...]] = {
    OriginLease: ("crashes", "cut off", "reload"),
    LapsedFromTheStart: ("outage",),
}
