"""References in the form of Icechunk's bulk calls: boxes of the chunk grid, one checksum each.

A bulk call takes one checksum for all its references. After a concatenation each file's chunks fill
a box of the grid, so one call a file does; where files are interleaved, or are many and tiny, each
reference brings its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model import INLINE, ChunkManifest
from virtualizarr.writers.icechunk.checksums import Checksum
from virtualizarr.writers.icechunk.splitting import boxes

REFS_PER_CALL = 50_000
MAX_INDEX = 2**32
_CALL, _CELL, _ROW = 7.0, 0.5, 2.0  # measured microseconds: a call, a cell in it, a lone reference


@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """References of a box of the chunk grid that starts at `start`, in C order.

    `urls` is "" where a cell has no reference in this box.
    """

    start: tuple[int, ...]
    shape: tuple[int, ...]
    urls: list[str]
    offset: npt.NDArray[np.uint64]
    length: npt.NDArray[np.uint64]
    checksum: Checksum


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Single references, each with its own checksum."""

    index: list[list[int]]
    urls: list[str]
    offset: list[int]
    length: list[int]
    checksum: list[Checksum]


type References = Box | Rows


def references(
    manifest: ChunkManifest,
    start: tuple[int, ...],
    checksums: Sequence[Checksum],
    limit: int = REFS_PER_CALL,
) -> Iterator[References]:
    """Yield all references of a manifest whose first cell lies at `start` in the array's grid.

    `checksums` has one entry a location. Raises UnsupportedFeatureError for references of no bytes
    and for grids larger than Icechunk's indices.
    """
    grid = manifest.shape_chunk_grid
    if any(at + cells > MAX_INDEX for at, cells in zip(start, grid, strict=True)):
        raise UnsupportedFeatureError(f"Icechunk holds {MAX_INDEX} chunks an axis at most")
    ids, distinct = _numbered(checksums)
    urls = np.array([*(location.url for location in manifest.locations), ""], object)
    for box in boxes(grid, limit):
        part = _Part(manifest, start, box)
        if part.real.any():
            yield from _of_part(part, ids, distinct, urls)


def _numbered(checksums: Sequence[Checksum]) -> tuple[npt.NDArray[np.int64], list[Checksum]]:
    """Return the number of each location's checksum, and the checksums by number."""
    numbers: dict[Checksum, int] = {}
    each = [numbers.setdefault(checksum, len(numbers)) for checksum in checksums]
    return np.array([*each, -1], np.int64), list(numbers)


class _Part:
    """The columns of a box of a manifest, flat."""

    __slots__ = ("codes", "length", "offset", "real", "shape", "start")

    def __init__(
        self, manifest: ChunkManifest, start: tuple[int, ...], box: tuple[slice, ...]
    ) -> None:
        location = manifest.location[box]
        self.shape: tuple[int, ...] = location.shape
        self.start = tuple(at + cut.start for at, cut in zip(start, box, strict=True))
        codes = location.reshape(-1)
        self.real = codes < INLINE
        self.codes = np.where(self.real, codes, np.uint32(len(manifest.locations)))
        self.offset = offsets_in(manifest, box).reshape(-1)
        self.length = manifest.length[box].reshape(-1).astype(np.uint64)
        if (self.real & (self.length == 0)).any():
            raise UnsupportedFeatureError(
                "a chunk of no bytes has no reference in Icechunk; load this variable"
            )


def offsets_in(manifest: ChunkManifest, box: tuple[slice, ...]) -> npt.NDArray[np.uint64]:
    """Return the offsets in a box of the grid, without spelling out those of the rest."""
    column = manifest.offset_column
    if isinstance(column, np.ndarray):
        return column[box]
    for axis, cut in enumerate(box):
        column = column.sliced(axis, cut)
    return column.values()


def _of_part(
    part: _Part,
    ids: npt.NDArray[np.int64],
    distinct: list[Checksum],
    urls: npt.NDArray[np.object_],
) -> Iterator[References]:
    numbers = ids[part.codes]
    present = np.flatnonzero(part.real)
    first = int(numbers[present[0]])
    if (numbers[present] == first).all():
        names = urls[part.codes].tolist()
        yield Box(part.start, part.shape, names, part.offset, part.length, distinct[first])
        return
    order = present[np.argsort(numbers[present], kind="stable")]
    begins = np.flatnonzero(np.diff(numbers[order], prepend=-1))
    cells = np.stack(np.unravel_index(order, part.shape))
    low = np.minimum.reduceat(cells, begins, axis=1)
    high = np.maximum.reduceat(cells, begins, axis=1) + 1
    volume = int((high - low).prod(axis=0).sum())
    if len(begins) * _CALL + volume * _CELL > len(order) * _ROW:
        yield _rows(part, present, urls, [distinct[n] for n in numbers[present].tolist()])
        return
    found = numbers[order[begins]].tolist()
    for number, lows, highs in zip(found, low.T.tolist(), high.T.tolist(), strict=True):
        yield _box(part, numbers, number, tuple(lows), tuple(highs), urls, distinct[number])


def _box(
    part: _Part,
    numbers: npt.NDArray[np.int64],
    number: int,
    low: tuple[int, ...],
    high: tuple[int, ...],
    urls: npt.NDArray[np.object_],
    checksum: Checksum,
) -> Box:
    cut = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    shape = tuple(b - a for a, b in zip(low, high, strict=True))
    codes = part.codes.reshape(part.shape)[cut].reshape(-1)
    own = numbers.reshape(part.shape)[cut].reshape(-1) == number
    return Box(
        tuple(at + a for at, a in zip(part.start, low, strict=True)),
        shape,
        urls[np.where(own, codes, np.uint32(len(urls) - 1))].tolist(),
        np.ascontiguousarray(part.offset.reshape(part.shape)[cut]).reshape(prod(shape)),
        np.ascontiguousarray(part.length.reshape(part.shape)[cut]).reshape(prod(shape)),
        checksum,
    )


def _rows(
    part: _Part,
    present: npt.NDArray[np.int64],
    urls: npt.NDArray[np.object_],
    checksums: list[Checksum],
) -> Rows:
    cells = np.stack(np.unravel_index(present, part.shape), axis=1) + np.array(part.start)
    return Rows(
        cells.tolist(),
        urls[part.codes[present]].tolist(),
        part.offset[present].tolist(),
        part.length[present].tolist(),
        checksums,
    )
