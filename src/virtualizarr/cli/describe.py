"""What the command line says of a tree of virtual arrays, as plain data (`--json` prints it)."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from virtualizarr.model import INLINE, MISSING, ManifestArray, ManifestGroup, RegularGrid
from virtualizarr.model.json import Json, to_json


def describe_group(group: ManifestGroup) -> dict[str, Json]:
    """Return attributes, variables and groups of a tree, without references."""
    return {
        "attributes": to_json(group.attributes),
        "variables": {name: describe_array(array) for name, array in group.arrays.items()},
        "groups": {name: describe_group(child) for name, child in group.groups.items()},
    }


def describe_array(array: ManifestArray) -> dict[str, Json]:
    """Return dtype, dimensions, chunks, codecs and sizes of one variable.

    `nbytes` are the bytes of the decoded values, `stored` the bytes that its chunks take in the
    files; `missing` and `inline` count chunks.
    """
    metadata, manifest = array.metadata, array.manifest
    names = metadata.dimension_names
    grid = metadata.chunk_grid
    chunks = grid.chunk_shape if isinstance(grid, RegularGrid) else grid.chunk_shapes
    return {
        "dtype": str(metadata.dtype),
        "dimensions": list(names if names is not None else [None] * metadata.ndim),
        "shape": list(metadata.shape),
        "chunks": to_json(chunks),
        "codecs": [str(codec["name"]) for codec in metadata.codecs],
        "fill_value": metadata.fill_value,
        "attributes": to_json(metadata.attributes),
        "nbytes": prod(metadata.shape) * metadata.dtype.itemsize,
        "stored": int(manifest.length.sum(dtype=np.uint64)),
        "references": prod(manifest.shape_chunk_grid) - _count(array, MISSING),
        "missing": _count(array, MISSING),
        "inline": _count(array, INLINE),
    }


def totals(description: dict[str, Any]) -> dict[str, int]:
    """Add up variables, bytes and references over a description's whole tree."""
    sums = {"variables": 0, "nbytes": 0, "stored": 0, "references": 0}
    for variable in description["variables"].values():
        sums["variables"] += 1
        for key in ("nbytes", "stored", "references"):
            sums[key] += variable[key]
    for child in description["groups"].values():
        sums = {key: value + totals(child)[key] for key, value in sums.items()}
    return sums


def _count(array: ManifestArray, code: np.uint32) -> int:
    location = array.manifest.location
    if location.size and not any(location.strides):  # one repeated cell
        return location.size if location.flat[0] == code else 0
    return int(np.count_nonzero(location == code))
