"""A source that keeps what it fetched, and fetches a little more than it was asked for.

The first request brings the head of the file, and all of it where it is known to be small. Later
ranges (headers, mostly) are widened by a read-ahead; blocks (nodes of an index) are asked for
exactly and not kept, since each is read once. All that one batch lacks is one round of the inner
source.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import SourceError, UnsupportedFeatureError
from virtualizarr.source.answers import answer_from
from virtualizarr.source.base import AnySource
from virtualizarr.source.directory import FileList
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.held import Held
from virtualizarr.source.limits import check_blocks, check_requests, check_total
from virtualizarr.source.ranges import (
    ByteBlocks,
    ByteRange,
    CoalesceRule,
    Int64s,
    as_columns,
    coalesce,
)
from virtualizarr.source.reading import Directory

KIBI, MEBI = 1024, 1024 * 1024
_PAGE = 4096
_NOTHING = memoryview(b"")


class _CacheRule(NamedTuple):
    read_ahead: int
    head: int
    whole: int
    limit: int


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What a batch lacks: `asked` is sent to the inner source.

    The first `len(ranges)` of it are ranges to keep. For each `ByteBlocks` of the batch, `lacking`
    has the numbers of the blocks that are asked for. `held` is what was in memory.
    """

    held: Held
    asked: Sequence[ByteRange | ByteBlocks]
    ranges: Sequence[ByteRange]
    lacking: Sequence[Int64s]


class CachingSource:
    """`inner` behind a cache; blocking and async, thread-safe.

    A hit costs about a microsecond and does not touch `inner`. Errors are those of `inner`.
    """

    def __init__(
        self,
        inner: AnySource,
        read_ahead: int = 64 * KIBI,
        *,
        head: int = MEBI,
        whole: int = 8 * MEBI,
        limit: int = 256 * MEBI,
        size: int | None = None,
    ) -> None:
        """Cache `inner`. All in bytes:

        `read_ahead`: how far a range is widened. `head`: the first request. `whole`: a file up to
        this size is fetched whole, once its size is known. `limit`: what is kept; the least
        recently used goes first. `size`: of the file, if it is known beforehand.
        """
        self.inner = inner
        self.url = inner.url
        self._rule = _CacheRule(read_ahead, head, whole, limit)
        self._size = size
        self._facts: FileFacts | None = None
        self._held = Held()
        self._whole: memoryview | None = None
        self._round = 0

    def __repr__(self) -> str:
        return f"CachingSource({self.inner!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.inner, self._rule, self._size))

    def facts(self) -> FileFacts:
        if self._facts is None:
            self.read([ByteRange(0, 1)])
            self._facts = self.inner.facts()
        return self._facts

    async def facts_async(self) -> FileFacts:
        if self._facts is None:
            await self.read_async([ByteRange(0, 1)])
            self._facts = await self.inner.facts_async()
        return self._facts

    def names_in(self) -> frozenset[str]:
        """Return the names directly below the URL; none where `inner` cannot tell."""
        return self.inner.names_in() if isinstance(self.inner, Directory) else frozenset()

    def files_below(self) -> FileList:
        """Return the files below the URL; `UnsupportedFeatureError` where `inner` cannot tell."""
        if not isinstance(self.inner, Directory):
            raise UnsupportedFeatureError("this source cannot list files", url=self.url)
        return self.inner.files_below()

    def read(self, requests: Sequence[ByteRange | ByteBlocks], /) -> list[Any]:
        answers = self._hits(requests)
        if answers is not None:
            return answers
        plan = self._plan(requests)
        return self._answer(requests, plan, self.inner.read(plan.asked), self.inner.facts())

    async def read_async(self, requests: Sequence[ByteRange | ByteBlocks], /) -> list[Any]:
        answers = self._hits(requests)
        if answers is not None:
            return answers
        plan = self._plan(requests)
        got = await self.inner.read_async(plan.asked)
        return self._answer(requests, plan, got, await self.inner.facts_async())

    def _hits(self, requests: Sequence[ByteRange | ByteBlocks]) -> list[Any] | None:
        """Answer the batch from memory, or return None if anything of it is missing."""
        if self._whole is not None:
            return answer_from(self._whole, requests)
        return _from_held(self._held, requests, self._size, self._round)

    def _plan(self, requests: Sequence[ByteRange | ByteBlocks]) -> _Plan:
        """Say what to fetch for a batch that is not all in memory."""
        check_requests(requests, self._size)
        held, size, rule = self._held, self._size, self._rule
        if size is not None and size <= rule.whole:
            rest = ByteRange(held.ends[0] if held.find(0, 0) is not None else 0, size)
            return _Plan(held, [rest], [rest], [])
        coming = ByteRange(0, rule.head) if not held.segments else None
        wanted = [r for r in requests if isinstance(r, ByteRange)]
        blocks = [r for r in requests if isinstance(r, ByteBlocks)]
        missing = [r for r in wanted if not _covered(r, held, coming, size)]
        ranges = self._widened(missing, held)
        if coming is not None:
            ranges.append(coming)
        lacking = [_lacking(held, block, coming, size) for block in blocks]
        exact = [
            ByteBlocks(block.starts[rows], block.size)
            for block, rows in zip(blocks, lacking, strict=True)
            if len(rows)
        ]
        return _Plan(held, [*ranges, *exact], ranges, lacking)

    def _widened(self, wanted: Sequence[ByteRange], held: Held) -> list[ByteRange]:
        """Widen ranges to whole pages and by the read-ahead, and merge those that come close."""
        if not wanted:
            return []
        ahead = self._rule.read_ahead
        wide: list[ByteRange] = []
        for start, stop in wanted:
            following = held.next_begin(start)
            reach = start + ahead if following is None else min(start + ahead, following)
            reach = reach if self._size is None else min(reach, self._size)
            before = held.end_before(start)
            wide.append(ByteRange(max(start // _PAGE * _PAGE, before), max(stop, reach)))
        starts, stops, _ = coalesce(*as_columns(wide), CoalesceRule(max_gap=ahead))
        return [ByteRange(*pair) for pair in zip(starts.tolist(), stops.tolist(), strict=True)]

    def _answer(
        self,
        requests: Sequence[ByteRange | ByteBlocks],
        plan: _Plan,
        got: Sequence[Any],
        facts: FileFacts,
    ) -> list[Any]:
        """Keep what was fetched, and answer the batch from it and from what was held."""
        fetched = [(r.start, data) for r, data in zip(plan.ranges, got, strict=False)]
        self._round += 1
        self._learn(facts, plan.ranges, got)
        held = plan.held.adding(fetched, self._round)
        size = self._size
        if size is not None and size <= self._rule.whole and held.covers(size):
            self._whole = held.joined(size)
            return answer_from(self._whole, requests)
        self._held = self._held.adding(fetched, self._round).within(self._rule.limit)
        exact = iter(got[len(plan.ranges) :])
        lacking = iter(plan.lacking)
        answers: list[Any] = []
        for request in requests:
            if isinstance(request, ByteRange):
                found = _from_held(held, [request], self._size, self._round)
                answers += found if found is not None else [self._cut(request, plan, got)]
            else:
                rows = next(lacking)
                part = next(exact) if len(rows) else None
                answers.append(self._complete(request, held, rows, part))
        return answers

    def _learn(self, facts: FileFacts, ranges: Sequence[ByteRange], got: Sequence[Any]) -> None:
        """Take the size from the facts, or from a response that the end of the file cut short."""
        self._facts = facts
        if facts.size is not None:
            self._size = facts.size
        elif self._size is None:
            ends = [r.start + len(data) for r, data in zip(ranges, got, strict=False)]
            self._size = min(
                (
                    end
                    for r, end in zip(ranges, ends, strict=True)
                    if end < r.stop and (end > r.start or r.start == 0)
                ),
                default=None,
            )

    def _cut(self, wanted: ByteRange, plan: _Plan, got: Sequence[Any]) -> memoryview:
        """Cut a range that ends past the end of a file of unknown size out of its response."""
        for asked, data in zip(plan.ranges, got, strict=False):
            if asked.start <= wanted.start and wanted.stop <= asked.stop:
                return memoryview(data)[wanted.start - asked.start : wanted.stop - asked.start]
        raise SourceError(f"the response lacks {wanted}", url=self.url)

    def _complete(
        self, blocks: ByteBlocks, held: Held, rows: Int64s, part: npt.NDArray[np.uint8] | None
    ) -> npt.NDArray[np.uint8]:
        """Put together the blocks that were held and those (`rows`) that were fetched."""
        if part is not None and len(rows) == len(blocks.starts):
            return part
        out = np.zeros((len(blocks.starts), blocks.size), np.uint8)
        holders = held.holders(blocks, self._size)
        settled = _past_end(blocks, self._size) | (holders >= 0)
        settled[rows] = True
        if not settled.all():
            raise SourceError("the response lacks blocks that it should hold", url=self.url)
        held.fill(out, blocks, holders)
        if part is not None:
            out[rows] = part
        return out


def _rebuild(inner: AnySource, rule: _CacheRule, size: int | None) -> CachingSource:
    read_ahead, head, whole, limit = rule
    return CachingSource(inner, read_ahead, head=head, whole=whole, limit=limit, size=size)


def _from_held(
    held: Held, requests: Sequence[ByteRange | ByteBlocks], size: int | None, used: int
) -> list[Any] | None:
    """Answer a batch from segments in memory; None if any of it is missing or malformed."""
    answers: list[Any] = []
    begins, ends, segments = held.begins, held.ends, held.segments
    for request in requests:
        if isinstance(request, ByteRange):
            start, stop = request
            if size is not None and stop > size:
                stop = size
            i = bisect_right(begins, start) - 1
            if i >= 0 and start <= stop <= ends[i]:
                segment = segments[i]
                segment.used[0] = used
                answers.append(segment.data[start - begins[i] : stop - begins[i]])
            elif 0 <= start <= request.stop and stop <= start:
                answers.append(_NOTHING)
            else:
                return None
        else:
            check_blocks(request)
            holders = held.holders(request, size)
            if not ((holders >= 0) | _past_end(request, size)).all():
                return None
            if size is not None:
                check_total(len(request.starts) * request.size, size)
            out = np.zeros((len(request.starts), request.size), np.uint8)
            held.fill(out, request, holders)
            answers.append(out)
    return answers


def _covered(wanted: ByteRange, held: Held, coming: ByteRange | None, size: int | None) -> bool:
    """Say whether a range is in memory, on its way, empty or past the end."""
    start, stop = wanted.start, wanted.stop if size is None else min(wanted.stop, size)
    on_its_way = coming is not None and coming.start <= start and stop <= coming.stop
    return start >= stop or on_its_way or held.find(start, stop) is not None


def _lacking(held: Held, blocks: ByteBlocks, coming: ByteRange | None, size: int | None) -> Int64s:
    """Return the numbers of the blocks neither in memory, nor on their way, nor past the end."""
    there = (held.holders(blocks, size) >= 0) | _past_end(blocks, size)
    if coming is not None:
        stops = blocks.starts + blocks.size
        if size is not None:
            stops = np.minimum(stops, size)
        there |= (blocks.starts >= coming.start) & (stops <= coming.stop)
    return np.flatnonzero(~there)


def _past_end(blocks: ByteBlocks, size: int | None) -> npt.NDArray[np.bool_]:
    if size is None:
        return np.zeros(len(blocks.starts), bool)
    return blocks.starts >= size
