"""From placements to the virtual Zarr model."""

from __future__ import annotations

from math import isqrt, prod
from typing import Any

import numpy as np

from virtualizarr.model import ArrayMetadata, ChunkManifest, Location, ManifestArray
from virtualizarr.parsers.netcdf3.layout import DEFAULT_FILL, Header
from virtualizarr.parsers.netcdf3.placement import Placement

TINY = 64
"""A chunk smaller than the target by more than this factor is worse than one larger than it."""

DIVISIBLE_MAX = 2**40
"""Axes longer than this are not searched for divisors."""


def to_array(
    header: Header, placement: Placement, location: Location, chunk_bytes: int | None
) -> ManifestArray:
    """Return the virtual array of one variable.

    A record variable among others has one chunk per record. Contiguous data are one chunk or,
    where they are larger than `chunk_bytes`, equal chunks along the outer axes.
    """
    var, shape = placement.var, placement.shape
    itemsize = var.dtype.itemsize
    if placement.stride is not None:
        chunk_shape: tuple[int, ...] = (1, *shape[1:])
        stride = placement.stride
    else:
        chunk_shape = _split(shape, itemsize, chunk_bytes)
        stride = prod(chunk_shape) * itemsize
    grid_shape = tuple(-(-n // c) for n, c in zip(shape, chunk_shape, strict=True))
    offset = np.arange(prod(grid_shape), dtype=np.uint64)
    offset *= np.uint64(stride)
    offset += np.uint64(var.begin)
    return ManifestArray(
        ArrayMetadata.create(
            shape=shape,
            dtype=var.dtype,
            chunk_shape=chunk_shape,
            fill_value=_fill(placement),
            attributes=var.vatts,
            dimension_names=[header.dims[dimid].name for dimid in var.dimids],
        ),
        ChunkManifest.single_file(
            location, offset.reshape(grid_shape), prod(chunk_shape) * itemsize
        ),
    )


def _fill(placement: Placement) -> Any:
    """Return what the netCDF library writes where nobody wrote; it is no mask for readers."""
    var = placement.var
    declared = var.vatts.get("_FillValue")
    if isinstance(declared, np.generic) and declared.dtype == var.dtype.newbyteorder("="):
        return declared
    return DEFAULT_FILL[var.nc_type]


def _split(shape: tuple[int, ...], itemsize: int, chunk_bytes: int | None) -> tuple[int, ...]:
    """Return the shape of equal chunks of contiguous data of `shape`, near `chunk_bytes` each.

    Every chunk is a contiguous run: 1 on outer axes, a divisor of one axis, the rest whole.
    """
    whole = tuple(max(n, 1) for n in shape)
    if chunk_bytes is None or prod(whole) * itemsize <= chunk_bytes:
        return whole
    axis, inner = len(whole) - 1, itemsize
    while axis > 0 and inner * whole[axis] <= chunk_bytes:
        inner *= whole[axis]
        axis -= 1
    if not whole:
        return whole
    lengths = _divisors(whole[axis])
    fitting = max((n for n in lengths if n * inner <= chunk_bytes), default=1)
    if fitting * inner * TINY < chunk_bytes:
        fitting = min(n for n in lengths if n > fitting)
    return (*(1,) * axis, fitting, *whole[axis + 1 :])


def _divisors(n: int) -> list[int]:
    if n > DIVISIBLE_MAX:
        return [1, n]
    small = np.arange(1, isqrt(n) + 1)
    small = small[n % small == 0]
    return [*small.tolist(), *(n // small).tolist()]
