"""One search: a variant of the protocol in a named scenario."""

from tests.model.checker import Result, explore
from tests.model.protocol import Protocol
from tests.model.scenarios import LONG, SCENARIOS
from tests.model.state import State

LIMIT = 2_000_000


def search(variant: type[Protocol], name: str) -> Result[State]:
    model = variant((SCENARIOS | LONG)[name])
    return explore(model.initial(), model.successors, model.fault, model.kind, LIMIT)
