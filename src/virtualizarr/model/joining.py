"""Joining the references of many arrays: locations once each, codes and inline offsets shifted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model.columns import (
    SIZE,
    AffineRun,
    all_uniform,
    join,
    join_offsets,
    narrowed,
    offsets_of,
    replaced_at,
)
from virtualizarr.model.location import INLINE, Location, Parts, no_references


def join_references(manifests: Sequence[Parts], axis: int) -> Parts:
    """Return the references of several chunk grids, one grid after the other along `axis`.

    The grids have one shape but for `axis`. Raises CombineError if two of them know contradicting
    facts of one file.
    """
    tables, codes, offsets, lengths, inlines = zip(*manifests, strict=True)
    extents = [column.shape[axis] for column in codes]
    if not all(map(SIZE, codes)):
        filled = [parts for parts in manifests if parts.location.size]
        if not filled:
            return no_references(replaced_at(codes[0].shape, axis, sum(extents)))
        return join_references(filled, axis)
    if len(manifests) == 1:
        return manifests[0]
    counts = np.array(extents, np.int64)
    locations, table, starts = _join_locations(tables)
    location = _join_codes(codes, axis, counts, table, starts)
    offset = join_offsets(offsets, axis)
    length = narrowed(join(lengths, axis))
    if not any(inlines):
        return Parts(locations, location, offset, length)
    offset = _shift_inline(location, offset, axis, counts, inlines)
    return Parts(locations, location, offset, length, b"".join(inlines))


def _join_locations(
    tables: Sequence[tuple[Location, ...]],
) -> tuple[tuple[Location, ...], npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    """Return all locations, the new code of each old one, and where each manifest's codes start."""
    every = [location for table in tables for location in table]
    starts = np.cumsum([0, *map(len, tables[:-1])])
    if len({location.url for location in every}) == len(every):
        return tuple(every), np.arange(len(every), dtype=np.uint32), starts
    codes: dict[str, int] = {}
    merged: list[Location] = []
    table: list[int] = []
    for location in every:
        code = codes.setdefault(location.url, len(merged))
        if code == len(merged):
            merged.append(location)
        elif merged[code] is not location:
            merged[code] = merged[code].agreed(location)
        table.append(code)
    if len(merged) >= INLINE:
        raise UnsupportedFeatureError(f"{len(merged)} files in one array; at most {INLINE} fit")
    return tuple(merged), np.array(table, np.uint32), starts


def _join_codes(
    columns: Sequence[npt.NDArray[np.uint32]],
    axis: int,
    counts: npt.NDArray[np.int64],
    table: npt.NDArray[np.uint32],
    starts: npt.NDArray[np.int64],
) -> npt.NDArray[np.uint32]:
    if all_uniform(columns):
        each = np.array([column.item(0) for column in columns], np.uint32)
        codes = _translated(each, starts, table)
        shape = replaced_at(columns[0].shape, axis, int(counts.sum()))
        if (codes == codes[0]).all():
            return np.broadcast_to(codes[0], shape)
        return np.broadcast_to(_along(np.repeat(codes, counts), axis, len(shape)), shape)
    cells = join(columns, axis)
    return _translated(cells, _along(np.repeat(starts, counts), axis, cells.ndim), table)


def _translated(
    codes: npt.NDArray[np.uint32],
    starts: npt.NDArray[np.int64],
    table: npt.NDArray[np.uint32],
) -> npt.NDArray[np.uint32]:
    real = codes < INLINE
    if not real.any():
        return codes
    places = np.where(real, codes + starts, 0)
    return np.where(real, table[places], codes)


def _shift_inline(
    location: npt.NDArray[np.uint32],
    offset: npt.NDArray[np.uint64] | AffineRun,
    axis: int,
    counts: npt.NDArray[np.int64],
    inlines: Sequence[bytes],
) -> npt.NDArray[np.uint64]:
    sizes = np.array([len(inline) for inline in inlines], np.int64)
    starts = (np.cumsum(sizes) - sizes).astype(np.uint64)
    shift = _along(np.repeat(starts, counts), axis, location.ndim)
    return offsets_of(offset) + np.where(location == INLINE, shift, np.uint64(0))


def _along[T: np.generic](values: npt.NDArray[T], axis: int, ndim: int) -> npt.NDArray[T]:
    return values.reshape((-1,) + (1,) * (ndim - axis - 1))
