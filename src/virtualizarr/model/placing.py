"""Carrying out an append plan on a tree: for formats that are written anew as a whole."""

from __future__ import annotations

import numpy as np

from virtualizarr.model.append import AppendPlan, Placement
from virtualizarr.model.array import ManifestArray
from virtualizarr.model.group import ManifestGroup
from virtualizarr.model.location import MISSING
from virtualizarr.model.manifest import ChunkManifest


def carried_out(existing: ManifestGroup, plan: AppendPlan) -> ManifestGroup:
    """Return `existing` with the plan's placements put in; what they do not touch is shared."""
    by_path = {placement.path: placement for placement in plan.placements}
    return _group(existing, by_path, "") if by_path else existing


def _group(group: ManifestGroup, by_path: dict[str, Placement], prefix: str) -> ManifestGroup:
    arrays = {
        name: _array(array, by_path[prefix + name]) if prefix + name in by_path else array
        for name, array in group.arrays.items()
    }
    groups = {
        name: _group(child, by_path, f"{prefix}{name}/") for name, child in group.groups.items()
    }
    return ManifestGroup(arrays, groups, group.attributes)


def _array(array: ManifestArray, placement: Placement) -> ManifestArray:
    return ManifestArray(placement.metadata, placed(array.manifest, placement))


def placed(manifest: ChunkManifest, placement: Placement) -> ChunkManifest:
    """Return `manifest` on the placement's chunk grid, with its cells put in.

    Cells that neither holds are missing; where both hold one, the placement's counts.
    """
    there, here = manifest.shape_chunk_grid, placement.manifest.shape_chunk_grid
    both = ChunkManifest.concatenate([_flat(manifest), _flat(placement.manifest)], 0)
    count = manifest.location.size
    source = np.full(placement.metadata.grid_shape, -1, np.int64)
    source[tuple(map(slice, there))] = np.arange(count).reshape(there)
    target = tuple(slice(at, at + n) for at, n in zip(placement.start, here, strict=True))
    source[target] = np.arange(count, both.location.size).reshape(here)
    if not both.location.size:
        return ChunkManifest.empty(source.shape)
    filled = source >= 0
    zero = both.length.dtype.type(0)
    return ChunkManifest.from_columns(
        both.locations,
        np.where(filled, both.location[source], MISSING),
        np.where(filled, both.offset[source], np.uint64(0)),
        np.where(filled, both.length[source], zero),
        both.inline,
    ).compacted()


def _flat(manifest: ChunkManifest) -> ChunkManifest:
    return manifest.reshape_grid((manifest.location.size,))
