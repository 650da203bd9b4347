"""Elements of fixed and extensible arrays: pages of chunk records, by position in the array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from virtualizarr.parsers.hdf5.index.bounds import Bytes2D
from virtualizarr.parsers.hdf5.index.columns import (
    ChunkedStorage,
    ElementFormat,
    IndexRows,
    gathered,
    slices,
)
from virtualizarr.parsers.hdf5.index.grid import ChunkGrid
from virtualizarr.source.ranges import Int64s


@dataclass(frozen=True, slots=True, eq=False)
class Pages:
    """Runs of as many elements each: the array position of the first, and a row of bytes."""

    positions: Int64s
    rows: Bytes2D


def rows_of_pages(
    pages: Sequence[Pages], form: ElementFormat, storage: ChunkedStorage, unlimited: int | None
) -> IndexRows:
    """Decode pages, leaving out elements without an address or outside the current shape.

    `unlimited` is the unlimited dimension of an extensible array, None for a fixed array.
    """
    parts = (
        _decode(some.positions[rows], some.rows[rows], form, storage.grid, unlimited)
        for some in pages
        for rows in slices(len(some.rows), some.rows.shape[1])
    )
    most = sum(some.rows.size // form.dtype.itemsize for some in pages)
    return gathered(parts, most, storage)


def _decode(
    positions: Int64s, rows: Bytes2D, form: ElementFormat, grid: ChunkGrid, unlimited: int | None
) -> IndexRows:
    records = rows.view(form.dtype)
    position = (positions[:, None] + np.arange(records.shape[1])).reshape(-1)
    cell, inside = grid.cells_of_positions(position, unlimited)
    address = form.address(records)
    allocated = address != np.uint64(form.undefined)
    keep = allocated if inside is None else allocated & inside
    return IndexRows(cell, address, form.size(records), form.filter_mask(records)).keep(keep)
