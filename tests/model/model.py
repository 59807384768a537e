"""What the actors' steps share: Redis, the passing of time, and commands executed late."""

from collections.abc import Iterable
from typing import TypeAlias

from tests.model.scenarios import Scenario
from tests.model.state import IDLE, MISSING, OFF, Alive, Redis, State, Writer, is_tombstone

Steps: TypeAlias = Iterable[tuple[str, State]]


class Model:
    """One scenario under the rules of the protocol; a variant overrides one rule."""

    # A keeper's steps that use its T0 later on, and the command that carries it.
    timed: tuple[str, ...] = ("clean", "sign", "look", "renew")

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.scopes = 1 + max(scope for scopes in scenario.writes for scope in scopes)

    def initial(self) -> State:
        """Everything works, and nothing was read yet."""
        scenario = self.scenario
        zero = (0,) * self.scopes
        return State(
            redis=Redis(tags=zero, alive=Alive(0, 0), run=0),
            process=0,
            copy=None,
            late=(),
            data=zero,
            outbox=(),
            promised=zero,
            writers=(Writer("new"),) * len(scenario.writes),
            keepers=(OFF,) * scenario.keepers,
            readers=(IDLE,) * scenario.readers,
            caches=((),) * scenario.nodes,
            faults=scenario.faults,
        )

    def set_tags(self, state: State, new: dict[int, int]) -> State:
        tags = tuple(new.get(scope, tag) for scope, tag in enumerate(state.redis.tags))
        return state._replace(redis=state.redis._replace(tags=tags))

    def without(self, tag: int) -> int:
        """What is left after tags are dropped: a tombstone says that its commit is yet to come."""
        return tag if is_tombstone(tag) else MISSING

    def late(self, state: State, label: str, command: tuple) -> Steps:
        """The sender gives up a command that Redis will yet execute, if it lives so long."""
        if state.faults.hang:
            faults = state.faults._replace(hang=state.faults.hang - 1)
            late = tuple(sorted((*state.late, command)))
            yield label, state._replace(faults=faults, late=late)

    def age(self, state: State, number: int) -> State:
        """Writer `number` commits an entry: each T0 so far is older than that."""
        bit = 1 << number

        def aged(redis: Redis) -> Redis:
            alive = redis.alive
            older = alive._replace(older=alive.older | bit) if alive else None
            return redis._replace(alive=older)

        return state._replace(
            redis=aged(state.redis),
            copy=aged(state.copy) if state.copy else None,
            late=tuple(
                (*command[:2], command[2] | bit) if command[0] in self.timed else command
                for command in state.late
            ),
            keepers=tuple(
                keeper._replace(older=keeper.older | bit) if keeper.step in self.timed else keeper
                for keeper in state.keepers
            ),
        )

    def lapse(self, state: State, number: int) -> State:
        """It has waited: whatever comes from an older T0 has expired, or would set nothing."""
        bit = 1 << number

        def lapsed(redis: Redis) -> Redis:
            over = redis.alive and redis.alive.older & bit
            return redis._replace(alive=None) if over else redis

        return state._replace(
            redis=lapsed(state.redis),
            copy=lapsed(state.copy) if state.copy else None,
            late=tuple(
                command
                for command in state.late
                if command[0] not in self.timed or not command[2] & bit
            ),
            keepers=tuple(
                OFF if keeper.step in self.timed and keeper.older & bit else keeper
                for keeper in state.keepers
            ),
        )
