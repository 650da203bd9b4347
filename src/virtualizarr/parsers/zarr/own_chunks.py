"""Chunk objects of the store itself, taken into a manifest as inline chunks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from virtualizarr.errors import CorruptFileError
from virtualizarr.model import INLINE, ChunkManifest
from virtualizarr.parsers.zarr.places import read_whole
from virtualizarr.source.reading import Elsewhere, Reading

MAX_BYTES = 64 * 1024 * 1024
MAX_OBJECTS = 10_000


def inlined(manifest: ChunkManifest, below: str) -> Reading[ChunkManifest]:
    """Return the manifest with the chunks that are objects below the URL `below` read in.

    They stay references where they are more than `MAX_OBJECTS` or hold more than `MAX_BYTES`.
    Raises CorruptFileError where an object has not the length that its reference says.
    """
    prefix = f"{below}/"
    own = [code for code, known in enumerate(manifest.locations) if known.url.startswith(prefix)]
    if not own or len(own) > MAX_OBJECTS:
        return manifest
    ranks = np.full(len(manifest.locations) + 1, -1, np.int64)
    ranks[own] = np.arange(len(own))
    real = manifest.location < INLINE
    rank = np.where(real, ranks[np.where(real, manifest.location, len(manifest.locations))], -1)
    is_own = rank >= 0
    lengths = manifest.length[is_own].astype(np.int64)
    if int(lengths.sum()) > MAX_BYTES:
        return manifest
    urls = [manifest.locations[code].url for code in own]
    contents = yield [Elsewhere(url, read_whole()) for url in urls]
    sizes = np.array(_sizes(contents), np.int64)
    starts = np.cumsum(sizes) - sizes
    offsets = manifest.offset[is_own].astype(np.int64)
    if (offsets + lengths > sizes[rank[is_own]]).any():
        wrong = int(np.argmax(offsets + lengths > sizes[rank[is_own]]))
        raise CorruptFileError("a chunk is shorter than its reference", url=urls[wrong])
    location, offset = manifest.location.copy(), manifest.offset.copy()
    location[is_own] = INLINE
    offset[is_own] = (starts[rank[is_own]] + offsets).astype(np.uint64)
    held = ChunkManifest.from_columns(
        manifest.locations, location, offset, manifest.length, b"".join(contents)
    )
    return held.compacted()


def _sizes(contents: Sequence[bytes | Exception]) -> list[int]:
    for content in contents:
        if isinstance(content, Exception):
            raise content
    return [len(content) for content in contents]  # type: ignore[arg-type]
