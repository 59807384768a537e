"""Reading lines and runs of lines, whatever the blocks and whatever is in them."""

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl import lines as lines_module
from etl.lines import Lines, TooLong

DIGITS = re.compile(rb"(?:\d+\r?\n)*+")


def read_all(content: bytes, block_bytes: int) -> tuple[bytes, int]:
    """The content put together again from runs and lines, and the last line's number."""
    lines = Lines(io.BytesIO(content), block_bytes=block_bytes)
    parts = []
    while True:
        run = lines.run(DIGITS)
        if run:
            parts.append(run)
            continue
        line = lines.line()
        if line is None:
            return b"".join(parts), lines.number
        parts.append(line + b"\n")


@given(
    st.lists(st.sampled_from([b"1", b"23", b"x", b"", b"4\r", b"\xff", b"caf\xc3\xa9"])),
    st.booleans(),
    st.integers(1, 30),
)
def test_nothing_is_lost_or_doubled(given_lines, ends_in_line_feed, block_bytes):
    content = b"\n".join(given_lines) + (b"\n" if ends_in_line_feed else b"")
    again, number = read_all(content, block_bytes)
    expected = content if not content or content.endswith(b"\n") else content + b"\n"
    assert again == expected
    assert number == expected.count(b"\n")


def test_byte_order_mark_is_passed_over():
    lines = Lines(io.BytesIO(b"\xef\xbb\xbfid\n1\n"), block_bytes=1)
    assert lines.has_bom
    assert lines.line() == b"id"


def test_run_stops_before_bytes_that_are_not_utf8():
    lines = Lines(io.BytesIO(b"1\n\xff\n2\n"))
    assert lines.run(re.compile(rb"(?:[^\n]*\n)*+")) == b"1\n"
    assert lines.line() == b"\xff"
    assert lines.run(re.compile(rb"(?:[^\n]*\n)*+")) == b"2\n"


@given(st.integers(1, 12), st.integers(0, 6))
def test_peeking_takes_nothing(block_bytes, count):
    lines = Lines(io.BytesIO(b"a\nb\nc\nd"), block_bytes=block_bytes)
    assert lines.line() == b"a"
    assert lines.peek(count) == [b"b", b"c", b"d"][:count]
    assert lines.line() == b"b"


@given(st.integers(1, 12), st.integers(0, 6))
def test_skipping_counts_lines(block_bytes, count):
    lines = Lines(io.BytesIO(b"a\nb\nc\nd\n"), block_bytes=block_bytes)
    lines.skip(count)
    assert lines.number == min(count, 4)
    assert lines.line() == ([b"a", b"b", b"c", b"d", None, None, None][count])


@pytest.mark.parametrize("last", [b"", b"\nafter\n", b"\n"])
def test_line_too_long_is_passed_and_told_of(last):
    long = b"y" * (3 * lines_module.MAX_LINE_BYTES)
    lines = Lines(io.BytesIO(b"before\n" + long + last))
    assert lines.line() == b"before"
    with pytest.raises(TooLong) as told:
        lines.line()
    assert told.value.beginning == long[: lines_module.KEPT_BYTES]
    assert lines.number == 2
    assert lines.line() == (b"after" if b"after" in last else None)


@pytest.mark.parametrize("before", [0, 1000, 700_000, 1_048_575])
@pytest.mark.parametrize("excess", [0, 1])
def test_limit_of_a_line_does_not_depend_on_its_place(before, excess):
    line = b"1" * (lines_module.MAX_LINE_BYTES + excess)
    lines = Lines(io.BytesIO(b"x" * before + b"\n" + line + b"\n2\n"))
    lines.line()
    run = lines.run(DIGITS)
    if excess:
        assert run == b""
        with pytest.raises(TooLong):
            lines.line()
    else:
        assert (run or lines.line() + b"\n").startswith(line)
    assert lines.number >= 2
