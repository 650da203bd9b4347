"""One object behind a store: GETs that return exactly the bytes asked for, or a named error."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from obstore.store import ObjectStoreMethods

from virtualizarr.errors import ChangedSourceError, SourceError, VirtualizeError
from virtualizarr.source.background import MAX_BATCHES, REQUESTS
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.translate import (
    CLIENT_ERRORS,
    is_busy,
    is_interrupted,
    lacks_ranges,
    lies_beyond_end,
    translated,
)

WHOLE_OBJECT_MAX = 256 * 1024 * 1024
PAUSES = (0.2, 1.0, 2.0, 4.0)
SHORT_TRIES = 2
BULK_FROM = 128
BULK_GROUP = 10
"""Ranges of one batch that the client asks for at a time."""


class StoreClient:
    """Reads one object of `store`; every coroutine must run on the background loop.

    `facts` is None until the first response. `whole` is the object's content where its server does
    not serve ranges. Stores of other makers than obstore are called through their blocking `get` in
    a thread, where they have one, since their async sessions may belong to another event loop.
    """

    def __init__(self, store: Any, path: str, url: str, max_in_flight: int) -> None:
        self.store = store
        self.path = path
        self.url = url
        self.max_in_flight = max_in_flight
        self.facts: FileFacts | None = None
        self.whole: memoryview | None = None
        self._native = isinstance(store, ObjectStoreMethods)

    async def learn(self) -> FileFacts:
        """Return the object's facts; a GET of one byte if nothing was read yet."""
        if self.facts is None:
            await self.get(0, 1)
        assert self.facts is not None
        return self.facts

    async def get_many(self, starts: Sequence[int], stops: Sequence[int]) -> list[memoryview]:
        """Return the bytes of each range; ranges must not be empty and may end past the end."""
        if len(starts) >= BULK_FROM and self._native and self.facts is not None:
            return await self._get_bulk(starts, stops)
        slots = asyncio.Semaphore(self.max_in_flight)

        async def one(start: int, stop: int) -> memoryview:
            async with slots:
                return await self.get(start, stop)

        if len(starts) == 1:
            return [await self.get(starts[0], stops[0])]
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(one(start, stop))
                    for start, stop in zip(starts, stops, strict=True)
                ]
        except BaseExceptionGroup as failures:
            raise _first(failures) from None
        return [task.result() for task in tasks]

    async def get(self, start: int, stop: int) -> memoryview:
        """Return the bytes from `start` to `stop`, fewer only where the object ends.

        Raises `SourceError` or a subclass: not found, no permission, changed since the first
        response, cut short twice, or the server stays busy.
        """
        attempt = 0
        while True:
            if self.whole is not None:
                return self.whole[start:stop]
            try:
                async with REQUESTS.slots:
                    return await self._get_once(start, stop)
            except _TransientError as error:
                tries = len(PAUSES) if error.busy else SHORT_TRIES
                if attempt + 1 >= tries:
                    raise error.final from None
                await asyncio.sleep(PAUSES[attempt])
                attempt += 1

    async def _get_once(self, start: int, stop: int) -> memoryview:
        try:
            meta, data = await self._fetch({"range": (start, stop)})
        except VirtualizeError:
            raise
        except CLIENT_ERRORS as error:
            if lacks_ranges(error):
                return (await self._get_whole())[start:stop]
            if lies_beyond_end(error):
                return await self._nothing_at(start, error)
            if is_busy(error) or is_interrupted(error):
                raise _TransientError(translated(error, self.url), is_busy(error)) from None
            raise translated(error, self.url) from None
        facts = self._note(meta)
        expected = stop - start if facts.size is None else min(stop, facts.size) - start
        if len(data) != expected:
            short = SourceError(
                f"the response holds {len(data):,} of {expected:,} bytes from byte {start} on",
                url=self.url,
            )
            raise _TransientError(short, busy=False)
        return data

    async def _fetch(self, options: dict[str, Any] | None) -> tuple[Any, memoryview]:
        if not self._native and hasattr(self.store, "get"):
            return await asyncio.to_thread(self._fetch_blocking, options)
        result = await self.store.get_async(self.path, options=options)
        meta = result.meta
        if self.facts is not None:
            self._note(meta)
        return meta, memoryview(await result.buffer_async()).cast("B")

    def _fetch_blocking(self, options: dict[str, Any] | None) -> tuple[Any, memoryview]:
        result = self.store.get(self.path, options=options)
        return result.meta, memoryview(result.buffer()).cast("B")

    async def _get_whole(self) -> memoryview:
        """Fetch the object from a server that has no ranges, unless it is large."""
        try:
            size = self._note(await self._head()).size
            if size is None or size > WHOLE_OBJECT_MAX:
                raise SourceError(
                    "the server does not serve byte ranges, and the file is too large to fetch"
                    f" whole ({size} bytes); copy it to a store that serves ranges",
                    url=self.url,
                )
            if self.whole is None:
                meta, data = await self._fetch(None)
                if len(data) != self._note(meta).size:
                    raise _TransientError(
                        SourceError("the response was cut short", url=self.url), busy=False
                    )
                self.whole = data
        except VirtualizeError:
            raise
        except CLIENT_ERRORS as error:
            raise translated(error, self.url) from None
        return self.whole

    async def _nothing_at(self, start: int, error: BaseException) -> memoryview:
        """Answer a range that the store calls unsatisfiable: with nothing, if it lies past the end.

        Costs a HEAD, since the refusal does not tell the size.
        """
        try:
            size = self._note(await self._head()).size
        except VirtualizeError:
            raise
        except CLIENT_ERRORS as failure:
            raise translated(failure, self.url) from None
        if size is None or start < size:
            raise translated(error, self.url) from None
        return memoryview(b"")

    async def _head(self) -> Any:
        if not self._native and hasattr(self.store, "head"):
            return await asyncio.to_thread(self.store.head, self.path)
        return await self.store.head_async(self.path)

    async def _get_bulk(self, starts: Sequence[int], stops: Sequence[int]) -> list[memoryview]:
        """Fetch very many ranges in batches; the last range goes last and alone.

        Batches carry no facts, so that last response says whether the object stayed the same.
        """
        count = len(starts) - 1
        turns = asyncio.Semaphore(max(1, self.max_in_flight // BULK_GROUP))
        step = max(BULK_GROUP, -(-count // (4 * MAX_BATCHES)))
        bounds = range(0, count, step)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(
                        self._get_batch(
                            starts[at : min(at + step, count)],
                            stops[at : min(at + step, count)],
                            turns,
                        )
                    )
                    for at in bounds
                ]
        except BaseExceptionGroup as failures:
            raise _first(failures) from None
        last = await self.get(starts[count], stops[count])
        return [data for task in tasks for data in task.result()] + [last]

    async def _get_batch(
        self, starts: Sequence[int], stops: Sequence[int], turns: asyncio.Semaphore
    ) -> list[memoryview]:
        assert self.facts is not None
        size = self.facts.size
        ends = [stop if size is None else min(stop, size) for stop in stops]
        try:
            async with turns, REQUESTS.batches:
                found = await self.store.get_ranges_async(
                    self.path, starts=starts, ends=ends, coalesce=0
                )
        except CLIENT_ERRORS:
            return [await self.get(*pair) for pair in zip(starts, stops, strict=True)]
        got = [memoryview(data).cast("B") for data in found]
        return [
            data if len(data) == end - start else await self.get(start, end)
            for data, start, end in zip(got, starts, ends, strict=True)
        ]

    def _note(self, meta: Any) -> FileFacts:
        """Keep the facts of the first response, and compare those of the others with them."""
        found = _facts_of(meta)
        if self.facts is None:
            self.facts = found
        for name in ("size", "etag", "last_modified"):
            before, now = getattr(self.facts, name), getattr(found, name)
            if before is not None and now is not None and before != now:
                raise ChangedSourceError(
                    f"the file changed while it was read: {name} was {before}, is {now}",
                    url=self.url,
                )
        return self.facts


class _TransientError(Exception):
    """A failure worth another try; `final` is raised when none is left."""

    def __init__(self, final: SourceError, busy: bool) -> None:
        super().__init__(str(final))
        self.final = final
        self.busy = busy


def _facts_of(meta: Any) -> FileFacts:
    """Read a store's object metadata. A time of 0 means that the server sent none."""
    modified: datetime | None = meta["last_modified"]
    known = modified is not None and modified.timestamp() > 0
    return FileFacts(meta["size"], meta["e_tag"], modified if known else None)


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first failure of a round; the rest are its like."""
    error: BaseException = failures
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
