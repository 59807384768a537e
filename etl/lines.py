"""Reading a file line by line and run by run, in bounded memory."""

import re
from contextlib import suppress
from itertools import takewhile
from typing import Protocol

BLOCK_BYTES = 1 << 20
MAX_LINE_BYTES = 1 << 20
# What is kept of a line that is too long to be one.
KEPT_BYTES = 4096
UTF8_BOM = b"\xef\xbb\xbf"


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


class TooLong(Exception):
    """A line beyond MAX_LINE_BYTES, now passed; `beginning` is what was kept of it."""

    def __init__(self, beginning: bytes) -> None:
        super().__init__("line too long")
        self.beginning = beginning


class Lines:
    """The physical lines of a stream, handed out singly or as runs that match a pattern.

    `number` is the number of the last line handed out, counted from 1. Memory holds a few blocks
    at most, whatever the stream contains. A byte-order mark at the start is passed over.
    """

    def __init__(self, stream: Stream, *, block_bytes: int = BLOCK_BYTES) -> None:
        self._stream = stream
        self._block_bytes = block_bytes
        self._buffer = stream.read(max(block_bytes, len(UTF8_BOM)))
        self.has_bom = self._buffer.startswith(UTF8_BOM)
        self._position = len(UTF8_BOM) if self.has_bom else 0
        self._ended = not self._buffer
        self._end = 0
        self._valid_end = 0
        self.number = 0
        self._complete()

    def run(self, pattern: re.Pattern[bytes], limit: int = 0) -> bytes:
        """The longest run of lines, within this block, that matches; empty where none does.

        It takes `limit` bytes at most, which must end with a line; 0 is all there are.
        """
        stop = self._valid_end
        if limit:
            stop = min(stop, self._position + limit)
        match = pattern.match(self._buffer, self._position, stop)
        if match is None or match.end() == self._position:
            return b""
        end = self._before_long_line(self._position, match.end())
        run = self._buffer[self._position : end]
        self._position = end
        self.number += run.count(b"\n")
        return run

    def window(self) -> bytes:
        """The complete lines that are in the buffer, or empty at the end; none of them is taken."""
        while self._position >= self._end and not self._ended:
            if len(self._buffer) - self._position > MAX_LINE_BYTES:
                break
            self._append()
        return self._buffer[self._position : self._end]

    def take(self, size: int, count: int) -> None:
        """Pass over so many bytes of the window, which are so many lines."""
        self._position += size
        self.number += count

    def line(self) -> bytes | None:
        """The next line without its line feed, or None at the end. Raises TooLong past such one."""
        while self._position >= self._end:
            if self._ended:
                return None
            self._read_on()
        stop = self._buffer.index(b"\n", self._position)
        line = self._buffer[self._position : stop]
        self._position = stop + 1
        self.number += 1
        if self._position > self._valid_end:
            self._validate()
        if len(line) > MAX_LINE_BYTES:
            raise TooLong(line[:KEPT_BYTES])
        return line

    def peek(self, count: int) -> list[bytes]:
        """Up to `count` lines that follow, without taking them; a line too long ends them."""
        while not self._ended and len(self._buffer) - self._position < 2 * MAX_LINE_BYTES:
            if len(self._ahead(count)) == count:
                break
            self._append()
        return list(takewhile(lambda line: len(line) <= MAX_LINE_BYTES, self._ahead(count)))

    def _ahead(self, count: int) -> list[bytes]:
        """Up to `count` lines that are complete in the buffer."""
        lines: list[bytes] = []
        start = self._position
        while len(lines) < count and start < self._end:
            stop = self._buffer.index(b"\n", start)
            lines.append(self._buffer[start:stop])
            start = stop + 1
        return lines

    def skip(self, count: int) -> None:
        """Pass over `count` lines."""
        for _ in range(count):
            with suppress(TooLong):
                self.line()

    def _before_long_line(self, start: int, end: int) -> int:
        """Where a run must stop for a line that is too long. Such a one spans the run's middle,
        since the buffer never holds two of them."""
        middle = (start + end) // 2
        line_start = max(self._buffer.rfind(b"\n", start, middle) + 1, start)
        line_end = self._buffer.find(b"\n", middle, end)
        return line_start if line_end - line_start > MAX_LINE_BYTES else end

    def _append(self) -> None:
        block = self._stream.read(self._block_bytes)
        self._buffer = self._buffer[self._position :] + block
        self._position = 0
        self._ended = not block
        self._complete()

    def _read_on(self) -> None:
        """Read until another line is complete; a line too long is passed, and told of."""
        self._append()
        if self._end or self._ended or len(self._buffer) <= MAX_LINE_BYTES:
            return
        beginning = self._buffer[:KEPT_BYTES]
        self.number += 1
        while self._buffer and b"\n" not in self._buffer:
            self._buffer = self._stream.read(self._block_bytes)
        self._ended = not self._buffer
        self._position = self._buffer.find(b"\n") + 1
        self._complete()
        raise TooLong(beginning)

    def _complete(self) -> None:
        """Find the end of the last complete line; the last line of all needs no line feed."""
        if self._ended and self._buffer[self._position :] and not self._buffer.endswith(b"\n"):
            self._buffer += b"\n"
        self._end = self._buffer.rfind(b"\n") + 1
        self._validate()

    def _validate(self) -> None:
        """Find up to which line the buffer is UTF-8."""
        rest = memoryview(self._buffer)[self._position : self._end]
        try:
            str(rest, "utf-8")
        except UnicodeDecodeError as error:
            bad = self._position + error.start
            self._valid_end = self._buffer.rfind(b"\n", 0, bad) + 1
        else:
            self._valid_end = self._end
