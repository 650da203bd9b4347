"""A file in memory that counts what is asked of it: for bytes at hand, and for tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from virtualizarr.source.answers import answer_from
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.ranges import ByteBlocks, ByteRange


class BytesSource:
    """The bytes of one file, held in memory; blocking and async.

    `rounds` counts calls of `read`, `requests` the ranges and blocks asked for, `bytes_read` the
    bytes of the answers that lie inside the file. Tests assert them.
    """

    def __init__(
        self,
        data: bytes | bytearray | memoryview,
        url: str = "memory://bytes",
        facts: FileFacts | None = None,
    ) -> None:
        """Hold `data` as the file at `url`; `facts` defaults to the size alone."""
        self.url = url
        self.rounds = 0
        self.requests = 0
        self.bytes_read = 0
        self._content = memoryview(data).cast("B").toreadonly()
        self._facts = facts if facts is not None else FileFacts(size=len(self._content))

    def __repr__(self) -> str:
        return f"BytesSource({len(self._content):,} bytes, {self.url!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return (BytesSource, (bytes(self._content), self.url, self._facts))

    def facts(self) -> FileFacts:
        return self._facts

    async def facts_async(self) -> FileFacts:
        return self._facts

    def read(self, requests: Sequence[ByteRange | ByteBlocks], /) -> list[Any]:
        self.rounds += 1
        for request in requests:
            self._count(request)
        return answer_from(self._content, requests)

    async def read_async(self, requests: Sequence[ByteRange | ByteBlocks], /) -> list[Any]:
        return self.read(requests)

    def _count(self, request: ByteRange | ByteBlocks) -> None:
        size = len(self._content)
        if isinstance(request, ByteRange):
            self.requests += 1
            self.bytes_read += max(0, min(request.stop, size) - request.start)
        else:
            self.requests += len(request.starts)
            self.bytes_read += int((size - request.starts).clip(0, request.size).sum())
