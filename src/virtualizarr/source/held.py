"""The parts of a file that are in memory: an immutable, ordered set of segments."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from virtualizarr.source.answers import gather
from virtualizarr.source.ranges import ByteBlocks


class Segment(NamedTuple):
    """Bytes of a file from `start` on; `used` is the number of the round that last needed them."""

    start: int
    data: memoryview
    used: list[int]

    @property
    def stop(self) -> int:
        return self.start + len(self.data)


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """Segments in the order of the file; none lies inside another, though they may overlap.

    So of the segments that start at or before a range, the last one reaches furthest: one bisection
    finds the holder.
    """

    segments: Sequence[Segment] = ()
    begins: Sequence[int] = ()
    ends: Sequence[int] = ()

    def find(self, start: int, stop: int) -> Segment | None:
        """Return the segment that holds every byte from `start` to `stop`, if one does."""
        i = bisect_right(self.begins, start) - 1
        return self.segments[i] if i >= 0 and stop <= self.ends[i] else None

    def next_begin(self, start: int) -> int | None:
        """Return where the first segment after `start` begins."""
        i = bisect_right(self.begins, start)
        return self.begins[i] if i < len(self.begins) else None

    def end_before(self, start: int) -> int:
        """Return where the segments that end at or before `start` end; 0 if there are none."""
        i = bisect_right(self.ends, start) - 1
        return self.ends[i] if i >= 0 else 0

    def covers(self, size: int) -> bool:
        """Say whether every byte up to `size` is in memory."""
        reach = 0
        for begin, end in zip(self.begins, self.ends, strict=True):
            if begin > reach:
                return False
            reach = end
        return reach >= size

    def joined(self, size: int) -> memoryview:
        """Return all bytes up to `size` as one view; `covers(size)` must hold."""
        if size == 0 or len(self.segments) == 1:
            return self.segments[0].data[:size] if size else memoryview(b"")
        whole = bytearray(size)
        for segment in self.segments:
            whole[segment.start : segment.stop] = segment.data
        return memoryview(whole).toreadonly()

    def adding(self, fetched: Iterable[tuple[int, memoryview]], used: int) -> Held:
        """Return these segments and the fetched ones, without those that lie inside another."""
        new = [Segment(start, data, [used]) for start, data in fetched if len(data)]
        if not new:
            return self
        kept: list[Segment] = []
        reach = -1
        for segment in sorted([*self.segments, *new], key=lambda s: (s.start, -len(s.data))):
            if segment.stop > reach:
                kept.append(segment)
                reach = segment.stop
        return _held(kept)

    def within(self, limit: int) -> Held:
        """Return what of these segments fits in `limit` bytes, the least recently used left out."""
        total = sum(len(segment.data) for segment in self.segments)
        if total <= limit:
            return self
        dropped: set[int] = set()
        for i in sorted(range(len(self.segments)), key=lambda i: self.segments[i].used[0]):
            if total <= limit:
                break
            dropped.add(i)
            total -= len(self.segments[i].data)
        return _held([s for i, s in enumerate(self.segments) if i not in dropped])

    def holders(self, blocks: ByteBlocks, file_size: int | None) -> npt.NDArray[np.int64]:
        """Return for each block the number of the segment that holds it, -1 where none does."""
        if not self.segments:
            return np.full(len(blocks.starts), -1, np.int64)
        end = blocks.starts + blocks.size
        if file_size is not None:
            end = np.minimum(end, file_size)
        which = np.searchsorted(np.array(self.begins), blocks.starts, "right") - 1
        held = (which >= 0) & (end <= np.array(self.ends)[which])
        return np.where(held, which, -1)

    def fill(
        self, out: npt.NDArray[np.uint8], blocks: ByteBlocks, holders: npt.NDArray[np.int64]
    ) -> None:
        """Copy into `out` the blocks that segments hold; zeros stand past the end of the file."""
        if not len(holders):
            return
        order = np.argsort(holders, kind="stable")
        numbers, firsts = np.unique(holders[order], return_index=True)
        for i, rows in zip(numbers.tolist(), np.split(order, firsts[1:]), strict=True):
            if i >= 0:
                segment = self.segments[i]
                here = ByteBlocks(blocks.starts[rows] - segment.start, blocks.size)
                out[rows] = gather(np.frombuffer(segment.data, np.uint8), here)


def _held(segments: Sequence[Segment]) -> Held:
    return Held(segments, [s.start for s in segments], [s.stop for s in segments])
