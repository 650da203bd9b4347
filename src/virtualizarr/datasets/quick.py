"""Values of small arrays whose chunks are inline, decoded without zarr's event loop.

A coordinate of a few kB costs zarr 2-3 ms, nearly all of it waiting for its event loop; here 50 us.
Only plain cases are taken: fixed-size numbers and bytes, a regular grid, usual compressors with a
limit on their output. For all else the answer is None, and zarr is asked.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.bounded import DECODERS, Bounded
from virtualizarr.errors import CorruptFileError
from virtualizarr.model import INLINE, MISSING, ManifestArray, RegularGrid
from virtualizarr.model.dtypes import decode_fill

KINDS = "biufcS"
SHUFFLE = "numcodecs.shuffle"
MAX_BYTES = 64 * 1024 * 1024

type Octets = npt.NDArray[np.uint8]


def quick_values(array: ManifestArray) -> npt.NDArray[Any] | None:
    """Return the array's values in native byte order; None if this is not a plain case."""
    metadata, manifest = array.metadata, array.manifest
    grid = metadata.chunk_grid
    if metadata.dtype.kind not in KINDS or not isinstance(grid, RegularGrid):
        return None
    stored = _stored_dtype(array)
    nbytes = prod(grid.chunk_shape) * metadata.dtype.itemsize
    location = np.asarray(manifest.location).ravel()
    present = location == INLINE
    if stored is None or not (present | (location == MISSING)).all():
        return None
    if not 0 < nbytes * max(1, location.size) <= MAX_BYTES:
        return None
    chunks = np.empty((location.size, nbytes), np.uint8)
    fill = np.asarray(decode_fill(metadata.fill_value, metadata.dtype), metadata.dtype)
    element = np.frombuffer(fill.astype(stored).tobytes(), np.uint8)
    chunks[~present] = np.tile(element, nbytes // element.size)
    if not _decode_into(chunks, np.flatnonzero(present), array):
        return None
    whole = _assembled(chunks.view(stored), grid.chunk_shape, metadata.grid_shape)
    return whole[tuple(map(slice, metadata.shape))].astype(metadata.dtype, order="C")


def _stored_dtype(array: ManifestArray) -> np.dtype[Any] | None:
    """Return the dtype of decoded chunks, if every codec is one that is known here."""
    first, *rest = array.metadata.codecs
    if first["name"] != "bytes" or any(c["name"] not in {*DECODERS, SHUFFLE} for c in rest):
        return None
    configuration: Any = first.get("configuration")
    endian = (configuration if configuration is not None else {}).get("endian", "little")
    return array.metadata.dtype.newbyteorder(">" if endian == "big" else "<")


def _decode_into(chunks: Octets, rows: npt.NDArray[np.intp], array: ManifestArray) -> bool:
    """Decode the inline chunks into their rows; False if one has not the size it must have."""
    data = np.frombuffer(array.manifest.inline, np.uint8)
    offset = np.asarray(array.manifest.offset).ravel()[rows].astype(np.int64)
    length = np.asarray(array.manifest.length).ravel()[rows].astype(np.int64)
    codecs = array.metadata.codecs[:0:-1]
    if not codecs:
        if (length != chunks.shape[1]).any():
            return False
        chunks[rows] = data[offset[:, None] + np.arange(chunks.shape[1])]
        return True
    for row, start, size in zip(rows.tolist(), offset.tolist(), length.tolist(), strict=True):
        decoded = data[start : start + size]
        for codec in codecs:
            decoded = _decoded(codec, decoded, chunks.shape[1])
        if decoded.size != chunks.shape[1]:
            return False
        chunks[row] = decoded
    return True


def _decoded(codec: Any, data: Octets, nbytes: int) -> Octets:
    if codec["name"] != SHUFFLE:
        return Bounded(codec["name"]).decode(data, nbytes)
    size = codec["configuration"]["elementsize"]
    if not isinstance(size, int) or size < 1:
        raise CorruptFileError(f"codec {SHUFFLE}: the element size is {size!r}")
    whole = data.size // size * size
    return np.concatenate((data[:whole].reshape(size, -1).T.ravel(), data[whole:]))


def _assembled(
    chunks: npt.NDArray[Any], chunk_shape: tuple[int, ...], grid_shape: tuple[int, ...]
) -> npt.NDArray[Any]:
    """Put chunks, one a row in C order, side by side."""
    ndim = len(chunk_shape)
    blocks = chunks.reshape((*grid_shape, *chunk_shape))
    interleaved = blocks.transpose([axis + half for axis in range(ndim) for half in (0, ndim)])
    return interleaved.reshape([n * c for n, c in zip(grid_shape, chunk_shape, strict=True)])
