"""Tile-compressed images (FITS standard 4.0, section 10): one chunk per tile."""

from __future__ import annotations

import re
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from virtualizarr.codecs.fits_streams import DATA, DECODERS
from virtualizarr.codecs.fits_tile import TILES, FitsTile, encode_table
from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model import INLINE, ArrayMetadata, ChunkManifest, Location, ManifestArray
from virtualizarr.model.inline import positions
from virtualizarr.parsers.fits.chunking import CodecJson, codec_json, flipping
from virtualizarr.parsers.fits.heap import INLINE_BYTES
from virtualizarr.parsers.fits.layout import BITPIX, HDU, MAX_AXES
from virtualizarr.parsers.fits.read import exactly
from virtualizarr.parsers.fits.scaling import scaling_of, unit_attributes
from virtualizarr.parsers.fits.tile_table import (
    Image,
    Int64s,
    Tiles,
    read_tiles,
    with_kinds,
    with_lengths,
)
from virtualizarr.source.reading import Reading

SETTINGS = ("BLOCKSIZE", "BYTEPIX", "SMOOTH")

TABLE_KEYWORD = re.compile(
    r"XTENSION|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|TFIELDS|THEAP|(TTYPE|TFORM|TDIM|TUNIT|TSCAL|TZERO"
    r"|TNULL|TDISP)\d+|ZIMAGE|ZSIMPLE|ZTENSION|ZEXTEND|ZBITPIX|ZNAXIS\d*|ZTILE\d+|ZPCOUNT|ZGCOUNT"
    r"|ZCMPTYPE|ZNAME\d+|ZVAL\d+|ZMASKCMP|ZQUANTIZ|ZDITHER0|ZBLANK|ZBLOCKED|ZHECKSUM|ZDATASUM"
    r"|CHECKSUM|DATASUM"
)
"""Keywords of the table and of the compression, which say nothing of the image."""


def is_tiled(hdu: HDU) -> bool:
    """Say whether a binary table holds a compressed image."""
    return hdu.cards.get("ZIMAGE") is True


def image_attributes(hdu: HDU, image: Image) -> dict[str, Any]:
    """Return the keywords of the image, as if it were not compressed."""
    own: dict[str, Any] = {"BITPIX": image.bitpix, "NAXIS": len(image.shape)}
    own |= {f"NAXIS{i}": n for i, n in enumerate(image.shape[::-1], 1)}
    return own | {
        key: value for key, value in hdu.cards.items() if not TABLE_KEYWORD.fullmatch(key)
    }


def tiled_array(
    hdu: HDU, image: Image, location: Location, dims: tuple[str, ...], *, inline_tiles: bool
) -> Reading[ManifestArray]:
    """Return the image, after one round (with `inline_tiles` perhaps two).

    Raises UnsupportedFeatureError for an unknown compression, CorruptFileError for a broken table.
    """
    metadata = _metadata(hdu, image, dims)
    if prod(image.shape) == 0 or not image.shape:
        return ManifestArray(metadata, ChunkManifest.empty(metadata.grid_shape))
    tiles = yield from read_tiles(hdu, image)
    codec = replace(codec_of(hdu, image), kinds=tiles.kinds)
    limit = hdu.next_at if location.size is None else min(hdu.next_at, location.size)
    if not tiles.differ:
        offset, length = with_kinds(tiles)
        if bool((offset + length <= limit).all()):
            return _referring(metadata, codec, location, offset, length)
    elif inline_tiles:
        manifest = yield from _inlined(tiles, metadata.grid_shape)
        framed = replace(codec, quantize=tiles.quantize, framed=True)
        return ManifestArray(_coded(metadata, framed), manifest)
    offset, length, rows = with_lengths(hdu, tiles, limit)
    tabled = replace(codec, quantize=tiles.quantize, table=encode_table(rows))
    return _referring(metadata, tabled, location, offset, length)


def codec_of(hdu: HDU, image: Image) -> FitsTile:
    """Return the codec of the tiles, before it is known how each is stored."""
    compression = hdu.text("ZCMPTYPE")
    if compression not in DECODERS:
        raise UnsupportedFeatureError(f"tile compression {compression!r}", at=hdu.header_at)
    settings: dict[str, int] = {}
    for i in range(1, MAX_AXES):
        name = hdu.text(f"ZNAME{i}").upper()
        if not name:
            break
        if name in SETTINGS:
            settings[name] = hdu.integer(f"ZVAL{i}")
    return FitsTile(
        compression=compression,
        bitpix=image.bitpix,
        shape=image.tile,
        kinds=((DATA, image.tile),),
        blocksize=settings.get("BLOCKSIZE", 32),
        bytepix=settings.get("BYTEPIX", 4),
        smooth=int(settings.get("SMOOTH", 0) != 0),
        blank=_blank(hdu) if image.bitpix < 0 else None,
    )


def _blank(hdu: HDU) -> int | None:
    blank = hdu.cards.get("ZBLANK", hdu.cards.get("BLANK"))
    return blank if isinstance(blank, int) and not isinstance(blank, bool) else None


def _metadata(hdu: HDU, image: Image, dims: tuple[str, ...]) -> ArrayMetadata:
    dtype = BITPIX[image.bitpix]
    scaling = scaling_of(dtype, hdu.real("BSCALE", 1), hdu.real("BZERO", 0), _blank(hdu))
    return ArrayMetadata.create(
        shape=image.shape,
        dtype=scaling.dtype,
        chunk_shape=image.tile,
        codecs=flipping(dtype) if scaling.flip else (),
        attributes={
            **image_attributes(hdu, image),
            **scaling.attributes,
            **unit_attributes(hdu.text("BUNIT")),
        },
        dimension_names=dims,
    )


def _coded(metadata: ArrayMetadata, codec: FitsTile) -> ArrayMetadata:
    own: CodecJson = codec_json(codec)
    return metadata.replace(codecs=(*metadata.codecs, own))


def _referring(
    metadata: ArrayMetadata, codec: FitsTile, location: Location, offset: Int64s, length: Int64s
) -> ManifestArray:
    grid = metadata.grid_shape
    manifest = ChunkManifest.single_file(
        location, offset.astype(np.uint64).reshape(grid), length.astype(np.uint64).reshape(grid)
    )
    return ManifestArray(_coded(metadata, codec), manifest)


def _inlined(tiles: Tiles, grid: tuple[int, ...]) -> Reading[ChunkManifest]:
    """Return a manifest whose chunks are a row of parameters and the tile's bytes."""
    first, last = int(tiles.start.min()), int((tiles.start + tiles.nbytes).max())
    total = max(last - first, int(tiles.nbytes.sum()))
    if total > INLINE_BYTES:
        raise UnsupportedFeatureError(
            f"the tiles take {total:,} bytes, more than the {INLINE_BYTES:,} that are kept inline; "
            "inline_tiles=False refers to them in the file"
        )
    raw = yield from exactly(first, last)
    frame = TILES.itemsize
    length = tiles.nbytes + frame
    offset = np.cumsum(length) - length
    chunks = np.empty(int(length.sum()), np.uint8)
    frames = tiles.rows.view(np.uint8).reshape(-1)
    chunks[positions(offset, np.full(len(offset), frame))] = frames
    whole = np.frombuffer(raw, np.uint8)
    chunks[positions(offset + frame, tiles.nbytes)] = whole[
        positions(tiles.start - first, tiles.nbytes)
    ]
    return ChunkManifest.from_columns(
        (),
        np.broadcast_to(INLINE, grid),
        offset.astype(np.uint64).reshape(grid),
        length.astype(np.uint32).reshape(grid),
        chunks.tobytes(),
    )
