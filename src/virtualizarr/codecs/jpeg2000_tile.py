"""One tile of a JPEG 2000 codestream, decoded by itself.

Specification: ISO/IEC 15444-1, annex A. A tile's parts say which tile they are; with the main
header of the codestream, of which the image size becomes the tile's own, they are a codestream that
any decoder reads. Coordinates stay what they are, so wavelets and code-blocks do too.
"""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.base import ForeignCodec, Octets
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ZarrTwin

SOC, SIZ, SOT, SOD, EOC = b"\xff\x4f", b"\xff\x51", b"\xff\x90", b"\xff\x93", b"\xff\xd9"
SIZES = struct.Struct(">8I")
SIZES_AT, COMPONENTS_AT = 8, 40
TILE_PART = struct.Struct(">2sHHIBB")
MAX_BYTES = 1 << 34
DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32")


class Grid(NamedTuple):
    """The reference grid of a codestream (SIZ): right, bottom, left and top of the image, width,
    height, left and top of the first tile."""

    x: int
    y: int
    x_offset: int
    y_offset: int
    tile_width: int
    tile_height: int
    tile_x: int
    tile_y: int

    @property
    def across(self) -> int:
        """How many tiles lie side by side."""
        return -(-(self.x - self.tile_x) // self.tile_width)

    @property
    def down(self) -> int:
        """How many tiles lie one above the other."""
        return -(-(self.y - self.tile_y) // self.tile_height)

    def of_tile(self, number: int) -> Grid:
        """Return the grid of an image that is one tile of this one (B.3)."""
        row, column = divmod(number, self.across)
        left, top = self.tile_x + column * self.tile_width, self.tile_y + row * self.tile_height
        return Grid(
            min(left + self.tile_width, self.x),
            min(top + self.tile_height, self.y),
            max(left, self.x_offset),
            max(top, self.y_offset),
            self.tile_width,
            self.tile_height,
            left,
            top,
        )


@dataclass(frozen=True)
class Jpeg2000Tile(ForeignCodec):
    """`header`: the main header of the codestream, from SOC to the first SOT, as base64.

    `shape`: samples, rows and columns of a chunk; those of tiles at the edge are filled up.
    `sample` is the dtype of a decoded sample.
    """

    name: ClassVar[str] = "virtualizarr.jpeg2000_tile"
    header: str
    shape: tuple[int, int, int]
    sample: str

    def __post_init__(self) -> None:
        self.require_words("shape", 1, 1 << 32)
        self.require(len(self.shape) == 3, f"shape is {self.shape}")
        self.require(self.sample in DTYPES, f"sample is {self.sample!r}")
        self.require(self.nbytes <= MAX_BYTES, f"a chunk of {self.shape} is too large")
        grid = self.grid
        fits = grid.tile_width <= self.shape[2] and grid.tile_height <= self.shape[1]
        self.require(fits, f"tiles of {grid} in chunks of {self.shape}")
        components = int.from_bytes(self.main_header[COMPONENTS_AT : COMPONENTS_AT + 2])
        self.require(components == self.shape[0], f"{components} components in {self.shape}")

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.sample)

    @property
    def nbytes(self) -> int:
        """Bytes of a decoded chunk."""
        samples, rows, columns = self.shape
        return samples * rows * columns * self.dtype.itemsize

    @property
    def main_header(self) -> bytes:
        try:
            raw = base64.b64decode(self.header, validate=True)
        except (binascii.Error, ValueError) as error:
            raise self.corrupt("the main header is not base64") from error
        self.require(raw[:4] == SOC + SIZ and len(raw) >= SIZES_AT + SIZES.size, "no main header")
        return raw

    @property
    def grid(self) -> Grid:
        """The reference grid, with tiles of at least one sample."""
        grid = Grid(*SIZES.unpack_from(self.main_header, SIZES_AT))
        inside = grid.tile_x <= grid.x_offset < grid.x and grid.tile_y <= grid.y_offset < grid.y
        self.require(inside and grid.tile_width and grid.tile_height, f"SIZ is {grid}")
        return grid

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        self.require(nbytes in (None, self.nbytes), f"{self.nbytes} bytes for a chunk of {nbytes}")
        parts = bytearray(data.tobytes())
        tile = self.grid.of_tile(self._renumbered(parts))
        header = bytearray(self.main_header)
        SIZES.pack_into(header, SIZES_AT, *tile)
        rows, columns = tile.y - tile.y_offset, tile.x - tile.x_offset
        samples = self.shape[0]
        self.require(rows > 0 and columns > 0, "a tile without area")
        end = b"" if parts.endswith(EOC) else EOC
        image = np.asarray(self.imagecodecs("jpeg2k_decode", bytes(header) + bytes(parts) + end))
        image = image[:, :, np.newaxis] if image.ndim == 2 else image
        found = image.shape == (rows, columns, samples)
        self.require(found, f"an image of {image.shape}, not {(rows, columns, samples)}")
        same = image.dtype.kind == self.dtype.kind and image.dtype.itemsize <= self.dtype.itemsize
        self.require(same, f"{image.dtype} decoded where {self.dtype} is declared")
        out: npt.NDArray[Any] = np.zeros(self.shape, self.dtype.newbyteorder("<"))
        out[:, :rows, :columns] = np.moveaxis(image, 2, 0)
        return out.reshape(-1).view(np.uint8)

    def _renumbered(self, parts: bytearray) -> int:
        """Make all tile-parts those of tile 0; return which tile they were of."""
        at, number = 0, -1
        while at + TILE_PART.size <= len(parts) and parts[at : at + 2] != EOC:
            marker, _, index, length, _, _ = TILE_PART.unpack_from(parts, at)
            self.require(marker == SOT, f"no tile-part at byte {at}")
            self.require(number in (-1, index), "tile-parts of several tiles")
            number = index
            parts[at + 4 : at + 6] = b"\0\0"
            self.require(length == 0 or length >= TILE_PART.size + 2, f"a tile-part of {length}")
            at = at + length if length else len(parts)
        count = self.grid.across * self.grid.down
        self.require(0 <= number < count, f"tile {number} of {count}")
        return number


class Jpeg2000TileCodec(ZarrTwin, of=Jpeg2000Tile):
    """Zarr v3 codec `virtualizarr.jpeg2000_tile`."""


class Jpeg2000TileNumcodec(NumcodecsTwin, of=Jpeg2000Tile):
    """numcodecs codec `virtualizarr.jpeg2000_tile`."""
