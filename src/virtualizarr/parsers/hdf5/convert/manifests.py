"""Chunk indexes and blocks of bytes as manifests."""

from __future__ import annotations

from math import prod

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model import MISSING, ChunkManifest, Location
from virtualizarr.parsers.hdf5.index import ChunkIndex

DENSE_CELLS = 1 << 21
"""Grids up to this many chunks are laid out whatever the file's size: 32 MiB of columns."""

SPLIT_BYTES = 128 * 1024 * 1024
"""A contiguous block larger than this is cut along its first axis, so that parts can be read."""

SMALLEST_PART = 8 * 1024 * 1024


def manifest_of_index(
    index: ChunkIndex, grid_shape: tuple[int, ...], location: Location
) -> ChunkManifest:
    """Scatter an index's rows over the chunk grid; chunks that have no row are missing.

    Raises UnsupportedFeatureError for a grid far larger than the file can fill, whose columns would
    take memory that the file's bytes do not justify.
    """
    cells, rows = prod(grid_shape), len(index)
    if rows == 0:
        return ChunkManifest.empty(grid_shape)
    if cells > DENSE_CELLS and cells > 256 * rows:
        raise UnsupportedFeatureError(
            f"a grid of {cells} chunks of which {rows} are stored: too sparse to lay out"
        )
    in_order = rows == cells and bool((index.cell[1:] > index.cell[:-1]).all())
    if in_order:
        return ChunkManifest.single_file(
            location, index.address.reshape(grid_shape), _reshaped(index.size, grid_shape)
        )
    code = np.full(cells, MISSING, np.uint32)
    code[index.cell] = 0
    offset = np.zeros(cells, np.uint64)
    offset[index.cell] = index.address
    narrow = np.uint32 if rows == 0 or int(index.size.max()) < 2**32 else np.uint64
    length = np.zeros(cells, narrow)
    length[index.cell] = index.size
    return ChunkManifest.from_columns(
        (location,),
        code.reshape(grid_shape),
        offset.reshape(grid_shape),
        length.reshape(grid_shape),
    )


def _reshaped(size: npt.NDArray[np.uint64], grid: tuple[int, ...]) -> npt.NDArray[np.uint64] | int:
    return int(size[0]) if not any(size.strides) else size.reshape(grid)


def rows_per_chunk(rows: int, row_bytes: int) -> int:
    """Return into chunks of how many rows to cut a contiguous block of `rows` rows.

    Stored chunks must all be whole, so the answer divides `rows`; a block that cannot be cut into
    parts of a sensible size stays one chunk.
    """
    if rows * row_bytes <= SPLIT_BYTES or row_bytes == 0:
        return max(rows, 1)
    best = max((n for n in _divisors(rows) if n * row_bytes <= SPLIT_BYTES), default=rows)
    return best if best * row_bytes >= SMALLEST_PART or best == rows else rows


def _divisors(number: int) -> set[int]:
    limit = min(int(number**0.5), 1 << 20)
    small = [n for n in range(1, limit + 1) if number % n == 0]
    return {*small, *(number // n for n in small)}
