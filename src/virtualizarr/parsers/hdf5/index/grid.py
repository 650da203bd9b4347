"""The chunk grid of a dataset: from the index's own coordinates to C-order cells."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.source.ranges import Int64s

type UInt64s = npt.NDArray[np.uint64]
type Bools = npt.NDArray[np.bool_]

_DENSE = 64  # grid cells per row up to which a bitmap is cheaper than a sort


@dataclass(frozen=True, slots=True)
class ChunkGrid:
    """How many chunks a dataset has along each dimension, now and at most.

    `counts` belongs to the current shape, `max_counts` to the maximum shape (None: unlimited). A
    *cell* is the C-order position of a chunk in the grid of the current shape.
    """

    shape: tuple[int, ...]
    chunk_shape: tuple[int, ...]
    counts: tuple[int, ...]
    max_counts: tuple[int | None, ...]

    @classmethod
    def of(
        cls,
        shape: tuple[int, ...],
        max_shape: tuple[int | None, ...],
        chunk_shape: tuple[int, ...],
    ) -> Self:
        """Build the grid; raises CorruptFileError if the three do not fit one another."""
        if not len(shape) == len(max_shape) == len(chunk_shape) or not chunk_shape:
            raise CorruptFileError(f"chunk shape {chunk_shape} does not fit shape {shape}")
        if min(chunk_shape) < 1:
            raise CorruptFileError(f"chunk shape {chunk_shape} has a dimension of no elements")
        counts = tuple([-(-s // c) for s, c in zip(shape, chunk_shape, strict=True)])
        if math.prod(counts) >= 2**63:
            raise UnsupportedFeatureError(f"a chunk grid of {counts} has too many cells to number")
        if max_shape == shape:
            return cls(shape, chunk_shape, counts, counts)
        if any(m is not None and s > m for s, m in zip(shape, max_shape, strict=True)):
            raise CorruptFileError(f"shape {shape} exceeds the maximum shape {max_shape}")
        max_counts = [
            None if m is None else -(-m // c) for m, c in zip(max_shape, chunk_shape, strict=True)
        ]
        return cls(shape, chunk_shape, counts, tuple(max_counts))

    @property
    def cells(self) -> int:
        return math.prod(self.counts)

    @property
    def strides(self) -> tuple[int, ...]:
        """Cells between neighbours along each dimension."""
        return strides(self.counts)

    def cells_of_coordinates(self, scaled: Iterable[UInt64s]) -> tuple[UInt64s, Bools | None]:
        """Cells of chunks given by one column of chunk coordinates per dimension.

        Returns the cells and which rows lie in the current shape (None: all); the cells of other
        rows mean nothing. Raises CorruptFileError for a chunk outside the maximum shape.
        """
        cell = np.zeros(1, np.uint64)
        inside: Bools | None = None
        for column, count, limit, stride in zip(
            scaled, self.counts, self.max_counts, self.strides, strict=True
        ):
            if len(column) > 0 and (largest := int(column.max())) >= count:
                if limit is not None and largest >= limit:
                    raise CorruptFileError(
                        f"the index holds chunk {largest} along a dimension of {limit} chunks"
                    )
                within = column < np.uint64(count)
                inside = within if inside is None else inside & within
            cell = cell + (column if stride == 1 else column * np.uint64(stride))
        return cell, inside

    def cells_of_positions(
        self, position: Int64s, unlimited: int | None
    ) -> tuple[Int64s, Bools | None]:
        """Cells of chunks given by their position in an array over the maximum shape.

        `unlimited` is the unlimited dimension of an extensible array, which varies slowest
        whichever it is; None for a fixed array. Returns as `cells_of_coordinates` does.
        """
        order = swizzled(len(self.counts), unlimited)
        inner = [self.max_counts[d] for d in order[1:]]
        if order[0] == 0 and inner == list(self.counts[1:]):
            outside = len(position) > 0 and int(position.max()) >= self.cells
            return position, position < self.cells if outside else None
        rest = position
        cell = np.zeros(len(position), np.int64)
        inside = np.ones(len(position), np.bool_)
        for d in reversed(order[1:]):
            limit = self.max_counts[d]
            assert limit is not None
            rest, coordinate = np.divmod(rest, limit)
            inside &= coordinate < self.counts[d]
            cell += coordinate * self.strides[d]
        inside &= rest < self.counts[order[0]]
        cell += rest * self.strides[order[0]]
        return cell, inside

    def partial(self, cell: Int64s) -> Bools:
        """Which of the cells are edge chunks that the current shape does not fill."""
        found = np.zeros(len(cell), np.bool_)
        for size, length, count, stride in zip(
            self.shape, self.chunk_shape, self.counts, self.strides, strict=True
        ):
            if size % length:
                found |= cell // stride % count == count - 1
        return found


def strides(counts: Sequence[int]) -> tuple[int, ...]:
    """C-order strides, in cells, of a grid of `counts`."""
    return tuple([math.prod(counts[d + 1 :]) for d in range(len(counts))])


def swizzled(rank: int, first: int | None) -> list[int]:
    """The dimensions in order, with `first` moved to the front."""
    rest = [d for d in range(rank) if d != first]
    return rest if first is None else [first, *rest]


def is_ascending(cell: Int64s) -> bool:
    """Whether each cell is greater than the one before."""
    return len(cell) < 2 or bool((cell[1:] > cell[:-1]).all())


def has_duplicates(cell: Int64s, cells: int) -> bool:
    """Whether a cell occurs twice. All must be in `range(cells)`."""
    if cells <= _DENSE * len(cell):
        seen = np.zeros(cells, np.bool_)
        seen[cell] = True
        return int(np.count_nonzero(seen)) < len(cell)
    ordered = np.sort(cell)
    return bool((ordered[1:] == ordered[:-1]).any())
