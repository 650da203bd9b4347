"""The references of one array in Parquet: its files, read when they are wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from virtualizarr.errors import ChangedSourceError, SourceNotFoundError, VirtualizeError
from virtualizarr.model import ArrayMetadata, ChunkManifest, Location
from virtualizarr.parsers.kerchunk.columns import Files
from virtualizarr.parsers.kerchunk.gather import Gathered
from virtualizarr.parsers.kerchunk.locate import Origin
from virtualizarr.parsers.kerchunk.partition import decode_partition
from virtualizarr.parsers.kerchunk.whole import file_sizes, read_whole
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.reading import Elsewhere, Reading, Stat
from virtualizarr.source.urls import child_url


class Part(NamedTuple):
    """One file: its number, its name in the store, and what a listing said of it, if any."""

    number: int
    name: str
    facts: FileFacts | None


@dataclass(frozen=True, slots=True, eq=False)
class StoredArray:
    """What is needed to read the references of the array at `path` of the store at `root`."""

    path: str
    metadata: ArrayMetadata
    parts: Sequence[Part]
    root: str
    record_size: int
    origin: Origin
    known: Mapping[str, Location]

    def read(self) -> Reading[ChunkManifest]:
        """Read all files, in one round, and one more where they refer to files as a whole.

        Raises CorruptFileError and UnsupportedFeatureError naming the array or the file, and
        ChangedSourceError where a file is not the one that was listed.
        """
        contents = yield [
            Elsewhere(child_url(self.root, part.name), _read_listed(part.facts))
            for part in self.parts
        ]
        gathered = self._gathered(contents)
        whole = gathered.whole_files()
        sizes = (yield from file_sizes(whole)) if whole else {}
        try:
            return gathered.manifest(Files(self.origin.resolve, sizes, self.known))
        except VirtualizeError as error:
            raise error.located(node=self.path) from error.__cause__

    def _gathered(self, contents: Sequence[Any]) -> Gathered:
        found = Gathered(self.metadata.grid_shape, self.origin.resolve)
        for part, content in zip(self.parts, contents, strict=True):
            try:
                if isinstance(content, SourceNotFoundError) and part.facts is None:
                    continue
                if isinstance(content, SourceNotFoundError):
                    raise _changed("it is gone")
                if isinstance(content, VirtualizeError):
                    raise content
                rows = decode_partition(content, self.record_size)
                found.add(part.number * self.record_size, rows)
            except VirtualizeError as error:
                file = part.name.rpartition("/")[2]
                raise error.located(node=f"{self.path}/{file}") from error.__cause__
        return found


def _read_listed(listed: FileFacts | None) -> Reading[bytes | memoryview]:
    """Read a whole file; raise ChangedSourceError if it is not the one that was listed."""
    content = yield from read_whole()
    (now,) = yield [Stat()]
    if listed is None:
        return content
    for what in ("size", "etag", "last_modified"):
        then, found = getattr(listed, what), getattr(now, what)
        if then is not None and found is not None and then != found:
            raise _changed(f"its {what} was {then}, is {found}")
    return content


def _changed(how: str) -> ChangedSourceError:
    return ChangedSourceError(
        f"the references have been written anew since they were opened: {how}; open them again"
    )
