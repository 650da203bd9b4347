"""Loaded arrays in one chunk again, after appending has left a chunk for each piece."""

from __future__ import annotations

from math import prod

import numpy as np

from virtualizarr.model.array import ManifestArray
from virtualizarr.model.chunks import RectilinearGrid, RegularGrid
from virtualizarr.model.inline import gathered
from virtualizarr.model.location import INLINE
from virtualizarr.model.manifest import ChunkManifest
from virtualizarr.model.uncompressed import row_bytes


def in_one_chunk(array: ManifestArray) -> ManifestArray:
    """Return an array of uneven chunks of values as one chunk; any other as it is.

    Values are inline chunks that no codec has changed. They are joined where chunks lie behind one
    another along the first axis alone, so that their bytes follow one another.
    """
    metadata, manifest = array.metadata, array.manifest
    grid = metadata.chunk_grid
    if not isinstance(grid, RectilinearGrid) or row_bytes(metadata, 0) is None:
        return array
    if metadata.dtype.kind in "OT" or any(len(axis) > 1 for axis in grid.chunk_shapes[1:]):
        return array
    sizes = (sum(lengths) for lengths in grid.chunk_shapes)
    if (manifest.location != INLINE).any() or tuple(sizes) != metadata.shape:
        return array
    data = gathered(
        manifest.inline,
        manifest.offset.reshape(-1).astype(np.int64),
        manifest.length.reshape(-1).astype(np.int64),
    ).tobytes()
    if len(data) != prod(metadata.shape) * metadata.dtype.itemsize:
        return array
    whole = metadata.replace(chunk_grid=RegularGrid(metadata.shape))
    return ManifestArray(whole, ChunkManifest.inlined(data).reshape_grid(whole.grid_shape))
