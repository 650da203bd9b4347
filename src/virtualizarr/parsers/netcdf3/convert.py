"""From placements to the virtual Zarr model."""

from __future__ import annotations

from functools import lru_cache
from math import isqrt, prod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from virtualizarr.model import ArrayMetadata, ChunkManifest, Location, ManifestArray, RegularGrid
from virtualizarr.model.columns import AffineRun
from virtualizarr.model.dtypes import data_type_of, encode_fill
from virtualizarr.model.json import Json
from virtualizarr.model.metadata import CodecJson, serializer_of
from virtualizarr.parsers.netcdf3.layout import DEFAULT_FILL, EXTERNAL_TYPES, Header, Var
from virtualizarr.parsers.netcdf3.placement import Placement

TINY = 64
"""A chunk smaller than the target by more than this factor is worse than one larger than it."""

NATIVE_TYPES = {nc_type: dtype.newbyteorder("=") for nc_type, dtype in EXTERNAL_TYPES.items()}

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
    chunks = _chunks(shape, var.dtype.itemsize, placement.stride, chunk_bytes)
    data_type, serializer, default_fill = _stored_as(var.nc_type)
    fill = _declared_fill(var)
    metadata = ArrayMetadata(
        shape=shape,
        data_type=data_type,
        chunk_grid=chunks.grid,
        codecs=(serializer,),
        fill_value=default_fill if fill is None else fill,
        attributes=var.vatts,
        dimension_names=tuple([header.dims[dimid].name for dimid in var.dimids]),
    )
    manifest = ChunkManifest.from_columns(
        (location,),
        chunks.location,
        AffineRun(var.begin, chunks.offset.steps, chunks.offset.shape),
        chunks.length,
    )
    return ManifestArray(metadata, manifest)


class _Chunks(NamedTuple):
    """The chunks of one variable as if its data began at byte 0."""

    grid: RegularGrid
    location: npt.NDArray[np.uint32]
    offset: AffineRun
    length: npt.NDArray[np.unsignedinteger[Any]]


@lru_cache(maxsize=256)
def _chunks(
    shape: tuple[int, ...], itemsize: int, stride: int | None, chunk_bytes: int | None
) -> _Chunks:
    """Return the chunks of a variable; those of one shape share them.

    `stride` is the distance from one record to the next, None for contiguous data.
    """
    if stride is not None:
        chunk_shape: tuple[int, ...] = (1, *shape[1:])
    else:
        chunk_shape = _split(shape, itemsize, chunk_bytes)
    nbytes = prod(chunk_shape) * itemsize
    grid = RegularGrid(chunk_shape)
    grid_shape = grid.grid_shape(shape)
    offset = AffineRun.contiguous(0, stride if stride is not None else nbytes, grid_shape)
    return _Chunks(grid, _uniform(0, grid_shape), offset, _uniform(nbytes, grid_shape))


def _uniform(value: int, grid_shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return a column of one number, at no cost per chunk."""
    number = np.uint32(value) if value < 2**32 else np.uint64(value)
    return np.broadcast_to(number, grid_shape)


@lru_cache
def _stored_as(nc_type: int) -> tuple[Json, CodecJson, Json]:
    """Return data type, serializer and default fill value of an external type, as Zarr says it.

    The fill is what the netCDF library writes where nobody wrote; it is no mask for readers.
    """
    dtype = EXTERNAL_TYPES[nc_type]
    return data_type_of(dtype), serializer_of(dtype), encode_fill(DEFAULT_FILL[nc_type], dtype)


def _declared_fill(var: Var) -> Json | None:
    """Return the value of the attribute `_FillValue` where it has the variable's own type."""
    declared = var.vatts.get("_FillValue")
    native = NATIVE_TYPES[var.nc_type]
    if isinstance(declared, np.generic) and declared.dtype == native:
        return _encoded_fill(declared.tobytes(), native)
    return None


@lru_cache(maxsize=256)
def _encoded_fill(raw: bytes, dtype: np.dtype[Any]) -> Json:
    return encode_fill(np.frombuffer(raw, dtype)[0], dtype)


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
