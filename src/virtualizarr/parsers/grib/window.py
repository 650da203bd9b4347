"""A part of the file in memory, which moves along as the file is walked."""

from __future__ import annotations

import re
from bisect import bisect_right, insort
from collections.abc import Iterable

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.grib.layout import END, GRIB
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Reading

BLOCK = 1024 * 1024
STEP = 4096

_GRIB = re.compile(GRIB)


class Blocks:
    """Parts of the file that were read ahead, by where they begin."""

    __slots__ = ("_starts", "_views")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._views: dict[int, memoryview] = {}

    def add(self, start: int, view: memoryview) -> None:
        """Keep a part; of two that begin at one place the longer one."""
        known = self._views.get(start)
        if known is None:
            insort(self._starts, start)
        if known is None or len(known) < len(view):
            self._views[start] = view

    def find(self, start: int, count: int) -> tuple[int, memoryview] | None:
        """Return where a part that holds `count` bytes from `start` on begins, and the part."""
        place = bisect_right(self._starts, start)
        for begin in reversed(self._starts[max(0, place - 2) : place]):
            view = self._views[begin]
            if start + count <= begin + len(view):
                return begin, view
        return None

    def fetch(self, ranges: Iterable[ByteRange]) -> Reading[None]:
        """Read parts of the file, all in one round."""
        wanted = [each for each in ranges if each.start < each.stop]
        for part, view in zip(wanted, (yield wanted) if wanted else (), strict=True):
            self.add(part.start, view)


class Window:
    """The bytes `view` of a file from `base` on; `end` is where they stop.

    `size` is the file's, None where it is not known. Offsets are those of the file. What `blocks`
    hold is not read again; `block` bytes are read at a time where a message is searched for.
    """

    __slots__ = ("base", "block", "blocks", "end", "size", "view")

    def __init__(
        self,
        view: memoryview,
        size: int | None,
        base: int = 0,
        blocks: Blocks | None = None,
        block: int = BLOCK,
    ) -> None:
        self.view = view
        self.base = base
        self.end = base + len(view)
        self.size = size
        self.blocks = blocks if blocks is not None else Blocks()
        self.block = block

    def held(self, start: int, count: int) -> memoryview | None:
        """Return what has been read from `start` on, if it is at least `count` bytes."""
        base, view = self.base, self.view
        if start < base or start + count > self.end:
            found = self.blocks.find(start, count)
            if found is None:
                return None
            base, view = found
        return view[start - base :]

    def load(self, start: int, count: int, ahead: int = STEP) -> Reading[None]:
        """Hold at least `count` bytes from `start` on; fewer where the file ends there."""
        known = self.blocks.find(start, count)
        if known is not None:
            self.base, self.view = known
            self.end = self.base + len(self.view)
            return
        stop = start + max(count, ahead)
        if self.size is not None:
            stop = min(stop, max(self.size, start))
        (view,) = yield [ByteRange(start, stop)]
        self.view, self.base, self.end = view, start, start + len(view)
        if len(view) < stop - start and self.size is None:
            self.size = self.end

    def take(self, start: int, count: int) -> Reading[memoryview]:
        """Return `count` bytes from `start` on; CorruptFileError where the file ends before."""
        if start < self.base or start + count > self.end:
            yield from self.load(start, count)
            if start + count > self.end:
                raise CorruptFileError(
                    f"the file ends at byte {self.end}, inside a message", at=start
                )
        at = start - self.base
        return self.view[at : at + count]

    def check_end(self, stop: int) -> Reading[None]:
        """Raise CorruptFileError unless a message ends, with `7777`, at `stop`."""
        end = yield from self.take(stop - len(END), len(END))
        if bytes(end) != END:
            raise CorruptFileError(
                f"the message does not end with 7777 at byte {stop - len(END)}, as it says"
            )

    def find(self, start: int) -> Reading[int | None]:
        """Return where `GRIB` stands at or after `start`; None if it does not."""
        ahead = STEP
        while True:
            if start < self.base or start + len(GRIB) > self.end:
                if self.size is not None and start + len(GRIB) > self.size:
                    return None
                yield from self.load(start, len(GRIB), ahead)
                ahead = self.block
                if start + len(GRIB) > self.end:
                    return None
            found = _GRIB.search(self.view, start - self.base)
            if found is not None:
                return self.base + found.start()
            start = self.end - len(GRIB) + 1
