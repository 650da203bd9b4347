"""Datasets: data layouts become manifests.

Storage without its names: what `read_array` returns has no attributes and no dimension names. One
dataset may be shown under several paths; its storage is read once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError, VirtualizeError
from virtualizarr.model import AffineRun, ChunkManifest, ManifestArray
from virtualizarr.model.columns import is_uniform, narrowed
from virtualizarr.parsers.hdf5.convert.blocks import rows_per_chunk
from virtualizarr.parsers.hdf5.convert.build import array_of, data_size
from virtualizarr.parsers.hdf5.convert.context import OpenFile
from virtualizarr.parsers.hdf5.convert.elements import Element, element_of
from virtualizarr.parsers.hdf5.convert.external import read_external
from virtualizarr.parsers.hdf5.convert.pipeline import codecs_for, pipeline_of
from virtualizarr.parsers.hdf5.convert.texts import read_texts
from virtualizarr.parsers.hdf5.convert.virtual import read_virtual
from virtualizarr.parsers.hdf5.index import ChunkedData, ChunkIndex, read_chunk_indexes
from virtualizarr.parsers.hdf5.layout import (
    ChunkedLayout,
    CompactLayout,
    ContiguousLayout,
    Dataset,
    DataspaceType,
    VirtualLayout,
)
from virtualizarr.parsers.hdf5.read import through_cache_image
from virtualizarr.source.reading import Reading, together

type ArrayOrError = ManifestArray | VirtualizeError


def read_array(file: OpenFile, dataset: Dataset) -> Reading[ManifestArray]:
    """Return a dataset's storage as an array without attributes and dimension names.

    An array datatype's axes trail the dataset's own. A dataset with a null dataspace, which holds
    no element, is an array of shape `(0,)`. Raises UnsupportedFeatureError for what Zarr cannot
    hold, CorruptFileError for what does not fit together.
    """
    (found,) = yield from read_arrays(file, [dataset])
    if isinstance(found, VirtualizeError):
        raise found
    return found


def read_arrays(file: OpenFile, datasets: Sequence[Dataset]) -> Reading[list[ArrayOrError]]:
    """Return for each dataset what `read_array` returns, or the error that it raises.

    The chunk indexes of all are read together, one level a round.
    """
    found: dict[int, ArrayOrError] = {}
    chunked: dict[int, ChunkedData] = {}
    others: dict[int, Reading[ArrayOrError]] = {}
    for number, dataset in enumerate(datasets):
        try:
            plan = _plan(file, dataset)
        except VirtualizeError as error:
            found[number] = error
            continue
        if isinstance(plan, ManifestArray):
            found[number] = plan
        elif isinstance(plan, ChunkedData):
            chunked[number] = plan
        else:
            others[number] = _caught(plan)
    reading = read_chunk_indexes([*chunked.values()], file.superblock.sizes, file.size)
    parts: list[Reading[Any]] = [
        through_cache_image(file.superblock, reading),
        together([*others.values()]),
    ]
    indexes, arrays = yield from together(parts)
    found |= zip(others, arrays, strict=True)
    for number, index in zip(chunked, indexes, strict=True):
        found[number] = _chunked(file, datasets[number], index)
    return [found[number] for number in range(len(datasets))]


def _plan(file: OpenFile, dataset: Dataset) -> ManifestArray | ChunkedData | Reading[ManifestArray]:
    """Return the array where nothing must be read for it; else what is to be read."""
    element = element_of(dataset.datatype)
    if element.is_text:
        return read_texts(file, dataset)
    if dataset.dataspace.type is DataspaceType.NULL:
        return array_of(dataset, element, shape=(0,), chunk_shape=(1,))
    match dataset.layout:
        case ChunkedLayout():
            return chunked_data(dataset, dataset.layout)
        case CompactLayout():
            return _compact(dataset, element, dataset.layout)
        case ContiguousLayout() if dataset.external_files:
            return read_external(file, dataset, element)
        case ContiguousLayout():
            return _contiguous(file, dataset, element, dataset.layout)
        case VirtualLayout():
            return read_virtual(file, dataset, element, dataset.layout, read_array)


def _caught(reading: Reading[ManifestArray]) -> Reading[ArrayOrError]:
    try:
        return (yield from reading)
    except VirtualizeError as error:
        return error


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
    run = AffineRun.contiguous(layout.address, part, (parts, *(1,) * (len(shape) - 1)))
    return array_of(
        dataset,
        element,
        shape=shape,
        chunk_shape=(rows, *shape[1:]) if shape else (),
        manifest=ChunkManifest.single_file(file.location, run, part),
    )


def _one_chunk(file: OpenFile, address: int, size: int, rank: int) -> ChunkManifest:
    grid = (1,) * rank
    length = np.array(size, np.uint32) if size < 2**32 else np.array(size, np.uint64)
    offset = np.array(address, np.uint64)
    return ChunkManifest.from_columns(
        (file.location,), _all_in_one_file(grid), offset.reshape(grid), length.reshape(grid)
    )


def chunked_data(dataset: Dataset, layout: ChunkedLayout) -> ChunkedData:
    """Return what the reading of a chunk index needs; raises as `read_array`."""
    space, datatype = dataset.dataspace, dataset.datatype
    if layout.element_size != datatype.size or len(layout.chunk_shape) != len(space.shape):
        raise CorruptFileError(
            f"chunks {layout.chunk_shape} of {layout.element_size}-byte elements do not fit "
            f"shape {space.shape} of {datatype.size}-byte elements"
        )
    pipeline_of(dataset.filters, datatype.size)
    return ChunkedData(layout, space.shape, space.max_shape, bool(dataset.filters))


def _chunked(file: OpenFile, dataset: Dataset, index: ChunkIndex | VirtualizeError) -> ArrayOrError:
    if isinstance(index, VirtualizeError):
        return index
    shape, layout = dataset.dataspace.shape, dataset.layout
    assert isinstance(layout, ChunkedLayout)
    grid = tuple([-(-n // c) for n, c in zip(shape, layout.chunk_shape, strict=True)])
    try:
        return array_of(
            dataset,
            element_of(dataset.datatype),
            shape=shape,
            chunk_shape=layout.chunk_shape,
            codecs=codecs_for(pipeline_of(dataset.filters, dataset.datatype.size), index),
            manifest=manifest_of(index, grid, file),
        )
    except VirtualizeError as error:
        return error


def manifest_of(index: ChunkIndex, grid: tuple[int, ...], file: OpenFile) -> ChunkManifest:
    """Return the chunks of an index over its grid; those without a row are missing."""
    if not index.complete:
        return ChunkManifest.from_rows(
            grid, file.location, index.cell, index.address, index.size, file.size
        )
    return ChunkManifest.from_columns(
        (file.location,),
        _all_in_one_file(grid),
        _offsets(index, grid),
        narrowed(index.size).reshape(grid),
    )


def _offsets(index: ChunkIndex, grid: tuple[int, ...]) -> npt.NDArray[np.uint64] | AffineRun:
    """Return the addresses of a complete index, as a run where chunks follow one another."""
    address = index.address
    if is_uniform(index.size) and len(address) > 1:
        first, size = int(address[0]), index.size[0]
        if int(address[-1]) - first == int(size) * (len(address) - 1) and bool(
            (address[1:] - address[:-1] == size).all()
        ):
            return AffineRun.contiguous(first, int(size), grid)
    return address.reshape(grid)


@lru_cache(maxsize=256)
def _all_in_one_file(grid: tuple[int, ...]) -> npt.NDArray[np.uint32]:
    """Return the codes of chunks that all lie in the first location; they cost nothing."""
    return np.broadcast_to(np.uint32(0), grid)
