"""Rows of a sparse chunk index, scattered over the chunk grid."""

from __future__ import annotations

from math import prod

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model.columns import Column, narrowed
from virtualizarr.model.location import MISSING, Location, Parts, no_references

FREE_BYTES = 64_000_000
BYTES_PER_FILE_BYTE = 20
NEARLY_EMPTY = 8
"""A grid is nearly empty if it has more than this many cells per chunk."""


def parts_of_rows(
    grid_shape: tuple[int, ...],
    location: Location,
    cell: npt.NDArray[np.int64],
    offset: npt.NDArray[np.uint64],
    length: Column,
    bytes_present: int | None,
) -> Parts:
    """Return the columns of chunks at C-order grid positions `cell`; see `from_rows`."""
    cells, rows = prod(grid_shape), len(cell)
    if rows == 0:
        return no_references(grid_shape)
    if int(cell.min()) < 0 or int(cell.max()) >= cells:
        raise CorruptFileError(f"a chunk lies outside the chunk grid of {grid_shape}")
    lengths = narrowed(length)
    if rows == cells:
        return _full(grid_shape, location, cell, offset, lengths)
    _check_memory(cells, rows, 12 + lengths.itemsize, bytes_present)
    codes = np.full(cells, MISSING, np.uint32)
    codes[cell] = 0
    if int(np.count_nonzero(codes == 0)) != rows:
        raise CorruptFileError("the index names a chunk twice")
    offsets, spread = np.zeros(cells, np.uint64), np.zeros(cells, lengths.dtype)
    offsets[cell], spread[cell] = offset, lengths
    return Parts(
        (location,),
        codes.reshape(grid_shape),
        offsets.reshape(grid_shape),
        spread.reshape(grid_shape),
    )


def _full(
    grid_shape: tuple[int, ...],
    location: Location,
    cell: npt.NDArray[np.int64],
    offset: npt.NDArray[np.uint64],
    lengths: Column,
) -> Parts:
    """Return the columns of a grid that has as many chunks as cells, in whichever order."""
    named = np.zeros(len(cell), np.bool_)
    named[cell] = True
    if not named.all():
        raise CorruptFileError("the index names a chunk twice")
    if (cell[1:] < cell[:-1]).any():
        rows_of = offset, lengths
        offset, lengths = np.empty_like(offset), np.empty_like(lengths)
        offset[cell], lengths[cell] = rows_of
    whole = np.broadcast_to(np.uint32(0), grid_shape)
    return Parts((location,), whole, offset.reshape(grid_shape), lengths.reshape(grid_shape))


def _check_memory(cells: int, rows: int, width: int, bytes_present: int | None) -> None:
    present = bytes_present if bytes_present is not None else 0
    allowed = FREE_BYTES + BYTES_PER_FILE_BYTE * present
    if cells * width > allowed and rows * NEARLY_EMPTY < cells:
        raise UnsupportedFeatureError(
            f"a chunk grid of {cells} cells of which {rows} are stored would need "
            f"{cells * width} bytes of memory; at most {allowed} are spent on it"
        )
