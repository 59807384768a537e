# ruff: noqa: S311  (choices that must repeat, not secrets)
"""Turn sentence patterns into pools of ready sentences.

A pattern such as ``"{This} {item} {fits} {small|tight} in the shoulders."``
holds grammar slots in braces (filled from a `Voice`) and alternatives split by
bars. A pool is a fixed number of different sentences drawn from its patterns,
so that SQL can pick one by arithmetic alone.
"""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SLOT = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Voice:
    """How sentences speak of one kind of product."""

    item: str
    plural: bool

    def words(self) -> dict[str, str]:
        """Grammar slots and what they become for this voice."""
        one, many = (
            "this it it is was has does fits feels looks comes runs wears holds goes washes",
            "these they them are were have do fit feel look come run wear hold go wash",
        )
        names = "this it obj is was has does fits feels looks comes runs wears holds goes washes"
        chosen = (many if self.plural else one).split()
        words = dict(zip(names.split(), chosen, strict=True))
        words["item"] = self.item
        return words | {name.capitalize(): word.capitalize() for name, word in words.items()}


def expand(pattern: str, words: Mapping[str, str], rng: random.Random) -> str:
    """Fill every slot of one pattern, inner ones first, choosing among alternatives at random."""

    def fill(match: re.Match[str]) -> str:
        slot = match[1]
        return rng.choice(slot.split("|")) if "|" in slot else words[slot]

    while SLOT.search(pattern):
        pattern = SLOT.sub(fill, pattern)
    return pattern


def pool(patterns: Sequence[str], voice: Voice, size: int, name: str) -> list[str]:
    """`size` sentences, as different as the patterns allow, the same on every call.

    `name` alone seeds the choice: pools do not depend on the seed of a data set.
    Patterns take turns, so each is heard about equally often.
    """
    rng = random.Random(name)
    words = voice.words()
    sentences: dict[str, None] = {}
    for turn in range(size * 12):
        if len(sentences) == size:
            break
        sentences.setdefault(expand(patterns[turn % len(patterns)], words, rng))
    found = list(sentences)
    return [found[index % len(found)] for index in range(size)]


def quoted(sentences: Sequence[str]) -> list[str]:
    """Sentences escaped for the inside of a double-quoted CSV field."""
    return [sentence.replace('"', '""') for sentence in sentences]
