"""Readings: parsers that ask for bytes instead of fetching them.

A `Reading[T]` is a generator. It yields the requests it wants answered next, is sent the answers in
the same order, and at last returns a `T`. It does not know where bytes come from, so one parser
serves `run`, `run_async` and a test that feeds it a bytes literal; and because one `yield` is one
round trip, latency is a number that a test can assert.

Requests and their answers:

- `ByteRange` -> `memoryview` of those bytes, shorter where the file ends.
- `ByteBlocks` -> a uint8 array `(len(starts), size)`, zeros past the end of the file.
- `Stat` -> `FileFacts`: size, etag and modification time, as far as they are known.
- `Elsewhere(url, reading)` -> what that reading returns when it is run on another file, or the
  `VirtualizeError` it raised (as a value: only the asking reading knows whether that matters).
- `Later(reading)` -> what runs the reading that `reading()` makes, on the same file, when it is
  called: for what may never be asked for. On an event loop it is run at once.
- `Listing(url)` -> the `FileList` of what lies below a directory, or the `VirtualizeError`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, cast, runtime_checkable

from virtualizarr.errors import UnsupportedFeatureError, VirtualizeError
from virtualizarr.source.directory import FileList
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.ranges import ByteBlocks, ByteRange

FILES_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Stat:
    """Asks what is known of the file itself. Costs no round once any byte has been read."""


@dataclass(frozen=True, slots=True, eq=False)
class Elsewhere:
    """Asks for the result of `reading`, run on the file at `url`."""

    url: str
    reading: Reading[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Later:
    """Asks for a function of no arguments that returns the result of the reading made."""

    reading: Callable[[], Reading[Any]]


@dataclass(frozen=True, slots=True)
class Listing:
    """Asks which files lie below the directory at `url`, at any depth."""

    url: str


type BytesRequest = ByteRange | ByteBlocks
type Request = BytesRequest | Stat | Elsewhere | Later | Listing
type Reading[T] = Generator[Sequence[Request], Sequence[Any], T]


class Source(Protocol):
    """Where the bytes of one file come from."""

    @property
    def url(self) -> str: ...

    def facts(self) -> FileFacts:
        """Return size, etag and last-modified; asks the store only if nothing was read yet."""
        ...

    def read(self, requests: Sequence[BytesRequest], /) -> Sequence[Any]:
        """Answer every request in one round trip."""
        ...


class AsyncSource(Protocol):
    """The same, for callers on an event loop."""

    @property
    def url(self) -> str: ...

    async def facts_async(self) -> FileFacts: ...

    async def read_async(self, requests: Sequence[BytesRequest], /) -> Sequence[Any]: ...


@runtime_checkable
class Directory(Protocol):
    """A source whose URL may also be that of a directory."""

    def names_in(self) -> frozenset[str]:
        """Return the names directly in it; none where it is no directory or cannot be listed."""
        ...

    def files_below(self) -> FileList:
        """Return all files below the URL; errors as `list_local` and `list_store`."""
        ...


def together[T](readings: Sequence[Reading[T]]) -> Reading[list[T]]:
    """Advance readings in step, so that each round of requests is one batch.

    Returns their results in the order given. The first reading that raises ends all of them.
    """
    results: list[Any] = [None] * len(readings)
    waiting: list[tuple[int, Sequence[Request]]] = []
    for i, reading in enumerate(readings):
        try:
            waiting.append((i, next(reading)))
        except StopIteration as stop:
            results[i] = stop.value
    while waiting:
        answers = yield [request for _, requests in waiting for request in requests]
        at = 0
        still: list[tuple[int, Sequence[Request]]] = []
        for i, requests in waiting:
            end = at + len(requests)
            try:
                still.append((i, readings[i].send(answers[at:end])))
            except StopIteration as stop:
                results[i] = stop.value
            at = end
        waiting = still
    return results


def run[T](reading: Reading[T], source: Source, opener: Callable[[str], Source] | None = None) -> T:
    """Drive a reading to its end, blocking.

    `opener` gives the source for a URL that the reading asks for `Elsewhere`. Errors of our tree
    leave with the source's URL filled in.
    """
    try:
        requests = next(reading)
        while True:
            requests = reading.send(_answer(requests, source, opener))
    except StopIteration as stop:
        return cast("T", stop.value)
    except VirtualizeError as error:
        raise error.located(url=source.url) from error.__cause__


async def run_async[T](
    reading: Reading[T],
    source: AsyncSource,
    opener: Callable[[str], Awaitable[AsyncSource]] | None = None,
) -> T:
    """Drive a reading to its end on the running event loop; otherwise as `run`."""
    try:
        requests = next(reading)
        while True:
            requests = reading.send(await _answer_async(requests, source, opener))
    except StopIteration as stop:
        return cast("T", stop.value)
    except VirtualizeError as error:
        raise error.located(url=source.url) from error.__cause__


def _answer(
    requests: Sequence[Request], source: Source, opener: Callable[[str], Source] | None
) -> Sequence[Any]:
    wanted = [r for r in requests if isinstance(r, ByteRange | ByteBlocks)]
    got = source.read(wanted) if wanted else []
    if len(wanted) == len(requests):
        return got
    supply = iter(got)
    others = iter(
        _answer_others([r for r in requests if isinstance(r, Elsewhere | Listing)], source, opener)
    )
    return [
        next(others)
        if isinstance(request, Elsewhere | Listing)
        else source.facts()
        if isinstance(request, Stat)
        else _later(request, source, opener)
        if isinstance(request, Later)
        else next(supply)
        for request in requests
    ]


def _answer_others(
    requests: Sequence[Elsewhere | Listing],
    source: Source,
    opener: Callable[[str], Source] | None,
) -> Sequence[Any]:
    """Answer what concerns other files, side by side where they are not on a local disk."""

    def answer(request: Elsewhere | Listing) -> Any:
        try:
            other = source if request.url == source.url else _open(request.url, opener)
            if isinstance(request, Listing):
                return _files_below(other)
            return run(request.reading, other, opener)
        except VirtualizeError as error:
            return error

    if len(requests) < 2 or all(request.url.startswith("file:") for request in requests):
        return [answer(request) for request in requests]
    with ThreadPoolExecutor(min(len(requests), FILES_AT_ONCE)) as pool:
        return list(pool.map(answer, requests))


async def _answer_async(
    requests: Sequence[Request],
    source: AsyncSource,
    opener: Callable[[str], Awaitable[AsyncSource]] | None,
) -> Sequence[Any]:
    wanted = [r for r in requests if isinstance(r, ByteRange | ByteBlocks)]
    got = await source.read_async(wanted) if wanted else []
    if len(wanted) == len(requests):
        return got
    supply = iter(got)
    slots = asyncio.Semaphore(FILES_AT_ONCE)

    async def answer(request: Elsewhere | Listing) -> Any:
        async with slots:
            try:
                here = request.url == source.url
                other = source if here else await _open(request.url, opener)
                if isinstance(request, Listing):
                    return await asyncio.to_thread(_files_below, other)
                return await run_async(request.reading, other, opener)
            except VirtualizeError as error:
                return error

    asked = [request for request in requests if isinstance(request, Elsewhere | Listing)]
    others = iter(await asyncio.gather(*map(answer, asked)))
    answers: list[Any] = []
    for request in requests:
        if isinstance(request, Elsewhere | Listing):
            answers.append(next(others))
        elif isinstance(request, Stat):
            answers.append(await source.facts_async())
        elif isinstance(request, Later):
            found = await run_async(request.reading(), source, opener)
            answers.append(lambda found=found: found)
        else:
            answers.append(next(supply))
    return answers


def _later(
    request: Later, source: Source, opener: Callable[[str], Source] | None
) -> Callable[[], Any]:
    return lambda: run(request.reading(), source, opener)


def _open[S](url: str, opener: Callable[[str], S] | None) -> S:
    if opener is None:
        raise UnsupportedFeatureError("this reading may not open other files", url=url)
    return opener(url)


def _files_below(source: Source | AsyncSource) -> FileList:
    if not isinstance(source, Directory):
        raise UnsupportedFeatureError("this source cannot list files", url=source.url)
    return source.files_below()
