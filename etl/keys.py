"""Ids in blocks of clean lines, read all at once, and sets of them and of pairs of them in bounded
memory.

A block is UTF-8 text of whole lines whose first columns are bare digits, as the pattern of clean
lines guarantees. Whatever is done for every line of a file is done here, a block at a time.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from etl.lines import MAX_LINE_BYTES

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

_NEWLINE, _RETURN = 10, 13
# Eight bytes are read at once, so this many have to follow the last digit.
PADDING = b"\n" * 8
_ZEROS = np.uint64(0x3030303030303030)
_OVER_NINE = np.uint64(0x7676767676767676)
_HIGH_BITS = np.uint64(0x8080808080808080)
_ONE = np.uint64(1)
# Each step joins neighbouring digits, pairs and fours of the eight in a word: factor, shift, mask.
_JOINS = tuple(
    (np.uint64(factor), np.uint64(shift), np.uint64(mask))
    for factor, shift, mask in (
        (2561, 8, 0x00FF00FF00FF00FF),
        (6553601, 16, 0x0000FFFF0000FFFF),
        (42949672960001, 32, 0x00000000FFFFFFFF),
    )
)


class Block:
    """A block's bytes, and where its lines begin and end; `ends` are the line feeds."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._bytes = np.frombuffer(data + PADDING, np.uint8)
        self._words: NDArray[np.uint64] = np.ndarray(
            len(data) + 1, np.dtype("<u8"), self._bytes, strides=(1,)
        )
        self.ends: Integers = np.flatnonzero(self._bytes[: len(data)] == _NEWLINE)
        self.starts: Integers = np.empty_like(self.ends)
        if len(self.ends):
            self.starts[0] = 0
            np.add(self.ends[:-1], 1, out=self.starts[1:])

    def __len__(self) -> int:
        return len(self.ends)

    def line(self, row: int) -> bytes:
        """A line without its line feed."""
        return self.data[self.starts[row] : self.ends[row]]

    def integers(self, count: int) -> tuple[list[Integers], list[Integers]]:
        """The first `count` columns of every line, digits all, and where each of them begins."""
        values, starts = [], [self.starts]
        for _ in range(count):
            value, width = self._integer(starts[-1])
            values.append(value)
            starts.append(starts[-1] + (width + 1))
        return values, starts

    def returns(self) -> Flags:
        """Which lines end with a carriage return before the line feed."""
        return (self._bytes[self.ends - 1] == _RETURN) & (self.ends > self.starts)

    def hashes(self, rows: Integers, shorter: Flags | None = None) -> NDArray[np.uint64]:
        """Of each of these lines a number of 64 bits, never 0: equal lines have the same, others as
        good as never. It is kept between imports, so it must not change.

        `shorter` are the lines whose last byte does not count.
        """
        if not len(rows):
            return np.zeros(0, np.uint64)
        starts = self.starts[rows]
        lengths = self.ends[rows] - starts
        if shorter is not None:
            lengths -= shorter[rows]
        counts = np.maximum((lengths + 7) >> 3, 1)
        firsts = np.cumsum(counts) - counts
        place = np.arange(int(counts.sum())) - np.repeat(firsts, counts)
        words = self._words[np.repeat(starts, counts) + (place << 3)]
        words[firsts + counts - 1] &= _LAST_WORD[lengths & 7]
        words += _PLACES[np.minimum(place, len(_PLACES) - 1)]
        sums = np.add.reduceat(_mixed(words), firsts)
        sums += lengths.astype(np.uint64)
        sums = _mixed(sums)
        sums[sums == 0] = 1
        return sums

    def _integer(self, starts: Integers) -> tuple[Integers, Integers]:
        """The numbers that begin at these places, of up to 16 digits, and their widths."""
        value, width = self._short_integer(starts)
        longer = np.flatnonzero(width == 8)
        if len(longer):
            rest, more = self._short_integer(starts[longer] + 8)
            value[longer] = value[longer] * 10**more + rest
            width[longer] += more
        return value, width

    def _short_integer(self, starts: Integers) -> tuple[Integers, Integers]:
        """The same for the first eight digits: all bytes of a word are looked at in one step."""
        words = self._words[starts]
        words ^= _ZEROS
        others = ((words + _OVER_NINE) | words) & _HIGH_BITS
        width = np.bitwise_count((others - _ONE) & ~others) >> np.uint8(3)
        shift = (np.uint64(64) - (width.astype(np.uint64) << np.uint64(3))) & np.uint64(63)
        words <<= shift
        words[width == 0] = 0
        for factor, step, mask in _JOINS:
            words *= factor
            words >>= step
            words &= mask
        return words.astype(np.int64), width.astype(np.int64)


class IdSet:
    """A set of ids below a thousand million, a bit each: 125 MB at most."""

    def __init__(self) -> None:
        self._bits = np.zeros(1 << 16, np.uint8)

    def take(self, other: "IdSet") -> None:
        """Become the other, which is used no more."""
        self._bits = other._bits

    def contains(self, ids: Integers) -> Flags:
        places = ids >> 3
        inside = places < len(self._bits)
        if not inside.all():
            places = np.where(inside, places, 0)
        found: Flags = (self._bits[places] >> (ids & 7).astype(np.uint8)) & 1 != 0
        return found & inside

    def add(self, ids: Integers) -> Flags:
        """Add them in their order; true for each that was there before its turn came."""
        if not len(ids):
            return np.zeros(0, np.bool_)
        low, high = int(ids.min()) >> 3, int(ids.max()) >> 3
        self._grow(high + 1)
        if high - low > 8 * len(ids) + 1024:
            return self._add_scattered(ids)
        # Neighbours, as files mostly hold them: a window of the bits is laid open.
        places = ids - (low << 3)
        window = np.unpackbits(self._bits[low : high + 1], bitorder="little")
        repeated = window[places] != 0
        before = int(np.count_nonzero(window))
        window[places] = 1
        if int(np.count_nonzero(window)) - before != len(ids) - int(np.count_nonzero(repeated)):
            repeated |= _repeated_within(ids)
        self._bits[low : high + 1] = np.packbits(window, bitorder="little")
        return repeated

    def _add_scattered(self, ids: Integers) -> Flags:
        repeated = self.contains(ids) | _repeated_within(ids)
        np.bitwise_or.at(self._bits, ids >> 3, np.uint8(1) << (ids & 7).astype(np.uint8))
        return repeated

    def _grow(self, size: int) -> None:
        if size > len(self._bits):
            # Pages that nobody writes to take no memory.
            grown = np.zeros(max(size, 2 * len(self._bits)), np.uint8)
            grown[: len(self._bits)] = self._bits
            self._bits = grown


class Known(Protocol):
    """Ids that may be referred to."""

    def contains(self, ids: Integers) -> Flags: ...


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The ids of several sets."""

    sets: Sequence[IdSet]

    def contains(self, ids: Integers) -> Flags:
        found = self.sets[0].contains(ids)
        for other in self.sets[1:]:
            found |= other.contains(ids)
        return found


class PairSet:
    """A set of pairs of ids, eight bytes each, in sorted runs, each twice as long as the next.

    Full ones are on disk; of those only the part near the pairs asked for is read.
    """

    def __init__(self, full: int = 1 << 20) -> None:
        self._full = full
        self._runs: list[Integers] = []

    def contains(self, pairs: Integers) -> Flags:
        """`pairs` as `paired` makes them."""
        found = np.zeros(len(pairs), np.bool_)
        if len(pairs):
            lowest, highest = pairs.min(), pairs.max()
            for run in self._runs:
                start, stop = run.searchsorted(lowest), run.searchsorted(highest, "right")
                if start < stop:
                    found |= np.isin(pairs, run[start:stop])
        return found

    def add(self, pairs: Integers) -> None:
        """Add pairs, none of which is there already."""
        if not len(pairs):
            return
        run = np.sort(pairs)
        while self._runs and len(self._runs[-1]) < min(2 * len(run), self._full):
            run = np.sort(np.concatenate((self._runs.pop(), run)), kind="stable")
        self._runs.append(run if len(run) < self._full else _on_disk(run))


def paired(ones: Integers, others: Integers) -> Integers:
    """A number for each pair of ids below a thousand million."""
    return (ones << 30) | others


def shared_within(ids: Integers) -> Flags:
    """True for each number that is there more than once."""
    _, places, counts = np.unique(ids, return_inverse=True, return_counts=True)
    shared: Flags = counts[places] > 1
    return shared


def _on_disk(run: Integers) -> Integers:
    with tempfile.TemporaryFile() as file:
        # The mapping keeps the file.
        mapped = np.memmap(file, run.dtype, "w+", shape=run.shape)
        mapped[:] = run
        return mapped


def _repeated_within(ids: Integers) -> Flags:
    """True for each id that stands further in front already."""
    repeated = np.ones(len(ids), np.bool_)
    repeated[np.unique(ids, return_index=True)[1]] = False
    return repeated


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Each word scrambled, in place, so that every bit depends on all of it (as in SplitMix64)."""
    scratch = words >> np.uint64(30)
    words ^= scratch
    words *= np.uint64(0xBF58476D1CE4E5B9)
    np.right_shift(words, np.uint64(27), out=scratch)
    words ^= scratch
    words *= np.uint64(0x94D049BB133111EB)
    np.right_shift(words, np.uint64(31), out=scratch)
    words ^= scratch
    return words


# One for each word of the longest line, and the eight masks that cut a last word off.
_PLACES = _mixed(
    (np.arange(1, (MAX_LINE_BYTES * 2) // 8 + 2, dtype=np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
)
_LAST_WORD = np.array(
    [2**64 - 1, *(2 ** (8 * width) - 1 for width in range(1, 8))], dtype=np.uint64
)


@dataclass(frozen=True, slots=True)
class _Digits:
    """Of a number, `width` decimal digits, at a place of the spelling."""

    at: int
    width: int


_YEAR, _MONTH, _DAY = _Digits(0, 4), _Digits(4, 2), _Digits(6, 2)
_HOUR, _MINUTE, _SECOND = _Digits(9, 2), _Digits(11, 2), _Digits(13, 2)
_MILLISECOND = _Digits(16, 3)
_INSTANT = np.frombuffer(b"00000000T000000.000", np.uint8)


def spell_instants(milliseconds: Integers) -> list[bytes]:
    """Milliseconds since 1970 as PostgreSQL reads them in UTC: `20200730T034121.467`."""
    days, rest = np.divmod(milliseconds, 86_400_000)
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    since_1970 = months.astype(np.int64)
    seconds, fraction = np.divmod(rest, 1000)
    spelled = np.empty((len(milliseconds), len(_INSTANT)), np.uint8)
    spelled[:] = _INSTANT
    for digits, numbers in (
        (_YEAR, since_1970 // 12 + 1970),
        (_MONTH, since_1970 % 12 + 1),
        (_DAY, (dates - months.astype("datetime64[D]")).astype(np.int64) + 1),
        (_HOUR, seconds // 3600),
        (_MINUTE, seconds // 60 % 60),
        (_SECOND, seconds % 60),
        (_MILLISECOND, fraction),
    ):
        for place in range(digits.width):
            spelled[:, digits.at + digits.width - 1 - place] += (numbers // 10**place % 10).astype(
                np.uint8
            )
    texts: list[bytes] = spelled.view(f"S{len(_INSTANT)}").ravel().tolist()
    return texts


def with_column_respelled(
    block: Block, starts: Integers, stops: Integers, texts: Sequence[bytes]
) -> bytes:
    """The block with another text in one place of each line."""
    data = block.data
    parts: list[bytes] = []
    done = 0
    for start, stop, text in zip(starts.tolist(), stops.tolist(), texts, strict=True):
        parts += (data[done:start], text)
        done = stop
    parts.append(data[done:])
    return b"".join(parts)
