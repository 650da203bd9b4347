"""How an array's chunk grid is cut: into manifests that are quick to open, and into pieces of work.

An Icechunk manifest is read as a whole before its first chunk: ten million references in one take
seconds and a gigabyte, 25,000 take milliseconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import product

REFS_PER_MANIFEST = 25_000
"""Below 65,535, so that no location dictionary is trained: that costs more than all the rest."""

type AxisSizes = tuple[tuple[int, int], ...]


def axis_sizes(grid_shape: tuple[int, ...], limit: int = REFS_PER_MANIFEST) -> AxisSizes:
    """Return (axis, cells) pairs that cut a grid into C-order boxes of at most `limit` cells.

    Axes after the last one named stay whole. The first axis is always named, for it may grow.
    """
    sizes: list[tuple[int, int]] = []
    room = limit
    for axis in range(len(grid_shape) - 1, -1, -1):
        cells = max(1, grid_shape[axis])
        if axis == 0 or cells > room:
            sizes.insert(0, (axis, max(1, room)))
            room = 1
        else:
            room //= cells
    return tuple(sizes)


def boxes(grid_shape: tuple[int, ...], limit: int) -> Iterator[tuple[slice, ...]]:
    """Yield slices that together cover a grid, each box of at most `limit` cells, in C order."""
    sizes = dict(axis_sizes(grid_shape, limit))
    cuts = [
        [slice(at, min(at + size, cells)) for at in range(0, cells, size)]
        for cells, size in (
            (cells, sizes.get(axis, max(1, cells))) for axis, cells in enumerate(grid_shape)
        )
    ]
    yield from product(*cuts)


def split_rules(
    grid_shapes: Mapping[str, tuple[int, ...]],
) -> tuple[AxisSizes, dict[AxisSizes, list[str]]]:
    """Return the cut that most arrays need, and for every other cut the paths that need it."""
    needed = {path: axis_sizes(shape) for path, shape in grid_shapes.items() if shape}
    if not needed:
        return ((0, REFS_PER_MANIFEST),), {}
    (common, _), *_ = Counter(needed.values()).most_common(1)
    others: dict[AxisSizes, list[str]] = {}
    for path, sizes in needed.items():
        if sizes != common:
            others.setdefault(sizes, []).append(path)
    return common, others
