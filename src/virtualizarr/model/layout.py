"""How the chunks of one axis lie: what each holds in store, and what part of it the array shows.

The two differ where a chunk reaches past the array's end, or where the crop codec cuts every chunk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CombineError
from virtualizarr.model.chunks import ChunkGrid, RectilinearGrid, RegularGrid
from virtualizarr.model.codec_axes import crop_codec, split_crop
from virtualizarr.model.columns import replaced_at
from virtualizarr.model.metadata import ArrayMetadata

type Lengths = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class AxisLayout:
    """Lengths in elements of every chunk along an axis: as stored, and as the array shows it."""

    stored: Lengths
    shown: Lengths

    @property
    def extent(self) -> int:
        return int(self.shown.sum())

    @property
    def starts(self) -> Lengths:
        """Index of each chunk's first element."""
        return np.cumsum(self.shown) - self.shown


def axis_layout(metadata: ArrayMetadata, axis: int) -> AxisLayout:
    """Return the chunk lengths along one axis."""
    extent = metadata.shape[axis]
    grid = metadata.chunk_grid
    if isinstance(grid, RegularGrid):
        length = grid.chunk_shape[axis]
        edges = np.full(-(-extent // length), length, np.int64)
    else:
        edges = np.array(grid.chunk_shapes[axis], np.int64)
    shown = edges.copy()
    if len(shown):
        shown[-1] = extent - int(edges[:-1].sum())
    crop, _ = split_crop(metadata.codecs)
    stored = edges if crop is None else np.full(len(edges), crop[axis], np.int64)
    return AxisLayout(stored, shown)


def with_axis(metadata: ArrayMetadata, axis: int, layout: AxisLayout) -> ArrayMetadata:
    """Return the metadata with other chunks along one axis: regular, rectilinear or cropped.

    Raises CombineError where chunks that must be cropped are not all stored with one length, as one
    codec cannot crop them then.
    """
    shape = replaced_at(metadata.shape, axis, layout.extent)
    crop, codecs = split_crop(metadata.codecs)
    stored, shown = layout.stored, layout.shown
    partial = stored != shown
    if not partial[:-1].any() and (crop is None or _is_whole(crop, metadata, axis)):
        return metadata.replace(
            shape=shape, codecs=codecs, chunk_grid=_grid(metadata, axis, shape, stored, shown)
        )
    stored_shape = _stored_shape(metadata, axis, crop, stored)
    return metadata.replace(
        shape=shape,
        codecs=(crop_codec(stored_shape), *codecs),
        chunk_grid=_grid(metadata, axis, shape, _cropped_edges(stored, shown), shown),
    )


def _cropped_edges(stored: Lengths, shown: Lengths) -> Lengths:
    """Return edges for chunks that a codec crops: the last may show less, if that makes a pattern."""
    edges = shown.copy()
    if len(shown) > 1 and shown[-1] < shown[0] <= stored[-1] and (shown[:-1] == shown[0]).all():
        edges[-1] = shown[0]
    return edges


def _is_whole(crop: Sequence[int], metadata: ArrayMetadata, axis: int) -> bool:
    """Say whether a crop codec cuts nothing along every axis but `axis`."""
    return all(
        _uncropped(metadata, other, stored)
        for other, stored in enumerate(crop)
        if other != axis
    )


def _uncropped(metadata: ArrayMetadata, axis: int, stored: int) -> bool:
    grid = metadata.chunk_grid
    if isinstance(grid, RegularGrid):
        return grid.chunk_shape[axis] == stored
    return all(length == stored for length in grid.chunk_shapes[axis])


def _stored_shape(
    metadata: ArrayMetadata, axis: int, crop: Sequence[int] | None, stored: Lengths
) -> tuple[int, ...]:
    if (stored != stored[0]).any():
        raise CombineError(
            f"chunks along axis {axis} end before their array does and are stored with lengths "
            f"{sorted(set(stored.tolist()))}; only chunks of one stored length can be cut"
        )
    if crop is not None:
        return replaced_at(tuple(crop), axis, int(stored[0]))
    lengths = []
    for other in range(metadata.ndim):
        along = stored if other == axis else axis_layout(metadata, other).stored
        if len(along) and (along != along[0]).any():
            raise CombineError(
                f"chunks along axis {axis} must be cut, but chunks along axis {other} differ in "
                "length; one codec cannot cut both"
            )
        lengths.append(int(along[0]) if len(along) else 1)
    return tuple(lengths)


def _grid(
    metadata: ArrayMetadata, axis: int, shape: tuple[int, ...], edges: Lengths, shown: Lengths
) -> ChunkGrid:
    """Return the simplest grid that has these edges along `axis`, unchanged on the other axes."""
    grid = metadata.chunk_grid
    if len(edges) == 0 and isinstance(grid, RegularGrid):
        return grid
    length = int(edges[0]) if len(edges) else 1
    if not (edges[:-1] != length).any() and (not len(edges) or shown[-1] <= edges[-1] == length):
        if isinstance(grid, RegularGrid):
            return RegularGrid(replaced_at(grid.chunk_shape, axis, length))
        others = [n for n in range(metadata.ndim) if n != axis]
        if all(grid.is_uniform(n) for n in others):
            lengths = [grid.chunk_shapes[n][0] if grid.chunk_shapes[n] else 1 for n in others]
            lengths.insert(axis, length)
            regular = RegularGrid(tuple(lengths))
            if regular.grid_shape(shape) == tuple(map(len, replaced_edges(grid, axis, edges))):
                return regular
    if isinstance(grid, RegularGrid):
        all_edges = tuple(grid.edges(n, extent) for n, extent in enumerate(metadata.shape))
        return RectilinearGrid(_replaced(all_edges, axis, edges))
    return RectilinearGrid(replaced_edges(grid, axis, edges))


def replaced_edges(
    grid: RectilinearGrid, axis: int, edges: Lengths
) -> tuple[tuple[int, ...], ...]:
    """Return the edges of a rectilinear grid with those of one axis replaced."""
    return _replaced(grid.chunk_shapes, axis, edges)


def _replaced(
    chunk_shapes: tuple[tuple[int, ...], ...], axis: int, edges: Lengths
) -> tuple[tuple[int, ...], ...]:
    return (*chunk_shapes[:axis], tuple(edges.tolist()), *chunk_shapes[axis + 1 :])
