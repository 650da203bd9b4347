"""Reading ahead in a large file, so that fewer rounds are needed to walk it.

A message says where the next one begins, so a walk takes one round a message. What is done here
only fetches bytes that the walk may need; the walk itself goes from message to message all the
same, so a wrong guess costs bytes and never a field.

- Messages of one length: those behind are where multiples of it lead to. A few are looked at, far
  apart; if they are there, all are read in one round, of 4 KiB each.
- Otherwise the rest of the file is divided, and the first message of each part is searched for,
  which reads one message a part, about; from there all parts are walked side by side. With n
  messages in p parts that takes n / p rounds and p messages' bytes more than a plain walk.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from virtualizarr.parsers.grib.layout import END, GRIB, Inventory
from virtualizarr.parsers.grib.messages import read_next
from virtualizarr.parsers.grib.window import STEP, Blocks, Window
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Reading, together

ROUND_TRIP_BYTES = 4 * 1024 * 1024
"""What could be read in the time of a round trip: 80 MB/s at 50 ms."""

MOST_PROBES = 64
SMALLEST_BLOCK, LARGEST_BLOCK = 64 * 1024, 1024 * 1024
MOST_AT_ONCE = 16_384


def read_ahead_at(starts: Iterable[int], size: int, blocks: Blocks) -> Reading[None]:
    """Fetch the headers of messages that may begin at `starts`, in one round.

    What fields further on in a message need, or long sections, takes more rounds, but those of all
    messages are taken together.
    """
    places = sorted({start for start in starts if 0 <= start < size})
    for first in range(0, len(places), MOST_AT_ONCE):
        some = places[first : first + MOST_AT_ONCE]
        ends = [] if first + MOST_AT_ONCE < len(places) else [size]
        yield from blocks.fetch(_around(place, size) for place in [*some, *ends])
        there = [place for place in some if _begins(blocks, place)]
        yield from together([_walk(size, place, place + 1, blocks) for place in there])


def read_ahead(
    start: int, lengths: list[int], size: int, blocks: Blocks, probes: int | None
) -> Reading[None]:
    """Fetch what the walk needs from the message at `start` to the end of the file.

    `lengths` are those of the messages known, the last being that of the one at `start`.
    """
    length = lengths[-1]
    count = (size - start) // length
    if count > 2:
        tested = [start + length * 2**i for i in range(count.bit_length())]
        tested = [place for place in tested if place < size]
        yield from blocks.fetch(_around(place, size) for place in tested)
        if all(_begins(blocks, place) for place in tested):
            yield from read_ahead_at(range(start, size, length), size, blocks)
            return
    mean = max(1, sum(lengths) // len(lengths))
    rest = size - start
    parts = number_of_parts(rest, mean) if probes is None else probes
    if parts < 2:
        return
    bounds = [start + rest * i // parts for i in range(parts + 1)]
    block = min(max(mean, SMALLEST_BLOCK), LARGEST_BLOCK)
    yield from together(
        [
            _walk(size, begin, end, blocks, block if begin > start else STEP)
            for begin, end in pairwise(bounds)
        ]
    )


def number_of_parts(rest: int, mean: int) -> int:
    """Return how many parts make the walk of `rest` bytes of messages of `mean` bytes shortest.

    Time is counted in round trips: n / p for the walk, p * mean / ROUND_TRIP_BYTES for the search.
    """
    count = rest / mean
    return int(min(MOST_PROBES, count / 4, (count * ROUND_TRIP_BYTES / mean) ** 0.5))


def _around(place: int, size: int) -> ByteRange:
    """Return the head of a message, with the end of the one before it."""
    return ByteRange(max(0, place - len(END)), min(place + STEP, size))


def _begins(blocks: Blocks, place: int) -> bool:
    found = blocks.find(place, len(GRIB))
    if found is None:
        return False
    begin, view = found
    return bytes(view[place - begin : place - begin + len(GRIB)]) == GRIB


def _walk(size: int, begin: int, end: int, blocks: Blocks, block: int = STEP) -> Reading[None]:
    """Walk the messages that begin from `begin` up to `end`, keeping the bytes of their heads."""
    window = Recorder(size, begin, blocks, block)
    yield from window.load(begin, len(GRIB), block)
    at: int | None = begin
    while at is not None and at < end:
        at = yield from read_next(window, at, Inventory(), skip=True)


class Recorder(Window):
    """A window that keeps what it has read in `blocks`, but for most of what it searched."""

    __slots__ = ()

    def __init__(self, size: int, begin: int, blocks: Blocks, block: int) -> None:
        super().__init__(memoryview(b""), size, begin, blocks, block)

    def load(self, start: int, count: int, ahead: int = STEP) -> Reading[None]:
        yield from super().load(start, count, ahead)
        if len(self.view) < SMALLEST_BLOCK:
            self.blocks.add(self.base, self.view)

    def find(self, start: int) -> Reading[int | None]:
        found = yield from super().find(start)
        if found is not None and len(self.view) >= SMALLEST_BLOCK:
            first = max(found - len(END), self.base)
            head = bytes(self.view[first - self.base : found + STEP - self.base])
            self.blocks.add(first, memoryview(head))
        return found
