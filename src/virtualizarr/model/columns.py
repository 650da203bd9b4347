"""Columns over a chunk grid: numpy arrays, or runs of evenly spaced offsets that need no array.

A column whose every stride is 0 holds one number for any number of chunks; the functions here keep
such columns, and affine runs, as cheap as they came wherever the operation allows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt

type Column = npt.NDArray[np.unsignedinteger[Any]]
type Offsets = npt.NDArray[np.uint64] | AffineRun
type Cells = slice | npt.NDArray[np.int64]

SIZE, STRIDES, DTYPE = map(attrgetter, ("size", "strides", "dtype"))
"""What is asked of thousands of small columns at a time: in C, at a third of the cost."""

FEW = 16
"""Cells a column, on average, up to which joining all of them is cheaper than looking at each."""


@dataclass(frozen=True, slots=True)
class AffineRun:
    """Offsets `base + sum(steps[i] * index[i])` over a grid of `shape`, in bytes.

    What the chunks of an uncompressed array have. Every offset of the grid is at least 0.
    """

    base: int
    steps: tuple[int, ...]
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        """Raises ValueError if steps and shape differ in length."""
        if len(self.steps) != len(self.shape):
            raise ValueError(f"{len(self.steps)} steps for a grid of {len(self.shape)} axes")

    @classmethod
    def contiguous(cls, base: int, nbytes: int, shape: tuple[int, ...]) -> AffineRun:
        """Return the offsets of chunks of `nbytes` each, one after the other in C order."""
        steps = tuple(nbytes * prod(shape[axis + 1 :]) for axis in range(len(shape)))
        return cls(base, steps, shape)

    def values(self) -> npt.NDArray[np.uint64]:
        """Return the offsets as an array of `shape`."""
        total = np.full((1,) * len(self.shape), self.base, np.int64)
        for axis, (step, count) in enumerate(zip(self.steps, self.shape, strict=True)):
            ruler = np.arange(count, dtype=np.int64) * step
            total = total + ruler.reshape((-1,) + (1,) * (len(self.shape) - axis - 1))
        return np.broadcast_to(total, self.shape).astype(np.uint64)

    def at(self, index: Sequence[int]) -> int:
        """Return one offset; `index` has non-negative entries within `shape`."""
        return self.base + sum(step * int(i) for step, i in zip(self.steps, index, strict=True))

    def sliced(self, axis: int, cells: slice) -> AffineRun:
        """Return the run of every cell that `cells` selects along `axis`."""
        selected = range(self.shape[axis])[cells]
        step = self.steps[axis]
        return AffineRun(
            self.base + (selected.start * step if len(selected) else 0),
            replaced_at(self.steps, axis, step * selected.step),
            replaced_at(self.shape, axis, len(selected)),
        )

    def permuted(self, order: Sequence[int]) -> AffineRun:
        """Return the run with its axes in another order."""
        return AffineRun(
            self.base, tuple(self.steps[i] for i in order), tuple(self.shape[i] for i in order)
        )

    def inserted(self, axis: int) -> AffineRun:
        """Return the run with a new axis of one cell."""
        return AffineRun(
            self.base, inserted_at(self.steps, axis, 0), inserted_at(self.shape, axis, 1)
        )

    def dropped(self, axis: int) -> AffineRun:
        """Return the run without an axis of one cell."""
        return AffineRun(self.base, dropped_at(self.steps, axis), dropped_at(self.shape, axis))

    def stretched(self, shape: tuple[int, ...]) -> AffineRun:
        """Return the run broadcast to a grid of as many axes, cells repeating where it had one."""
        steps = tuple(
            step if n == m else 0 for step, n, m in zip(self.steps, self.shape, shape, strict=True)
        )
        return AffineRun(self.base, steps, shape)


def take[C: (npt.NDArray[Any], Offsets)](column: C, axis: int, cells: Cells) -> C:
    """Return the cells selected along `axis`, by slice or by non-negative indices."""
    if isinstance(column, AffineRun):
        if isinstance(cells, slice):
            return column.sliced(axis, cells)
        run = as_slice(cells)
        if run is None:
            raise TypeError("an affine run cannot be indexed by uneven positions")
        return column.sliced(axis, run)
    if is_uniform(column):
        count = len(range(column.shape[axis])[cells]) if isinstance(cells, slice) else len(cells)
        return uniform(column, replaced_at(column.shape, axis, count))
    if isinstance(cells, slice):
        return column[(slice(None),) * axis + (cells,)]
    return np.take(column, cells, axis=axis)


def permute[C: (npt.NDArray[Any], Offsets)](column: C, order: Sequence[int]) -> C:
    """Return the column with its axes in another order."""
    if isinstance(column, AffineRun):
        return column.permuted(order)
    return column.transpose(tuple(order))


def insert_axis[C: (npt.NDArray[Any], Offsets)](column: C, axis: int) -> C:
    """Return the column with a new axis of one cell."""
    if isinstance(column, AffineRun):
        return column.inserted(axis)
    if is_uniform(column):
        return uniform(column, inserted_at(column.shape, axis, 1))
    return np.expand_dims(column, axis)


def drop_axis[C: (npt.NDArray[Any], Offsets)](column: C, axis: int) -> C:
    """Return the column without an axis of one cell."""
    if isinstance(column, AffineRun):
        return column.dropped(axis)
    if is_uniform(column):
        return uniform(column, dropped_at(column.shape, axis))
    return column[(slice(None),) * axis + (0,)]


def stretch[C: (npt.NDArray[Any], Offsets)](column: C, shape: tuple[int, ...]) -> C:
    """Return the column broadcast to a grid of as many axes."""
    if isinstance(column, AffineRun):
        return column.stretched(shape)
    return np.broadcast_to(column, shape)


def join(columns: Sequence[npt.NDArray[Any]], axis: int) -> npt.NDArray[Any]:
    """Return the columns one after the other along `axis`; one number for all stays one number."""
    if sum(map(SIZE, columns)) <= FEW * len(columns):
        return folded(np.concatenate(columns, axis=axis))
    if all_uniform(columns):
        values = {column.item(0) for column in columns}
        if len(values) == 1:
            dtype = np.result_type(*set(map(DTYPE, columns)))
            length = sum(column.shape[axis] for column in columns)
            value = np.asarray(values.pop(), dtype)
            return np.broadcast_to(value, replaced_at(columns[0].shape, axis, length))
    return np.concatenate(columns, axis=axis)


def join_offsets(
    columns: Sequence[npt.NDArray[np.uint64] | AffineRun], axis: int
) -> npt.NDArray[np.uint64] | AffineRun:
    """Return offset columns one after the other along `axis`, affine where they continue."""
    arrays = [column for column in columns if isinstance(column, np.ndarray)]
    if len(arrays) == len(columns):
        return join(arrays, axis)
    runs = [column for column in columns if isinstance(column, AffineRun)]
    if len(runs) == len(columns):
        return _join_runs(runs, axis)
    return join([offsets_of(column) for column in columns], axis)


def _join_runs(runs: Sequence[AffineRun], axis: int) -> npt.NDArray[np.uint64] | AffineRun:
    steps = {dropped_at(run.steps, axis) for run in runs}
    inner = {run.steps[axis] for run in runs if run.shape[axis] > 1}
    if len(steps) > 1 or len(inner) > 1:
        return join([run.values() for run in runs], axis)
    counts = np.array([run.shape[axis] for run in runs], np.int64)
    bases = np.array([run.base for run in runs], np.int64)
    jumps = np.diff(bases)
    step = inner.pop() if inner else int(jumps[0]) if len(jumps) else runs[0].steps[axis]
    shape = replaced_at(runs[0].shape, axis, int(counts.sum()))
    affine = AffineRun(runs[0].base, replaced_at(runs[0].steps, axis, step), shape)
    if (jumps == counts[:-1] * step).all():
        return affine
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    along = np.repeat(bases, counts) + (np.arange(shape[axis], dtype=np.int64) - starts) * step
    others = AffineRun(0, replaced_at(affine.steps, axis, 0), replaced_at(shape, axis, 1)).values()
    ruler = along.reshape((-1,) + (1,) * (len(shape) - axis - 1))
    return others + ruler.astype(np.uint64)


def offsets_of(column: npt.NDArray[np.uint64] | AffineRun) -> npt.NDArray[np.uint64]:
    """Return an offset column as an array."""
    return column.values() if isinstance(column, AffineRun) else column


def is_uniform(column: npt.NDArray[Any]) -> bool:
    """Say whether the column holds one number for all its cells, by its strides alone."""
    return column.size > 0 and not any(column.strides)


def all_uniform(columns: Sequence[npt.NDArray[Any]]) -> bool:
    """Say whether each of the columns holds one number for all its cells."""
    return not any(map(any, set(map(STRIDES, columns)))) and all(map(SIZE, columns))


def uniform(column: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return the one number of a uniform column over another grid."""
    return np.broadcast_to(column.flat[0], shape)


def folded[A: npt.NDArray[Any]](column: A) -> A:
    """Return a column that holds one number again and again as one that is uniform."""
    if column.size and (column == column.flat[0]).all():
        return uniform(column, column.shape)  # type: ignore[return-value]
    return column


def as_slice(cells: npt.NDArray[np.int64]) -> slice | None:
    """Return evenly rising non-negative positions as a slice; None where they are not."""
    if len(cells) == 0:
        return slice(0, 0)
    if len(cells) == 1:
        return slice(int(cells[0]), int(cells[0]) + 1)
    step = int(cells[1] - cells[0])
    if step < 1 or (np.diff(cells) != step).any():
        return None
    return slice(int(cells[0]), int(cells[-1]) + 1, step)


def held_bytes(column: npt.NDArray[Any] | AffineRun) -> int:
    """Return the bytes of memory that the column's numbers take; stride-0 repeats are free."""
    if isinstance(column, AffineRun):
        return 8 * (1 + 2 * len(column.shape))
    axes = zip(column.shape, column.strides, strict=True)
    return int(column.itemsize * prod(n for n, stride in axes if stride != 0 or n == 0))


def thin(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the column with one cell along every axis on which it only repeats itself."""
    keep = tuple(slice(0, 1) if stride == 0 else slice(None) for stride in column.strides)
    return column[keep]


def narrowed(length: Column) -> Column:
    """Return lengths as uint32 where every one fits, keeping stride-0 columns at no cost."""
    if length.dtype == np.uint32:
        return length
    narrow = thin(length)
    if narrow.size == 0 or int(narrow.max()) < 2**32:
        return np.broadcast_to(narrow.astype(np.uint32), length.shape)
    return length


def frozen[A: npt.NDArray[Any]](column: A) -> A:
    """Return a read-only view of the column."""
    if column.flags.writeable:
        column = column.view()
        column.flags.writeable = False
    return column


def replaced_at(values: tuple[int, ...], axis: int, value: int) -> tuple[int, ...]:
    """Return the tuple with one entry changed."""
    return (*values[:axis], value, *values[axis + 1 :])


def inserted_at(values: tuple[int, ...], axis: int, value: int) -> tuple[int, ...]:
    """Return the tuple with an entry put before position `axis`."""
    return (*values[:axis], value, *values[axis:])


def dropped_at(values: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """Return the tuple without one entry."""
    return values[:axis] + values[axis + 1 :]
