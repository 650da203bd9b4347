"""Answers from memory equal slices of the bytes; malformed requests are refused."""

from __future__ import annotations

import asyncio
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtualizarr.errors import CorruptFileError
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.ranges import ByteBlocks, ByteRange

CONTENT = bytes(np.random.default_rng(1).integers(0, 256, 1000, np.uint8))


def padded(content: bytes, starts: list[int], size: int) -> list[bytes]:
    return [content[start : start + size].ljust(size, b"\0") for start in starts]


@given(st.lists(st.integers(0, 1300), max_size=20), st.integers(0, 1200))
def test_blocks_equal_padded_slices(starts: list[int], size: int) -> None:
    source = BytesSource(CONTENT)
    (got,) = source.read([ByteBlocks(np.array(starts, np.int64), size)])
    assert got.dtype == np.uint8
    assert got.shape == (len(starts), size)
    assert [row.tobytes() for row in got] == padded(CONTENT, starts, size)
    assert source.bytes_read == sum(len(CONTENT[s : s + size]) for s in starts)


@given(st.integers(0, 1300), st.integers(0, 1300))
def test_ranges_equal_slices(start: int, count: int) -> None:
    (got,) = BytesSource(CONTENT).read([ByteRange(start, start + count)])
    assert isinstance(got, memoryview)
    assert got.tobytes() == CONTENT[start : start + count]


def test_rounds_and_requests_are_counted() -> None:
    source = BytesSource(CONTENT, "memory://there")
    source.read([ByteRange(0, 4), ByteBlocks(np.array([4, 996]), 8)])
    asyncio.run(source.read_async([ByteRange(990, 1010)]))
    assert (source.rounds, source.requests, source.bytes_read) == (2, 4, 4 + 8 + 4 + 10)
    assert source.facts().size == 1000
    assert asyncio.run(source.facts_async()).size == 1000
    assert source.url == "memory://there"


@pytest.mark.parametrize(
    "request_",
    [
        ByteRange(-1, 4),
        ByteRange(5, 4),
        ByteBlocks(np.array([3, -9]), 4),
        ByteBlocks(np.array([3]), -4),
        ByteBlocks(np.zeros(10**6, np.int64), 10**6),
    ],
)
def test_malformed_and_absurd_requests_are_corrupt(request_: ByteRange | ByteBlocks) -> None:
    with pytest.raises(CorruptFileError):
        BytesSource(CONTENT).read([request_])


def test_pickles() -> None:
    again = pickle.loads(pickle.dumps(BytesSource(CONTENT, "memory://x")))
    assert again.url == "memory://x"
    assert again.read([ByteRange(1, 3)])[0].tobytes() == CONTENT[1:3]
