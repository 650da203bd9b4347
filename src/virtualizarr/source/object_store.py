"""Files in object stores and on web servers, through any obstore or obspec store.

No HEAD is sent: the first GET carries size, etag and modification time, and later ones are compared
with it. Ranges are merged by our own rule; the client's default would read across gaps of a
megabyte. A round of very many ranges, such as one level of a large index, is handed to the client
in batches, at a sixth of the CPU time of single requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.source.answers import answer_from, windows
from virtualizarr.source.background import REQUESTS
from virtualizarr.source.directory import FileList, list_store, names_in_store
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.limits import ALLOWANCE, check_requests
from virtualizarr.source.ranges import ByteBlocks, ByteRange, CoalesceRule, Int64s, coalesce
from virtualizarr.source.store_client import StoreClient
from virtualizarr.source.urls import redact

MAX_IN_FLIGHT = 64
EXCESS = 4
EXCESS_ALLOWANCE = 16 * 1024 * 1024
NARROWER = 16
_BEYOND = 2**62


class ObjectSource:
    """The bytes of one object; blocking and async, thread-safe.

    It is as picklable as its store. Requests run on the one background loop of the process, at most
    `max_in_flight` at a time for one round. Nothing is kept: wrap it in a `CachingSource` for
    parsing. Errors are `SourceError` and its subclasses.
    """

    def __init__(
        self,
        store: Any,
        path: str,
        url: str,
        *,
        rule: CoalesceRule | None = None,
        max_in_flight: int = MAX_IN_FLIGHT,
    ) -> None:
        """Read the object at `path` of `store`; `url` names it in manifests and errors."""
        self.url = url
        self._rule = rule if rule is not None else CoalesceRule()
        self._client = StoreClient(store, path, redact(url), max_in_flight)

    def __repr__(self) -> str:
        return f"ObjectSource({redact(self.url)!r})"

    def __reduce__(self) -> tuple[object, ...]:
        client = self._client
        return (_rebuild, (client.store, client.path, self.url, self._rule, client.max_in_flight))

    def facts(self) -> FileFacts:
        known = self._client.facts
        return known if known is not None else REQUESTS.run(self._client.learn())

    async def facts_async(self) -> FileFacts:
        known = self._client.facts
        return known if known is not None else await REQUESTS.run_async(self._client.learn())

    def read(self, requests: Sequence[ByteRange | ByteBlocks], /) -> list[Any]:
        return REQUESTS.run(self._round(requests))

    async def read_async(self, requests: Sequence[ByteRange | ByteBlocks], /) -> list[Any]:
        return await REQUESTS.run_async(self._round(requests))

    def names_in(self) -> frozenset[str]:
        """Return the names directly below the path; none where the store cannot list."""
        return names_in_store(self._client.store, self._client.path, self._client.url)

    def files_below(self) -> FileList:
        """Return the objects below the path; errors as `list_store`."""
        return list_store(self._client.store, self._client.path, self._client.url)

    async def _round(self, requests: Sequence[ByteRange | ByteBlocks]) -> list[Any]:
        client = self._client
        if client.facts is None and _largest_blocks(requests) > ALLOWANCE:
            await client.learn()
        size = client.facts.size if client.facts is not None else None
        check_requests(requests, size)
        if client.whole is not None:
            return answer_from(client.whole, requests)
        starts, stops = _columns(requests, size if size is not None else _BEYOND)
        filled = stops > starts
        begins, ends, holders = _requests_for(starts[filled], stops[filled], self._rule)
        holder = np.full(len(starts), -1, np.int64)
        holder[filled] = holders
        data = await client.get_many(begins.tolist(), ends.tolist())
        return _assemble(requests, data, begins, ends, holder)


def _rebuild(
    store: Any, path: str, url: str, rule: CoalesceRule, max_in_flight: int
) -> ObjectSource:
    return ObjectSource(store, path, url, rule=rule, max_in_flight=max_in_flight)


def _requests_for(
    starts: Int64s, stops: Int64s, rule: CoalesceRule
) -> tuple[Int64s, Int64s, Int64s]:
    """Plan requests by `rule`, with narrower gaps where they would add up to much."""
    plan = coalesce(starts, stops, rule)
    begins, ends, _ = plan
    if int((ends - begins).sum()) <= EXCESS * int((stops - starts).sum()) + EXCESS_ALLOWANCE:
        return plan
    return coalesce(starts, stops, replace(rule, max_gap=rule.max_gap // NARROWER))


def _largest_blocks(requests: Sequence[ByteRange | ByteBlocks]) -> int:
    """Return the size in bytes of the largest answer whose size the server does not bound."""
    return max((len(r.starts) * r.size for r in requests if isinstance(r, ByteBlocks)), default=0)


def _columns(requests: Sequence[ByteRange | ByteBlocks], end: int) -> tuple[Int64s, Int64s]:
    """Return starts and stops of all ranges and blocks, in order, none past `end`."""
    starts: list[Int64s] = []
    stops: list[Int64s] = []
    pairs: list[tuple[int, int]] = []

    def flush() -> None:
        table = np.array(pairs, np.int64).reshape(-1, 2)
        starts.append(table[:, 0])
        stops.append(table[:, 1])
        pairs.clear()

    for request in requests:
        if isinstance(request, ByteRange):
            pairs.append((min(request.start, end), min(request.stop, end)))
        else:
            flush()
            starts.append(np.minimum(request.starts, end))
            stops.append(np.minimum(starts[-1] + min(request.size, end), end))
    flush()
    return np.concatenate(starts), np.concatenate(stops)


def _assemble(
    requests: Sequence[ByteRange | ByteBlocks],
    data: Sequence[memoryview],
    begins: Int64s,
    ends: Int64s,
    holder: Int64s,
) -> list[Any]:
    """Cut the answers out of the responses; `holder` is -1 for what lies past the end."""
    answers: list[Any] = []
    at = 0
    for request in requests:
        if isinstance(request, ByteRange):
            j = int(holder[at])
            at += 1
            first = int(begins[j]) if j >= 0 else 0
            found = data[j][request.start - first : request.stop - first] if j >= 0 else b""
            answers.append(memoryview(found))
        else:
            held = holder[at : at + len(request.starts)]
            at += len(request.starts)
            answers.append(_gather(request, data, begins, ends, held))
    return answers


def _gather(
    blocks: ByteBlocks,
    data: Sequence[memoryview],
    begins: Int64s,
    ends: Int64s,
    holder: Int64s,
) -> npt.NDArray[np.uint8]:
    """Gather blocks from the responses that hold them, laid end to end.

    A response shorter than asked reached the end of the file; zeros follow it.
    """
    used = np.unique(holder[holder >= 0])
    zeros = np.zeros(blocks.size, np.uint8)
    parts: list[npt.NDArray[np.uint8]] = []
    for j in used.tolist():
        parts.append(np.frombuffer(data[j], np.uint8))
        short = len(data[j]) < ends[j] - begins[j]
        parts.append(zeros if short else zeros[:0])
    lengths = np.array([len(part) for part in parts], np.int64).reshape(-1, 2)
    bases = np.concatenate(([0], np.cumsum(lengths.sum(axis=1))))
    joined = np.concatenate([*parts, zeros])
    which = np.searchsorted(used, holder)
    position = np.full(len(holder), bases[-1], np.int64)
    inside = holder >= 0
    within = blocks.starts[inside] - begins[holder[inside]]
    position[inside] = bases[which[inside]] + np.minimum(within, lengths[which[inside], 0])
    return windows(joined, blocks.size)[position]
