"""Small structures that lie close together, read in as few rounds as their places allow."""

from __future__ import annotations

from dataclasses import dataclass

from virtualizarr.parsers.hdf5.index.bounds import check_buffer, check_extent
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Reading

READ_AHEAD = 4096


@dataclass(frozen=True, slots=True)
class Window:
    """Bytes of the file from `start` on, already read."""

    start: int
    buffer: memoryview

    def part(self, start: int, size: int) -> memoryview | None:
        """`size` bytes at `start`; None if the window does not hold them all."""
        first = start - self.start
        if first < 0 or first + size > len(self.buffer):
            return None
        return self.buffer[first : first + size]


def read_header(start: int, size: int, file_size: int | None, what: str) -> Reading[Window]:
    """Read a header of `size` bytes, and ahead, since what it points to often follows it."""
    check_extent(start, size, file_size, what)
    (buffer,) = yield [ByteRange(start, start + max(size, READ_AHEAD))]
    check_buffer(buffer, size, start, what)
    return Window(start, buffer)


def read_part(
    window: Window, start: int, size: int, file_size: int | None, what: str
) -> Reading[memoryview]:
    """`size` bytes at `start`: from the window, or else in one more round."""
    known = window.part(start, size)
    if known is not None:
        return known
    check_extent(start, size, file_size, what)
    (buffer,) = yield [ByteRange(start, start + size)]
    check_buffer(buffer, size, start, what)
    return memoryview(buffer)
