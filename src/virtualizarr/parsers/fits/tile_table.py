"""The table of a tile-compressed image: where each tile lies, and what its codec must know.

The length of a tile's byte range is what tells the codec (see `virtualizarr.codecs.fits_tile`), so
ranges here are made longer than the tile by a few bytes, behind it or, at the end of the file,
before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.fits_dither import METHODS, N_RANDOM, NO_DITHER
from virtualizarr.codecs.fits_streams import DATA, GZIP, PLAIN
from virtualizarr.codecs.fits_tile import TILES
from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.parsers.fits.columns import (
    NUMBERS,
    HeapColumn,
    binary_columns,
)
from virtualizarr.parsers.fits.declared import declared_columns
from virtualizarr.parsers.fits.heap import heap_ranges
from virtualizarr.parsers.fits.layout import BITPIX, HDU, MAX_AXES
from virtualizarr.parsers.fits.read import exactly
from virtualizarr.parsers.fits.rows import Column
from virtualizarr.source.reading import Reading

SOURCES = {"COMPRESSED_DATA": DATA, "GZIP_COMPRESSED_DATA": GZIP, "UNCOMPRESSED_DATA": PLAIN}
QUANTIZE = {**{method: method for method in METHODS}, "NONE": NO_DITHER}
MAX_RANGE = 2**32 - 1

type Int64s = npt.NDArray[np.int64]
type Kind = tuple[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Image:
    """The image that a table holds: shape and tile shape, slowest axis first."""

    bitpix: int
    shape: tuple[int, ...]
    tile: tuple[int, ...]

    @property
    def grid(self) -> tuple[int, ...]:
        return tuple(-(-n // t) for n, t in zip(self.shape, self.tile, strict=True))


@dataclass(frozen=True, slots=True)
class Tiles:
    """Each tile's byte offset and size in the file, and its row of parameters.

    `kinds` are what the `kind` of the rows numbers. `quantize` is the method of dithering where
    the tiles are quantised.
    """

    start: Int64s
    nbytes: Int64s
    kinds: tuple[Kind, ...]
    rows: npt.NDArray[Any]
    quantize: str | None

    @property
    def differ(self) -> bool:
        """Whether tiles have parameters of their own."""
        return self.quantize is not None or bool(self.rows["has_blank"].any())


def image_of(hdu: HDU) -> Image:
    """Return what the header says of the image; CorruptFileError where that cannot be."""
    bitpix, naxis = hdu.integer("ZBITPIX"), hdu.integer("ZNAXIS")
    if bitpix not in BITPIX or not 0 <= naxis <= MAX_AXES:
        raise hdu.corrupt(f"ZBITPIX is {bitpix}, ZNAXIS {naxis}")
    axes = [hdu.integer(f"ZNAXIS{i}") for i in range(1, naxis + 1)]
    tile = [hdu.integer(f"ZTILE{i}", axis if i == 1 else 1) for i, axis in enumerate(axes, 1)]
    if min([*axes, 0]) < 0 or (0 not in axes and min([*tile, 1]) < 1):
        raise hdu.corrupt(f"ZNAXISn are {axes}, ZTILEn {tile}")
    clipped = [max(min(t, n), 1) for t, n in zip(tile, axes, strict=True)]
    return Image(bitpix, tuple(axes[::-1]), tuple(clipped[::-1]))


def read_tiles(hdu: HDU, image: Image) -> Reading[Tiles]:
    """Read the table's rows, in one round, and return what they say of each tile."""
    count = prod(image.grid)
    row_bytes, rows = hdu.axes[0], hdu.axes[1]
    if rows < count:
        raise hdu.corrupt(f"{count} tiles of shape {image.tile}, but {rows} rows")
    raw = yield from exactly(hdu.data_at, hdu.data_at + count * row_bytes)
    table = np.frombuffer(raw, np.uint8).reshape(count, row_bytes)
    columns = {each.name: each for each in binary_columns(hdu, declared_columns(hdu))}
    start, nbytes, source = _stored_at(hdu, table, columns)
    kind, kinds = _kinds(image, source)
    parameters = np.zeros(count, TILES)
    parameters["kind"] = kind
    quantize = _quantize(hdu, image, table, columns, parameters)
    _check_plain(hdu, image, kinds, kind, nbytes, quantised=quantize is not None)
    return Tiles(start, nbytes, kinds, parameters, quantize)


def _stored_at(
    hdu: HDU, table: npt.NDArray[np.uint8], columns: Mapping[str, Column | HeapColumn]
) -> tuple[Int64s, Int64s, Int64s]:
    """Return offset, size and number of the source in `SOURCES` of every tile."""
    count = len(table)
    start, nbytes = np.zeros(count, np.int64), np.zeros(count, np.int64)
    source = np.full(count, -1, np.int64)
    for number, name in enumerate(SOURCES):
        column = columns.get(name)
        if not isinstance(column, HeapColumn):
            continue
        width = 2 * column.descriptor.itemsize
        raw = np.ascontiguousarray(table[:, column.offset : column.offset + width])
        descriptors = raw.reshape(-1).view(column.descriptor).reshape(-1, 2).astype(np.int64)
        if column.letter not in NUMBERS:
            raise hdu.corrupt(f"column {name} has elements of type {column.letter}")
        ranges = heap_ranges(hdu, descriptors, NUMBERS[column.letter].itemsize * 8, name)
        here = ranges.present & (source < 0)
        start[here], nbytes[here], source[here] = ranges.start[here], ranges.nbytes[here], number
    if (source < 0).any():
        raise hdu.corrupt(f"tile {int(np.flatnonzero(source < 0)[0])} has no data")
    return start, nbytes, source


def _kinds(image: Image, source: Int64s) -> tuple[Int64s, tuple[Kind, ...]]:
    """Return the number of each tile's kind and the kinds: source and shape at the image's edge."""
    edge = np.zeros(image.grid, np.int64)
    axes = len(image.shape)
    partial = [n % t for n, t in zip(image.shape, image.tile, strict=True)]
    cut = [axis for axis in range(axes) if partial[axis]]
    if len(cut) > 16:
        raise UnsupportedFeatureError(f"tiles are cut along {len(cut)} axes; at most 16")
    for bit, axis in enumerate(cut):
        edge[(slice(None),) * axis + (-1,)] += 1 << bit
    codes, kind = np.unique(source * (1 << len(cut)) + edge.reshape(-1), return_inverse=True)
    names = list(SOURCES.values())
    kinds: list[Kind] = []
    for code in codes.tolist():
        shape = list(image.tile)
        for bit, axis in enumerate(cut):
            if code >> bit & 1:
                shape[axis] = partial[axis]
        kinds.append((names[code >> len(cut)], tuple(shape)))
    return kind.reshape(-1).astype(np.int64), tuple(kinds)


def _check_plain(
    hdu: HDU,
    image: Image,
    kinds: tuple[Kind, ...],
    kind: Int64s,
    nbytes: Int64s,
    *,
    quantised: bool,
) -> None:
    """Check that tiles that are not compressed have as many bytes as their pixels need."""
    own = abs(image.bitpix) // 8
    for number, (source, shape) in enumerate(kinds):
        if source == PLAIN or (source == DATA and hdu.text("ZCMPTYPE") == "NOCOMPRESS"):
            width = 4 if quantised and source == DATA else own
            wrong = np.flatnonzero((kind == number) & (nbytes != prod(shape) * width))
            if len(wrong):
                raise hdu.corrupt(
                    f"tile {int(wrong[0])}, not compressed, has {int(nbytes[wrong[0]])} bytes for "
                    f"{prod(shape)} pixels of {width}"
                )


def _quantize(
    hdu: HDU,
    image: Image,
    table: npt.NDArray[np.uint8],
    columns: Mapping[str, Column | HeapColumn],
    parameters: npt.NDArray[Any],
) -> str | None:
    """Fill in scale, zero point, blank and dither of each tile; return the method of dithering."""
    count = len(table)
    scale = _numbers(hdu, table, columns, "ZSCALE")
    zero = _numbers(hdu, table, columns, "ZZERO")
    if image.bitpix > 0:
        if scale is not None and ((scale != 1).any() or (zero is not None and zero.any())):
            raise UnsupportedFeatureError("quantised integers", at=hdu.header_at)
        return None
    blank = _numbers(hdu, table, columns, "ZBLANK")
    if blank is not None and "ZBLANK" in columns:
        parameters["blank"], parameters["has_blank"] = blank.astype(np.int64), 1
    if scale is None:
        return None
    method = hdu.text("ZQUANTIZ", NO_DITHER)
    if method not in QUANTIZE:
        raise UnsupportedFeatureError(f"quantisation {method!r}", at=hdu.header_at)
    parameters["scale"] = scale
    parameters["zero"] = 0 if zero is None else zero
    seed = hdu.integer("ZDITHER0", 0)
    parameters["start"] = (np.arange(count) + (seed % N_RANDOM) - 1) % N_RANDOM
    return QUANTIZE[method]


def _numbers(
    hdu: HDU, table: npt.NDArray[np.uint8], columns: Mapping[str, Column | HeapColumn], name: str
) -> npt.NDArray[Any] | None:
    """Return a column of numbers, or the keyword of its name for all; None where there is none."""
    column = columns.get(name)
    if column is None:
        value = hdu.cards.get(name)
        known = isinstance(value, int | float) and not isinstance(value, bool)
        return np.full(len(table), value) if known else None
    if isinstance(column, HeapColumn) or column.dtype.kind not in "iuf" or column.inner:
        raise hdu.corrupt(f"column {name} holds no number")
    raw = np.ascontiguousarray(table[:, column.offset : column.offset + column.width])
    return raw.reshape(-1).view(column.dtype)


def with_kinds(tiles: Tiles) -> tuple[Int64s, Int64s]:
    """Return offsets and lengths of ranges whose length tells the kind: modulo their number."""
    extra = (tiles.rows["kind"].astype(np.int64) - tiles.nbytes) % len(tiles.kinds)
    return tiles.start, tiles.nbytes + extra


def with_lengths(hdu: HDU, tiles: Tiles, limit: int) -> tuple[Int64s, Int64s, npt.NDArray[Any]]:
    """Return offsets and lengths of ranges that are all of different length, and the table.

    No range goes beyond byte `limit` of the file.
    """
    order = np.argsort(tiles.nbytes, kind="stable")
    steps = np.arange(len(order))
    length = np.empty_like(tiles.nbytes)
    length[order] = np.maximum.accumulate(tiles.nbytes[order] - steps) + steps
    skip = np.where(tiles.start + length > limit, length - tiles.nbytes, 0)
    offset = tiles.start - skip
    if (offset < 0).any() or int(length.max()) > MAX_RANGE:
        raise UnsupportedFeatureError(
            f"{len(order)} tiles cannot be told apart by the lengths of their ranges; "
            "inline_tiles=True keeps them inline",
            at=hdu.header_at,
        )
    rows = tiles.rows.copy()
    rows["length"], rows["skip"] = length, skip
    return offset, length, rows[order]
