"""References of an array spread over its chunk grid."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import MISSING, ChunkManifest, Location
from virtualizarr.model.columns import narrowed

MAX_BYTE = 2**63 - 1
FREE_CELLS = 4 * 1024 * 1024
CELLS_PER_REFERENCE = 1024
MAX_CELLS = 2**62
MAX_AXES = 32

type Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """References in any order: their C-order grid positions, and where each lies.

    `location` holds codes into `locations`, or INLINE for ranges of `inline`.
    """

    cells: Int64s
    locations: tuple[Location, ...]
    location: npt.NDArray[np.uint32]
    offset: npt.NDArray[np.uint64]
    length: npt.NDArray[np.uint64]
    inline: bytes = b""


def check_grid(grid_shape: tuple[int, ...]) -> None:
    """Raise UnsupportedFeatureError for a grid that no array of this machine could stand for."""
    if len(grid_shape) > MAX_AXES or prod(grid_shape) > MAX_CELLS:
        raise UnsupportedFeatureError(
            f"a chunk grid of {prod(grid_shape):,} chunks along {len(grid_shape)} axes"
        )


def manifest_of(rows: Rows, grid_shape: tuple[int, ...]) -> ChunkManifest:
    """Return the manifest of an array; cells without a row are missing.

    Raises UnsupportedFeatureError for a huge grid that is nearly empty, CorruptFileError where two
    rows are of one chunk.
    """
    cells, count = prod(grid_shape), len(rows.cells)
    if not count:
        return ChunkManifest.empty(grid_shape)
    if cells > FREE_CELLS and cells > CELLS_PER_REFERENCE * count:
        raise UnsupportedFeatureError(
            f"a chunk grid of {cells:,} cells of which {count:,} are stored is too sparse"
        )
    return ChunkManifest.from_columns(
        rows.locations,
        _spread(rows.location, rows.cells, grid_shape, MISSING),
        _spread(rows.offset, rows.cells, grid_shape, np.uint64(0)),
        narrowed(_spread(rows.length, rows.cells, grid_shape, np.uint64(0))),
        rows.inline,
    )


def _spread(
    column: npt.NDArray[Any], at: Int64s, grid_shape: tuple[int, ...], missing: np.generic
) -> npt.NDArray[Any]:
    cells = prod(grid_shape)
    if len(at) == cells and (np.diff(at) == 1).all():
        return column.reshape(grid_shape)
    spread = np.full(cells, missing, column.dtype)
    spread[at] = column
    if missing == MISSING and int(np.count_nonzero(spread != MISSING)) != len(at):
        raise CorruptFileError("a chunk is named twice")
    return spread.reshape(grid_shape)
