"""The cache: any sequence of requests equals slices of the bytes; rounds and bytes are bounded."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtualizarr.errors import CorruptFileError
from virtualizarr.source.cache import CachingSource
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.ranges import ByteBlocks, ByteRange
from virtualizarr.source.trace import TracingSource

CONTENT = bytes(np.random.default_rng(4).integers(0, 256, 60_000, np.uint8))

a_range = st.builds(
    lambda start, count: ByteRange(start, start + count),
    st.integers(0, 62_000),
    st.integers(0, 3000),
)
some_blocks = st.builds(
    lambda starts, size: ByteBlocks(np.array(starts, np.int64), size),
    st.lists(st.integers(0, 62_000), max_size=8),
    st.integers(0, 500),
)
batches = st.lists(st.lists(st.one_of(a_range, some_blocks), max_size=6), max_size=6)


class Unsized(BytesSource):
    """A source that never tells its size."""

    def facts(self) -> FileFacts:
        return FileFacts()


def expected(request: ByteRange | ByteBlocks, content: bytes = CONTENT) -> Any:
    if isinstance(request, ByteRange):
        return content[request.start : request.stop]
    rows = [
        content[s : s + request.size].ljust(request.size, b"\0") for s in request.starts.tolist()
    ]
    return b"".join(rows)


def check(answers: Sequence[Any], requests: Sequence[ByteRange | ByteBlocks]) -> None:
    assert len(answers) == len(requests)
    for answer, request in zip(answers, requests, strict=True):
        assert answer.tobytes() == expected(request)
        if isinstance(request, ByteBlocks):
            assert answer.shape == (len(request.starts), request.size)


@settings(max_examples=200, deadline=None)
@given(
    batches,
    st.sampled_from([0, 100, 5000]),
    st.sampled_from([1, 1000, 20_000]),
    st.sampled_from([0, 100_000]),
    st.sampled_from([2000, 10**9]),
    st.booleans(),
    st.sampled_from([None, 60_000]),
)
def test_any_sequence_equals_slices_in_one_round_a_batch(
    sequence: list[list[ByteRange | ByteBlocks]],
    read_ahead: int,
    head: int,
    whole: int,
    limit: int,
    sized: bool,
    size: int | None,
) -> None:
    inner = (BytesSource if sized else Unsized)(CONTENT)
    source = CachingSource(inner, read_ahead, head=head, whole=whole, limit=limit, size=size)
    for requests in sequence:
        before = inner.rounds
        check(source.read(requests), requests)
        assert inner.rounds <= before + 1
        if sized and limit > 10**6 and all(isinstance(r, ByteRange) for r in requests):
            before = inner.rounds
            check(source.read(requests), requests)
            assert inner.rounds == before


@settings(max_examples=50, deadline=None)
@given(batches)
def test_async_answers_are_the_same(sequence: list[list[ByteRange | ByteBlocks]]) -> None:
    async def read_all() -> int:
        inner = BytesSource(CONTENT)
        source = CachingSource(inner, 100, head=1000, whole=0)
        for requests in sequence:
            check(await source.read_async(requests), requests)
        assert (await source.facts_async()).size == len(CONTENT)
        return inner.rounds

    assert asyncio.run(read_all()) <= len(sequence) + 1


def test_the_head_is_the_first_request_and_small_files_come_whole() -> None:
    inner = TracingSource(BytesSource(CONTENT))
    source = CachingSource(inner, head=1000)
    source.read([ByteRange(0, 8)])
    assert [entry.stops.tolist() for entry in inner.log] == [[1000]]
    source.read([ByteRange(900, 1100), ByteRange(50_000, 50_100)])
    assert inner.log[1].starts.tolist() == [1000]
    assert inner.log[1].stops.tolist() == [60_000]
    source.read([ByteRange(10, 59_000)])
    assert inner.rounds == 2
    assert inner.bytes_read == 60_000


def test_a_file_known_to_be_small_comes_whole_at_once() -> None:
    inner = BytesSource(CONTENT)
    source = CachingSource(inner, head=1000, size=60_000)
    check(source.read([ByteRange(59_000, 59_100)]), [ByteRange(59_000, 59_100)])
    source.read([ByteRange(0, 60_000)])
    assert (inner.rounds, inner.bytes_read) == (1, 60_000)


def test_headers_are_widened_and_blocks_are_not() -> None:
    inner = TracingSource(BytesSource(bytes(1_000_000)))
    source = CachingSource(inner, read_ahead=10_000, head=100, whole=0)
    source.read([ByteRange(0, 8)])
    source.read([ByteRange(500_000, 500_010), ByteBlocks(np.array([800_000, 900_000]), 64)])
    assert inner.log[1].starts.tolist() == [500_000 // 4096 * 4096, 800_000, 900_000]
    assert inner.log[1].stops.tolist() == [510_000, 800_064, 900_064]
    source.read([ByteRange(509_000, 509_500)])
    assert inner.rounds == 2


def test_many_headers_are_one_round_of_merged_ranges() -> None:
    inner = TracingSource(BytesSource(bytes(50_000_000)))
    source = CachingSource(inner)
    source.read([ByteRange(0, 8)])
    wanted = [ByteRange(i, i + 40) for i in range(5_000_000, 25_000_000, 10_000)]
    source.read(wanted)
    assert inner.rounds == 2
    assert inner.requests <= 1 + 10
    source.read(wanted)
    assert inner.rounds == 2


def test_memory_is_bounded_and_the_recently_used_stays() -> None:
    inner = BytesSource(bytes(1_000_000))
    source = CachingSource(inner, read_ahead=0, head=1000, whole=0, limit=10_000)
    source.read([ByteRange(0, 8)])
    for start in range(50_000, 900_000, 50_000):
        source.read([ByteRange(start, start + 3000)])
        source.read([ByteRange(0, 8)])
    assert sum(len(s.data) for s in source._held.segments) <= 10_000
    before = inner.rounds
    source.read([ByteRange(0, 8)])
    assert inner.rounds == before


def test_facts_cost_the_head_once() -> None:
    inner = BytesSource(CONTENT)
    source = CachingSource(inner)
    assert source.facts().size == 60_000
    source.read([ByteRange(0, 100)])
    assert source.facts().size == 60_000
    assert inner.rounds == 1


def test_absurd_requests_are_corrupt() -> None:
    source = CachingSource(BytesSource(CONTENT), head=1000, whole=0)
    source.read([ByteRange(0, 8)])
    for request in (
        ByteRange(-1, 5),
        ByteRange(5, 4),
        ByteBlocks(np.array([-5]), 4),
        ByteBlocks(np.array([5]), -4),
        ByteBlocks(np.zeros(10**6, np.int64), 10**6),
        ByteBlocks(np.full(10**6, 59_990), 10**6),
    ):
        with pytest.raises(CorruptFileError):
            source.read([request])


def test_pickles_without_what_it_holds() -> None:
    source = CachingSource(BytesSource(CONTENT, "memory://x"), 10, head=100, whole=0)
    source.read([ByteRange(0, 8)])
    again = pickle.loads(pickle.dumps(source))
    check(again.read([ByteRange(5, 50)]), [ByteRange(5, 50)])
    assert again.url == "memory://x"
    assert again.inner.rounds == 1


def test_an_empty_file() -> None:
    inner = BytesSource(b"")
    source = CachingSource(inner)
    view, blocks = source.read([ByteRange(0, 8), ByteBlocks(np.array([0]), 4)])
    assert view.tobytes() == b""
    assert blocks.tolist() == [[0, 0, 0, 0]]
    source.read([ByteRange(0, 8)])
    assert inner.rounds == 1
