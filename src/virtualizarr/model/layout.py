"""How the chunks of one axis lie: what each holds in store, and what part of it the array shows.

The two differ where a chunk reaches past the array's end, or where the crop codec cuts every chunk.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model.chunks import ChunkGrid, RectilinearGrid, RegularGrid
from virtualizarr.model.codec_axes import Crop, refuse_sharded, split_crop
from virtualizarr.model.columns import replaced_at
from virtualizarr.model.metadata import ArrayMetadata

type Lengths = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class AxisLayout:
    """Lengths in elements of every chunk along an axis: as stored, and as the array shows it.

    What is shown starts `offset` elements into every stored chunk.
    """

    stored: Lengths
    shown: Lengths
    offset: int = 0

    @property
    def extent(self) -> int:
        """Length of the array along the axis."""
        return int(self.shown.sum())

    @property
    def starts(self) -> Lengths:
        """Index of each chunk's first element."""
        return np.cumsum(self.shown) - self.shown

    def same(self, other: AxisLayout) -> bool:
        """Say whether two layouts are equal."""
        return (
            self.offset == other.offset
            and np.array_equal(self.stored, other.stored)
            and np.array_equal(self.shown, other.shown)
        )


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
    if crop is None:
        return AxisLayout(edges, shown)
    stored = np.full(len(edges), crop.stored_shape[axis], np.int64)
    return AxisLayout(stored, shown, crop.offset[axis])


def with_axis(metadata: ArrayMetadata, axis: int, layout: AxisLayout) -> ArrayMetadata:
    """Return the metadata with other chunks along one axis: regular, rectilinear or cropped.

    Raises UnsupportedFeatureError where chunks that must be cropped are not all stored with one
    length, as one codec cannot crop them then.
    """
    shape = replaced_at(metadata.shape, axis, layout.extent)
    crop, codecs = split_crop(metadata.codecs)
    stored, shown = layout.stored, layout.shown
    whole = not layout.offset and bool((stored[:-1] == shown[:-1]).all())
    if whole and (crop is None or _cuts_nothing(crop, metadata, axis)):
        return metadata.replace(
            shape=shape, codecs=codecs, chunk_grid=_grid(metadata, axis, shape, stored, shown)
        )
    refuse_sharded(codecs, "cut")
    cropped = _crop(metadata, axis, crop, layout)
    return metadata.replace(
        shape=shape,
        codecs=(cropped.to_json(), *codecs),
        chunk_grid=_grid(metadata, axis, shape, _cropped_edges(layout), shown),
    )


def _cuts_nothing(crop: Crop, metadata: ArrayMetadata, but: int) -> bool:
    """Say whether a crop codec leaves all chunks whole along every axis but one."""
    others = [axis for axis in range(metadata.ndim) if axis != but]
    return not any(crop.offset[axis] for axis in others) and all(
        edge == crop.stored_shape[axis] for axis in others for edge in _edges(metadata, axis)
    )


def _edges(metadata: ArrayMetadata, axis: int) -> set[int]:
    grid = metadata.chunk_grid
    if isinstance(grid, RegularGrid):
        return {grid.chunk_shape[axis]}
    return set(grid.chunk_shapes[axis])


def _cropped_edges(layout: AxisLayout) -> Lengths:
    """Return the edges of cropped chunks; a shorter last one may make the grid regular."""
    shown = layout.shown
    room = layout.stored[-1] - layout.offset if len(shown) else 0
    edges = shown.copy()
    if len(shown) > 1 and shown[-1] < shown[0] <= room and (shown[:-1] == shown[0]).all():
        edges[-1] = shown[0]
    return edges


def _crop(metadata: ArrayMetadata, axis: int, crop: Crop | None, layout: AxisLayout) -> Crop:
    stored = layout.stored
    if (stored != stored[:1]).any():
        raise UnsupportedFeatureError(
            f"chunks along axis {axis} end before their array does and are stored with lengths "
            f"{sorted(set(stored.tolist()))}; only chunks of one stored length can be cut"
        )
    length = int(stored[0]) if len(stored) else 1
    if crop is not None:
        return Crop(
            replaced_at(crop.stored_shape, axis, length),
            replaced_at(crop.offset, axis, layout.offset),
        )
    lengths = [
        length if other == axis else _one_edge(metadata, other, axis)
        for other in range(metadata.ndim)
    ]
    return Crop(tuple(lengths), replaced_at((0,) * metadata.ndim, axis, layout.offset))


def _one_edge(metadata: ArrayMetadata, axis: int, cut: int) -> int:
    edges = _edges(metadata, axis)
    if len(edges) > 1:
        raise UnsupportedFeatureError(
            f"chunks along axis {cut} must be cut, but chunks along axis {axis} differ in length; "
            "one codec cannot cut both"
        )
    return edges.pop() if edges else 1


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


def replaced_edges(grid: RectilinearGrid, axis: int, edges: Lengths) -> tuple[tuple[int, ...], ...]:
    """Return the edges of a rectilinear grid with those of one axis replaced."""
    return _replaced(grid.chunk_shapes, axis, edges)


def _replaced(
    chunk_shapes: tuple[tuple[int, ...], ...], axis: int, edges: Lengths
) -> tuple[tuple[int, ...], ...]:
    return (*chunk_shapes[:axis], tuple(edges.tolist()), *chunk_shapes[axis + 1 :])
