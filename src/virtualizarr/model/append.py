"""Deciding what appending one tree of arrays to another changes. Pure: nothing is written here.

Every format appends by the same rules. What is already there is not added again; what would give
wrong values is refused with a reason; the rest is a list of placements, which a writer carries out.

An array grows if it has the dimension, by name. The others must be described alike, and hold the
same bytes where both hold them inline; of references to different files nothing can be told without
reading, so what is stored stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CombineError, UnsupportedFeatureError
from virtualizarr.model.array import ManifestArray
from virtualizarr.model.chunks import RectilinearGrid
from virtualizarr.model.columns import replaced_at
from virtualizarr.model.combine import check_same_decoding, concatenate
from virtualizarr.model.group import ManifestGroup
from virtualizarr.model.inline import gathered
from virtualizarr.model.layout import axis_layout
from virtualizarr.model.manifest import INLINE, ChunkManifest
from virtualizarr.model.metadata import ArrayMetadata
from virtualizarr.model.uncompressed import row_bytes


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """References to be put into the array at `path`, whose description becomes `metadata`.

    `start` is the chunk index at which the first cell of `manifest` goes. Cells that are missing
    in `manifest` become, or stay, missing.
    """

    path: str
    metadata: ArrayMetadata
    start: tuple[int, ...]
    manifest: ChunkManifest


@dataclass(frozen=True, slots=True)
class AppendPlan:
    """What appending changes; nothing if there are no `placements`. `note` says why, to a person.

    Paths are relative to the trees that were compared, "group/name".
    """

    placements: tuple[Placement, ...]
    note: str

    @property
    def nothing_to_do(self) -> bool:
        """Whether all of it is already there."""
        return not self.placements


@dataclass(frozen=True, slots=True)
class _Pair:
    path: str
    axis: int
    existing: ManifestArray
    new: ManifestArray


def plan_append(existing: ManifestGroup, new: ManifestGroup, dim: str) -> AppendPlan:
    """Return what it takes to append `new` to `existing` along the dimension `dim`.

    The manifests of `existing` are looked at only where coordinates with inline values do not
    decide, so they may be read lazily. Raises CombineError, naming the array, if the trees hold
    different arrays, descriptions or coordinates disagree, the last chunk is partial and no chunk
    grid can express that, or a part of `new` is already there.
    """
    pairs = list(_pairs(existing, new, dim))
    growing = [pair for pair in pairs if pair.axis >= 0]
    if not growing:
        raise CombineError(f"no array has the dimension {dim!r} to append along")
    for pair in pairs:
        if pair.axis < 0:
            _check_alike(pair)
        else:
            _check_decoding(pair)
    if all(pair.new.shape[pair.axis] == 0 for pair in growing):
        return AppendPlan((), f"nothing to append: {dim!r} has length 0")
    places = {_place_of(own, dim) for own in _by_group(growing)}
    if places == {None}:
        placements = tuple(map(_grown, growing))
        extent = growing[0].existing.shape[growing[0].axis]
        return AppendPlan(placements, f"appended along {dim!r}, at {extent}")
    if None in places:
        raise CombineError(
            f"what is to be appended along {dim!r} is already there in some groups and not in "
            "others; nothing was appended"
        )
    count = growing[0].new.shape[growing[0].axis]
    found = ", ".join(sorted(str(place) for place in places))
    return AppendPlan((), f"nothing to do: these {count} along {dim!r} are there, at {found}")


def _by_group(pairs: list[_Pair]) -> Iterator[list[_Pair]]:
    """Yield the arrays of one group after the other: a dimension means one length in each."""
    groups: dict[str, list[_Pair]] = {}
    for pair in pairs:
        groups.setdefault(pair.path.rpartition("/")[0], []).append(pair)
    yield from groups.values()


def plan_region(
    existing: ManifestGroup, new: ManifestGroup, region: Mapping[str, slice]
) -> AppendPlan:
    """Return what it takes to replace a region of `existing`, given by dimension, with `new`.

    Dimensions that are not named are taken whole. Arrays without any of the dimensions must be
    alike, as in `plan_append`. Raises CombineError if the region is not made of whole chunks.
    """
    pairs = [(pair, _region_axes(pair, region)) for pair in _pairs(existing, new, None)]
    if not any(axes for _, axes in pairs):
        raise CombineError(f"no array has any of the dimensions {sorted(region)}")
    placements: list[Placement] = []
    for pair, axes in pairs:
        if axes:
            placements.append(_placed(pair, axes))
        else:
            _check_alike(pair)
    return AppendPlan(tuple(placements), "replaced a region")


def _region_axes(pair: _Pair, region: Mapping[str, slice]) -> dict[int, slice]:
    names = pair.existing.metadata.dimension_names
    known = names if names is not None else ()
    return {
        axis: region[name] for axis, name in enumerate(known) if name is not None and name in region
    }


def region_of(
    existing: ManifestGroup, new: ManifestGroup, dims: Mapping[str, Any]
) -> dict[str, slice]:
    """Return `dims` with every "auto" worked out from coordinates with inline values.

    Raises CombineError where the values of a coordinate are not there, in one run.
    """
    found: dict[str, slice] = {}
    for dim, wanted in dims.items():
        if wanted != "auto":
            found[dim] = wanted
            continue
        pair = next((p for p in _coordinates(_pairs(existing, new, None), dim)), None)
        there = plain_values(pair.existing) if pair is not None else None
        wanted_values = plain_values(pair.new) if pair is not None else None
        if pair is None or there is None or wanted_values is None:
            raise CombineError(
                f"region 'auto' needs the values of the coordinate {dim!r}, loaded; give a slice"
            )
        at = _run_position(there, wanted_values)
        if at is None:
            raise CombineError(f"the values of {dim!r} are not there, in one run", node=pair.path)
        found[dim] = slice(at, at + len(wanted_values))
    return found


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


def _pairs(existing: ManifestGroup, new: ManifestGroup, dim: str | None) -> Iterator[_Pair]:
    """Yield the arrays of `new` with those of `existing`; refuse trees that do not match."""
    todo = [("", existing, new)]
    while todo:
        path, there, here = todo.pop()
        for name, child in here.groups.items():
            if name not in there.groups:
                raise CombineError("there is no such group to append to", node=f"{path}{name}")
            todo.append((f"{path}{name}/", there.groups[name], child))
        for name in here.arrays:
            if name not in there.arrays:
                raise CombineError("there is no such array to append to", node=f"{path}{name}")
        for name, array in there.arrays.items():
            axis = _axis(array.metadata, dim)
            if name not in here.arrays:
                if axis >= 0:
                    raise CombineError(
                        f"has the dimension {dim!r}, but is not among what is to be appended",
                        node=f"{path}{name}",
                    )
                continue
            pair = _Pair(f"{path}{name}", axis, array, here.arrays[name])
            _check_dimensions(pair)
            yield pair


def _axis(metadata: ArrayMetadata, dim: str | None) -> int:
    names = metadata.dimension_names
    if dim is None or names is None or dim not in names:
        return -1
    return names.index(dim)


def _check_dimensions(pair: _Pair) -> None:
    there, here = pair.existing.metadata, pair.new.metadata
    if there.ndim != here.ndim or there.dimension_names != here.dimension_names:
        raise CombineError(
            f"dimensions are {here.dimension_names} here but {there.dimension_names} there",
            node=pair.path,
        )


def _check_decoding(pair: _Pair) -> None:
    try:
        check_same_decoding([pair.existing, pair.new])
    except CombineError as error:
        raise error.located(node=pair.path) from None


def _check_alike(pair: _Pair) -> None:
    """Refuse an array that stays as it is but contradicts what is to be appended."""
    there, here = pair.existing, pair.new
    _check_decoding(pair)
    if there.shape != here.shape:
        raise CombineError(f"has shape {here.shape} here but {there.shape} there", node=pair.path)
    own = here.manifest.location == INLINE
    if not own.any() or there.metadata.grid_shape != own.shape:
        return
    both = own & (there.manifest.location == INLINE)
    if not bool(there.manifest.elementwise_eq(here.manifest)[both].all()):
        raise CombineError(
            "the values here differ from those there, and appending cannot change them",
            node=pair.path,
        )


def _grown(pair: _Pair) -> Placement:
    """Return the placement of the new chunks after the last that is there.

    The description is worked out on manifests without references, so that of ten million that are
    there none is touched.
    """
    axis, there, here = pair.axis, pair.existing, pair.new
    blank = [_blank(there.metadata), _blank(here.metadata)]
    try:
        joined = concatenate(blank, axis).metadata
        grid = there.metadata.grid_shape
        count = grid[axis] if there.shape[axis] else 0
        start = replaced_at((0,) * there.ndim, axis, count)
        if not _last_is_partial(there.metadata, axis) or not here.shape[axis]:
            return Placement(pair.path, joined, start, here.manifest)
        last = _last_row(there, axis)
        manifest = concatenate([last, here], axis).manifest
    except (CombineError, UnsupportedFeatureError) as error:
        reason = error.reason
        if _last_is_partial(there.metadata, axis):
            reason = f"the last chunk that is there is not full, and cannot stay so: {reason}"
        raise CombineError(reason, node=pair.path, url=error.url) from error
    return Placement(pair.path, joined, replaced_at(start, axis, count - 1), manifest)


def _blank(metadata: ArrayMetadata) -> ManifestArray:
    return ManifestArray(metadata, ChunkManifest.empty(metadata.grid_shape))


def _last_is_partial(metadata: ArrayMetadata, axis: int) -> bool:
    layout = axis_layout(metadata, axis)
    return bool(len(layout.shown)) and bool(layout.shown[-1] != layout.stored[-1])


def _last_row(array: ManifestArray, axis: int) -> ManifestArray:
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


def _place_of(growing: list[_Pair], dim: str) -> int | None:
    """Return the position along `dim` at which all of `new` is already; None if none of it is.

    Raises CombineError if a part is there, or coordinates say that it belongs before what is.
    """
    coordinate = next(_coordinates(iter(growing), dim), None)
    if coordinate is not None:
        there, here = plain_values(coordinate.existing), plain_values(coordinate.new)
        if there is not None and here is not None:
            at = _by_values(there, here, coordinate.path, dim)
            if at is None:
                return None
            _check_there(growing, at, dim, "their coordinates are already there, but")
            return at
    return _by_references(growing, dim)


def _coordinates(pairs: Iterator[_Pair], dim: str) -> Iterator[_Pair]:
    """Yield one-dimensional arrays along `dim` that are named like it, in any group."""
    for pair in pairs:
        if pair.existing.metadata.dimension_names == (dim,) and pair.path.split("/")[-1] == dim:
            yield pair


def _by_values(there: npt.NDArray[Any], here: npt.NDArray[Any], path: str, dim: str) -> int | None:
    known = np.isin(here, there)
    if known.all() and len(here):
        at = _run_position(there, here)
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


def _run_position(there: npt.NDArray[Any], here: npt.NDArray[Any]) -> int | None:
    """Return where `here` is in `there` as one run; None if it is not."""
    starts = np.flatnonzero(there == here[0]) if len(here) else np.zeros(0, np.int64)
    for at in starts.tolist():
        if np.array_equal(there[at : at + len(here)], here):
            return int(at)
    return None


def _by_references(growing: list[_Pair], dim: str) -> int | None:
    """Look for the chunks of the array with the fewest chunks among those that are there."""
    pair = min(growing, key=lambda each: each.existing.manifest.location.size)
    codes: dict[str, int] = {}
    there = _lines(pair.existing, pair.axis, codes)
    here = _lines(pair.new, pair.axis, codes)
    if here is None or there is None:
        return None
    hits = np.flatnonzero(np.isin(there, here))
    if not len(hits):
        return None
    at = int(axis_layout(pair.existing.metadata, pair.axis).starts[hits[0]])
    _check_there(growing, at, dim, "a part of what is to be appended is already there, but")
    return at


def _lines(array: ManifestArray, axis: int, codes: dict[str, int]) -> npt.NDArray[Any] | None:
    """Return (file, offset) of the first chunk in each row of chunks along `axis`.

    `codes` numbers the files' URLs. None where a chunk is inline or missing, as those look alike.
    """
    manifest = array.manifest
    for other in range(manifest.ndim_chunk_grid):
        if other != axis:
            manifest = manifest.take(other, slice(0, 1))
    location = manifest.location.reshape(-1)
    if not location.size or (location >= INLINE).any():
        return None
    numbers = [codes.setdefault(file.url, len(codes)) for file in manifest.locations]
    lines = np.empty(location.size, [("file", np.uint64), ("offset", np.uint64)])
    lines["file"] = np.array(numbers, np.uint64)[location]
    lines["offset"] = manifest.offset.reshape(-1)
    return lines


def _check_there(growing: list[_Pair], at: int, dim: str, so_far: str) -> None:
    """Refuse unless every array has at position `at` exactly the references of the new one."""
    for pair in growing:
        axis, there, here = pair.axis, pair.existing, pair.new
        layout = axis_layout(there.metadata, axis)
        first = int(np.searchsorted(layout.starts, at))
        count = here.manifest.shape_chunk_grid[axis]
        aligned = first < len(layout.starts) and int(layout.starts[first]) == at
        rows = there.manifest.take(axis, slice(first, first + count))
        shown = int(layout.shown[first : first + count].sum())
        same = (
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


def _same_references(pair: _Pair, rows: ChunkManifest) -> bool:
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
    end, mine = slice(last, last + 1), _last_row(pair.new, pair.axis)
    twice = concatenate([mine, mine], pair.axis).manifest.take(pair.axis, slice(0, 1))
    return rows.take(pair.axis, end) == twice


def _placed(pair: _Pair, axes: Mapping[int, slice]) -> Placement:
    there, here = pair.existing, pair.new
    _check_decoding(pair)
    start: list[int] = []
    for axis in range(there.ndim):
        layout, mine = axis_layout(there.metadata, axis), axis_layout(here.metadata, axis)
        cut = range(there.shape[axis])[axes.get(axis, slice(None))]
        if cut.step != 1 or len(cut) != here.shape[axis]:
            raise CombineError(
                f"the region along axis {axis} has {len(cut)} elements, the array to be put there "
                f"{here.shape[axis]}",
                node=pair.path,
            )
        first = int(np.searchsorted(layout.starts, cut.start))
        inside = layout.shown[first : first + len(mine.shown)]
        aligned = first < len(layout.starts) and int(layout.starts[first]) == cut.start
        stored = layout.stored[first : first + len(mine.stored)]
        if not (
            aligned and np.array_equal(inside, mine.shown) and np.array_equal(stored, mine.stored)
        ):
            raise CombineError(
                f"the region along axis {axis} is not made of whole chunks as they are there",
                node=pair.path,
            )
        start.append(first)
    return Placement(pair.path, there.metadata, tuple(start), here.manifest)


__all__ = ["AppendPlan", "Placement", "plain_values", "plan_append", "plan_region", "region_of"]
