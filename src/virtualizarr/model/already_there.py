"""Finding what is to be appended among what is there: by coordinates, else by references."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CombineError
from virtualizarr.model.array import ManifestArray
from virtualizarr.model.chunks import RectilinearGrid
from virtualizarr.model.columns import replaced_at
from virtualizarr.model.combine import concatenate
from virtualizarr.model.dense import dense_bytes
from virtualizarr.model.inline import gathered
from virtualizarr.model.layout import axis_layout
from virtualizarr.model.manifest import INLINE, ChunkManifest
from virtualizarr.model.pairing import Pair
from virtualizarr.model.uncompressed import row_bytes

NO_FILE = np.uint64(2**64 - 1)


def plain_values(array: ManifestArray) -> npt.NDArray[Any] | None:
    """Return the values of a one-dimensional array of uncompressed inline chunks; else None."""
    metadata = array.metadata
    if metadata.ndim != 1 or row_bytes(metadata, 0) is None or metadata.dtype.kind in "OTV":
        return None
    manifest = array.manifest
    if (manifest.location != INLINE).any():
        return None
    stored = gathered(
        manifest.inline, manifest.offset.astype(np.int64), manifest.length.astype(np.int64)
    )
    configuration: Any = metadata.codecs[0].get("configuration", {})
    big = configuration.get("endian") == "big"
    dtype = metadata.dtype.newbyteorder(">" if big else "<")
    if len(stored) % dtype.itemsize or len(stored) < metadata.shape[0] * dtype.itemsize:
        return None
    values: npt.NDArray[Any] = stored.view(dtype)[: metadata.shape[0]]
    return values


def place_of(growing: list[Pair], dim: str) -> int | None:
    """Return the position along `dim` at which all of `new` is already; None if none of it is.

    Raises CombineError if a part is there, or coordinates say that it belongs before what is.
    """
    coordinate = next(coordinates(iter(growing), dim), None)
    if coordinate is not None:
        there, here = plain_values(coordinate.existing), plain_values(coordinate.new)
        if there is not None and here is not None and not (_has_gaps(there) or _has_gaps(here)):
            at = _by_values(there, here, coordinate.path, dim)
            if at is None:
                return None
            _check_there(growing, at, dim, "their coordinates are already there, but")
            return at
    return _by_references(growing, dim)


def coordinates(pairs: Iterator[Pair], dim: str) -> Iterator[Pair]:
    """Yield one-dimensional arrays along `dim` that are named like it, in any group."""
    for pair in pairs:
        if pair.existing.metadata.dimension_names == (dim,) and pair.path.split("/")[-1] == dim:
            yield pair


def _by_values(there: npt.NDArray[Any], here: npt.NDArray[Any], path: str, dim: str) -> int | None:
    known = np.isin(here, there)
    if known.all() and len(here):
        at = run_position(there, here)
        if at is None:
            raise CombineError(
                f"all values along {dim!r} are already there, but not in this order; nothing was "
                "appended",
                node=path,
            )
        return at
    if known.any():
        values = here[known]
        raise CombineError(
            f"{len(values)} of {len(here)} values along {dim!r} are already there, the first is "
            f"{values[0]}; append only what is new, or replace with region=",
            node=path,
        )
    if len(there) > 1 and len(here) and there.dtype.kind in "iufmM":
        steps = np.diff(there) > np.zeros((), np.diff(there).dtype)
        rises, falls = bool(steps.all()), not bool(steps.any())
        if (rises and here[0] < there[-1]) or (falls and here[0] > there[-1]):
            raise CombineError(
                f"values along {dim!r} begin at {here[0]}, but {there[-1]} is the last that is "
                "there: appending would break their order",
                node=path,
            )
    return None


def run_position(there: npt.NDArray[Any], here: npt.NDArray[Any]) -> int | None:
    """Return where `here` is in `there` as one run; None if it is not."""
    starts = np.flatnonzero(there == here[0]) if len(here) else np.zeros(0, np.int64)
    for at in starts.tolist():
        if np.array_equal(there[at : at + len(here)], here):
            return int(at)
    return None


def _has_gaps(values: npt.NDArray[Any]) -> bool:
    """Say whether there are values that equal nothing, themselves included."""
    return bool((values != values).any())


def _by_references(growing: list[Pair], dim: str) -> int | None:
    """Look for the new chunks among those that are there, in the smallest array that tells.

    Arrays of inline and missing chunks alone tell nothing.
    """
    for pair in sorted(growing, key=lambda each: each.existing.manifest.location.size):
        codes: dict[str, int] = {}
        here = _lines(pair.new, pair.axis, codes)
        if not (here["file"] != NO_FILE).any():
            continue
        there = _lines(pair.existing, pair.axis, codes)
        hits = np.flatnonzero(np.isin(there, here) & (there["file"] != NO_FILE))
        if not len(hits):
            return None
        first = int(np.flatnonzero(np.isin(here, there[hits[:1]]))[0])
        row = max(int(hits[0]) - first, 0)
        at = int(axis_layout(pair.existing.metadata, pair.axis).starts[row])
        _check_there(growing, at, dim, "a part of what is to be appended is already there, but")
        return at
    return None


def _lines(array: ManifestArray, axis: int, codes: dict[str, int]) -> npt.NDArray[Any]:
    """Return (file, offset) of the first reference in each row of chunks along `axis`.

    `codes` numbers the files' URLs; a row without references has NO_FILE.
    """
    manifest = array.manifest
    count = manifest.shape_chunk_grid[axis]
    location = np.moveaxis(manifest.location, axis, 0).reshape(count, -1)
    real = location < INLINE
    rows = np.flatnonzero(real.any(axis=1))
    lines = np.zeros(count, [("file", np.uint64), ("offset", np.uint64)])
    lines["file"] = NO_FILE
    if len(rows):
        first = real.argmax(axis=1)[rows]
        offset = np.moveaxis(manifest.offset, axis, 0).reshape(count, -1)
        numbers = [codes.setdefault(file.url, len(codes)) for file in manifest.locations]
        lines["file"][rows] = np.array(numbers, np.uint64)[location[rows, first]]
        lines["offset"][rows] = offset[rows, first]
    return lines


def _check_there(growing: list[Pair], at: int, dim: str, so_far: str) -> None:
    """Refuse unless every array has at position `at` exactly the references of the new one."""
    for pair in growing:
        axis, there, here = pair.axis, pair.existing, pair.new
        layout = axis_layout(there.metadata, axis)
        first = int(np.searchsorted(layout.starts, at))
        count = here.manifest.shape_chunk_grid[axis]
        aligned = first < len(layout.starts) and int(layout.starts[first]) == at
        rows = there.manifest.take(axis, slice(first, first + count))
        shown = int(layout.shown[first : first + count].sum())
        same = (pair.axis == 0 and same_values(there, here, at)) or (
            aligned
            and rows.shape_chunk_grid == here.manifest.shape_chunk_grid
            and shown == here.shape[axis]
            and _same_references(pair, rows)
        )
        if not same:
            raise CombineError(
                f"{so_far} not with the same references at {at} along {dim!r}; nothing was "
                "appended. To replace what is there use region=",
                node=pair.path,
            )


def same_values(existing: ManifestArray, new: ManifestArray, at: int) -> bool:
    """Say whether `new` is what `existing` has from position `at` of its first axis on.

    Only of arrays held by value, in whatever chunks, that differ in length along that axis at most;
    False for others.
    """
    there, here = dense_bytes(existing), dense_bytes(new)
    if there is None or here is None or existing.dtype != new.dtype:
        return False
    if existing.shape[1:] != new.shape[1:] or existing.metadata.codecs != new.metadata.codecs:
        return False
    count = new.shape[0]
    row = len(here) // count if count else 0
    return there[at * row : (at + count) * row] == here


def _same_references(pair: Pair, rows: ChunkManifest) -> bool:
    """Compare references; an uncompressed last chunk may have been cut when more was appended."""
    here = pair.new.manifest
    if rows == here:
        return True
    if row_bytes(pair.new.metadata, pair.axis) is None:
        return False
    last = here.shape_chunk_grid[pair.axis] - 1
    body = slice(0, last)
    if rows.take(pair.axis, body) != here.take(pair.axis, body):
        return False
    end, mine = slice(last, last + 1), last_row(pair.new, pair.axis)
    twice = concatenate([mine, mine], pair.axis).manifest.take(pair.axis, slice(0, 1))
    return rows.take(pair.axis, end) == twice


def last_row(array: ManifestArray, axis: int) -> ManifestArray:
    """Return the last chunks along an axis as an array of their own."""
    metadata = array.metadata
    layout = axis_layout(metadata, axis)
    grid = metadata.chunk_grid
    if isinstance(grid, RectilinearGrid):
        edges = grid.chunk_shapes[axis][-1:]
        grid = RectilinearGrid((*grid.chunk_shapes[:axis], edges, *grid.chunk_shapes[axis + 1 :]))
    shape = replaced_at(metadata.shape, axis, int(layout.shown[-1]))
    count = len(layout.shown)
    manifest = array.manifest.take(axis, slice(count - 1, count))
    return ManifestArray(metadata.replace(shape=shape, chunk_grid=grid), manifest)
