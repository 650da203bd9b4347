"""From the parts of a variable to a ManifestArray."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import ArrayMetadata, ChunkManifest, ManifestArray
from virtualizarr.model.dtypes import STRING
from virtualizarr.model.uncompressed import row_bytes, subchunk
from virtualizarr.parsers.dmrpp.chunks import Placed
from virtualizarr.parsers.dmrpp.elements import Element

SPLIT_BYTES = 128 * 1024 * 1024
"""Contiguous values of more bytes are cut along their first axis, so that parts can be read."""

SMALLEST_PART = 8 * 1024 * 1024
MAX_AXES = 64  # of a numpy array


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What an array is shown with, but for its values: the names of its own axes, attributes."""

    shape: tuple[int, ...]
    names: tuple[str, ...]
    attributes: Mapping[str, Any]


def array_of(shown: Shown, element: Element, placed: Placed, fill: Any) -> ManifestArray:
    """Return the array of a variable's chunks; the axes within an element are put behind its own.

    `shown.names` names these too. `fill` is a scalar, None for zero.
    """
    inner = tuple(dim.size for dim in element.dims)
    metadata = ArrayMetadata.create(
        shape=(*shown.shape, *inner),
        dtype=element.dtype,
        chunk_shape=(*placed.chunk_shape, *inner),
        codecs=(*element.codecs, *placed.codecs),
        fill_value=fill,
        attributes=shown.attributes,
        dimension_names=shown.names,
    )
    if metadata.ndim > MAX_AXES:
        raise UnsupportedFeatureError(f"has {metadata.ndim} axes")
    manifest = placed.manifest
    if inner:
        if manifest.all_missing:
            manifest = ChunkManifest.empty(metadata.grid_shape)
        else:
            manifest = manifest.reshape_grid(metadata.grid_shape)
    return _split(ManifestArray(metadata, manifest))


def _split(array: ManifestArray) -> ManifestArray:
    """Return an array of one large uncompressed chunk as one of several."""
    shape, manifest = array.shape, array.manifest
    if array.nbytes <= SPLIT_BYTES or manifest.location.size != 1 or manifest.all_missing:
        return array
    row = row_bytes(array.metadata, 0)
    if row is None or array.chunks != shape:
        return array
    divisors = [n for n in _divisors(shape[0]) if n * row <= SPLIT_BYTES]
    rows = max(divisors, default=shape[0])
    if rows == shape[0] or rows * row < SMALLEST_PART:
        return array
    return subchunk(array, (rows, *shape[1:]))


def _divisors(number: int) -> set[int]:
    limit = min(int(number**0.5), 1 << 20)
    small = [n for n in range(1, limit + 1) if number % n == 0]
    return {*small, *(number // n for n in small)}


def inline_array(shown: Shown, values: npt.NDArray[Any]) -> ManifestArray:
    """Return an array whose values the document holds, as one inline chunk.

    `values` are 1-D, or have the shape shown. Raises CorruptFileError if they are too few or too
    many.
    """
    if values.size != prod(shown.shape):
        raise CorruptFileError(f"{values.size} values for the shape {shown.shape}")
    return _inline(shown, values.dtype, values.tobytes())


def inline_texts(shown: Shown, texts: Sequence[tuple[str, int]]) -> ManifestArray:
    """Return an array of texts that the document holds, each with how often it is repeated."""
    count = sum(times for _, times in texts)
    if count != prod(shown.shape):
        raise CorruptFileError(f"{count} texts for the shape {shown.shape}")
    encoded = [count.to_bytes(4, "little")]
    for text, times in texts:
        data = text.encode("utf-8", "replace")
        encoded.append((len(data).to_bytes(4, "little") + data) * times)
    return _inline(shown, STRING, b"".join(encoded))


def _inline(shown: Shown, dtype: np.dtype[Any], data: bytes) -> ManifestArray:
    metadata = ArrayMetadata.create(
        shape=shown.shape,
        dtype=dtype,
        chunk_shape=shown.shape,
        attributes=shown.attributes,
        dimension_names=shown.names,
    )
    grid = metadata.grid_shape
    if not prod(shown.shape):
        return ManifestArray(metadata, ChunkManifest.empty(grid))
    return ManifestArray(metadata, ChunkManifest.inlined(data).reshape_grid(grid))


def repeated_array(
    shown: Shown, element: Element, chunk_shape: tuple[int, ...], value: npt.NDArray[Any]
) -> ManifestArray:
    """Return an array every element of which is `value`, which has axes of its own.

    For fill values that differ along these axes, which a Zarr fill value cannot: all chunks share
    one inline chunk. Raises UnsupportedFeatureError if that is too large.
    """
    inner = tuple(dim.size for dim in element.dims)
    chunks = (*chunk_shape, *inner)
    if prod(chunks) * value.itemsize > SMALLEST_PART:
        raise UnsupportedFeatureError("a fill value that differs along the axes of a member")
    metadata = ArrayMetadata.create(
        shape=(*shown.shape, *inner),
        dtype=value.dtype,
        chunk_shape=chunks,
        attributes=shown.attributes,
        dimension_names=shown.names,
    )
    data = np.broadcast_to(value, chunks).tobytes()
    grid = metadata.grid_shape
    one = ChunkManifest.inlined(data).reshape_grid((1,) * len(grid))
    manifest = one.stretch(grid) if prod(grid) else ChunkManifest.empty(grid)
    return ManifestArray(metadata, manifest)
