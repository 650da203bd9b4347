"""Fetching the chunks of small arrays all at once: one round trip per file, not one per chunk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError
from virtualizarr.model import INLINE, MISSING, ChunkManifest, Location, ManifestArray
from virtualizarr.source.ranges import ByteBlocks, ByteRange
from virtualizarr.source.reading import Source
from virtualizarr.store.chunks import Reference, checked

LOCAL_SCHEME = "file://"
CONCURRENT_FILES = 32


@dataclass(frozen=True, slots=True, eq=False)
class _Wanted:
    """The chunks that one array has in one file: their cells in C order, and where they lie."""

    name: str
    cells: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]


def inlined(
    arrays: Mapping[str, ManifestArray], opener: Callable[[Location], Source]
) -> dict[str, ManifestArray]:
    """Return the arrays with the stored bytes of all their chunks inline.

    `opener` gives the source of a location. Raises ChangedSourceError if a file is not the one that
    was parsed, CorruptFileError if it ends inside a chunk, SourceError if it cannot be read.
    """
    wanted: dict[Location, list[_Wanted]] = {}
    for name, array in arrays.items():
        for location, chunks in _by_location(name, array.manifest):
            wanted.setdefault(location, []).append(chunks)
    found: dict[str, list[tuple[_Wanted, bytes]]] = {name: [] for name in arrays}
    for answers in _each(lambda item: _read(opener(item[0]), *item), list(wanted.items())):
        for chunks, data in answers:
            found[chunks.name].append((chunks, data))
    return {
        name: ManifestArray(array.metadata, _with_bytes(array.manifest, found[name]))
        for name, array in arrays.items()
    }


def _by_location(name: str, manifest: ChunkManifest) -> list[tuple[Location, _Wanted]]:
    codes = np.asarray(manifest.location).ravel()
    offset = np.asarray(manifest.offset).ravel().astype(np.int64)
    length = np.asarray(manifest.length).ravel().astype(np.int64)
    if not codes.size:
        return []
    order = np.argsort(codes, kind="stable")
    present, first = np.unique(codes[order], return_index=True)
    groups = np.split(order, first[1:])
    return [
        (manifest.locations[code], _Wanted(name, cells, offset[cells], length[cells]))
        for code, cells in zip(present.tolist(), groups, strict=True)
        if code not in (MISSING, INLINE)
    ]


def _each(
    read: Callable[[tuple[Location, list[_Wanted]]], list[tuple[_Wanted, bytes]]],
    items: Sequence[tuple[Location, list[_Wanted]]],
) -> list[list[tuple[_Wanted, bytes]]]:
    """Read files, remote ones many at a time."""
    if len(items) < 2 or all(location.url.startswith(LOCAL_SCHEME) for location, _ in items):
        return [read(item) for item in items]
    with ThreadPoolExecutor(min(CONCURRENT_FILES, len(items))) as pool:
        return list(pool.map(read, items))


def _read(
    source: Source, location: Location, wanted: Sequence[_Wanted]
) -> list[tuple[_Wanted, bytes]]:
    size = source.facts().size
    requests = [_requests(chunks, size, location.url) for chunks in wanted]
    answers = iter(source.read([request for batch in requests for request in batch]))
    checked(b"", Reference(location, 0, 0), 0, 0, source.facts())
    return [
        (chunks, _joined(chunks, [next(answers) for _ in batch], location.url))
        for chunks, batch in zip(wanted, requests, strict=True)
    ]


def _requests(chunks: _Wanted, size: int | None, url: str) -> Sequence[ByteBlocks | ByteRange]:
    stops = chunks.starts + chunks.lengths
    if size is not None and len(stops) and int(stops.max()) > size:
        worst = int(stops.argmax())
        raise CorruptFileError(
            f"the file of {size} bytes ends inside a chunk that ends at {int(stops[worst])}",
            url=url,
            node=chunks.name,
            at=int(chunks.starts[worst]),
        )
    length = int(chunks.lengths[0])
    if size is not None and len(stops) > 1 and (chunks.lengths == length).all():
        return [ByteBlocks(chunks.starts, length)]
    return [
        ByteRange(start, stop)
        for start, stop in zip(chunks.starts.tolist(), stops.tolist(), strict=True)
    ]


def _joined(chunks: _Wanted, answers: Sequence[Any], url: str) -> bytes:
    data = b"".join(
        answer.tobytes() if isinstance(answer, np.ndarray) else bytes(answer) for answer in answers
    )
    if len(data) != int(chunks.lengths.sum()):
        raise CorruptFileError(
            f"the file ends inside a chunk: {int(chunks.lengths.sum())} bytes expected, "
            f"{len(data)} found",
            url=url,
            node=chunks.name,
            at=int(chunks.starts[0]),
        )
    return data


def _with_bytes(manifest: ChunkManifest, found: Sequence[tuple[_Wanted, bytes]]) -> ChunkManifest:
    """Return the manifest with the `found` chunks inline, after those that were so before."""
    shape = manifest.shape_chunk_grid
    location = np.array(manifest.location, np.uint32).ravel()
    offset = np.array(manifest.offset, np.uint64).ravel()
    at = len(manifest.inline)
    for chunks, data in found:
        location[chunks.cells] = INLINE
        offset[chunks.cells] = at + np.cumsum(chunks.lengths) - chunks.lengths
        at += len(data)
    return ChunkManifest.from_columns(
        (),
        location.reshape(shape),
        offset.reshape(shape),
        np.asarray(manifest.length),
        b"".join((manifest.inline, *(data for _, data in found))),
    )
