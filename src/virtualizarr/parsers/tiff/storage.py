"""Where the chunks of an image lie: its strips and tiles, merged and split where that is free."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.tiff import Tiff
from virtualizarr.errors import CorruptFileError
from virtualizarr.model import AffineRun, ChunkManifest, Location
from virtualizarr.model.columns import Column, narrowed
from virtualizarr.parsers.tiff.image import Image

TINY = 16
"""Equal chunks smaller than wanted by more than this factor are worse than a codec that pads."""


@dataclass(frozen=True, slots=True)
class Storage:
    """The chunks of an image: `codec` is None where they are plain numbers and need none of ours.

    The manifest's grid has three axes: bands, rows, columns. `rows` and `columns` are the lengths
    of a chunk.
    """

    manifest: ChunkManifest
    codec: Tiff | None
    rows: int
    columns: int


def storage_of(
    image: Image, location: Location, chunk_bytes: int | None, *, merge: bool = True
) -> Storage:
    """Return where the chunks lie, every one checked to lie within the file.

    With `merge`, uncompressed strips that follow one another become chunks near `chunk_bytes`.
    Raises CorruptFileError naming the first strip or tile that does not.
    """
    is_plain = _is_plain(image)
    counts = _byte_counts(image, location.size)
    present = _present(image, counts)
    _check_inside(image, counts, present, location.size)
    rows, columns, _ = image.codec.shape
    grid = (image.planes, *image.grid)
    if present is not None and not present.any():
        codec = None if is_plain else image.codec
        return Storage(ChunkManifest.empty(grid), codec, rows, columns)
    if merge and image.codec.compression == "none" and not image.is_tiled and present is None:
        starts = _contiguous_planes(image)
        if starts is not None:
            return _merged(image, location, starts, chunk_bytes, is_plain)
    whole = image.is_tiled or image.length % rows == 0
    offset, length = image.offsets.reshape(grid), counts.reshape(grid)
    if present is None:
        codes = np.broadcast_to(np.uint32(0), grid)
        manifest = ChunkManifest.from_columns((location,), codes, offset, narrowed(length))
    else:
        manifest = ChunkManifest.single_file(location, offset, length, present.reshape(grid))
    return Storage(manifest, None if is_plain and whole else image.codec, rows, columns)


def _is_plain(image: Image) -> bool:
    """Say whether the bytes of a chunk are its numbers, band by band."""
    codec = image.codec
    return (
        codec.compression == "none"
        and codec.stored.is_whole
        and codec.predictor == 1
        and codec.fill_order == 1
        and not codec.bits
        and not codec.band_first
    )


def _present(image: Image, counts: Column) -> npt.NDArray[np.bool_] | None:
    """Say of each strip or tile whether it is stored; None where all are."""
    if image.offsets.all() and counts.all():
        return None
    return np.logical_and(image.offsets, counts)


def _byte_counts(image: Image, size: int | None) -> Column:
    """Return the bytes of each strip or tile; what is not compressed is as long as it must be.

    Compressed ones without counts may reach to the next; their decoders know where they end.
    Raises CorruptFileError where an uncompressed chunk is too short, or the file's size not known.
    """
    if image.codec.compression == "none":
        return _uncompressed_counts(image)
    counts = image.counts
    is_one = image.offsets.size == 1 and image.offsets[0] > 0
    if counts is not None and not (is_one and counts[0] == 0):
        return counts
    if size is None:
        raise CorruptFileError(
            "compressed strips or tiles without byte counts", node=image.node, at=image.ifd.at
        )
    return _up_to_the_next(image.offsets, size)


def _up_to_the_next(offsets: npt.NDArray[np.uint64], size: int) -> npt.NDArray[np.uint64]:
    """Return the bytes from each offset to the next larger one, or to the end of the file."""
    ends = np.append(np.unique(offsets), np.uint64(size))
    nearest = ends[np.searchsorted(ends[:-1], offsets, side="right")]
    return np.where(offsets < nearest, nearest - offsets, np.uint64(0))


def _uncompressed_counts(image: Image) -> npt.NDArray[np.uint64]:
    rows = image.codec.shape[0]
    down, across = image.grid
    lengths = np.full(down, rows, np.uint64)
    if not image.is_tiled and image.length % rows:
        lengths[-1] = image.length % rows
    needed = np.tile(np.repeat(lengths * np.uint64(image.row_bytes), across), image.planes)
    counts = image.counts
    if counts is None or (len(counts) == 1 and not image.is_tiled):
        return needed
    short = np.flatnonzero((counts < needed) & (counts > 0))
    if len(short):
        first = int(short[0])
        raise CorruptFileError(
            f"strip or tile {first} has {counts[first]} bytes, its samples need {needed[first]}",
            node=image.node,
            at=int(image.offsets[first]),
        )
    return np.where(counts == 0, np.uint64(0), needed)


def _check_inside(
    image: Image,
    counts: Column,
    present: npt.NDArray[np.bool_] | None,
    size: int | None,
) -> None:
    limit = np.uint64(size if size is not None else 1 << 62)
    if int(image.offsets.max()) + int(counts.max()) <= limit:
        return
    room = limit - np.minimum(image.offsets, limit)
    beyond = np.flatnonzero((counts > room) & (True if present is None else present))
    if len(beyond):
        first = int(beyond[0])
        raise CorruptFileError(
            f"the file is truncated: strip or tile {first} has {counts[first]} bytes from byte "
            f"{image.offsets[first]} on, the file ends at {limit}; {len(beyond)} of "
            f"{len(counts)} are cut",
            node=image.node,
            at=int(image.offsets[first]),
        )


def _contiguous_planes(image: Image) -> npt.NDArray[np.uint64] | None:
    """Return where each plane begins, if its strips follow one another; else None."""
    strips = image.offsets.reshape(image.planes, -1)
    stride = np.uint64(image.codec.shape[0] * image.row_bytes)
    evenly = (strips[:, 1:] - strips[:, :-1] == stride).all()
    return strips[:, 0] if evenly else None


def _merged(
    image: Image,
    location: Location,
    starts: npt.NDArray[np.uint64],
    chunk_bytes: int | None,
    is_plain: bool,
) -> Storage:
    """Return chunks of many rows each, cut out of planes that are stored in one piece."""
    length, row_bytes = image.length, image.row_bytes
    wanted = length if chunk_bytes is None else min(max(chunk_bytes // row_bytes, 1), length)
    rows = _largest_divisor(length, wanted) if is_plain else wanted
    if rows * TINY < wanted:
        is_plain, rows = False, wanted
    down = -(-length // rows)
    nbytes = rows * row_bytes
    step = int(starts[1] - starts[0]) if len(starts) > 1 else 0
    evenly = bool((np.diff(starts.astype(np.int64)) == step).all())
    if evenly and length % rows == 0:
        run = AffineRun(int(starts[0]), (step, nbytes, nbytes), (image.planes, down, 1))
        manifest = ChunkManifest.single_file(location, run, nbytes)
    else:
        within = np.arange(down, dtype=np.uint64) * np.uint64(nbytes)
        offsets = starts[:, np.newaxis] + within
        lengths = np.full(down, nbytes, np.uint64)
        lengths[-1] = (length - (down - 1) * rows) * row_bytes
        spread = np.broadcast_to(lengths, offsets.shape)
        manifest = ChunkManifest.single_file(
            location, offsets[:, :, np.newaxis], spread[:, :, np.newaxis]
        )
    columns, samples = image.codec.shape[1:]
    codec = Tiff.from_configuration(
        {
            **image.codec.configuration(),
            "shape": (rows, columns, samples),
            "edge": (length % rows, 0),
        }
    )
    return Storage(manifest, None if is_plain else codec, rows, columns)


def _largest_divisor(n: int, most: int) -> int:
    """Return the largest divisor of `n` that is at most `most`."""
    small = np.arange(1, isqrt(n) + 1)
    small = small[n % small == 0]
    divisors = np.concatenate([small, n // small])
    return int(divisors[divisors <= most].max())
