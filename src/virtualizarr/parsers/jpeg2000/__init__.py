"""JPEG 2000 images: JP2 files and bare codestreams.

Specification: ISO/IEC 15444-1, annexes A (codestream) and I (file format). Components become bands,
with the numbers that are coded: palettes and colour spaces are not applied. Every tile is a chunk;
an image of one tile, or of tiles whose parts are mixed, is one chunk. Without TLM markers finding
the tiles takes one round for each.

Not read: geographic boxes (GML, GeoJP2), metadata boxes. Refused by name: components that differ in
size, sign or bits, or are subsampled; JPX files of several codestreams.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from virtualizarr.codecs.base import ForeignCodec
from virtualizarr.codecs.jpeg2000_tile import SIZ, SOC, Jpeg2000Tile
from virtualizarr.codecs.tiff import Tiff
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import ArrayMetadata, ChunkManifest, Location, ManifestArray, ManifestGroup
from virtualizarr.parsers.base import CallableParser
from virtualizarr.parsers.georeference import inline_array
from virtualizarr.parsers.jpeg2000.codestream import (
    Int64s,
    MainHeader,
    read_main_header,
    read_tiles,
)
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Reading, Stat

SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
BOX, CODESTREAM = 8, b"jp2c"
MAX_BOXES = 1000
VARIABLE = "band_data"
MAX_CHUNK = 1 << 34

__all__ = ["JPEG2000Parser"]


@dataclass(frozen=True)
class JPEG2000Parser(CallableParser):
    """Reads JPEG 2000 images as `band_data` over band, y and x.

    With `tiles` False the whole image is one chunk, which needs no look for the tiles.
    """

    tiles: bool = True

    @property
    def name(self) -> str:
        return "jpeg2000"

    @property
    def suffixes(self) -> tuple[str, ...]:
        return (".jp2", ".j2k", ".j2c", ".jpc", ".jpx")

    def sniff(self, head: bytes | memoryview, url: str) -> bool:
        """Say whether `head` begins as JP2 files or codestreams do."""
        del url
        start = bytes(head[: len(SIGNATURE)])
        return start == SIGNATURE or start[:4] == SOC + SIZ

    def parse(self, url: str) -> Reading[ManifestGroup]:
        """Read the boxes, the main header and where the tiles lie.

        Raises CorruptFileError for broken structures, UnsupportedFeatureError by name for what is
        not read.
        """
        start, limit, location = yield from find_codestream(url)
        header = yield from read_main_header(start, limit)
        dtype = header.dtype
        grid = header.grid
        shape = (len(header.components), grid.y - grid.y_offset, grid.x - grid.x_offset)
        tiled = None
        is_aligned = (grid.x_offset, grid.y_offset) == (grid.tile_x, grid.tile_y)
        if self.tiles and is_aligned:
            tiled = yield from read_tiles(header, start, limit)
        array = (
            _whole(location, start, limit, shape, dtype)
            if tiled is None
            else _of_tiles(location, header, shape, dtype, tiled)
        )
        bands = inline_array(np.arange(1, shape[0] + 1, dtype=np.int64), ("band",), {})
        return ManifestGroup({VARIABLE: array, "band": bands})


def find_codestream(url: str) -> Reading[tuple[int, int, Location]]:
    """Return where the codestream begins and ends, and the file's location."""
    head, facts = yield [ByteRange(0, 4096), Stat()]
    location = Location(url, facts.size, facts.etag, facts.last_modified)
    if facts.size is None:
        raise UnsupportedFeatureError("a JPEG 2000 file whose size is not known")
    if bytes(head[:4]) == SOC + SIZ:
        return 0, facts.size, location
    if bytes(head[: len(SIGNATURE)]) != SIGNATURE:
        raise CorruptFileError("the file does not begin as JPEG 2000 files do", at=0)
    at = 0
    for _ in range(MAX_BOXES):
        if at + 2 * BOX > len(head):
            (piece,) = yield [ByteRange(at, at + 2 * BOX)]
        else:
            piece = head[at : at + 2 * BOX]
        if len(piece) < BOX:
            break
        length, body = int.from_bytes(piece[:4]), BOX
        if length == 1:
            length, body = int.from_bytes(piece[8:16]), 2 * BOX
        end = at + length if length else facts.size
        if length and length < body:
            raise CorruptFileError(f"a box of {length} bytes", at=at)
        if bytes(piece[4:8]) == CODESTREAM:
            if end > facts.size:
                raise CorruptFileError(
                    f"the file is truncated: its codestream ends at byte {end:,}", at=facts.size
                )
            return at + body, end, location
        at = end
    raise CorruptFileError("the file has no codestream", at=at)


def _metadata(
    shape: tuple[int, ...], dtype: np.dtype[Any], chunk_shape: tuple[int, ...], codec: ForeignCodec
) -> ArrayMetadata:
    if prod(chunk_shape) * dtype.itemsize > MAX_CHUNK:
        raise UnsupportedFeatureError(f"a JPEG 2000 image or tile of shape {chunk_shape}")
    ours: Mapping[str, Any] = {"name": codec.name, "configuration": codec.configuration()}
    return ArrayMetadata.create(
        shape=shape,
        dtype=dtype.newbyteorder("<"),
        chunk_shape=chunk_shape,
        codecs=(ours,),
        dimension_names=("band", "y", "x"),
    )


def _whole(
    location: Location, start: int, limit: int, shape: tuple[int, int, int], dtype: np.dtype[Any]
) -> ManifestArray:
    kind = "int" if dtype.kind == "i" else "uint"
    codec = Tiff(
        shape=(shape[1], shape[2], shape[0]),
        sample=f"{kind}{dtype.itemsize * 8}",
        compression="jpeg2000",
        band_first=shape[0] > 1,
    )
    metadata = _metadata(shape, dtype, shape, codec)
    offset = np.full((1, 1, 1), start, np.uint64)
    return ManifestArray(metadata, ChunkManifest.single_file(location, offset, limit - start))


def _of_tiles(
    location: Location,
    header: MainHeader,
    shape: tuple[int, int, int],
    dtype: np.dtype[Any],
    tiles: tuple[Int64s, Int64s],
) -> ManifestArray:
    grid = header.grid
    chunk_shape = (shape[0], grid.tile_height, grid.tile_width)
    codec = Jpeg2000Tile(base64.b64encode(header.raw).decode(), chunk_shape, dtype.name)
    metadata = _metadata(shape, dtype, chunk_shape, codec)
    offset, length = (each.astype(np.uint64).reshape(metadata.grid_shape) for each in tiles)
    return ManifestArray(metadata, ChunkManifest.single_file(location, offset, length))
