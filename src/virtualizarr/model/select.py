"""Indexing: which whole chunks, and of uncompressed arrays which parts of chunks, hold a selection.

A selection is possible where it starts at the same element of each chunk it takes from, be it the
first or a later one: the rest of a chunk is cut off by the array's end or by the crop codec.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import SubChunkIndexingError, UnsupportedFeatureError
from virtualizarr.model.chunks import RegularGrid
from virtualizarr.model.codec_axes import drop_codec_axis, permute_codecs, split_crop
from virtualizarr.model.columns import as_slice, dropped_at, replaced_at
from virtualizarr.model.combine import expanded_metadata, settled
from virtualizarr.model.keys import Key, Selector, parse_key
from virtualizarr.model.layout import AxisLayout, axis_layout, with_axis
from virtualizarr.model.manifest import ChunkManifest
from virtualizarr.model.metadata import ArrayMetadata
from virtualizarr.model.uncompressed import cut, row_bytes
from virtualizarr.model.undecided import Undecided, placeholders
from virtualizarr.model.virtual import Virtual, axis_name

type Parts = tuple[ArrayMetadata, ChunkManifest]
type Positions = npt.NDArray[np.int64]


def getitem[A: Virtual](array: A, key: Key) -> A:
    """Return the part of the array that a numpy key selects.

    Raises IndexError for what numpy refuses and for pointwise keys, UnsupportedFeatureError, naming
    the boundaries, for a selection that starts within a compressed chunk.
    """
    selected, undecided = select(array, key)
    if undecided is not None:
        raise undecided.refusal
    return selected


def select[A: Virtual](array: A, key: Key) -> tuple[A, Undecided | None]:
    """Return what `getitem` does, and which of its chunks must be masked before use, if any.

    Those are chunks in place of repeated last elements, which `getitem` refuses.
    """
    parts = (array.metadata, array.manifest)
    selection = parse_key(key, array.metadata.shape)
    lost: dict[int, npt.NDArray[np.bool_]] = {}
    refusal: UnsupportedFeatureError | None = None
    for axis, selector in enumerate(selection.selectors):
        try:
            parts = _select_axis(parts, axis, selector)
        except UnsupportedFeatureError as error:
            masked = _reindexed(parts, axis, selector)
            if masked is None:
                raise
            parts = masked[:2]
            lost[selection.layout.index(axis)] = masked[2]
            refusal = error
    for axis in reversed(range(len(selection.selectors))):
        if axis not in selection.layout:
            parts = _drop_axis(parts, axis)
    for place, kept in enumerate(selection.layout):
        if kept is None:
            metadata, manifest = parts
            parts = expanded_metadata(metadata, place), manifest.insert_axis(place)
    undecided = None if refusal is None else Undecided(lost, refusal)
    if parts[1] is array.manifest:
        return array, undecided
    return array.rebuilt(*settled(*parts)), undecided


def transpose[A: Virtual](array: A, order: tuple[int, ...]) -> A:
    """Return the array with its axes reordered: axis `i` of the result was axis `order[i]`."""
    metadata = array.metadata
    if order == tuple(range(metadata.ndim)):
        return array
    movable = [_stored_length(metadata, axis) == 1 for axis in range(metadata.ndim)]
    grid, names = metadata.chunk_grid, metadata.dimension_names
    if isinstance(grid, RegularGrid):
        moved: Any = RegularGrid(tuple(grid.chunk_shape[i] for i in order))
    else:
        moved = type(grid)(tuple(grid.chunk_shapes[i] for i in order))
    changed = metadata.replace(
        shape=tuple(metadata.shape[i] for i in order),
        chunk_grid=moved,
        codecs=permute_codecs(metadata.codecs, order, movable),
        dimension_names=None if names is None else tuple(names[i] for i in order),
    )
    return array.rebuilt(changed, array.manifest.permute(order))


def _stored_length(metadata: ArrayMetadata, axis: int) -> int | None:
    """Return the one length with which all chunks are stored along an axis; None if they differ."""
    crop, _ = split_crop(metadata.codecs)
    if crop is not None:
        return crop.stored_shape[axis]
    grid = metadata.chunk_grid
    if isinstance(grid, RegularGrid):
        return grid.chunk_shape[axis]
    return grid.chunk_shapes[axis][0] if grid.chunk_shapes[axis] and grid.is_uniform(axis) else None


def _select_axis(parts: Parts, axis: int, selector: Selector) -> Parts:
    metadata, manifest = parts
    extent = metadata.shape[axis]
    if isinstance(selector, int):
        return _single(_select_axis(parts, axis, range(selector, selector + 1)), axis)
    if not isinstance(selector, range):
        run = as_slice(selector)
        if run is None:
            return _select_positions(metadata, manifest, axis, selector)
        selector = range(extent)[run]
    if selector == range(extent):
        return parts
    if selector.step == 1 or len(selector) == 0:
        simple = _select_run(parts, axis, selector)
        if simple is not None:
            return simple
    positions = np.arange(selector.start, selector.stop, selector.step, dtype=np.int64)
    return _select_positions(metadata, manifest, axis, positions)


def _select_run(parts: Parts, axis: int, taken: range) -> Parts | None:
    """Select evenly chunked elements that start on a chunk boundary; None where that is not so."""
    metadata, manifest = parts
    grid = metadata.chunk_grid
    if not isinstance(grid, RegularGrid):
        return None
    length = grid.chunk_shape[axis]
    if taken.start % length and len(taken):
        return None
    cells = slice(taken.start // length, -(-taken.stop // length)) if len(taken) else slice(0, 0)
    shape = replaced_at(metadata.shape, axis, len(taken))
    return metadata.replace(shape=shape), manifest.take(axis, cells)


def _select_positions(
    metadata: ArrayMetadata, manifest: ChunkManifest, axis: int, positions: Positions
) -> Parts:
    layout = axis_layout(metadata, axis)
    cell, skip, keep = _runs(layout, positions)
    stored, offset = layout.stored[cell], layout.offset
    taken = manifest.take(axis, cell)
    row = row_bytes(metadata, axis)
    whole = (skip == 0) & (keep == stored)
    if len(cell):
        whole[-1] |= skip[-1] == 0
    if not whole.all() and row is not None:
        kept = np.where(whole, stored, keep)
        taken, stored = cut(taken, axis, row, skip, kept, stored), kept
    elif skip.any():
        if (skip != skip[0]).any():
            raise _unaligned(metadata, axis, layout, int(cell[skip > 0][0]), skip)
        offset += int(skip[0])
    return with_axis(metadata, axis, AxisLayout(stored, keep, offset)), taken


def _reindexed(
    parts: Parts, axis: int, selector: Selector
) -> tuple[ArrayMetadata, ChunkManifest, npt.NDArray[np.bool_]] | None:
    metadata, manifest = parts
    if not isinstance(selector, np.ndarray):
        return None
    layout = axis_layout(metadata, axis)
    found = placeholders(layout, *_runs(layout, selector))
    if found is None:
        return None
    cells, changed, lost = found
    return with_axis(metadata, axis, changed), manifest.take(axis, cells), lost


def _runs(layout: AxisLayout, positions: Positions) -> tuple[Positions, Positions, Positions]:
    """Return for each run of neighbours in one chunk: the chunk, where in it, how many."""
    starts = layout.starts
    cell = np.searchsorted(starts, positions, side="right") - 1
    inside = positions - starts[cell]
    follows = np.zeros(len(positions), np.bool_)
    follows[1:] = (positions[1:] == positions[:-1] + 1) & (cell[1:] == cell[:-1])
    first = np.flatnonzero(~follows)
    keep = np.diff(np.append(first, len(positions)))
    return cell[first], inside[first], keep


def _unaligned(
    metadata: ArrayMetadata, axis: int, layout: AxisLayout, cell: int, skip: Positions
) -> SubChunkIndexingError:
    name = axis_name(metadata, axis)
    lengths = np.unique(layout.shown[:-1]) if len(layout.shown) > 1 else layout.stored
    start = int(layout.starts[cell] + skip[skip > 0][0])
    if len(lengths) == 1:
        allowed = (
            f"{name} is chunked by {lengths[0]}: slices must start at multiples of {lengths[0]}"
        )
    else:
        near = layout.starts[max(0, cell - 1) : cell + 3].tolist()
        allowed = f"{name} has chunks of several lengths: slices must start at one, such as {near}"
    return SubChunkIndexingError(
        f"{allowed}, not {start}; open the dataset (`.virtualize.open()`) to select any elements"
    )


def _single(parts: Parts, axis: int) -> Parts:
    """Return an array of length 1 along `axis` with its one chunk stored at that length too."""
    metadata, manifest = parts
    if _stored_length(metadata, axis) == 1:
        return parts
    row = row_bytes(metadata, axis)
    if row is None:
        raise SubChunkIndexingError(
            f"{axis_name(metadata, axis)} has chunks longer than 1, so a single index cannot drop "
            "it; select a slice of length 1, or open the dataset (`.virtualize.open()`)"
        )
    one = np.ones(1, np.int64)
    manifest = cut(manifest, axis, row, 0 * one, one, axis_layout(metadata, axis).stored)
    return with_axis(metadata, axis, AxisLayout(one, one)), manifest


def _drop_axis(parts: Parts, axis: int) -> Parts:
    metadata, manifest = parts
    grid, names = metadata.chunk_grid, metadata.dimension_names
    if isinstance(grid, RegularGrid):
        fewer: Any = RegularGrid(dropped_at(grid.chunk_shape, axis))
    else:
        fewer = type(grid)((*grid.chunk_shapes[:axis], *grid.chunk_shapes[axis + 1 :]))
    changed = metadata.replace(
        shape=dropped_at(metadata.shape, axis),
        chunk_grid=fewer,
        codecs=drop_codec_axis(metadata.codecs, axis),
        dimension_names=None if names is None else (*names[:axis], *names[axis + 1 :]),
    )
    return changed, manifest.drop_axis(axis)
