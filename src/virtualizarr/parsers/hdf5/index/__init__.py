"""Chunk indexes: where each chunk of a dataset lies (HDF5 File Format Specification 4.0).

Every index becomes the same few columns, one row per allocated chunk, read one level per round and
decoded by whole levels: B-trees of version 1 and 2, single chunk, implicit, fixed and extensible
arrays. Every checksum is verified; B-trees of version 1 have none.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.parsers.hdf5.index.affine import implicit_chunks, single_chunk
from virtualizarr.parsers.hdf5.index.bounds import MAX_ADDRESS, check_extent
from virtualizarr.parsers.hdf5.index.btree1 import read_btree1
from virtualizarr.parsers.hdf5.index.btree2 import read_btree2
from virtualizarr.parsers.hdf5.index.columns import ChunkedStorage, IndexRows, check_extents
from virtualizarr.parsers.hdf5.index.extensible_array import read_extensible_array
from virtualizarr.parsers.hdf5.index.fixed_array import read_fixed_array
from virtualizarr.parsers.hdf5.index.grid import ChunkGrid, has_duplicates
from virtualizarr.parsers.hdf5.layout import ChunkedLayout, ChunkIndexType, Sizes
from virtualizarr.source.reading import Reading

__all__ = ["ChunkIndex", "read_chunk_index"]

_ALL_FILTERS_SKIPPED = 2**32 - 1


@dataclass(frozen=True, slots=True, eq=False)
class ChunkIndex:
    """The allocated chunks of a dataset: columns with one row each, in no promised order.

    No cell occurs twice, and every chunk lies within the file if its size was known. Columns may
    be read-only views that repeat one value (stride 0).
    """

    cell: npt.NDArray[np.int64]  # C-order position in the chunk grid of the current shape
    address: npt.NDArray[np.uint64]  # absolute file offset, bytes
    size: npt.NDArray[np.uint64]  # bytes stored
    filter_mask: npt.NDArray[np.uint32]  # bit i set: filter i was not applied

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


def read_chunk_index(
    layout: ChunkedLayout,
    shape: tuple[int, ...],
    max_shape: tuple[int | None, ...],
    sizes: Sizes,
    filtered: bool,
    file_size: int | None,
) -> Reading[ChunkIndex]:
    """Read where the chunks of a dataset lie.

    `max_shape` holds None for unlimited dimensions; `filtered` tells whether the dataset has a
    filter pipeline; without `file_size` (bytes), the superblock's end of file address stands in.
    Chunks outside the current shape, left by a shrink, are dropped. A partial edge chunk of a
    dataset that leaves such chunks unfiltered has all bits of its filter mask set.

    Rounds: B-tree v1 one per level; v2 one more than that; fixed array 1-3; extensible array 1-4;
    single chunk and implicit none. Raises CorruptFileError, and UnsupportedFeatureError for what
    only a strange writer would make.
    """
    grid = ChunkGrid.of(shape, max_shape, layout.chunk_shape)
    chunk_bytes = math.prod(layout.chunk_shape) * layout.element_size
    if not 0 < chunk_bytes <= MAX_ADDRESS:
        raise CorruptFileError(f"a chunk of {chunk_bytes} bytes", at=layout.index_address)
    if sizes.offset not in (2, 4, 8) or sizes.length not in (2, 4, 8):
        raise UnsupportedFeatureError(
            f"offsets of {sizes.offset} and lengths of {sizes.length} bytes in a chunk index"
        )
    if layout.index_address is None or grid.cells == 0:
        return _index(
            IndexRows(np.empty(0, np.int64), np.empty(0, np.uint64), None, None), chunk_bytes
        )
    storage = ChunkedStorage(
        layout,
        grid,
        sizes,
        filtered,
        file_size if file_size is not None else sizes.end_of_file,
        layout.index_address,
        chunk_bytes,
    )
    check_extent(storage.address, 1, storage.file_size, "a chunk index")
    try:
        if layout.index_type in _READERS:
            rows = yield from _READERS[layout.index_type](storage)
        else:
            rows = _WITHOUT_READING[layout.index_type](storage)
    except VirtualizeError as error:
        error.located(at=storage.address)
        raise
    if has_duplicates(rows.cell, grid.cells):
        raise CorruptFileError("the index holds a chunk more than once", at=storage.address)
    index = _index(rows, chunk_bytes)
    if layout.partial_edge_chunks_unfiltered and filtered:
        return _with_unfiltered_edges(index, storage)
    return index


def _index(rows: IndexRows, chunk_bytes: int) -> ChunkIndex:
    count = len(rows.cell)
    size, mask = rows.size, rows.filter_mask
    return ChunkIndex(
        rows.cell,
        rows.address,
        size if size is not None else np.broadcast_to(np.uint64(chunk_bytes), count),
        mask if mask is not None else np.broadcast_to(np.uint32(0), count),
    )


def _with_unfiltered_edges(index: ChunkIndex, storage: ChunkedStorage) -> ChunkIndex:
    """Partial edge chunks are stored whole and unfiltered, whatever the index says of them."""
    partial = storage.grid.partial(index.cell)
    size = np.where(partial, np.uint64(storage.chunk_bytes), index.size)
    mask = np.where(partial, np.uint32(_ALL_FILTERS_SKIPPED), index.filter_mask)
    edges = IndexRows(index.cell, index.address - np.uint64(storage.sizes.base), size, mask)
    check_extents(edges, storage)
    return ChunkIndex(index.cell, index.address, size, mask)
