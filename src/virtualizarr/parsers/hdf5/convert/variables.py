"""Variables: a dataset's storage with the names and attributes that it is shown with."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model import MISSING, ArrayMetadata, ChunkManifest, ManifestArray
from virtualizarr.model.dtypes import encode_fill
from virtualizarr.model.json import Json
from virtualizarr.parsers.hdf5.convert.attributes import convert_attributes
from virtualizarr.parsers.hdf5.convert.context import OpenFile
from virtualizarr.parsers.hdf5.convert.dimensions import Dimensions, Scale
from virtualizarr.parsers.hdf5.convert.text import readable
from virtualizarr.parsers.hdf5.layout import Dataset
from virtualizarr.parsers.hdf5.layout_datatype import Enumerated

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


def variable_of(
    file: OpenFile, dimensions: Dimensions, group: str, dataset: Dataset, storage: ManifestArray
) -> ManifestArray:
    """Return `storage` with dimension names and attributes, as a variable of the group at `group`.

    An axis along an unlimited dimension that is longer than the axis is lengthened with missing
    chunks, as netCDF-4 does; they read as its default fill value where the variable has none.
    """
    named = dimensions.scales_of(dataset)
    lengthened = _lengthened(storage, dataset, named)
    extra = len(storage.shape) - len(named)
    names = dimensions.complete(group, lengthened.shape, [*named, *[None] * extra])
    attributes = convert_attributes(dataset.attributes, file.paths)
    if isinstance(dataset.datatype, Enumerated) and not dataset.datatype.is_boolean:
        attributes = {**_flags(dataset.datatype), **attributes}
    stored = lengthened.metadata
    metadata = ArrayMetadata(
        stored.shape,
        stored.data_type,
        stored.chunk_grid,
        stored.codecs,
        stored.fill_value,
        attributes,
        names,
    )
    return ManifestArray(metadata, lengthened.manifest)


def _flags(datatype: Enumerated) -> dict[str, Any]:
    """Return the names of an enumeration's values as CF (3.5) writes them."""
    dtype = datatype.base.numpy_dtype()
    if dtype is None or not datatype.names:
        return {}
    return {
        "flag_values": np.array(datatype.values, dtype.newbyteorder("=")),
        "flag_meanings": " ".join("_".join(readable(name).split()) for name in datatype.names),
    }


def _lengthened(
    storage: ManifestArray, dataset: Dataset, named: list[Scale | None]
) -> ManifestArray:
    axes = zip(dataset.dataspace.shape, dataset.dataspace.max_shape, named, strict=True)
    if not any(scale is not None and scale.unlimited for scale in named):
        return storage
    shape = [
        max(size, scale.size) if limit is None and scale is not None and scale.unlimited else size
        for size, limit, scale in axes
    ]
    whole = (*shape, *storage.shape[len(shape) :])
    if whole == storage.shape:
        return storage
    metadata = storage.metadata.replace(shape=whole)
    if dataset.fill_value.write_time == _NEVER and not (storage.manifest.location == MISSING).any():
        metadata = metadata.replace(fill_value=_netcdf_fill(metadata))
    return ManifestArray(metadata, _padded(storage.manifest, metadata.grid_shape))


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
