"""Tiles of tile-compressed FITS images, decoded to whole chunks of plain big-endian numbers.

Specification: FITS standard 4.0, section 10. A tile's bytes do not tell all that is needed to
decode it: a tile at an image's edge is smaller, a tile may have been stored in another way than the
rest, and quantised tiles have a scale, a zero point and a place in the sequence of random numbers
each. A Zarr codec is not told which chunk it decodes, so the *length* of the byte range says it:
the stored streams end themselves, so a range may take in some bytes before or behind the tile.

- With `kinds` alone, tiles of kind k have ranges whose length, modulo the number of kinds, is k.
- With `table`, every tile has a length of its own, by which its parameters are found.
- With `framed`, the parameters precede the tile: its chunk is kept inline, as one row of the table.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.base import ForeignCodec, Octets, octets
from virtualizarr.codecs.fits_dither import METHODS, N_RANDOM, unquantized
from virtualizarr.codecs.fits_streams import DATA, DECODERS, GZIP, PLAIN, SOURCES, Stream
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ZarrTwin

BITPIX = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
MAX_CHUNK_BYTES = 1 << 40
MAX_TABLE_BYTES = 1 << 30

TILES = np.dtype(
    [
        ("length", "<u4"),  # of the byte range; the table is sorted by it
        ("skip", "<u4"),  # bytes of the range before the tile
        ("kind", "<u4"),
        ("start", "<u4"),  # place in the sequence of random numbers
        ("blank", "<i4"),
        ("has_blank", "<u4"),
        ("scale", "<f8"),
        ("zero", "<f8"),
    ]
)


def encode_table(rows: npt.NDArray[Any]) -> str:
    """Return rows of `TILES` as the text that `table` holds."""
    return base64.b64encode(zlib.compress(rows.tobytes(), 9)).decode()


@dataclass(frozen=True)
class FitsTile(ForeignCodec):
    """`compression`: ZCMPTYPE; `bitpix`: ZBITPIX; `shape`: of a chunk, slowest axis first.

    `kinds`: how tiles are stored: "data" (by `compression`), "gzip" or "plain", and the tile's
    shape. `blocksize`, `bytepix`, `smooth`: the parameters of the algorithms. `quantize`: ZQUANTIZ
    where tiles hold quantised numbers. `blank`: ZBLANK, the pixel that stands for NaN. `table`:
    parameters of each tile as base64 of zlib of `TILES`. `framed`: they precede each tile instead.
    """

    name: ClassVar[str] = "virtualizarr.fits_tile"
    compression: str
    bitpix: int
    shape: tuple[int, ...]
    kinds: tuple[tuple[Any, ...], ...]
    blocksize: int = 32
    bytepix: int = 4
    smooth: int = 0
    quantize: str | None = None
    blank: int | None = None
    table: str | None = None
    framed: bool = False

    def __post_init__(self) -> None:
        self.require(self.compression in DECODERS, f"compression is {self.compression!r}")
        self.require(self.bitpix in BITPIX, f"bitpix is {self.bitpix!r}")
        self.require_words("shape", 1, 1 << 40)
        self.require(prod(self.shape) * 8 <= MAX_CHUNK_BYTES, f"shape is {self.shape}")
        kinds: Any = self.kinds
        self.require(isinstance(kinds, tuple) and len(kinds) > 0, "kinds are missing")
        for kind in kinds:
            self._check_kind(kind)
        self.require(self.bytepix in (1, 2, 4), f"bytepix is {self.bytepix!r}")
        self.require_integers(blocksize=(1, 1 << 16), smooth=(0, 1))
        known = self.quantize is None or (self.quantize in METHODS and self.bitpix < 0)
        self.require(known, f"quantize is {self.quantize!r} for bitpix {self.bitpix}")
        self.require(self.blank is None or type(self.blank) is int, f"blank is {self.blank!r}")
        self.require(type(self.framed) is bool, f"framed is {self.framed!r}")
        parameters = self.quantize is None or self.framed or self.table is not None
        self.require(parameters, "quantised tiles have no parameters")

    def _check_kind(self, kind: Any) -> None:
        known = isinstance(kind, tuple) and len(kind) == 2 and kind[0] in SOURCES
        self.require(known and isinstance(kind[1], tuple), f"kind {kind!r}")
        shape = kind[1]
        fits = len(shape) == len(self.shape) and all(
            type(n) is int and 0 < n <= whole for n, whole in zip(shape, self.shape, strict=True)
        )
        self.require(fits, f"a tile of shape {shape} in chunks of {self.shape}")

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the decoded numbers, big-endian."""
        return np.dtype(BITPIX[self.bitpix])

    @cached_property
    def rows(self) -> npt.NDArray[Any] | None:
        """The rows of `table`."""
        if self.table is None:
            return None
        try:
            inflate = zlib.decompressobj()
            raw = inflate.decompress(base64.b64decode(self.table, validate=True), MAX_TABLE_BYTES)
        except (binascii.Error, zlib.error, TypeError, ValueError) as error:
            raise self.corrupt(f"the table cannot be decoded: {error}") from error
        self.require(inflate.eof and len(raw) % TILES.itemsize == 0, "the table is malformed")
        rows = np.frombuffer(raw, TILES)
        self.require((np.diff(rows["length"].astype(np.int64)) > 0).all(), "the table is unsorted")
        return rows

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        size = prod(self.shape) * self.dtype.itemsize
        self.require(nbytes is None or nbytes == size, f"{size} bytes for a chunk of {nbytes}")
        row, tile = self._parted(data)
        number = data.size % len(self.kinds) if row is None else int(row["kind"])
        self.require(number < len(self.kinds), f"a tile is of kind {number}")
        source, shape = self.kinds[number]
        values = self._values(tile, source, shape, row)
        if shape == self.shape:
            return octets(values)
        out = np.zeros(self.shape, self.dtype)
        out[tuple(map(slice, shape))] = values
        return octets(out)

    def _parted(self, data: Octets) -> tuple[Any, Octets]:
        """Return the tile's row of the table, if there is one, and its own bytes."""
        if self.framed:
            self.require(data.size > TILES.itemsize, f"a framed tile of {data.size} bytes")
            frame, tile = data[: TILES.itemsize], data[TILES.itemsize :]
            return frame.view(TILES)[0], tile
        rows = self.rows
        if rows is None:
            return None, data
        at = int(np.searchsorted(rows["length"], data.size))
        known = at < len(rows) and rows["length"][at] == data.size
        self.require(known, f"no tile has a range of {data.size} bytes")
        skip = int(rows["skip"][at])
        self.require(skip < data.size, f"a tile begins {skip} bytes into its range")
        return rows[at], data[skip:]

    def _values(
        self, tile: Octets, source: str, shape: tuple[int, ...], row: Any
    ) -> npt.NDArray[Any]:
        stream = Stream(self, tile, shape, self.dtype, self.quantize is not None)
        if source == PLAIN:
            return stream.plain(self.dtype).reshape(shape)
        if source == GZIP:
            return stream.inflated(self.dtype).astype(self.dtype).reshape(shape)
        assert source == DATA
        stored = DECODERS[self.compression](stream)
        blank = self.blank
        if row is not None and row["has_blank"]:
            blank = int(row["blank"])
        values = stored
        if self.quantize is not None:
            start = int(row["start"]) % N_RANDOM
            whole = stored.astype(np.int32).reshape(-1)
            values = unquantized(
                whole, float(row["scale"]), float(row["zero"]), self.quantize, start
            )
        with np.errstate(over="ignore", invalid="ignore"):
            found = values.astype(self.dtype).reshape(shape)
        if blank is not None and self.bitpix < 0:
            found[stored.reshape(shape) == blank] = np.nan
        return found


class FitsTileCodec(ZarrTwin, of=FitsTile):
    """Zarr v3 codec `virtualizarr.fits_tile`."""


class FitsTileNumcodec(NumcodecsTwin, of=FitsTile):
    """numcodecs codec `virtualizarr.fits_tile`."""
