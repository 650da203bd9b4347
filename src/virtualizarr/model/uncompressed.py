"""Uncompressed chunks: parts of them are byte ranges too."""

from __future__ import annotations

from math import prod

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model.chunks import RegularGrid
from virtualizarr.model.columns import AffineRun, narrowed, offsets_of, replaced_at
from virtualizarr.model.layout import axis_layout
from virtualizarr.model.location import MISSING
from virtualizarr.model.manifest import ChunkManifest
from virtualizarr.model.metadata import ArrayMetadata
from virtualizarr.model.virtual import Virtual


def row_bytes(metadata: ArrayMetadata, axis: int) -> int | None:
    """Return the bytes of a stored chunk per step along `axis`, where a part is one byte range.

    So it is if the only codec is `bytes`, all chunks have length 1 along the axes before, and one
    stored length along each axis after. None where it is not so.
    """
    if len(metadata.codecs) != 1 or metadata.codecs[0]["name"] != "bytes":
        return None
    itemsize = metadata.dtype.itemsize
    lengths = [_one_length(metadata, other) for other in range(metadata.ndim)]
    after = lengths[axis + 1 :]
    if any(length != 1 for length in lengths[:axis]) or None in after:
        return None
    return itemsize * prod(length for length in after if length is not None)


def _one_length(metadata: ArrayMetadata, axis: int) -> int | None:
    grid = metadata.chunk_grid
    if isinstance(grid, RegularGrid):
        return grid.chunk_shape[axis]
    return grid.chunk_shapes[axis][0] if grid.chunk_shapes[axis] and grid.is_uniform(axis) else None


def cut(
    manifest: ChunkManifest,
    axis: int,
    row: int,
    skip: npt.NDArray[np.int64],
    keep: npt.NDArray[np.int64],
    stored: npt.NDArray[np.int64],
) -> ChunkManifest:
    """Return references to `keep` steps of each chunk along `axis`, after `skip` steps.

    `row` is the bytes of a step; `stored` how many steps each chunk holds now. Raises
    UnsupportedFeatureError for a chunk that is not stored in exactly its own size.
    """
    if not skip.any() and (keep == stored).all():
        return manifest
    ruler = (-1,) + (1,) * (manifest.ndim_chunk_grid - axis - 1)
    present = manifest.location != MISSING
    expected = (stored * row).reshape(ruler)
    if (present & (manifest.length != expected)).any():
        raise UnsupportedFeatureError(
            "chunks of an uncompressed array are not stored in their own size, so no part of them "
            "can be referred to"
        )
    zero = np.uint64(0)
    shift, length = (skip * row).astype(np.uint64), (keep * row).astype(np.uint64)
    return ChunkManifest.from_columns(
        manifest.locations,
        manifest.location,
        np.where(present, offsets_of(manifest.offset_column) + shift.reshape(ruler), zero),
        narrowed(np.where(present, length.reshape(ruler), zero)),
        manifest.inline,
    )


def subchunk[A: Virtual](array: A, chunk_shape: tuple[int, ...]) -> A:
    """Return the array with its chunks split into chunks of `chunk_shape`; no byte moves.

    Works for uncompressed arrays on a regular grid. `chunk_shape` divides the present chunk shape,
    and is 1 along every axis before the last one that it splits. Splitting a single chunk costs no
    memory. Raises UnsupportedFeatureError where the bytes of a part are not one range, ValueError
    where the lengths do not divide.
    """
    metadata, manifest = array.metadata, array.manifest
    grid = metadata.chunk_grid
    if not isinstance(grid, RegularGrid) or row_bytes(metadata, 0) is None:
        raise UnsupportedFeatureError(
            "only uncompressed arrays on a regular chunk grid can be split into smaller chunks"
        )
    whole = grid.chunk_shape
    if len(chunk_shape) != len(whole) or any(
        part < 1 or n % part for n, part in zip(whole, chunk_shape, strict=True)
    ):
        raise ValueError(f"chunk shape {chunk_shape} does not divide {whole}")
    split = [axis for axis, n in enumerate(whole) if chunk_shape[axis] != n]
    if not split:
        return array
    if any(chunk_shape[axis] != 1 for axis in range(split[-1])):
        raise UnsupportedFeatureError(
            f"chunks of {whole} split into {chunk_shape} are not contiguous: the axes before "
            f"axis {split[-1]} need length 1"
        )
    for axis in split:
        metadata, manifest = _split_axis(metadata, manifest, axis, chunk_shape[axis])
    return array.rebuilt(metadata, manifest)


def _split_axis(
    metadata: ArrayMetadata, manifest: ChunkManifest, axis: int, part: int
) -> tuple[ArrayMetadata, ChunkManifest]:
    row = row_bytes(metadata, axis)
    assert row is not None
    assert isinstance(metadata.chunk_grid, RegularGrid)
    chunk_shape = metadata.chunk_grid.chunk_shape
    stored = axis_layout(metadata, axis).stored
    present = manifest.location != MISSING
    if (present & (manifest.length != chunk_shape[axis] * row)).any():
        cut(manifest, axis, row, np.ones_like(stored), stored, stored)
    count, pieces = len(stored), chunk_shape[axis] // part
    shown = -(-metadata.shape[axis] // part)
    changed = metadata.replace(chunk_grid=RegularGrid(replaced_at(chunk_shape, axis, part)))
    run = manifest.offset_column
    nbytes = narrowed(np.asarray(part * row, np.uint64))
    offset: AffineRun | npt.NDArray[np.uint64]
    if count == 1:
        spread = manifest.stretch(replaced_at(manifest.shape_chunk_grid, axis, shown))
        if not isinstance(run, AffineRun) and run.size == 1:
            run = AffineRun(int(run.flat[0]), (0,) * run.ndim, run.shape)
    else:
        spread = manifest.take(axis, np.repeat(np.arange(count), pieces)[:shown])
    if count == 1 and isinstance(run, AffineRun):
        steps = replaced_at(run.steps, axis, part * row)
        offset = AffineRun(run.base, steps, replaced_at(run.shape, axis, shown))
    else:
        within = np.tile(np.arange(pieces, dtype=np.uint64), count)[:shown] * np.uint64(part * row)
        ruler = within.reshape((-1,) + (1,) * (metadata.ndim - axis - 1))
        offset = offsets_of(spread.offset_column) + ruler
    return changed, ChunkManifest.from_columns(
        spread.locations,
        spread.location,
        offset,
        np.broadcast_to(nbytes, spread.location.shape),
        spread.inline,
    )
