"""Uncompressed data as chunks: where the parts of an element allow it nothing is copied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd, prod

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model import INLINE, MISSING, AffineRun, ChunkManifest, Location
from virtualizarr.parsers.hdf4.layout import Extents, Int64s
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Reading

MAX_CHUNKS = 1 << 20
MAX_INLINE = 16 * 1024 * 1024
TINY = 64
INLINE_COST, CHUNK_COST = 16, 256  # of a byte kept inline, of one chunk more


@dataclass(frozen=True, slots=True)
class Placed:
    """Chunks of an uncompressed array."""

    chunk_shape: tuple[int, ...]
    manifest: ChunkManifest


def place_whole(
    location: Location,
    offset: int,
    shape: tuple[int, ...],
    itemsize: int,
    chunk_bytes: int | None,
) -> Placed:
    """Return data in one part, cut into equal chunks along its outer axes."""
    chunk_shape = _split(shape, itemsize, chunk_bytes)
    grid = tuple(n // part for n, part in zip(shape, chunk_shape, strict=True))
    nbytes = prod(chunk_shape) * itemsize
    run = AffineRun.contiguous(offset, nbytes, grid)
    return Placed(chunk_shape, ChunkManifest.single_file(location, run, nbytes))


def place_parts(
    location: Location, parts: Extents, shape: tuple[int, ...], itemsize: int, fill: bytes
) -> Reading[Placed]:
    """Return data in several parts, or with an end that was never written.

    Chunks that lie within one part are referred to; those across two are kept inline (a round to
    read them), with `fill` in place of what is not there. Raises UnsupportedFeatureError where
    that would be more than MAX_INLINE bytes.
    """
    best: tuple[int, tuple[int, ...]] | None = None
    for chunk_shape in _candidates(parts, shape, itemsize):
        nbytes = prod(chunk_shape) * itemsize
        count = prod(shape) * itemsize // nbytes
        if count <= MAX_CHUNKS:
            across = int((~_found(parts, nbytes, count)[0] & _touched(parts, nbytes, count)).sum())
            cost = across * nbytes * INLINE_COST + count * CHUNK_COST
            if across * nbytes <= MAX_INLINE and (best is None or cost < best[0]):
                best = cost, chunk_shape
    if best is None:
        raise UnsupportedFeatureError(
            f"data in {len(parts.offset)} parts (linked blocks) whose borders do not fit the rows"
        )
    chunk_shape = best[1]
    nbytes = prod(chunk_shape) * itemsize
    grid = tuple(n // part for n, part in zip(shape, chunk_shape, strict=True))
    manifest = yield from _manifest(location, parts, nbytes, prod(grid), fill)
    return Placed(chunk_shape, manifest.reshape_grid(grid))


def _manifest(
    location: Location, parts: Extents, nbytes: int, count: int, fill: bytes
) -> Reading[ChunkManifest]:
    inside, offset = _found(parts, nbytes, count)
    across = np.flatnonzero(~inside & _touched(parts, nbytes, count))
    wanted = [parts.within(int(i) * nbytes, (int(i) + 1) * nbytes) for i in across]
    starts = [int(start) for each in wanted for start in each.offset]
    sizes = [int(size) for each in wanted for size in each.length]
    ranges = [ByteRange(start, start + size) for start, size in zip(starts, sizes, strict=True)]
    answers = iter((yield ranges) if ranges else [])
    inline = bytearray()
    for each in wanted:
        data = b"".join(bytes(next(answers)) for _ in each.offset)
        inline += data + fill_bytes(fill, len(data), nbytes)
    codes = np.where(inside, np.uint32(0), MISSING).astype(np.uint32)
    codes[across] = INLINE
    offset[across] = np.arange(len(across)) * nbytes
    length = np.where(codes == MISSING, 0, nbytes).astype(np.uint64)
    return ChunkManifest.from_columns(
        (location,), codes, offset.astype(np.uint64), length, bytes(inline)
    ).compacted()


def fill_bytes(fill: bytes, start: int, stop: int) -> bytes:
    """Return the bytes from `start` to `stop` of a run of `fill`, again and again."""
    if stop <= start:
        return b""
    first = start // len(fill)
    return (fill * (-(-stop // len(fill)) - first))[start % len(fill) :][: stop - start]


def _found(parts: Extents, nbytes: int, count: int) -> tuple[npt.NDArray[np.bool_], Int64s]:
    """Return which chunks of `nbytes` lie within one part, and where; 0 for the others."""
    start = np.arange(count, dtype=np.int64) * nbytes
    ends = np.cumsum(parts.length)
    part = np.minimum(np.searchsorted(ends, start, side="right"), len(ends) - 1)
    if not len(ends):
        return np.zeros(count, np.bool_), np.zeros(count, np.int64)
    inside = start + nbytes <= ends[part]
    offset = parts.offset[part] + start - (ends[part] - parts.length[part])
    return inside, np.where(inside, offset, 0)


def _touched(parts: Extents, nbytes: int, count: int) -> npt.NDArray[np.bool_]:
    return np.arange(count, dtype=np.int64) * nbytes < parts.total


def _candidates(parts: Extents, shape: tuple[int, ...], itemsize: int) -> Iterator[tuple[int, ...]]:
    """Yield chunk shapes that may fit: whole, single steps of an axis, and as the parts are cut."""
    yield shape
    borders = np.cumsum(parts.length)
    common = gcd(*(int(border) for border in borders), 0)
    for axis, length in enumerate(shape):
        step = prod(shape[axis + 1 :]) * itemsize
        outer, inner = (1,) * axis, shape[axis + 1 :]
        for size in {1, common // step, int(parts.length.max(initial=0)) // step}:
            if size >= 1:
                yield (*outer, gcd(size, length), *inner)


def _split(shape: tuple[int, ...], itemsize: int, chunk_bytes: int | None) -> tuple[int, ...]:
    """Return the shape of equal chunks near `chunk_bytes`, cut along the first axes."""
    if chunk_bytes is None:
        return shape
    chunk = list(shape)
    for axis, length in enumerate(shape):
        inner = prod(shape[axis + 1 :]) * itemsize
        if prod(chunk) * itemsize <= chunk_bytes:
            break
        chunk[axis] = _divisor(length, max(1, chunk_bytes // inner))
        if chunk[axis] * inner * TINY < chunk_bytes and chunk[axis] == 1 and inner <= chunk_bytes:
            chunk[axis] = length
            break
    return tuple(chunk)


def _divisor(length: int, most: int) -> int:
    """Return the largest divisor of `length` that is at most `most`."""
    if most >= length:
        return length
    numbers = np.arange(1, min(most, 1 << 20) + 1)
    dividing = numbers[length % numbers == 0]
    return int(dividing[-1])
