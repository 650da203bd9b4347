"""Chunks that need no index structure: one single chunk, or all of one size in a row (IV.A.2.i)."""

from __future__ import annotations

import math

import numpy as np

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.hdf5.index.bounds import check_extent
from virtualizarr.parsers.hdf5.index.columns import ChunkedStorage, IndexRows, gathered
from virtualizarr.parsers.hdf5.index.grid import strides


def single_chunk(storage: ChunkedStorage) -> IndexRows:
    """The one chunk of a dataset that is no larger than a chunk; the index address is its own."""
    layout = storage.layout
    if storage.grid.cells > 1:
        raise CorruptFileError(
            f"a single chunk cannot fill a chunk grid of {storage.grid.counts}", at=storage.address
        )
    if storage.filtered and layout.single_chunk_size is None:
        raise CorruptFileError("a filtered single chunk has no size", at=storage.address)
    count = storage.grid.cells
    rows = IndexRows(
        np.zeros(count, np.int64),
        np.full(count, storage.address - storage.sizes.base, np.uint64),
        np.full(count, layout.single_chunk_size, np.uint64) if storage.filtered else None,
        np.full(count, layout.single_chunk_filter_mask, np.uint32) if storage.filtered else None,
    )
    return gathered([rows], count, storage)


def implicit_chunks(storage: ChunkedStorage) -> IndexRows:
    """All chunks of the maximum shape, unfiltered and in C order from the index address on."""
    grid = storage.grid
    limits = [count for count in grid.max_counts if count is not None]
    if len(limits) < len(grid.max_counts) or storage.filtered:
        raise CorruptFileError(
            "an implicit chunk index needs limited dimensions and no filters", at=storage.address
        )
    steps = strides(limits)
    last = sum((count - 1) * step for count, step in zip(grid.counts, steps, strict=True))
    if grid.cells > 0:
        size = (last + 1) * storage.chunk_bytes
        check_extent(storage.address, size, storage.file_size, "an implicitly indexed dataset")
    cell = np.arange(grid.cells, dtype=np.int64)
    position = cell
    if math.prod(limits) != grid.cells:
        position = np.zeros(len(cell), np.int64)
        for count, stride, step in zip(grid.counts, grid.strides, steps, strict=True):
            position += cell // stride % count * step
    address = position.astype(np.uint64) * np.uint64(storage.chunk_bytes)
    address += np.uint64(storage.address)
    return IndexRows(cell, address, None, None)
