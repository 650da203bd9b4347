"""Contiguous numbers and rows, cut into chunks of a good size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from virtualizarr.codecs.base import ForeignCodec
from virtualizarr.codecs.field import COPY, FLIP, Field
from virtualizarr.model import (
    AffineRun,
    ArrayMetadata,
    ChunkManifest,
    Location,
    ManifestArray,
)
from virtualizarr.model.json import Json

MAX_COUNTS = 65_536

type CodecJson = Mapping[str, Json]


def codec_json(codec: ForeignCodec) -> CodecJson:
    """Return one of our codecs as Zarr metadata."""
    return {"name": codec.name, "configuration": codec.configuration()}


def flipping(dtype: np.dtype[Any], *, pad: bool = False) -> list[CodecJson]:
    """Return the codec that turns over the first bit of numbers stored in big-endian order."""
    size = dtype.itemsize
    return [codec_json(Field(size, 0, size, FLIP, size, pad=pad))]


def contiguous_array(
    location: Location,
    offset: int,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    *,
    flip: bool,
    chunk_bytes: int | None,
    attributes: Mapping[str, Any],
    dims: Sequence[str],
) -> ManifestArray:
    """Return numbers that lie one after the other from `offset` on, in chunks of `chunk_bytes`.

    With `flip` their first bit is turned over. Chunks are runs along one axis; where they cannot be
    equal, the last one is shorter, and a codec fills it up.
    """
    chunk_shape, axis = split(shape, dtype.itemsize, chunk_bytes)
    whole = tuple(max(n, 1) for n in shape)
    ragged = bool(whole) and whole[axis] % chunk_shape[axis] != 0
    padding = (
        [codec_json(Field(dtype.itemsize, 0, dtype.itemsize, COPY, pad=True))] if ragged else []
    )
    metadata = ArrayMetadata.create(
        shape=shape,
        dtype=dtype,
        chunk_shape=chunk_shape,
        codecs=flipping(dtype, pad=ragged) if flip else padding,
        attributes=attributes,
        dimension_names=dims,
    )
    grid_shape = metadata.grid_shape
    step = prod(chunk_shape) * dtype.itemsize
    run = prod(whole[axis:]) * dtype.itemsize
    steps = list(AffineRun.contiguous(0, run, grid_shape[:axis]).steps)
    steps += [step if i == axis else 0 for i in range(axis, len(shape))]
    lengths = np.full(grid_shape[axis : axis + 1], step, np.uint64)
    if ragged and lengths.size:
        lengths[-1] = run - step * (len(lengths) - 1)
    lengths = lengths.reshape(lengths.shape + (1,) * (len(shape) - axis - 1))
    manifest = ChunkManifest.single_file(
        location,
        AffineRun(offset, tuple(steps), grid_shape),
        np.broadcast_to(lengths if ragged else np.uint64(step), grid_shape),
    )
    return ManifestArray(metadata, manifest)


def split(
    shape: tuple[int, ...], itemsize: int, chunk_bytes: int | None
) -> tuple[tuple[int, ...], int]:
    """Return the shape of chunks of at most `chunk_bytes`, and the axis along which they are cut.

    Lengths are 1 before that axis and whole after it.
    """
    whole = tuple(max(n, 1) for n in shape)
    if not whole or chunk_bytes is None or prod(whole) * itemsize <= chunk_bytes:
        return whole, 0
    axis, inner = len(whole) - 1, itemsize
    while axis > 0 and inner * whole[axis] <= chunk_bytes:
        inner *= whole[axis]
        axis -= 1
    length = even_length(whole[axis], max(1, chunk_bytes // inner))
    return (*(1,) * axis, length, *whole[axis + 1 :]), axis


def even_length(total: int, most: int) -> int:
    """Return a length of at most `most`: a divisor of `total` if one is near, else nearly even."""
    if total <= most:
        return total
    least = -(-total // most)
    counts = np.arange(least, min(2 * least, least + MAX_COUNTS) + 1)
    dividing = counts[total % counts == 0]
    return total // int(dividing[0]) if len(dividing) else -(-total // least)
