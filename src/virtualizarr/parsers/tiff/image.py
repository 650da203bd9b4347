"""What an IFD says of its image: size, strips or tiles, and checks (TIFF 6.0, sections 3 to 15)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.tiff import Tiff
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model.columns import Column
from virtualizarr.parsers.tiff.encoding import codec_of
from virtualizarr.parsers.tiff.layout import Ifd, Tag, Values

SEPARATE = 2
REDUCED, MASK = 1, 4
OLD_REDUCED = 2
MAX_LENGTH = 1 << 40
MOST_SLICES = 1 << 17
MOST_PADDED = 1 << 16
MOST_IN_THICK_TILES = 1 << 22
"""Tiles times slices, where the table of offsets has one entry for several slices."""


@dataclass(frozen=True, slots=True)
class Image:
    """The image of one IFD.

    `codec` decodes a whole strip or tile. `offsets` (uint64) and `counts` (uint32 or uint64) are
    its strips or tiles in the order of the file: planes, then rows, then columns of `grid`.
    `counts` is None where the file has none. `planes` is the number of bands that are stored
    apart, else 1.
    """

    ifd: Ifd
    width: int
    length: int
    samples: int
    planes: int
    is_tiled: bool
    codec: Tiff
    offsets: npt.NDArray[np.uint64]
    counts: Column | None
    subfile: int

    @property
    def node(self) -> str:
        """How to call the image in an error."""
        return f"IFD {self.ifd.path}"

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of its decoded samples."""
        return self.codec.stored.dtype

    @property
    def grid(self) -> tuple[int, int]:
        """Strips or tiles down and across."""
        rows, columns, _ = self.codec.shape
        return -(-self.length // rows), -(-self.width // columns)

    @property
    def is_reduced(self) -> bool:
        return bool(self.subfile & REDUCED)

    @property
    def is_mask(self) -> bool:
        return bool(self.subfile & MASK)

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of a strip or tile, uncompressed."""
        _, columns, samples = self.codec.shape
        bits = sum(self.codec.bits) if self.codec.bits else samples * self.codec.stored.bits
        return -(-columns * bits // 8)


def images_of(ifd: Ifd) -> list[Image]:
    """Return the image of an IFD, or the slices of a volume (ImageDepth).

    Raises CorruptFileError for tags that contradict each other or are missing,
    UnsupportedFeatureError, by name, for what is not read; both name the IFD.
    """
    try:
        return _images_of(ifd)
    except (CorruptFileError, UnsupportedFeatureError) as error:
        raise error.located(node=f"IFD {ifd.path}", at=ifd.at) from error.__cause__


def _images_of(ifd: Ifd) -> list[Image]:
    width, length = ifd.number(Tag.IMAGE_WIDTH, 0), ifd.number(Tag.IMAGE_LENGTH, 0)
    samples = ifd.number(Tag.SAMPLES_PER_PIXEL, 1)
    if not (0 < width < MAX_LENGTH and 0 < length < MAX_LENGTH and samples > 0):
        raise CorruptFileError(f"an image of {width} x {length} pixels and {samples} samples")
    depth = ifd.number(Tag.IMAGE_DEPTH, 1)
    is_tiled = Tag.TILE_WIDTH in ifd.values
    thickness = ifd.number(Tag.TILE_DEPTH, 1) if is_tiled else 1
    if not (0 < depth < MOST_SLICES and 0 < thickness < MOST_SLICES):
        raise CorruptFileError(f"a volume of {depth} slices in tiles of {thickness}")
    if thickness > 1 and ifd.number(Tag.COMPRESSION, 1) != 1:
        raise UnsupportedFeatureError(f"compressed tiles of {thickness} slices")
    layers = -(-depth // thickness)
    planes = samples if ifd.number(Tag.PLANAR_CONFIGURATION, 1) == SEPARATE else 1
    rows, columns = _chunk_shape(ifd, width, length, is_tiled)
    offsets, counts = _tables(ifd, is_tiled)
    down, across = -(-length // rows), -(-width // columns)
    one_piece = len(offsets) == 1 == planes * layers and ifd.number(Tag.COMPRESSION, 1) == 1
    if down > 1 and one_piece and not is_tiled:
        rows, down, counts = length, 1, None
    edge = (length % rows, width % columns)
    codec = codec_of(ifd, (rows, columns, samples // planes), edge, samples)
    if prod(codec.shape) * codec.stored.dtype.itemsize >= 1 << 31 and codec.compression != "none":
        raise UnsupportedFeatureError(f"compressed chunks of {codec.shape} are too large")
    grid = down * across * planes * layers
    if counts is not None and len(counts) < min(len(offsets), grid):
        counts = None
    starts = _as_many(offsets, grid, "offsets").astype(np.uint64, copy=False)
    sizes = None if counts is None else _lengths(_as_many(counts, grid, "byte counts"))
    whole = Image(
        ifd=ifd,
        width=width,
        length=length,
        samples=samples,
        planes=planes,
        is_tiled=is_tiled,
        codec=codec,
        offsets=starts,
        counts=sizes,
        subfile=_subfile(ifd),
    )
    if thickness > 1:
        return _slices_of_thick_tiles(whole, depth, thickness)
    return [whole] if depth == 1 else _slices(whole, depth)


def _slices(volume: Image, depth: int) -> list[Image]:
    """Return the slices of a volume, whose strips or tiles lie slice after slice in each plane."""
    shape = (volume.planes, depth, -1)
    offsets = volume.offsets.reshape(shape)
    counts = None if volume.counts is None else volume.counts.reshape(shape)
    slices = []
    for i in range(depth):
        path = f"{volume.ifd.path}+{i}" if i else volume.ifd.path
        slices.append(
            replace(
                volume,
                ifd=replace(volume.ifd, path=path),
                offsets=offsets[:, i].reshape(-1),
                counts=None if counts is None else counts[:, i].reshape(-1),
            )
        )
    return slices


def _slices_of_thick_tiles(volume: Image, depth: int, thickness: int) -> list[Image]:
    """Return the slices of a volume of uncompressed tiles, each of several slices (TileDepth)."""
    offsets = volume.offsets.reshape(volume.planes, -(-depth // thickness), -1)
    if offsets[:, 0].size * depth > MOST_IN_THICK_TILES:
        raise UnsupportedFeatureError(f"a volume of {depth} slices in {offsets.size} thick tiles")
    nbytes = volume.codec.shape[0] * volume.row_bytes
    counts = volume.counts
    stored = volume.offsets > 0
    if counts is not None:
        stored &= counts > 0
        short = np.flatnonzero(stored & (counts < nbytes * thickness))
        if len(short):
            raise CorruptFileError(
                f"tile {short[0]} has {counts[short[0]]} bytes for {thickness} slices of {nbytes}"
            )
    stored = stored.reshape(offsets.shape)
    slices = []
    for i in range(depth):
        layer, within = divmod(i, thickness)
        places = np.where(stored[:, layer], offsets[:, layer] + np.uint64(within * nbytes), 0)
        path = f"{volume.ifd.path}+{i}" if i else volume.ifd.path
        ifd = replace(volume.ifd, path=path)
        places = places.astype(np.uint64).reshape(-1)
        slices.append(replace(volume, ifd=ifd, offsets=places, counts=None))
    return slices


def _chunk_shape(ifd: Ifd, width: int, length: int, is_tiled: bool) -> tuple[int, int]:
    if is_tiled:
        rows, columns = ifd.number(Tag.TILE_LENGTH, 0), ifd.number(Tag.TILE_WIDTH, 0)
        if not (0 < rows < MAX_LENGTH and 0 < columns < MAX_LENGTH):
            raise CorruptFileError(f"tiles of {columns} x {rows} pixels")
        return rows, columns
    stated = ifd.values.get(Tag.ROWS_PER_STRIP)
    rows = int(stated[0]) if stated is not None and len(stated) == 1 else length
    return (min(rows, length) if rows > 0 else length), width


def _tables(ifd: Ifd, is_tiled: bool) -> tuple[Values, Values | None]:
    """Return the offsets and byte counts; libtiff also takes the strips' tags for tiles."""
    offset_tags = [Tag.TILE_OFFSETS, Tag.STRIP_OFFSETS]
    count_tags = [Tag.TILE_BYTE_COUNTS, Tag.STRIP_BYTE_COUNTS]
    if not is_tiled:
        offset_tags.reverse()
        count_tags.reverse()
    offsets = next((ifd.values[tag] for tag in offset_tags if tag in ifd.values), None)
    counts = next((ifd.values[tag] for tag in count_tags if tag in ifd.values), None)
    if offsets is None:
        raise CorruptFileError("the image has no offsets of strips or tiles")
    return offsets, counts


def _lengths(counts: Values) -> Column:
    return counts.astype(np.uint64 if counts.itemsize == 8 else np.uint32, copy=False)


def _as_many(values: Values, expected: int, what: str) -> Values:
    """Return as many values; where a table is too short, its end is of chunks that are not stored.

    So libtiff reads them. Much too short a table stands for nothing, and would cost memory.
    """
    is_whole = values.dtype.kind in "ui" and len(values) > 0
    if is_whole and len(values) < expected <= MOST_PADDED:
        values = np.pad(values, (0, expected - len(values)))
    if not is_whole or len(values) < expected:
        raise CorruptFileError(f"{len(values)} {what} for {expected} strips or tiles")
    if values.dtype.kind == "i" and (values < 0).any():
        raise CorruptFileError(f"negative {what}")
    return values[:expected]


def _subfile(ifd: Ifd) -> int:
    """Return NewSubfileType, or what the older SubfileType says in its words."""
    kind = ifd.number(Tag.NEW_SUBFILE_TYPE, 0)
    return kind | (REDUCED if ifd.number(Tag.SUBFILE_TYPE, 1) == OLD_REDUCED else 0)
