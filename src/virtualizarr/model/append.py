"""Deciding what appending one tree of arrays to another changes. Pure: nothing is written here.

Every format appends by the same rules. What is already there is not added again; what would give
wrong values is refused with a reason; the rest is a list of placements, which a writer carries out.

An array grows if it has the dimension, by name. The others must be described alike, and hold the
same bytes where both hold them inline; of references to different files nothing can be told without
reading, so what is stored stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from virtualizarr.errors import CombineError, UnsupportedFeatureError
from virtualizarr.model.already_there import (
    coordinates,
    last_row,
    place_of,
    plain_values,
    run_position,
    same_values,
)
from virtualizarr.model.array import ManifestArray
from virtualizarr.model.columns import replaced_at
from virtualizarr.model.combine import concatenate
from virtualizarr.model.group import ManifestGroup
from virtualizarr.model.layout import axis_layout
from virtualizarr.model.manifest import ChunkManifest
from virtualizarr.model.metadata import ArrayMetadata
from virtualizarr.model.pairing import Pair, by_group, check_alike, check_decoding, pairs_of


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


def plan_append(existing: ManifestGroup, new: ManifestGroup, dim: str) -> AppendPlan:
    """Return what it takes to append `new` to `existing` along the dimension `dim`.

    The manifests of `existing` are looked at only where coordinates with inline values do not
    decide, so they may be read lazily. Raises CombineError, naming the array, if the trees hold
    different arrays, descriptions or coordinates disagree, the last chunk is partial and no chunk
    grid can express that, or a part of `new` is already there.
    """
    pairs = list(pairs_of(existing, new, dim))
    growing = [pair for pair in pairs if pair.axis >= 0]
    if not growing:
        raise CombineError(f"no array has the dimension {dim!r} to append along")
    for pair in pairs:
        if pair.axis < 0:
            check_alike(pair)
        else:
            check_decoding(pair)
    if all(pair.new.shape[pair.axis] == 0 for pair in growing):
        return AppendPlan((), f"nothing to append: {dim!r} has length 0")
    places = {place_of(own, dim) for own in by_group(growing)}
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


def plan_region(
    existing: ManifestGroup, new: ManifestGroup, region: Mapping[str, slice]
) -> AppendPlan:
    """Return what it takes to replace a region of `existing`, given by dimension, with `new`.

    Dimensions that are not named are taken whole. Arrays without any of the dimensions must be
    alike, as in `plan_append`; values that are there already stay as they are. Raises CombineError
    if the region is not made of whole chunks.
    """
    pairs = [(pair, _region_axes(pair, region)) for pair in pairs_of(existing, new, None)]
    if not any(axes for _, axes in pairs):
        raise CombineError(f"no array has any of the dimensions {sorted(region)}")
    placements: list[Placement] = []
    for pair, axes in pairs:
        if not axes:
            check_alike(pair)
        elif not _holds(pair, axes):
            placements.append(_placed(pair, axes))
    note = "replaced a region" if placements else "nothing to do: these values are there"
    return AppendPlan(tuple(placements), note)


def _holds(pair: Pair, axes: Mapping[int, slice]) -> bool:
    """Say whether a region has the values already, as coordinates of it do."""
    cut = range(pair.existing.shape[0])[axes.get(0, slice(None))] if pair.existing.ndim else None
    whole = all(
        len(range(n)[axes[axis]]) == n
        for axis, n in enumerate(pair.existing.shape)
        if axis in axes and axis
    )
    if cut is None or cut.step != 1 or len(cut) != pair.new.shape[0] or not whole:
        return False
    check_decoding(pair)
    return same_values(pair.existing, pair.new, cut.start)


def _region_axes(pair: Pair, region: Mapping[str, slice]) -> dict[int, slice]:
    names = pair.existing.metadata.dimension_names
    known = names if names is not None else ()
    return {
        axis: region[name] for axis, name in enumerate(known) if name is not None and name in region
    }


def region_of(
    existing: ManifestGroup, new: ManifestGroup, dims: Mapping[str, Any] | Literal["auto"]
) -> dict[str, slice]:
    """Return `dims` with every "auto" worked out from coordinates with inline values.

    "auto" alone stands for all dimensions that have a coordinate in the root of `new`. Raises
    CombineError where the values of a coordinate are not there, in one run.
    """
    if isinstance(dims, str):
        named = [n for n, a in new.arrays.items() if a.metadata.dimension_names == (n,)]
        dims = dict.fromkeys(named, dims)
    found: dict[str, slice] = {}
    for dim, wanted in dims.items():
        if wanted != "auto":
            found[dim] = wanted
            continue
        pair = next((p for p in coordinates(pairs_of(existing, new, None), dim)), None)
        there = plain_values(pair.existing) if pair is not None else None
        wanted_values = plain_values(pair.new) if pair is not None else None
        if pair is None or there is None or wanted_values is None:
            raise CombineError(
                f"region 'auto' needs the values of the coordinate {dim!r}, loaded; give a slice"
            )
        at = run_position(there, wanted_values)
        if at is None:
            raise CombineError(f"the values of {dim!r} are not there, in one run", node=pair.path)
        found[dim] = slice(at, at + len(wanted_values))
    return found


def _grown(pair: Pair) -> Placement:
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
        last = last_row(there, axis)
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


def _placed(pair: Pair, axes: Mapping[int, slice]) -> Placement:
    there, here = pair.existing, pair.new
    check_decoding(pair)
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
