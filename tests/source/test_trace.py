"""The trace tells what was asked of the source behind it."""

from __future__ import annotations

import asyncio

import numpy as np

from virtualizarr.source.memory import BytesSource
from virtualizarr.source.ranges import ByteBlocks, ByteRange
from virtualizarr.source.trace import TracingSource


def test_rounds_ranges_bytes_and_seconds() -> None:
    source = TracingSource(BytesSource(bytes(range(100)), "memory://x"))
    requests = [ByteRange(5, 15), ByteBlocks(np.array([40, 98]), 4)]
    view, blocks = source.read(requests)
    assert view.tobytes() == bytes(range(5, 15))
    assert blocks.tolist() == [[40, 41, 42, 43], [98, 99, 0, 0]]
    asyncio.run(source.read_async([ByteRange(0, 2)]))
    assert source.facts() == asyncio.run(source.facts_async())
    assert (source.rounds, source.requests, source.bytes_read) == (2, 4, 20)
    assert source.log[0].starts.tolist() == [5, 40, 98]
    assert source.log[0].stops.tolist() == [15, 44, 102]
    assert source.seconds >= 0
    assert source.url == "memory://x"
