"""Tile-compressed images (FITS standard 4.0, section 10): one chunk per tile.

What a tile's codec must know besides the tile's bytes is told by the length of its byte range; see
`virtualizarr.codecs.fits_tile`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.fits_dither import METHODS, N_RANDOM, NO_DITHER
from virtualizarr.codecs.fits_streams import DATA, DECODERS, GZIP, PLAIN
from virtualizarr.codecs.fits_tile import TILES, FitsTile, encode_table
from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model import INLINE, ArrayMetadata, ChunkManifest, Location, ManifestArray
from virtualizarr.model.inline import positions
from virtualizarr.parsers.fits.chunking import CodecJson, codec_json, flipping
from virtualizarr.parsers.fits.columns import NUMBERS, HeapColumn, binary_columns, declared_columns
from virtualizarr.parsers.fits.heap import INLINE_BYTES, heap_ranges
from virtualizarr.parsers.fits.layout import BITPIX, HDU, MAX_AXES
from virtualizarr.parsers.fits.read import exactly
from virtualizarr.parsers.fits.rows import Column
from virtualizarr.parsers.fits.scaling import scaling_of, unit_attributes
from virtualizarr.source.reading import Reading

SOURCES = {"COMPRESSED_DATA": DATA, "GZIP_COMPRESSED_DATA": GZIP, "UNCOMPRESSED_DATA": PLAIN}
QUANTIZE = {**{method: method for method in METHODS}, "NONE": NO_DITHER}
MAX_RANGE = 2**32 - 1

TABLE_KEYWORD = re.compile(
    r"XTENSION|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|TFIELDS|THEAP|(TTYPE|TFORM|TDIM|TUNIT|TSCAL|TZERO"
    r"|TNULL|TDISP)\d+|ZIMAGE|ZSIMPLE|ZTENSION|ZEXTEND|ZBITPIX|ZNAXIS\d*|ZTILE\d+|ZPCOUNT|ZGCOUNT"
    r"|ZCMPTYPE|ZNAME\d+|ZVAL\d+|ZMASKCMP|ZQUANTIZ|ZDITHER0|ZBLANK|ZBLOCKED|ZHECKSUM|ZDATASUM"
    r"|CHECKSUM|DATASUM"
)
"""Keywords of the table and of the compression, which say nothing of the image."""


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
    """One row per tile: byte offset and bytes in the file, number of its kind, parameters."""

    start: npt.NDArray[np.int64]
    nbytes: npt.NDArray[np.int64]
    kind: npt.NDArray[np.int64]
    kinds: tuple[tuple[Any, ...], ...]
    rows: npt.NDArray[Any]


def is_tiled(hdu: HDU) -> bool:
    """Say whether a binary table holds a compressed image."""
    return hdu.cards.get("ZIMAGE") is True


def image_of(hdu: HDU) -> Image:
    """Return what the header says of the image; CorruptFileError where that cannot be."""
    bitpix, naxis = hdu.integer("ZBITPIX"), hdu.integer("ZNAXIS")
    if bitpix not in BITPIX or not 0 <= naxis <= MAX_AXES:
        raise hdu.corrupt(f"ZBITPIX is {bitpix}, ZNAXIS {naxis}")
    axes = [hdu.integer(f"ZNAXIS{i}") for i in range(1, naxis + 1)]
    tile = [
        hdu.integer(f"ZTILE{i}", axis if i == 1 else 1) for i, axis in enumerate(axes, 1)
    ]
    if min(*axes, 0) < 0 or (0 not in axes and min(*tile, 1) < 1):
        raise hdu.corrupt(f"ZNAXISn are {axes}, ZTILEn {tile}")
    clipped = [max(min(t, n), 1) for t, n in zip(tile, axes, strict=True)]
    return Image(bitpix, tuple(axes[::-1]), tuple(clipped[::-1]))


def image_attributes(hdu: HDU, image: Image) -> dict[str, Any]:
    """Return the keywords of the image, as if it were not compressed."""
    own: dict[str, Any] = {"BITPIX": image.bitpix, "NAXIS": len(image.shape)}
    own |= {f"NAXIS{i}": n for i, n in enumerate(image.shape[::-1], 1)}
    kept = {
        key: value for key, value in hdu.cards.items() if not TABLE_KEYWORD.fullmatch(key)
    }
    return {**own, **kept}


def tiled_array(
    hdu: HDU,
    image: Image,
    location: Location,
    dims: tuple[str, ...],
    inline_tiles: bool,
) -> Reading[ManifestArray]:
    """Return the image, after one round (with `inline_tiles` perhaps two).

    Raises UnsupportedFeatureError for an unknown compression, CorruptFileError for a broken table.
    """
    blank = hdu.cards.get("ZBLANK", hdu.cards.get("BLANK"))
    dtype = BITPIX[image.bitpix]
    scaling = scaling_of(dtype, hdu.real("BSCALE", 1), hdu.real("BZERO", 0), blank)
    codec = codec_of(hdu, image, blank)
    attributes = {
        **image_attributes(hdu, image), **scaling.attributes, **unit_attributes(hdu.text("BUNIT"))
    }

    def described(codecs: tuple[CodecJson, ...]) -> ArrayMetadata:
        first = flipping(dtype) if scaling.flip else ()
        return ArrayMetadata.create(
            shape=image.shape,
            dtype=scaling.dtype,
            chunk_shape=image.tile,
            codecs=(*first, *codecs),
            attributes=attributes,
            dimension_names=dims,
        )

    if prod(image.shape) == 0 or not image.shape:
        return ManifestArray(described(()), ChunkManifest.empty(image.grid))
    tiles = yield from _read_tiles(hdu, image, codec)
    codec = replace(codec, kinds=tiles.kinds)
    limit = hdu.next_at if location.size is None else min(hdu.next_at, location.size)
    if codec.quantize is None and not tiles.rows["has_blank"].any():
        offset, length = with_kinds(tiles)
        if (offset + length <= limit).all():
            return _referring(described((codec_json(codec),)), location, offset, length)
    elif inline_tiles:
        framed = replace(codec, framed=True)
        manifest = yield from _inlined(hdu, tiles, image.grid)
        return ManifestArray(described((codec_json(framed),)), manifest)
    offset, length, rows = with_lengths(hdu, tiles, limit)
    codec = replace(codec, table=encode_table(rows))
    return _referring(described((codec_json(codec),)), location, offset, length)


def codec_of(hdu: HDU, image: Image, blank: Any) -> FitsTile:
    """Return the codec of the tiles, before it is known how each is stored."""
    compression = hdu.text("ZCMPTYPE")
    if compression not in DECODERS:
        raise UnsupportedFeatureError(f"tile compression {compression!r}", at=hdu.header_at)
    settings = {
        hdu.text(f"ZNAME{i}").upper(): hdu.integer(f"ZVAL{i}", 0)
        for i in range(1, MAX_AXES)
        if f"ZNAME{i}" in hdu.cards and hdu.text(f"ZNAME{i}").upper() in SETTINGS
    }
    known = isinstance(blank, int) and not isinstance(blank, bool)
    return FitsTile(
        compression=compression,
        bitpix=image.bitpix,
        shape=image.tile,
        kinds=((DATA, image.tile),),
        blocksize=settings.get("BLOCKSIZE", 32),
        bytepix=settings.get("BYTEPIX", 4),
        smooth=min(max(settings.get("SMOOTH", 0), 0), 1),
        blank=blank if known and image.bitpix < 0 else None,
        framed=False,
    )


SETTINGS = ("BLOCKSIZE", "BYTEPIX", "SMOOTH")


def _read_tiles(hdu: HDU, image: Image, codec: FitsTile) -> Reading[Tiles]:
    """Read the table's rows and return what they say of each tile."""
    count = prod(image.grid)
    row_bytes, rows = hdu.axes[0], hdu.axes[1]
    if rows < count:
        raise hdu.corrupt(f"{count} tiles of shape {image.tile}, but {rows} rows")
    raw = yield from exactly(hdu.data_at, hdu.data_at + count * row_bytes)
    table = np.frombuffer(raw, np.uint8).reshape(count, row_bytes)
    columns = {each.name: each for each in binary_columns(hdu, declared_columns(hdu))}
    del codec
    return _tiles_of(hdu, image, table, columns)
