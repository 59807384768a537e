"""Replacing the ranges of a source by those of its files.

All in one transaction: look-ups see the ranges from before until it commits, and a killed import
leaves them. The new ranges stand beside the old ones, under a source row of their own, so that no
look-up steps over deleted ones.
"""

import gzip
import os
import socket
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO, cast

from django.db import transaction

from licensing import layouts, sql
from licensing.flattening import Flat, Given, flatten
from licensing.layouts import BadFile, Line, Range
from licensing.models import RangeSource, Region

GZIP_MAGIC = b"\x1f\x8b"
KEY_BYTES = 17
COPIED_AT_ONCE = 5_000

# The file, the number of the line, why it is bad, and its beginning.
Reject = Callable[[str, int, str, bytes], None]


class Locked(Exception):
    """Another import of the source is at work; the message says which."""


class UnknownSource(Exception):
    """There is no source of this name; the message says which there are."""


class TooManyRejects(Exception):
    """More lines were bad than the caller allows."""


class NothingRead(Exception):
    """No line gave a range, so the files are hardly what the caller meant."""


@dataclass
class Account:
    """What became of each line: `lines = without data + placed + unplaced + rejected`.

    `ranges` is what the placed ones became.
    """

    lines: int = 0
    without_data: int = 0
    placed: int = 0
    unplaced: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    ranges: int = 0

    @property
    def records(self) -> int:
        return self.lines - self.without_data


def import_ranges(
    *,
    name: str,
    layout: str,
    paths: Sequence[str],
    precedence: int | None = None,
    max_rejects: int | None = None,
    max_percent: float | None = None,
    reject: Reject,
) -> Account:
    """Replace the source `name`, or add it; `-` is standard input.

    The precedence stays as it was where none is given; a new source has 100. Raises Locked,
    TooManyRejects, NothingRead, BadFile and OSError; the source is then as it was. Holds a lock on
    the name. Memory does not grow with the files; half a million lines take some twenty seconds.
    """
    account = Account()
    with transaction.atomic(durable=True), ExitStack() as opened:
        _lock(name)
        lines = _lines(layout, paths, opened)
        # Asked before the copying begins, which has the connection to itself.
        regions = dict(Region.objects.values_list("code", "id"))
        sql.stage(_checked(lines, regions, account, reject, max_rejects))
        share = 100 * account.rejected.total() / max(account.records, 1)
        if max_percent is not None and share > max_percent:
            raise TooManyRejects(f"{share:.2f} % of the lines were bad.")
        if not account.placed:
            raise NothingRead("No line gave a range.")
        _replace(name, layout, paths, precedence, account)
    return account


def change_precedence(*, name: str, precedence: int) -> None:
    """Ask the source earlier or later from now on. Raises Locked and UnknownSource."""
    with transaction.atomic():
        _lock(name)
        if not RangeSource.objects.filter(name=name).update(precedence=precedence):
            raise _unknown(name)


def remove_source(*, name: str) -> int:
    """Take a source away; the number of its ranges. Raises Locked and UnknownSource.

    Look-ups see all of its ranges until the commit, and none after it.
    """
    with transaction.atomic(durable=True):
        _lock(name)
        source = RangeSource.objects.filter(name=name).first()
        if source is None:
            raise _unknown(name)
        source_id, number = source.pk, source.ranges
        source.delete()
        sql.delete_ranges(source_id)
        sql.analyze_ranges()
    return number


def _lock(name: str) -> None:
    holder = sql.lock_source(name, holder=_holder())
    if holder is not None:
        raise Locked(f"The source {name} is being imported by {holder}.")


def _unknown(name: str) -> UnknownSource:
    names = ", ".join(RangeSource.objects.order_by("name").values_list("name", flat=True))
    return UnknownSource(f"There is no source {name}, but {names or 'none at all'}.")


def _replace(
    name: str, layout: str, paths: Sequence[str], precedence: int | None, account: Account
) -> None:
    old = RangeSource.objects.filter(name=name).values_list("id", "precedence").first()
    if old is not None:
        precedence = old[1] if precedence is None else precedence
        RangeSource.objects.filter(name=name).delete()
    source = RangeSource.objects.create(
        name=name,
        layout=layout,
        files="\n".join(paths),
        precedence=100 if precedence is None else precedence,
        lines=account.lines,
        rejected=account.rejected.total(),
        unplaced=account.unplaced,
    )
    account.ranges = _fill(source)
    if old is not None:
        sql.delete_ranges(old[0])
    RangeSource.objects.filter(pk=source.pk).update(ranges=account.ranges)
    sql.analyze_ranges()


def _fill(source: RangeSource) -> int:
    """Ranges that stand apart, out of the staged ones; their number."""
    flat, number = flatten(_given()), 0
    # Copied by parts, since rows cannot be fetched while others are copied.
    while part := list(islice(flat, COPIED_AT_ONCE)):
        sql.add_ranges(_copied(source.pk, part))
        number += len(part)
    return number


def _given() -> Iterator[Given]:
    for rows in sql.staged():
        for first, last, region_id, line in rows:
            yield int.from_bytes(first), int.from_bytes(last), region_id, line


def _copied(source_id: int, part: Sequence[Flat]) -> Iterator[bytes]:
    for first, last, region_id in part:
        begin, end = layouts.address_of(first), layouts.address_of(last)
        yield f"{source_id}\t{begin}\t{end}\t{region_id}\n".encode()


def _checked(
    lines: Iterator[tuple[str, Line]],
    regions: Mapping[str, int],
    account: Account,
    reject: Reject,
    most: int | None,
) -> Iterator[bytes]:
    """The good lines in COPY's form; the others are counted and told."""
    for path, (number, text, found) in lines:
        account.lines += 1
        if found is None:
            account.without_data += 1
            continue
        if isinstance(found, Range) and found.code and found.code not in regions:
            found = "unknown_region"
        if isinstance(found, str):
            account.rejected[found] += 1
            reject(path, number, found, text)
            if most is not None and account.rejected.total() > most:
                raise TooManyRejects(f"More than {most} lines were bad.")
            continue
        if found.code:
            account.placed += 1
        else:
            account.unplaced += 1
        region = regions.get(found.code, r"\N")
        first, last = (key.to_bytes(KEY_BYTES).hex() for key in (found.first, found.last))
        yield f"\\\\x{first}\t\\\\x{last}\t{region}\t{account.lines}\n".encode()


def _lines(layout: str, paths: Sequence[str], opened: ExitStack) -> Iterator[tuple[str, Line]]:
    files = [(path, _open(path, opened)) for path in paths]
    parse = layouts.PLAIN.get(layout)
    if parse is None:
        parse = layouts.maxmind(_locations(files))
        files = [(path, file) for path, file in files if not _is_locations(path, file)]
    return _parsed(files, parse)


def _parsed(
    files: Sequence[tuple[str, BinaryIO]], parse: layouts.Parse
) -> Iterator[tuple[str, Line]]:
    for path, file in files:
        with _unpacking(path):
            for line in layouts.lines_of(file, parse):
                yield path, line


@contextmanager
def _unpacking(path: str) -> Iterator[None]:
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadFile(f"{path} cannot be unpacked: {error}.") from error


def _locations(files: Sequence[tuple[str, BinaryIO]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path, file in files:
        if _is_locations(path, file):
            with _unpacking(path):
                found.update(layouts.locations_of(file))
            file.seek(0)
    if not found:
        raise BadFile("MaxMind's form needs its file of locations, such as ...-Locations-en.csv.")
    return found


def _is_locations(path: str, file: BinaryIO) -> bool:
    with _unpacking(path):
        head = file.read(20)
    file.seek(0)
    return layouts.is_locations(head)


def _open(path: str, opened: ExitStack) -> BinaryIO:
    """The file, unpacked where its first bytes are those of gzip; `-` is read as it comes."""
    if path == "-":
        return sys.stdin.buffer
    if os.path.isdir(path):
        raise BadFile(f"{path} is a folder. Name the files in it.")
    file = opened.enter_context(open(path, "rb"))  # noqa: SIM115 - closed by the stack
    if file.peek(2)[:2] != GZIP_MAGIC:
        return file
    return cast(BinaryIO, opened.enter_context(gzip.GzipFile(fileobj=file)))


def _holder() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"[:63]
