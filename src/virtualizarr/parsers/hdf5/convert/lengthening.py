"""Axes shorter than their unlimited dimension are lengthened, as netCDF-4 readers do.

The elements that no chunk holds are missing chunks. They read as the fill value; as netCDF's
default where the variable was written without fill values, unless chunks of what was written are
missing too: those read as zeros, and an array has one fill value.

A chunk may reach past the end of its axis. What it holds there is the fill value, for libhdf5 fills
a chunk before it writes into it; but it is anything where the variable has no fill values. Such
chunks are read, filled, and kept inline.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import UnsupportedFeatureError, VirtualizeError
from virtualizarr.model import (
    INLINE,
    MISSING,
    ArrayMetadata,
    ChunkManifest,
    ManifestArray,
    RegularGrid,
)
from virtualizarr.model.dtypes import decode_fill, encode_fill
from virtualizarr.model.json import Json
from virtualizarr.parsers.hdf5.convert.context import OpenFile
from virtualizarr.parsers.hdf5.convert.dimensions import Dimensions, Scale
from virtualizarr.parsers.hdf5.convert.elements import element_of
from virtualizarr.parsers.hdf5.convert.pipeline import decode_bytes, encode_bytes
from virtualizarr.parsers.hdf5.layout import Dataset, FillState
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Reading

type Cells = tuple[npt.NDArray[np.intp], ...]

NETCDF_FILL = {
    **{("i", size): -(1 << 8 * size - 1) + 1 for size in (1, 2, 4)},
    **{("u", size): (1 << 8 * size) - 1 for size in (1, 2, 4)},
    ("i", 8): -(1 << 63) + 2,
    ("u", 8): (1 << 64) - 2,
    **{("f", size): 9.9692099683868690e36 for size in (4, 8)},
}
"""netCDF's default fill values (netcdf.h), by kind and bytes."""

_NEVER = 1  # Fill Value Write Time

DENSE_CELLS = 1 << 21
"""Chunks that a grid may be lengthened to, whatever it was: 32 MiB of columns."""


MAX_EDGES = 64 * 1024 * 1024
"""Bytes of decoded chunks of one variable that are kept inline."""


def read_lengthened(
    file: OpenFile, dimensions: Dimensions, dataset: Dataset, storage: ManifestArray
) -> Reading[ManifestArray | VirtualizeError]:
    """Return the storage of a dataset as long as its unlimited dimensions; or why it cannot be."""
    shape = _whole_shape(storage.shape, dataset, dimensions.scales_of(dataset))
    if shape == storage.shape:
        return storage
    try:
        return (yield from _read_lengthened(file, dataset, storage, shape))
    except VirtualizeError as error:
        return error


def _whole_shape(
    shape: tuple[int, ...], dataset: Dataset, named: Sequence[Scale | None]
) -> tuple[int, ...]:
    if not any(scale is not None and scale.unlimited for scale in named):
        return shape
    own = zip(shape, dataset.dataspace.max_shape, named, strict=False)  # arrays have more axes
    whole = tuple(
        max(size, scale.size) if limit is None and scale is not None and scale.unlimited else size
        for size, limit, scale in own
    )
    return whole + shape[len(whole) :]


def _read_lengthened(
    file: OpenFile, dataset: Dataset, storage: ManifestArray, shape: tuple[int, ...]
) -> Reading[ManifestArray]:
    metadata, fill = storage.metadata.replace(shape=shape), dataset.fill_value
    if fill.write_time == _NEVER and not (storage.manifest.location == MISSING).any():
        metadata = metadata.replace(fill_value=_netcdf_fill(metadata))
    array = ManifestArray(metadata, _padded(storage.manifest, metadata.grid_shape))
    element = element_of(dataset.datatype)
    if element.is_text or (fill.write_time != _NEVER and fill.state is not FillState.UNDEFINED):
        return array
    return (yield from _read_edges(file, element.dtype, array, storage.shape))


def _read_edges(
    file: OpenFile, dtype: np.dtype[Any], array: ManifestArray, written: tuple[int, ...]
) -> Reading[ManifestArray]:
    """Fill the chunks that reach past the shape that was `written`."""
    metadata, manifest = array.metadata, array.manifest
    grid = metadata.chunk_grid
    assert isinstance(grid, RegularGrid)
    cells = _edge_cells(manifest, grid.chunk_shape, written, metadata.shape)
    if not len(cells[0]):
        return array
    size = prod(grid.chunk_shape) * metadata.dtype.itemsize
    stored = int(manifest.length[cells].sum(dtype=np.uint64))
    if max(len(cells[0]) * size, stored) > MAX_EDGES or any(
        code == INLINE or manifest.locations[code].url != file.url
        for code in np.unique(manifest.location[cells])
    ):
        raise UnsupportedFeatureError(
            f"shape {written} in chunks of {grid.chunk_shape} without fill values, along unlimited "
            f"dimensions that are longer: {len(cells[0])} chunks hold other bytes past its end"
        )
    extents = zip(manifest.offset[cells].tolist(), manifest.length[cells].tolist(), strict=True)
    blocks = yield [ByteRange(at, at + n) for at, n in extents]
    chain = [dict(each) for each in metadata.codecs[1:]]
    raw = b"".join(decode_bytes(chain, bytes(block), size) for block in blocks)
    chunks = np.frombuffer(raw, dtype).reshape(-1, *grid.chunk_shape).copy()
    chunks[_beyond(cells, grid.chunk_shape, written)] = decode_fill(metadata.fill_value, dtype)
    encoded = [encode_bytes(chain, each.tobytes()) for each in chunks]
    return ManifestArray(metadata, _with_inline(manifest, cells, encoded))


def _edge_cells(
    manifest: ChunkManifest,
    chunk_shape: tuple[int, ...],
    written: tuple[int, ...],
    shape: tuple[int, ...],
) -> Cells:
    """Return which chunks hold elements on both sides of the end of a lengthened axis."""
    chosen = np.zeros(manifest.shape_chunk_grid, np.bool_)
    for axis, (chunk, end, whole) in enumerate(zip(chunk_shape, written, shape, strict=True)):
        if whole > end and end % chunk:
            np.moveaxis(chosen, axis, 0)[end // chunk] = True
    return np.nonzero(chosen & (manifest.location != MISSING))


def _beyond(
    cells: Cells, chunk_shape: tuple[int, ...], written: tuple[int, ...]
) -> npt.NDArray[np.bool_]:
    """Return which elements of the chunks at `cells` lie past the end of an axis."""
    beyond = np.zeros((len(cells[0]), *chunk_shape), np.bool_)
    for axis, (cell, chunk, end) in enumerate(zip(cells, chunk_shape, written, strict=True)):
        past = cell[:, None] * chunk + np.arange(chunk) >= end
        beyond |= np.expand_dims(past, tuple(i + 1 for i in range(len(chunk_shape)) if i != axis))
    return beyond


def _with_inline(manifest: ChunkManifest, cells: Cells, encoded: Sequence[bytes]) -> ChunkManifest:
    location, offset = manifest.location.copy(), manifest.offset.copy()
    length = manifest.length.astype(np.uint64)
    sizes = np.array([len(each) for each in encoded], np.uint64)
    location[cells] = INLINE
    offset[cells] = len(manifest.inline) + np.cumsum(sizes) - sizes
    length[cells] = sizes
    return ChunkManifest.from_columns(
        manifest.locations, location, offset, length, manifest.inline + b"".join(encoded)
    )


def _netcdf_fill(metadata: ArrayMetadata) -> Json:
    """Return what netCDF-C gives for records that a variable written without fill values lacks."""
    dtype = metadata.dtype
    if dtype.kind in "iuf" and (dtype.kind, dtype.itemsize) in NETCDF_FILL:
        return encode_fill(NETCDF_FILL[dtype.kind, dtype.itemsize], dtype)
    return metadata.fill_value


def _padded(manifest: ChunkManifest, grid: tuple[int, ...]) -> ChunkManifest:
    """Return the manifest on a larger grid; the new chunks are missing."""
    if manifest.all_missing:
        return ChunkManifest.empty(grid)
    cells = prod(grid)
    if cells > DENSE_CELLS + 256 * manifest.location.size:
        raise UnsupportedFeatureError(f"a grid of {cells} chunks, nearly all of them missing")
    more = [(0, n - m) for n, m in zip(grid, manifest.shape_chunk_grid, strict=True)]

    def pad[A: npt.NDArray[Any]](column: A, value: Any) -> A:
        return np.pad(column, more, constant_values=value)  # type: ignore[return-value]

    return ChunkManifest.from_columns(
        manifest.locations,
        pad(manifest.location, MISSING),
        pad(manifest.offset, 0),
        pad(manifest.length, 0),
        manifest.inline,
    )
