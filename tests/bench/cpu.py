"""CPU seconds of process trees, out of /proc."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
# Fields of /proc/<pid>/stat, counted behind the name: parent, and the four times, of which the last
# two are those of children that ended.
PARENT, TIMES = 1, slice(11, 15)


def machine_seconds() -> float:
    """What the whole machine has used since its start, and what its host took away."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    ticks = [int(field) for field in fields]
    return (sum(ticks[:3]) + sum(ticks[5:8])) / TICKS


def seconds_of(components: Mapping[str, Iterable[int]]) -> dict[str, float]:
    """What each component has used since its start: its roots, their descendants, and those of
    them that ended since."""
    stats = _stats()
    children: dict[int, list[int]] = {}
    for pid, fields in stats.items():
        children.setdefault(int(fields[PARENT]), []).append(pid)
    return {name: _tree(list(roots), stats, children) for name, roots in components.items()}


def _tree(pids: list[int], stats: dict[int, list[str]], children: dict[int, list[int]]) -> float:
    ticks = 0
    while pids:
        pid = pids.pop()
        if pid in stats:
            ticks += sum(int(field) for field in stats[pid][TIMES])
            pids += children.get(pid, [])
    return ticks / TICKS


def _stats() -> dict[int, list[str]]:
    stats = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue
            stats[int(entry.name)] = text.rpartition(")")[2].split()
    return stats
