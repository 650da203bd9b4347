"""Missing chunks written out where Zarr v2 readers would take them for something else."""

from __future__ import annotations

from math import prod
from typing import Any

import numcodecs
import numpy as np

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model import INLINE, MISSING, ChunkManifest, ManifestArray
from virtualizarr.model.columns import offsets_of
from virtualizarr.model.dtypes import decode_fill
from virtualizarr.writers.kerchunk.zarr2 import Documents

MAX_FILLED_BYTES = 4 * 1024 * 1024


def manifest_for_v2(array: ManifestArray, documents: Documents) -> ChunkManifest:
    """Return the array's references as readers of its Zarr v2 documents need them.

    Where those would not read missing chunks as the array's fill value, an inline chunk of nothing
    but that value stands in their place. Raises UnsupportedFeatureError where that is too large.
    """
    manifest = array.manifest
    if documents.missing_reads_right:
        return manifest
    missing = manifest.location == MISSING
    count = int(np.count_nonzero(missing))
    if not count:
        return manifest
    chunk = _filled_chunk(array, documents, count)
    length = manifest.length.astype(np.uint64)
    length[missing] = len(chunk)
    return ChunkManifest.from_columns(
        manifest.locations,
        np.where(missing, INLINE, manifest.location),
        np.where(missing, np.uint64(len(manifest.inline)), offsets_of(manifest.offset_column)),
        length,
        manifest.inline + chunk,
    )


def _filled_chunk(array: ManifestArray, documents: Documents, count: int) -> bytes:
    """Return a stored chunk of nothing but the fill value, to stand `count` times."""
    metadata = array.metadata
    dtype = metadata.dtype
    shape = documents.chunk_shape
    reason = (
        f"{count} chunks are missing and read as {metadata.fill_value!r}, which Zarr v2 cannot say "
        f"next to a mask of {documents.zarray['fill_value']!r}; JSON references with zarr_format=3 "
        "can"
    )
    if prod(shape) * max(dtype.itemsize, 8) > MAX_FILLED_BYTES:
        raise UnsupportedFeatureError(reason)
    fill = decode_fill(metadata.fill_value, dtype)
    chunk: Any = np.full(shape, fill, documents.stored)
    if documents.reversed_axes:
        chunk = np.ascontiguousarray(chunk.T)
    try:
        for config in documents.configs:
            chunk = numcodecs.get_codec(dict(config)).encode(chunk)
    except (ValueError, TypeError, RuntimeError) as error:
        raise UnsupportedFeatureError(reason) from error
    stored = bytes(numcodecs.compat.ensure_bytes(chunk))
    if (len(stored) * 4 // 3 + 8) * count > MAX_FILLED_BYTES:
        raise UnsupportedFeatureError(reason)
    return stored
