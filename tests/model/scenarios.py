"""What each search is about: the actors, and the faults that may meet them."""

from typing import NamedTuple

from tests.model.state import Faults


class Scenario(NamedTuple):
    """`writes` holds each writer's scopes; scope 0 may be taken for `epoch`.

    `readers` is how many reads may pause halfway at once; those that do not pause are unlimited,
    and so is the number of reads altogether. Without a keeper trust never lapses. A writer in `cut`
    may at any moment find Redis out of its reach, while all others reach it.

    `lasting`: a tombstone expires only after its writer's transaction has ended, and no fault takes
    it earlier. Then more is promised: a read that starts after a commit includes it, answered or
    not, if the tombstone was confirmed; if not, as soon as trust was renewed after the commit.

    `repeats`: there are requests that change nothing, as they find their change committed.
    """

    writes: tuple[tuple[int, ...], ...] = ((0,), (0,))
    readers: int = 1
    nodes: int = 1
    keepers: int = 0
    cut: tuple[int, ...] = ()
    faults: Faults = Faults()
    lasting: bool = False
    repeats: bool = False


SCENARIOS = {
    "nodes": Scenario(readers=2, nodes=2),
    "three": Scenario(writes=((0,), (0,), (0,)), readers=2),
    "crashes": Scenario(readers=2, lasting=True),
    "apart": Scenario(writes=((0,), (1,))),
    "overlap": Scenario(writes=((0,), (0, 1))),
    "cut off": Scenario(writes=((0,),), keepers=1, cut=(0,)),
    "outage": Scenario(keepers=1, cut=(0, 1)),
    "recovery": Scenario(keepers=1, cut=(0,), lasting=True),
    "repeats": Scenario(keepers=1, cut=(0,), repeats=True),
    "two keepers": Scenario(writes=((0,),), keepers=2, cut=(0,)),
    "hang": Scenario(writes=((0,),), keepers=1, faults=Faults(hang=1)),
    "flush": Scenario(writes=((0,),), keepers=1, cut=(0,), faults=Faults(flush=1)),
    "restart": Scenario(writes=((0,),), keepers=1, cut=(0,), faults=Faults(restart=1)),
    "reload": Scenario(writes=((0,),), keepers=1, faults=Faults(reload=1)),
}

LONG = {
    "apart, two reads": Scenario(writes=((0,), (1,)), readers=2),
    "apart, one cut off": Scenario(writes=((0,), (1,)), keepers=1, cut=(0,)),
    "outage, three writers": Scenario(writes=((0,), (0,), (0,)), keepers=1, cut=(0, 1, 2)),
    "outage, two keepers": Scenario(keepers=2, cut=(0, 1)),
    "outage, two reads": Scenario(readers=2, keepers=1, cut=(0, 1)),
    "recovery, two keepers": Scenario(keepers=2, cut=(0, 1), lasting=True),
    "flush, two writers": Scenario(keepers=1, cut=(0,), faults=Faults(flush=1)),
    "restart, two writers": Scenario(keepers=1, cut=(0,), faults=Faults(restart=1)),
    "hang, two writers": Scenario(keepers=1, faults=Faults(hang=1)),
    "hang twice": Scenario(keepers=1, faults=Faults(hang=2)),
    "hang, one cut off": Scenario(keepers=1, cut=(0,), faults=Faults(hang=1)),
    "hang, flush": Scenario(keepers=1, faults=Faults(hang=1, flush=1)),
    "flush, restart": Scenario(keepers=1, cut=(0,), faults=Faults(flush=1, restart=1)),
    "reload, two writers": Scenario(keepers=1, faults=Faults(reload=1)),
    "reload, one cut off": Scenario(keepers=1, cut=(0,), faults=Faults(reload=1)),
    "reload twice": Scenario(writes=((0,),), keepers=1, faults=Faults(reload=2)),
    "reload, two keepers": Scenario(writes=((0,),), keepers=2, faults=Faults(reload=1)),
    "reload, hang": Scenario(writes=((0,),), keepers=1, faults=Faults(reload=1, hang=1)),
    "reload, repeats": Scenario(
        writes=((0,),), keepers=1, cut=(0,), faults=Faults(reload=1), repeats=True
    ),
}
