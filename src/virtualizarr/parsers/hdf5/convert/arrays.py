"""Datasets: data layouts become manifests.

Storage without its names: what `read_array` returns has no attributes and no dimension names. One
dataset may be shown under several paths; its storage is read once.
"""

from __future__ import annotations

from math import prod

import numpy as np

from virtualizarr.errors import CorruptFileError
from virtualizarr.model import ChunkManifest, ManifestArray
from virtualizarr.parsers.hdf5.convert.blocks import rows_per_chunk
from virtualizarr.parsers.hdf5.convert.build import array_of, data_size
from virtualizarr.parsers.hdf5.convert.context import OpenFile
from virtualizarr.parsers.hdf5.convert.elements import Element, element_of
from virtualizarr.parsers.hdf5.convert.external import read_external
from virtualizarr.parsers.hdf5.convert.pipeline import codecs_for, pipeline_of
from virtualizarr.parsers.hdf5.convert.strings import read_strings
from virtualizarr.parsers.hdf5.convert.virtual import read_virtual
from virtualizarr.parsers.hdf5.index import ChunkIndex, read_chunk_index
from virtualizarr.parsers.hdf5.layout import (
    ChunkedLayout,
    CompactLayout,
    ContiguousLayout,
    Dataset,
    DataspaceType,
    VirtualLayout,
)
from virtualizarr.parsers.hdf5.read import through_cache_image
from virtualizarr.source.reading import Reading

SMALL = 4096
"""Chunk grids up to which a column of zeros costs less than a view that repeats one."""


def read_array(file: OpenFile, dataset: Dataset) -> Reading[ManifestArray]:
    """Return a dataset's storage as an array without attributes and dimension names.

    An array datatype's axes trail the dataset's own. A dataset with a null dataspace, which holds
    no element, is an array of shape `(0,)`. Raises UnsupportedFeatureError for what Zarr cannot
    hold, CorruptFileError for what does not fit together.
    """
    element = element_of(dataset.datatype)
    if element.in_heap:
        return (yield from read_strings(file, dataset))
    if dataset.dataspace.type is DataspaceType.NULL:
        return array_of(dataset, element, shape=(0,), chunk_shape=(1,))
    match dataset.layout:
        case CompactLayout():
            return _compact(dataset, element, dataset.layout)
        case ContiguousLayout():
            if dataset.external_files:
                return (yield from read_external(file, dataset, element))
            return _contiguous(file, dataset, element, dataset.layout)
        case ChunkedLayout():
            return (yield from _read_chunked(file, dataset, element, dataset.layout))
        case VirtualLayout():
            return (yield from read_virtual(file, dataset, element, dataset.layout, read_array))


def _compact(dataset: Dataset, element: Element, layout: CompactLayout) -> ManifestArray:
    shape, size = dataset.dataspace.shape, data_size(dataset)
    if len(layout.data) < size:
        raise CorruptFileError(f"compact data of {len(layout.data)} bytes, {size} are declared")
    manifest = ChunkManifest.inlined(layout.data[:size]) if size else None
    return array_of(dataset, element, shape=shape, chunk_shape=shape, manifest=manifest)


def _contiguous(
    file: OpenFile, dataset: Dataset, element: Element, layout: ContiguousLayout
) -> ManifestArray:
    shape, size = dataset.dataspace.shape, data_size(dataset)
    if layout.address is None or size == 0:
        return array_of(dataset, element, shape=shape, chunk_shape=shape)
    if layout.size is not None and layout.size < size:
        raise CorruptFileError(
            f"{layout.size} bytes are allocated for the {size} bytes of shape {shape}",
            at=layout.address,
        )
    file.check_extent(layout.address, size, "contiguous data")
    rows = rows_per_chunk(shape[0], size // shape[0]) if shape else 1
    parts = shape[0] // rows if shape else 1
    part = size // parts
    if parts == 1:
        manifest = _one_chunk(file, layout.address, size, len(shape))
        return array_of(dataset, element, shape=shape, chunk_shape=shape, manifest=manifest)
    offset = np.uint64(layout.address) + np.arange(parts, dtype=np.uint64) * np.uint64(part)
    return array_of(
        dataset,
        element,
        shape=shape,
        chunk_shape=(rows, *shape[1:]) if shape else (),
        manifest=ChunkManifest.single_file(file.location, offset, part),
    )


def _one_chunk(file: OpenFile, address: int, size: int, rank: int) -> ChunkManifest:
    grid = (1,) * rank
    length = np.full(grid, size, np.uint32 if size < 2**32 else np.uint64)
    location = np.zeros(grid, np.uint32)
    offset = np.full(grid, address, np.uint64)
    return ChunkManifest.from_columns((file.location,), location, offset, length)


def manifest_of(index: ChunkIndex, grid: tuple[int, ...], file: OpenFile) -> ChunkManifest:
    """Return the chunks of an index over its grid; those without a row are missing."""
    count, cell, size = len(index), index.cell, index.size
    whole = 0 < count <= SMALL and count == prod(grid) and any(size.strides)
    if whole and (count == 1 or bool((cell[1:] > cell[:-1]).all())) and int(size.max()) < 2**32:
        return ChunkManifest.from_columns(
            (file.location,),
            np.zeros(grid, np.uint32),
            index.address.reshape(grid),
            size.astype(np.uint32).reshape(grid),
        )
    return ChunkManifest.from_rows(grid, file.location, cell, index.address, size, file.size)


def _read_chunked(
    file: OpenFile, dataset: Dataset, element: Element, layout: ChunkedLayout
) -> Reading[ManifestArray]:
    space, datatype = dataset.dataspace, dataset.datatype
    if layout.element_size != datatype.size or len(layout.chunk_shape) != len(space.shape):
        raise CorruptFileError(
            f"chunks {layout.chunk_shape} of {layout.element_size}-byte elements do not fit "
            f"shape {space.shape} of {datatype.size}-byte elements"
        )
    pipeline = pipeline_of(dataset.filters, datatype.size)
    index = yield from through_cache_image(
        file.superblock,
        read_chunk_index(
            layout,
            space.shape,
            space.max_shape,
            file.superblock.sizes,
            bool(dataset.filters),
            file.size,
        ),
    )
    grid = tuple(-(-n // c) for n, c in zip(space.shape, layout.chunk_shape, strict=True))
    return array_of(
        dataset,
        element,
        shape=space.shape,
        chunk_shape=layout.chunk_shape,
        codecs=codecs_for(pipeline, index),
        manifest=manifest_of(index, grid, file),
    )
