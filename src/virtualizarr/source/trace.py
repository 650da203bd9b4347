"""A source that records what is asked of another: rounds, ranges, bytes and seconds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from virtualizarr.source.base import AnySource
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.ranges import ByteBlocks, ByteRange, Int64s


@dataclass(frozen=True, slots=True, eq=False)
class Round:
    """One round trip: the ranges asked for as two int64 columns, bytes answered, wall seconds."""

    starts: Int64s
    stops: Int64s
    bytes_read: int
    seconds: float


class TracingSource:
    """`inner`, with every round kept in `log`; blocking and async."""

    def __init__(self, inner: AnySource) -> None:
        self.inner = inner
        self.url = inner.url
        self.log: list[Round] = []

    @property
    def rounds(self) -> int:
        return len(self.log)

    @property
    def requests(self) -> int:
        """How many ranges and blocks were asked for."""
        return sum(len(entry.starts) for entry in self.log)

    @property
    def bytes_read(self) -> int:
        """How many bytes the answers hold, the zeros that pad blocks included."""
        return sum(entry.bytes_read for entry in self.log)

    @property
    def seconds(self) -> float:
        """Wall time spent in `inner`."""
        return sum(entry.seconds for entry in self.log)

    def facts(self) -> FileFacts:
        return self.inner.facts()

    async def facts_async(self) -> FileFacts:
        return await self.inner.facts_async()

    def read(self, requests: Sequence[ByteRange | ByteBlocks], /) -> Sequence[Any]:
        began = time.perf_counter()
        answers = self.inner.read(requests)
        self._record(requests, answers, time.perf_counter() - began)
        return answers

    async def read_async(self, requests: Sequence[ByteRange | ByteBlocks], /) -> Sequence[Any]:
        began = time.perf_counter()
        answers = await self.inner.read_async(requests)
        self._record(requests, answers, time.perf_counter() - began)
        return answers

    def _record(
        self, requests: Sequence[ByteRange | ByteBlocks], answers: Sequence[Any], seconds: float
    ) -> None:
        none = np.empty(0, np.int64)
        starts = [np.array([r.start]) if isinstance(r, ByteRange) else r.starts for r in requests]
        stops = [
            np.array([r.stop]) if isinstance(r, ByteRange) else r.starts + r.size for r in requests
        ]
        count = sum(answer.nbytes for answer in answers)
        entry = Round(
            np.concatenate([none, *starts]), np.concatenate([none, *stops]), count, seconds
        )
        self.log.append(entry)
