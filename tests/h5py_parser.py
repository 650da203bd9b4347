"""A parser for tests that lets h5py find the chunks: independent of our own HDF5 parser.

It has the form of VirtualiZarr 2.x's parsers, `(url, registry) -> ManifestStore`, and knows zlib
and shuffle, fixed-size dtypes, groups, and dimension scales.
"""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np

from virtualizarr.model import (
    ArrayMetadata,
    ChunkManifest,
    Location,
    ManifestArray,
    ManifestGroup,
)
from virtualizarr.source.urls import local_path
from virtualizarr.store import ManifestStore

HIDDEN = {"CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST", "_Netcdf4Dimid", "_NCProperties"}
HIDDEN |= {"_Netcdf4Coordinates", "_nc3_strict"}


def h5py_parser(url: str, registry: Any) -> ManifestStore:
    """Return the HDF5 file at a `file://` URL as a store."""
    with h5py.File(local_path(url)) as file:
        return ManifestStore(_group(file, Location(url)), registry=registry)


def _group(group: h5py.Group, location: Location) -> ManifestGroup:
    arrays, groups = {}, {}
    for name, item in group.items():
        if isinstance(item, h5py.Group):
            groups[name] = _group(item, location)
        elif not item.attrs.get("NAME", b"").startswith(b"This is a netCDF dimension but not"):
            arrays[name] = _array(item, location)
    return ManifestGroup(arrays, groups, _attributes(group))


def _array(dataset: h5py.Dataset, location: Location) -> ManifestArray:
    chunk_shape = dataset.chunks or dataset.shape
    codecs: list[dict[str, Any]] = []
    if dataset.shuffle:
        settings = {"elementsize": dataset.dtype.itemsize}
        codecs.append({"name": "numcodecs.shuffle", "configuration": settings})
    if dataset.compression == "gzip":
        codecs.append({"name": "numcodecs.zlib", "configuration": {"level": 4}})
    metadata = ArrayMetadata.create(
        shape=dataset.shape,
        dtype=dataset.dtype,
        chunk_shape=chunk_shape,
        codecs=codecs,
        fill_value=dataset.fillvalue,
        attributes=_attributes(dataset),
        dimension_names=_dims(dataset),
    )
    grid = metadata.grid_shape
    offset, length = np.zeros(grid, np.uint64), np.zeros(grid, np.uint64)
    if dataset.chunks:
        for i in range(dataset.id.get_num_chunks()):
            info = dataset.id.get_chunk_info(i)
            cell = tuple(np.array(info.chunk_offset) // chunk_shape)
            offset[cell], length[cell] = info.byte_offset, info.size
    elif dataset.id.get_offset() is not None:
        offset[...], length[...] = dataset.id.get_offset(), dataset.id.get_storage_size()
    manifest = ChunkManifest.single_file(location, offset, length, length > 0)
    return ManifestArray(metadata, manifest)


def _dims(dataset: h5py.Dataset) -> tuple[str | None, ...]:
    if dataset.is_scale and dataset.ndim == 1:
        return (dataset.name.rpartition("/")[2],)
    scales = [list(axis.values()) for axis in dataset.dims]
    return tuple(axis[0].name.rpartition("/")[2] if axis else None for axis in scales)


def _attributes(node: h5py.Group | h5py.Dataset) -> dict[str, Any]:
    return {
        name: value[0] if isinstance(value, np.ndarray) and value.shape == (1,) else value
        for name, value in node.attrs.items()
        if name not in HIDDEN
    }
