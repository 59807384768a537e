"""Where files come from: folders, paths, standard input, S3; compressed, and in other encodings."""

import codecs
import gzip
import io
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import fsspec
from fsspec.core import url_to_fs

from etl.files import KINDS, OTHER_FILES, PRODUCT_FILES, FileKind, SourceError
from etl.lines import Stream
from etl.people.files import PEOPLE_FILES

STDIN = "-"
REMOTE = "s3://"
GZIP_MAGIC = b"\x1f\x8b"
ENDINGS = (".csv", ".csv.gz")
BLOCK_BYTES = 1 << 20
# The longer ones first: that of UTF-16 begins like that of UTF-32.
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8"),
)


@dataclass(frozen=True, slots=True)
class Source:
    """A file to read. `location` is a path, an `s3://` address, or `-` for standard input."""

    location: str

    @property
    def name(self) -> str:
        return "standard input" if self.location == STDIN else self.location.rpartition("/")[2]

    @property
    def is_csv(self) -> bool:
        return self.name.lower().endswith(ENDINGS)

    @property
    def is_path(self) -> bool:
        return self.location != STDIN and not self.location.startswith(REMOTE)

    @property
    def is_file(self) -> bool:
        return not self.is_path or Path(self.location).is_file()

    @property
    def stem(self) -> str:
        """The name in small letters, without its endings."""
        return self.name.lower().removesuffix(".gz").removesuffix(".csv")

    def look(self) -> tuple[int, str]:
        """Its size in bytes, 0 where nobody knows, and what changes when it does.

        The second is empty where nothing tells. Raises SourceError.
        """
        try:
            if self.location == STDIN:
                return 0, ""
            if self.location.startswith(REMOTE):
                system, path = url_to_fs(self.location)
                system.invalidate_cache()
                info = system.info(path)
                mark = info.get("ETag") or info.get("LastModified") or ""
                return int(info["size"] or 0), f"{info['size']} {mark}"
            status = os.stat(self.location)
            return status.st_size, f"{status.st_size} {status.st_mtime_ns}"
        except Exception as error:
            raise _unreadable(self, error) from error

    def open(self) -> IO[bytes]:
        """The bytes as they are stored. Raises SourceError."""
        try:
            if self.location == STDIN:
                return sys.stdin.buffer
            if self.location.startswith(REMOTE):
                return cast(IO[bytes], fsspec.open(self.location, "rb").open())
            return open(self.location, "rb", buffering=0)
        except Exception as error:
            raise _unreadable(self, error) from error


class Counted:
    """A stream that knows how many bytes were taken from it. Raises SourceError where one ends
    early, or cannot be read on."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._stream = source.open()
        self.taken = 0

    def read(self, size: int = -1) -> bytes:
        try:
            data = self._stream.read(size)
        except Exception as error:
            raise _unreadable(self._source, error) from error
        self.taken += len(data)
        return data

    def close(self) -> None:
        if self._source.location != STDIN:
            self._stream.close()


class Text:
    """The file's text as UTF-8, whatever it is stored as.

    gzip is known by its first bytes, UTF-16 and UTF-32 by their marks; `encoding` is that of a file
    without a mark, UTF-8 if empty. What is no text in it becomes a byte that is no UTF-8, so that
    its line is rejected, and its digits: `\xff<81>`.
    """

    def __init__(self, source: Source, encoding: str = "", *, is_read_twice: bool = False) -> None:
        self.source = source
        self.given_encoding = encoding
        # Standard input comes only once.
        self._kept: IO[bytes] | None = None
        if is_read_twice and source.location == STDIN:
            self._kept = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._counted = Counted(source)
        self._stream: Any = _Ahead(self._counted)
        self.is_compressed = self._stream.peek(2) == GZIP_MAGIC
        if self.is_compressed:
            self._stream = _Ahead(_Unzipped(source, self._stream))
        self.encoding = self._marked_encoding() or encoding or "utf-8"
        self._decoder = None
        if self.encoding != "utf-8":
            self._decoder = codecs.getincrementaldecoder(self.encoding)("atelier-undecoded")

    @property
    def taken(self) -> int:
        """How many stored bytes were read."""
        return self._counted.taken

    def read(self, size: int) -> bytes:
        data = self._read(size)
        if self._kept is not None:
            self._kept.write(data)
        return data

    def again(self) -> Stream:
        """The same text from its beginning, once this one is read; standard input only where it is
        read twice."""
        if self._kept is None:
            return Text(self.source, self.given_encoding)
        self._kept.seek(0)
        return self._kept

    def _read(self, size: int) -> bytes:
        data: bytes = self._stream.read(size)
        if self._decoder is None:
            return data
        while True:
            try:
                text = self._decoder.decode(data, final=not data)
            except UnicodeError as error:
                raise SourceError(
                    f"{self.source.location} has no byte-order mark. Name its encoding in full,"
                    " such as utf-16-le or utf-16-be."
                ) from error
            if text or not data:
                return text.encode("utf-8", "surrogateescape")
            data = self._stream.read(size)

    def close(self) -> None:
        self._counted.close()

    def _marked_encoding(self) -> str:
        start = self._stream.peek(4)
        for mark, encoding in BYTE_ORDER_MARKS:
            if start.startswith(mark):
                return encoding
        return ""


def _undecoded(error: UnicodeError) -> tuple[str, int]:
    """For what is no text: a byte that UTF-8 never holds, and the bytes' digits for people."""
    failed = cast(UnicodeDecodeError, error)
    return f"\udcff<{failed.object[failed.start : failed.end].hex()}>", failed.end


codecs.register_error("atelier-undecoded", _undecoded)


class _Ahead:
    """Lets the first bytes be looked at before they are read."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._kept = b""

    def peek(self, size: int) -> bytes:
        while len(self._kept) < size:
            more = self._stream.read(BLOCK_BYTES)
            if not more:
                break
            self._kept += more
        return self._kept[:size]

    def read(self, size: int = -1) -> bytes:
        if self._kept:
            data, self._kept = self._kept[:size], self._kept[size:]
            return data
        read: bytes = self._stream.read(size)
        return read


class _Unzipped:
    """gzip's own reader, with errors that name the file."""

    def __init__(self, source: Source, stream: Any) -> None:
        self._source = source
        self._gzip = io.BufferedReader(
            gzip.GzipFile(fileobj=stream, mode="rb"),
            BLOCK_BYTES,
        )

    def read(self, size: int = -1) -> bytes:
        try:
            return self._gzip.read(size)
        except (OSError, EOFError, ValueError) as error:
            if isinstance(error, SourceError):
                raise
            raise _unreadable(self._source, error) from error


def _unreadable(source: Source, error: Exception) -> SourceError:
    said = str(error).strip() or type(error).__name__
    return SourceError(f"{source.location} cannot be read: {said}")


@dataclass(frozen=True, slots=True)
class Found:
    """files: what to load, by kind, None where only the header tells; left: what is beside them,
    with the reason."""

    files: list[tuple[FileKind | None, Source]]
    left: list[tuple[Source, str]]


def find_sources(given: Sequence[str], wanted: Sequence[FileKind], command: str) -> Found:
    """Recognise the files by their names; folders are searched, not their subfolders.

    Raises SourceError for a missing path, a file that was named itself and is no CSV file, or
    nothing to load.
    """
    files: list[tuple[FileKind | None, Source]] = []
    left: list[tuple[Source, str]] = []
    for source, is_named in _expand(given):
        kind = kind_of(source)
        if not source.is_file or not (source.is_csv or source.location == STDIN):
            if is_named:
                raise SourceError(
                    f"{source.location} is no CSV file. Its name must end in .csv or .csv.gz."
                )
            left.append((source, "no CSV file; left alone"))
        elif is_named and source.stem in OTHER_FILES:
            raise SourceError(f"{source.location} is not a file that {command} loads.")
        elif kind in wanted or (kind is None and is_named):
            files.append((kind, source))
        else:
            left.append((source, _left_reason(source, kind, command)))
    if not files:
        raise SourceError(f"There is nothing to import here. {names_of(wanted)}")
    return Found(files, left)


def kind_of(source: Source) -> FileKind | None:
    """The kind that the file's name tells."""
    kinds = (*KINDS.values(), *PEOPLE_FILES)
    return next((kind for kind in kinds if source.stem in (kind.name, *kind.others)), None)


def names_of(wanted: Sequence[FileKind]) -> str:
    return "These can be: " + ", ".join(f"{kind.name}.csv" for kind in wanted) + "."


def _expand(given: Sequence[str]) -> Iterator[tuple[Source, bool]]:
    for location in given:
        if location == STDIN:
            yield Source(STDIN), True
        elif location.startswith(REMOTE):
            yield from _expand_remote(location)
        elif Path(location).is_dir():
            for child in sorted(Path(location).iterdir()):
                # Whatever looks like a CSV file is named at least.
                if ".csv" in child.name.lower() and not child.name.startswith("."):
                    yield Source(str(child)), False
        elif Path(location).exists():
            yield Source(location), True
        else:
            raise SourceError(f"{location} does not exist. Check the path.")


def _expand_remote(location: str) -> Iterator[tuple[Source, bool]]:
    source = Source(location)
    if source.is_csv:
        yield source, True
        return
    try:
        system, path = url_to_fs(location.rstrip("/"))
        paths = sorted(str(found) for found in system.ls(path, detail=False))
    except Exception as error:
        raise _unreadable(source, error) from error
    for found in paths:
        if Source(found).is_csv:
            yield Source(REMOTE + found.removeprefix(REMOTE)), False


def _left_reason(source: Source, kind: FileKind | None, command: str) -> str:
    if kind is not None:
        if kind in PEOPLE_FILES:
            return "left for import_users"
        other = "import_products" if kind in PRODUCT_FILES else "import_reviews"
        return f"left for {other}"
    if source.stem in OTHER_FILES:
        return "left for another command (cart and Q&A)"
    return f"not known to {command}; left alone"
