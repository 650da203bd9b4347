"""Arrays whose values are held inline, uncompressed, in the order of the array."""

from __future__ import annotations

from math import prod

import numpy as np

from virtualizarr.model.array import ManifestArray
from virtualizarr.model.chunks import RectilinearGrid, RegularGrid
from virtualizarr.model.inline import gathered
from virtualizarr.model.layout import axis_layout
from virtualizarr.model.location import INLINE
from virtualizarr.model.manifest import ChunkManifest
from virtualizarr.model.uncompressed import row_bytes


def dense_bytes(array: ManifestArray) -> bytes | None:
    """Return the stored bytes of all values in C order; None if they are not held so.

    They are if every chunk is inline, no codec has changed it, and chunks lie behind one another
    along the first axis alone.
    """
    metadata, manifest = array.metadata, array.manifest
    if not metadata.ndim or row_bytes(metadata, 0) is None or metadata.dtype.kind in "OTV":
        return None
    layouts = [axis_layout(metadata, axis) for axis in range(1, metadata.ndim)]
    if any(len(layout.stored) != 1 or layout.stored[0] != layout.shown[0] for layout in layouts):
        return None
    first = axis_layout(metadata, 0)
    if (first.stored[:-1] != first.shown[:-1]).any() or (manifest.location != INLINE).any():
        return None
    length = manifest.length.reshape(-1).astype(np.int64)
    row = prod(metadata.shape[1:]) * metadata.dtype.itemsize
    if not np.array_equal(length, first.stored * row):
        return None
    start = manifest.offset.reshape(-1).astype(np.int64)
    return gathered(manifest.inline, start, length)[: metadata.shape[0] * row].tobytes()


def in_one_chunk(array: ManifestArray) -> ManifestArray:
    """Return a dense array of uneven chunks as one chunk; any other as it is.

    Appending leaves a chunk for each piece.
    """
    metadata = array.metadata
    data = dense_bytes(array) if isinstance(metadata.chunk_grid, RectilinearGrid) else None
    if data is None:
        return array
    whole = metadata.replace(chunk_grid=RegularGrid(metadata.shape))
    return ManifestArray(whole, ChunkManifest.inlined(data).reshape_grid(whole.grid_shape))
