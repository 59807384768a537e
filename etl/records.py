"""The records of a file, one after the other: clean lines in runs, all others by themselves."""

from collections.abc import Callable
from dataclasses import dataclass

from etl.cleaning import Cleaner, Rejection, Row
from etl.lines import Lines, TooLong
from etl.report import FileReport


@dataclass(frozen=True, slots=True)
class Run:
    """Clean lines; first: the number of the first. `text` ends its lines with a line feed alone,
    `original` as the file does."""

    first: int
    rows: int
    text: bytes
    original: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """A row that had to be looked at by itself, with its bytes in the file."""

    first: int
    row: Row
    original: bytes


class Records:
    """Takes the records of one file, whose header `lines` has passed, and counts each line in the
    report; `refuse` gets the number, the reason and the bytes of those that are none."""

    def __init__(
        self,
        lines: Lines,
        cleaner: Cleaner,
        report: FileReport,
        *,
        header: bytes,
        refuse: Callable[[int, Rejection, bytes], None],
    ) -> None:
        self._lines = lines
        self._cleaner = cleaner
        self._report = report
        self._header = header
        self._refuse = refuse
        self.at_end = False
        if lines.has_bom:
            report.repairs["bom"] += 1

    def take(self, limit: int = 0) -> Run | Record | None:
        """What comes next; None for a line that is no record, and at the end.

        A run has `limit` bytes at most, which must end with a line; 0 is all that are in memory.
        """
        lines, report = self._lines, self._report
        first = lines.number + 1
        run = lines.run(self._cleaner.fast, limit)
        if run:
            return self._run(run, first)
        try:
            line = lines.line()
        except TooLong as error:
            report.read += 1
            self._refuse(lines.number, Rejection("line_too_long"), error.beginning)
            return None
        if line is None:
            self.at_end = True
            report.lines = lines.number
        elif line.strip():
            return self._record(line, first)
        else:
            report.blank += 1
        return None

    def _run(self, run: bytes, first: int) -> Run:
        rows = self._lines.number + 1 - first
        self._report.read += rows
        text = run
        if b"\r" in run:
            # Clean lines have it nowhere else, and a single byte is counted much faster.
            self._report.repairs["crlf"] += run.count(b"\r")
            text = run.replace(b"\r\n", b"\n")
        return Run(first, rows, text, run)

    def _record(self, line: bytes, first: int) -> Record | None:
        report = self._report
        report.read += 1
        if line.rstrip(b"\r") == self._header:
            self._refuse(first, Rejection("repeated_header"), line)
            return None
        row = self._cleaner.clean(line, self._lines.peek)
        if isinstance(row, Rejection):
            self._refuse(first, row, line)
            return None
        report.repairs.update(row.repairs)
        original = line
        if row.lines > 1:
            original = b"\n".join([line, *self._lines.peek(row.lines - 1)])
            self._lines.skip(row.lines - 1)
            report.continued += row.lines - 1
        return Record(first, row, original)
