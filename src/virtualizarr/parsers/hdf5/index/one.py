"""The chunk index of one dataset, of whatever type."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.parsers.hdf5.index.affine import implicit_chunks, single_chunk
from virtualizarr.parsers.hdf5.index.bounds import MAX_ADDRESS, Bytes2D, check_extent
from virtualizarr.parsers.hdf5.index.btree1 import read_btree1
from virtualizarr.parsers.hdf5.index.btree2 import read_btree2
from virtualizarr.parsers.hdf5.index.columns import ChunkedStorage, IndexRows, check_extents
from virtualizarr.parsers.hdf5.index.extensible_array import read_extensible_array
from virtualizarr.parsers.hdf5.index.fixed_array import read_fixed_array
from virtualizarr.parsers.hdf5.index.grid import ChunkGrid, has_duplicates, is_ascending
from virtualizarr.parsers.hdf5.layout import ChunkedLayout, ChunkIndexType, Sizes
from virtualizarr.source.reading import Reading

_ALL_FILTERS_SKIPPED = 2**32 - 1


@dataclass(frozen=True, slots=True)
class ChunkedData:
    """What must be known of a dataset to read its chunk index.

    `max_shape` holds None for unlimited dimensions; `filtered` tells whether the dataset has a
    filter pipeline.
    """

    layout: ChunkedLayout
    shape: tuple[int, ...]
    max_shape: tuple[int | None, ...]
    filtered: bool


@dataclass(frozen=True, slots=True, eq=False)
class ChunkIndex:
    """The allocated chunks of a dataset: columns with one row each, in no promised order.

    No cell occurs twice, and every chunk lies within the file if its size was known. Columns may
    be read-only views that repeat one value (stride 0). `complete` tells that there is a row for
    every cell of the grid, in order; where it is False there may be all the same.
    """

    cell: npt.NDArray[np.int64]  # C-order position in the chunk grid of the current shape
    address: npt.NDArray[np.uint64]  # absolute file offset, bytes
    size: npt.NDArray[np.unsignedinteger[Any]]  # bytes stored; uint32 or uint64
    filter_mask: npt.NDArray[np.uint32]  # bit i set: filter i was not applied
    filters_skipped: bool  # whether any bit of `filter_mask` is set
    complete: bool = False

    def __len__(self) -> int:
        return len(self.cell)


_READERS: dict[ChunkIndexType, Callable[[ChunkedStorage], Reading[IndexRows]]] = {
    ChunkIndexType.BTREE_V1: read_btree1,
    ChunkIndexType.FIXED_ARRAY: read_fixed_array,
    ChunkIndexType.EXTENSIBLE_ARRAY: read_extensible_array,
    ChunkIndexType.BTREE_V2: read_btree2,
}
_WITHOUT_READING: dict[ChunkIndexType, Callable[[ChunkedStorage], IndexRows]] = {
    ChunkIndexType.SINGLE_CHUNK: single_chunk,
    ChunkIndexType.IMPLICIT: implicit_chunks,
}


def read_chunk_index(data: ChunkedData, sizes: Sizes, file_size: int | None) -> Reading[ChunkIndex]:
    """Read where the chunks of a dataset lie.

    Without `file_size` (bytes), the superblock's end of file address stands in. Chunks outside the
    current shape, left by a shrink, are dropped. A partial edge chunk of a dataset that leaves such
    chunks unfiltered has all bits of its filter mask set.

    Rounds: B-tree v1 one per level; v2 one more than that; fixed array 1-3; extensible array 1-4;
    single chunk and implicit none. Raises CorruptFileError, and UnsupportedFeatureError for what
    only a strange writer would make.
    """
    storage = storage_of(data, sizes, file_size)
    return NO_CHUNKS if storage is None else (yield from read_index(storage))


def storage_of(data: ChunkedData, sizes: Sizes, file_size: int | None) -> ChunkedStorage | None:
    """Return what the readers of indexes work on; None if there can be no chunks."""
    layout = data.layout
    grid = ChunkGrid.of(data.shape, data.max_shape, layout.chunk_shape)
    chunk_bytes = math.prod(layout.chunk_shape) * layout.element_size
    if not 0 < chunk_bytes <= MAX_ADDRESS:
        raise CorruptFileError(f"a chunk of {chunk_bytes} bytes", at=layout.index_address)
    if sizes.offset not in (2, 4, 8) or sizes.length not in (2, 4, 8):
        raise UnsupportedFeatureError(
            f"offsets of {sizes.offset} and lengths of {sizes.length} bytes in a chunk index"
        )
    if layout.index_address is None or grid.cells == 0:
        return None
    end = file_size if file_size is not None else sizes.end_of_file
    check_extent(layout.index_address, 1, end, "a chunk index")
    return ChunkedStorage(
        layout, grid, sizes, data.filtered, end, layout.index_address, chunk_bytes
    )


def read_index(storage: ChunkedStorage, root: Bytes2D | None = None) -> Reading[ChunkIndex]:
    """Read an index; `root` is the root node of a version 1 B-tree if that is known already."""
    kind = storage.layout.index_type
    try:
        if root is not None:
            rows = yield from read_btree1(storage, root)
        elif kind in _READERS:
            rows = yield from _READERS[kind](storage)
        else:
            rows = _WITHOUT_READING[kind](storage)
    except VirtualizeError as error:
        error.located(at=storage.address)
        raise
    ascending = is_ascending(rows.cell)
    if not ascending and has_duplicates(rows.cell, storage.grid.cells):
        raise CorruptFileError("the index holds a chunk more than once", at=storage.address)
    complete = ascending and len(rows.cell) == storage.grid.cells
    index = _index(rows, storage.chunk_bytes, complete)
    if storage.layout.partial_edge_chunks_unfiltered and storage.filtered:
        return _with_unfiltered_edges(index, storage)
    return index


def _index(rows: IndexRows, chunk_bytes: int, complete: bool) -> ChunkIndex:
    count = len(rows.cell)
    size, mask = rows.size, rows.filter_mask
    return ChunkIndex(
        rows.cell,
        rows.address.copy() if complete else rows.address,  # it stays as it is in the manifest
        size if size is not None else np.broadcast_to(np.uint64(chunk_bytes), count),
        mask if mask is not None else np.broadcast_to(np.uint32(0), count),
        mask is not None and bool(mask.any()),
        complete,
    )


def _with_unfiltered_edges(index: ChunkIndex, storage: ChunkedStorage) -> ChunkIndex:
    """Partial edge chunks are stored whole and unfiltered, whatever the index says of them."""
    partial = storage.grid.partial(index.cell)
    size = np.where(partial, np.uint64(storage.chunk_bytes), index.size)
    mask = np.where(partial, np.uint32(_ALL_FILTERS_SKIPPED), index.filter_mask)
    edges = IndexRows(index.cell, index.address - np.uint64(storage.sizes.base), size, mask)
    check_extents(edges, storage)
    return ChunkIndex(index.cell, index.address, size, mask, bool(mask.any()), index.complete)


NO_CHUNKS = _index(IndexRows(np.empty(0, np.int64), np.empty(0, np.uint64), None, None), 1, False)
