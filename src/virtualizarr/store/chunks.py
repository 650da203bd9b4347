"""Fetching the bytes that a manifest refers to, and refusing those that are not what was parsed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any, Protocol

from virtualizarr.errors import ChangedSourceError, CorruptFileError
from virtualizarr.model import INLINE, MISSING, ChunkManifest, Location
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import AsyncSource, Source

OPEN_SOURCES = 256


class FileSource(Source, AsyncSource, Protocol):
    """A source that serves blocking callers and event loops alike."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Bytes of a file, as a manifest names them."""

    location: Location
    offset: int
    length: int

    def part(self, start: int, stop: int) -> ByteRange:
        """Return the range of the file that holds bytes `start` to `stop` of the chunk."""
        return ByteRange(self.offset + start, self.offset + stop)


def lookup(manifest: ChunkManifest, cell: tuple[int, ...]) -> Reference | memoryview | None:
    """Return where a chunk lies, or its bytes if they are inline, or None if it is missing."""
    code = manifest.location[cell]
    if code == MISSING:
        return None
    offset, length = int(manifest.offset[cell]), int(manifest.length[cell])
    if code == INLINE:
        return memoryview(manifest.inline)[offset : offset + length]
    return Reference(manifest.locations[int(code)], offset, length)


class Fetcher:
    """Reads references, keeping the sources of the files last used.

    `opener` gives the source of a location, or refuses it. Safe to use from several threads.
    """

    __slots__ = ("_lock", "_opener", "_sources")

    def __init__(self, opener: Callable[[Location], FileSource]) -> None:
        self._opener = opener
        self._sources: OrderedDict[str, FileSource] = OrderedDict()
        self._lock = Lock()

    def read(self, reference: Reference, start: int, stop: int) -> Any:
        """Return bytes `start` to `stop` of the referenced chunk.

        Raises ChangedSourceError if the file is not the one that was parsed, CorruptFileError if it
        ends before the chunk does, SourceError if it cannot be read.
        """
        source = self._source(reference.location)
        (data,) = source.read([reference.part(start, stop)])
        return checked(data, reference, start, stop, source.facts())

    async def read_async(self, reference: Reference, start: int, stop: int) -> Any:
        """The same, on an event loop."""
        source = self._source(reference.location)
        (data,) = await source.read_async([reference.part(start, stop)])
        return checked(data, reference, start, stop, await source.facts_async())

    def _source(self, location: Location) -> FileSource:
        url = location.url
        with self._lock:
            source = self._sources.get(url)
            if source is None:
                source = self._sources[url] = self._opener(location)
                if len(self._sources) > OPEN_SOURCES:
                    self._sources.popitem(last=False)
            else:
                self._sources.move_to_end(url)
            return source


def checked[B: (bytes, memoryview)](
    data: B, reference: Reference, start: int, stop: int, now: FileFacts
) -> B:
    """Return `data` if it is what was parsed.

    Raises ChangedSourceError if size, etag or modification time differ from those taken when it was
    parsed, and CorruptFileError if the file ends inside the chunk.
    """
    then = reference.location
    for name, was, found in (
        ("size", then.size, now.size),
        ("etag", then.etag, now.etag),
        ("modification time", then.last_modified, now.last_modified),
    ):
        if was is not None and found is not None and was != found:
            raise ChangedSourceError(
                f"the file has changed since it was parsed: its {name} was {was}, is {found}; "
                "parse it again",
                url=then.url,
            )
    latest = then.unmodified_since
    if latest is not None and now.last_modified is not None and now.last_modified > latest:
        raise ChangedSourceError(
            f"the file has changed since it was parsed: it may not be modified after {latest}, but "
            f"was at {now.last_modified}; parse it again",
            url=then.url,
        )
    if len(data) != stop - start:
        raise CorruptFileError(
            f"the file ends inside a chunk: {stop - start} bytes expected, {len(data)} found",
            url=then.url,
            at=reference.offset + start,
        )
    return data
