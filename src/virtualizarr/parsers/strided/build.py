"""Raw images as virtual arrays: chunks of a good size, with a codec only where they need one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isqrt, prod
from typing import Any

import numpy as np

from virtualizarr.codecs.strided import Strided, reach
from virtualizarr.model import AffineRun, ArrayMetadata, ChunkManifest, ManifestArray, RegularGrid
from virtualizarr.model.dtypes import data_type_of, encode_fill
from virtualizarr.model.metadata import CodecJson, serializer_of
from virtualizarr.parsers.strided.layout import RawImage

TINY = 16
"""Equal chunks smaller than wanted by more than this factor are worse than a codec that pads."""

GZIP: CodecJson = {"name": "gzip", "configuration": {"level": 1}}
DIVISIBLE_MAX = 1 << 40


def array_of(
    image: RawImage,
    chunk_bytes: int | None,
    *,
    attributes: Mapping[str, Any],
    fill_value: Any = None,
    decoded: np.dtype[Any] | None = None,
    element_codecs: Sequence[CodecJson] = (),
) -> ManifestArray:
    """Return the image as an array in chunks of about `chunk_bytes` (None: a single one).

    A chunk is one run of bytes: whole along the axes that vary fastest in the file, cut along one,
    single along those that vary slowest. Chunks that are their numbers in C order have the `bytes`
    codec alone; others, `virtualizarr.strided`. `element_codecs` make elements of the dtype
    `decoded` of the stored ones.
    """
    cut = _cut(image, chunk_bytes)
    plain = image.dtype.newbyteorder("<") if image.form else image.dtype
    plain = decoded if decoded is not None else plain
    metadata = ArrayMetadata(
        shape=image.shape,
        data_type=data_type_of(plain),
        chunk_grid=RegularGrid(cut.shape),
        codecs=(serializer_of(plain), *element_codecs, *_codecs(image, cut)),
        fill_value=encode_fill(fill_value, plain),
        attributes=attributes,
        dimension_names=image.dims,
    )
    grid = metadata.grid_shape
    if 0 in image.shape:
        return ManifestArray(metadata, ChunkManifest.empty(grid))
    return ManifestArray(metadata, _manifest(image, cut, grid))


@dataclass(frozen=True, slots=True)
class Cut:
    """How an image is cut: the shape of a chunk, and the axis along which the last may be short."""

    shape: tuple[int, ...]
    axis: int | None
    rest: int

    @property
    def edge(self) -> tuple[int, ...]:
        """The shape of the last chunk along the axis; () where all are whole."""
        if self.axis is None or self.rest == 0:
            return ()
        return tuple(self.rest if i == self.axis else n for i, n in enumerate(self.shape))


def _cut(image: RawImage, chunk_bytes: int | None) -> Cut:
    """Return the largest chunks of at most `chunk_bytes` whose bytes are one run."""
    whole = tuple(max(n, 1) for n in image.shape)
    most = None if chunk_bytes is None else chunk_bytes * (8 if image.bits else 1)
    if image.gzip or most is None or _span(whole, image) <= most:
        return Cut(whole, None, 0)
    cut = _cut_to(image, whole, most)
    parts = zip(image.strides, cut.shape, whole, strict=True)
    if image.bits and any(n < total and stride * n % 8 for stride, n, total in parts):
        return Cut(whole, None, 0)  # a chunk would begin within a byte
    return cut


def _cut_to(image: RawImage, whole: tuple[int, ...], most: int) -> Cut:
    shape = list(whole)
    for axis in sorted(range(len(whole)), key=lambda i: -abs(image.strides[i])):
        if whole[axis] == 1:
            continue
        shape[axis] = 1
        fitting = most // abs(image.strides[axis])
        if fitting < 1:
            continue
        length = _largest_divisor(whole[axis], fitting)
        if length * TINY < fitting and image.strides[axis] > 0:
            length = fitting
        shape[axis] = min(length, whole[axis])
        return Cut(tuple(shape), axis, whole[axis] % shape[axis])
    return Cut(tuple(shape), None, 0)


def _largest_divisor(n: int, most: int) -> int:
    if n > DIVISIBLE_MAX or most >= n:
        return min(n, most)
    small = np.arange(1, isqrt(n) + 1)
    small = small[n % small == 0]
    divisors = np.concatenate([small, n // small])
    return int(divisors[divisors <= most].max())


def _span(shape: tuple[int, ...], image: RawImage) -> int:
    before, behind = reach(shape, image.strides)
    return behind - before + image.unit


def _codecs(image: RawImage, cut: Cut) -> tuple[CodecJson, ...]:
    """Return the codecs on bytes, in the order in which they encode."""
    before = reach(cut.shape, image.strides)[0]
    start = image.offset * (8 if image.bits else 1) if image.gzip else -before
    if not (cut.edge or image.form or image.bits or image.gzip) and _is_plain(cut.shape, image):
        return ()
    codec = Strided(
        shape=cut.shape,
        strides=_tidy(cut.shape, image.strides),
        itemsize=image.dtype.itemsize,
        start=start,
        edge=cut.edge,
        bits=image.bits,
        form=image.form,
    )
    ours: CodecJson = {"name": codec.name, "configuration": codec.configuration()}
    return (ours, GZIP) if image.gzip else (ours,)


def _tidy(shape: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides with 0 for axes of length 1, so that alike chunks have alike codecs."""
    return tuple(s if n > 1 else 0 for n, s in zip(shape, strides, strict=True))


def _is_plain(shape: tuple[int, ...], image: RawImage) -> bool:
    """Say whether the bytes of a chunk are its numbers in C order, and nothing else."""
    kept = [s for n, s in zip(shape, image.strides, strict=True) if n > 1]
    in_order = all(s > 0 for s in kept) and kept == sorted(kept, reverse=True)
    return in_order and _span(shape, image) == prod(shape) * image.unit


def _manifest(image: RawImage, cut: Cut, grid: tuple[int, ...]) -> ChunkManifest:
    """Return where the chunks lie: an affine run of offsets, which costs nothing per chunk."""
    location = image.location
    if image.gzip:
        size = location.size
        assert size is not None
        return ChunkManifest.single_file(location, np.zeros(grid, np.uint64), size)
    scale = 8 if image.bits else 1
    before = reach(cut.shape, image.strides)[0]
    base = image.offset + before // scale
    steps = tuple(
        s * n // scale if count > 1 else 0
        for s, n, count in zip(image.strides, cut.shape, grid, strict=True)
    )
    nbytes = -(-_span(cut.shape, image) // scale)
    run = AffineRun(base, steps, grid)
    if not cut.edge or cut.axis is None:
        return ChunkManifest.single_file(location, run, np.broadcast_to(np.uint64(nbytes), grid))
    lengths = np.full(grid[cut.axis], nbytes, np.uint64)
    lengths[-1] = -(-_span(cut.edge, image) // scale)
    ruler = lengths.reshape((-1,) + (1,) * (len(grid) - cut.axis - 1))
    return ChunkManifest.single_file(location, run, np.broadcast_to(ruler, grid))
