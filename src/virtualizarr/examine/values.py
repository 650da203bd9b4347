"""Comparing the values of two arrays, a slab of chunks at a time."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from virtualizarr.model import ManifestArray
from virtualizarr.model.layout import axis_layout
from virtualizarr.store import ManifestStore

SLAB_BYTES = 64 * 1024 * 1024


def differing_values(
    left: ManifestStore, right: ManifestStore, path: str, array: ManifestArray
) -> str | None:
    """Say how many of the decoded values of two arrays of one shape differ; None if none do.

    NaN equals NaN. `array` is that of `left`, whose chunks set the size of what is read at a time.
    Raises the errors of reading.
    """
    one: Any = zarr.open_array(left, path=path, mode="r", zarr_format=3)
    two: Any = zarr.open_array(right, path=path, mode="r", zarr_format=3)
    count, example = 0, None
    for region in _slabs(array):
        a, b = np.asarray(one[region]), np.asarray(two[region])
        unlike = _unlike(a, b)
        found = int(np.count_nonzero(unlike))
        if found and example is None:
            at = tuple(int(i) for i in np.argwhere(unlike)[0])
            start = region[0].start if region else 0
            index = (at[0] + start, *at[1:]) if at else ()
            example = f"the first at {index}: {a[at]!s} -> {b[at]!s}"
        count += found
    return f"{count} of {array.size} differ, {example}" if count else None


def _slabs(array: ManifestArray) -> Iterator[tuple[slice, ...]]:
    """Yield regions that cover the array: whole rows of chunks, as many as fit in `SLAB_BYTES`."""
    if not array.ndim:
        yield ()
        return
    row = max(1, prod(array.shape[1:]) * array.dtype.itemsize)
    layout = axis_layout(array.metadata, 0)
    start = stop = 0
    for length in layout.shown.tolist():
        if stop > start and (stop + length - start) * row > SLAB_BYTES:
            yield (slice(start, stop),)
            start = stop
        stop += length
    if stop > start:
        yield (slice(start, stop),)


def _unlike(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    unlike = np.asarray(a != b)
    if a.dtype.kind in "fcmM" and b.dtype.kind == a.dtype.kind:
        unlike &= ~(np.isnan(a) & np.isnan(b))
    return unlike
