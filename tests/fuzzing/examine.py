"""One damaged file, treated as a person would: parsed, and some of its chunks read through zarr."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import zarr

import virtualizarr
from virtualizarr.errors import VirtualizeError
from virtualizarr.model import MISSING, ManifestArray, ManifestGroup
from virtualizarr.model.layout import axis_layout

FUSED = "zarr.core.codec_pipeline.FusedCodecPipeline"
BATCHED = "zarr.core.codec_pipeline.BatchedCodecPipeline"
ARRAYS_READ = 4
LARGEST_GRID = 10**6
LARGEST_CHUNK = 8 << 20
"""Bytes of a chunk, as declared, that are still decoded: memory for one may follow what it says."""


def outcome(path: Path, parser: str | None, pipeline: str = FUSED) -> str:
    """Parse and read; return the name of the error of our tree, or how much could be read.

    Any other exception is let out: it is a finding. `pipeline` is zarr's, by its path.
    """
    try:
        group = virtualizarr.parse(path, parser=parser)
    except VirtualizeError as error:
        str(error)
        return f"refused by {type(error).__name__}"
    with zarr.config.set({"codec_pipeline.path": pipeline}):
        return read_some(group)


def read_some(group: ManifestGroup) -> str:
    """Decode the first and the last chunk of some arrays, through the store."""
    try:
        root = zarr.open_group(virtualizarr.open_store(group), mode="r")
    except VirtualizeError as error:
        return f"not opened for {type(error).__name__}"
    decoded = failed = 0
    for path, array in list(walk(group))[:ARRAYS_READ]:
        if "\\" in path:  # zarr takes a backslash for a slash
            continue
        try:
            node: Any = root[path]
        except VirtualizeError:
            failed += 1
            continue
        try:
            chosen = selections(array)
        except VirtualizeError as error:  # of references that are read when they are wanted
            str(error)
            failed += 1
            continue
        for selection in chosen:
            try:
                node[selection]
                decoded += 1
            except VirtualizeError as error:
                str(error)
                failed += 1
    return "read" if not failed else "partly read" if decoded else "parsed, not read"


def walk(group: ManifestGroup, prefix: str = "") -> Iterator[tuple[str, ManifestArray]]:
    """Yield path and array of every array of a tree."""
    for name, array in group.arrays.items():
        yield prefix + name, array
    for name, child in group.groups.items():
        yield from walk(child, f"{prefix}{name}/")


def selections(array: ManifestArray) -> list[tuple[int, ...]]:
    """Return places in the first and the last present chunks that are small enough to decode."""
    location = array.manifest.location
    if not 0 < prod(location.shape) <= LARGEST_GRID or 0 in array.shape:
        return []
    layouts = [axis_layout(array.metadata, axis) for axis in range(array.ndim)]
    stored = prod(int(layout.stored.max()) for layout in layouts)
    if stored * max(array.dtype.itemsize, 1) > LARGEST_CHUNK:
        return []
    cells = [np.unravel_index(number, location.shape) for number in present(location)]
    return [
        tuple(int(layout.starts[i]) for i, layout in zip(cell, layouts, strict=True))
        for cell in cells
    ]


def present(location: Any) -> list[int]:
    """Return the flat numbers of the first and the last chunk that is not missing."""
    found = np.flatnonzero(location != MISSING)
    return sorted({int(found[0]), int(found[-1])}) if len(found) else []
