"""Positions whose element is not decided yet: how `xarray` reindexes a virtual array.

`xarray` asks for position -1, the last element, wherever the new index has no old label, and then
masks what it got there. The last element alone can rarely be referred to; a chunk that will be
masked need not be. So such positions become missing chunks, which only `numpy.where` may decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model.layout import AxisLayout

type Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Undecided:
    """Which chunks of a selection are not decided: along axis -> one bool per chunk.

    `refusal` is what to raise if the chunks are used without having been masked.
    """

    chunks: Mapping[int, npt.NDArray[np.bool_]]
    refusal: UnsupportedFeatureError

    def grid(self, grid_shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
        """Return one bool per chunk of the grid."""
        ndim = len(grid_shape)
        found = np.zeros((1,) * ndim, np.bool_)
        for axis, chunks in self.chunks.items():
            found = found | chunks.reshape((-1,) + (1,) * (ndim - axis - 1))
        return np.broadcast_to(found, grid_shape)


def placeholders(
    layout: AxisLayout, cell: Positions, skip: Positions, keep: Positions
) -> tuple[Positions, AxisLayout, npt.NDArray[np.bool_]] | None:
    """Return cells, lengths and which cells are undecided; None if this is no reindexing.

    Takes runs of neighbours: the chunk of each, how far into it the run starts, its length. All
    runs that do not start with their chunk must be of the last element alone.
    """
    if layout.offset or not len(layout.shown):
        return None
    last = (cell == len(layout.shown) - 1) & (skip == layout.shown[-1] - 1) & (keep == 1)
    if (skip[~last] > 0).any():
        return None
    groups = np.cumsum(np.append([True], ~(last[1:] & last[:-1]))) - 1
    first = np.flatnonzero(np.append([True], np.diff(groups) > 0))
    counts = np.bincount(groups)
    undecided = last[first]
    usual = int(layout.shown.max())
    pieces = np.where(undecided, -(-counts // usual), 1)
    grouped = np.repeat(first, pieces)
    lost = undecided.repeat(pieces)
    place = np.arange(len(grouped)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    rest = np.repeat(counts, pieces) - place * usual
    shown = np.where(lost, np.minimum(rest, usual), keep[grouped])
    cells = np.where(lost, 0, cell[grouped])
    real = layout.stored[cells]
    cropped = bool((~lost & (shown != real))[:-1].any())
    stored = np.where(lost & (not cropped), shown, real)
    return cells, AxisLayout(stored, shown), lost
