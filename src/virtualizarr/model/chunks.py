"""Chunk grids: how an array's index space is cut into chunks."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod


@dataclass(frozen=True, slots=True)
class RegularGrid:
    """Chunks of one shape; the last along an axis may reach past the array's end.

    Every stored chunk holds all of `chunk_shape`, also where it reaches past the end. Lengths are
    in elements and at least 1.
    """

    chunk_shape: tuple[int, ...]

    def edges(self, axis: int, extent: int) -> tuple[int, ...]:
        """Return the length of every chunk along `axis` of an array `extent` long, as stored."""
        length = self.chunk_shape[axis]
        return (length,) * -(-extent // length)

    def grid_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return how many chunks an array of `shape` has along each axis."""
        return tuple([-(-n // c) for n, c in zip(shape, self.chunk_shape, strict=True)])

    def is_uniform(self, axis: int) -> bool:
        """Say whether all chunks along `axis` have one stored length."""
        return 0 <= axis < len(self.chunk_shape)


@dataclass(frozen=True, slots=True)
class RectilinearGrid:
    """Chunks of any lengths per axis: `chunk_shapes[axis]` lists the stored length of each chunk.

    The lengths of an axis sum to the array's extent or reach past it with the last chunk alone.
    """

    chunk_shapes: tuple[tuple[int, ...], ...]

    def edges(self, axis: int, extent: int) -> tuple[int, ...]:
        """Return the length of every chunk along `axis`, as stored."""
        del extent
        return self.chunk_shapes[axis]

    def grid_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return how many chunks an array of `shape` has along each axis."""
        del shape
        return tuple(len(lengths) for lengths in self.chunk_shapes)

    def is_uniform(self, axis: int) -> bool:
        """Say whether all chunks along `axis` have one stored length."""
        return len(set(self.chunk_shapes[axis])) <= 1


type ChunkGrid = RegularGrid | RectilinearGrid


def grid_from_edges(shape: tuple[int, ...], edges: tuple[tuple[int, ...], ...]) -> ChunkGrid:
    """Return the simplest grid whose chunks have these stored lengths: regular where it can be.

    An axis without chunks (extent 0) takes chunk length 1.
    """
    if all(len(set(lengths)) <= 1 for lengths in edges):
        regular = RegularGrid(tuple(lengths[0] if lengths else 1 for lengths in edges))
        if regular.grid_shape(shape) == tuple(map(len, edges)):
            return regular
    return RectilinearGrid(edges)


def chunk_count(grid: ChunkGrid, shape: tuple[int, ...]) -> int:
    """Return the number of cells of the chunk grid."""
    return prod(grid.grid_shape(shape))
