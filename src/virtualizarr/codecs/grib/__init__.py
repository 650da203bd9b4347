"""One field of a GRIB message, edition 1 or 2, decoded into the values of all its points.

Manual on Codes (WMO No. 306), FM 92. A chunk is, for edition 2, sections 5 to 7 of the field
(preceded, where it uses the bitmap of an earlier field, by everything from that one's section 5
on, and in template 5.50002, which goes by rows, from section 3 on); for edition 1 it is the whole
message.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import unpack_from
from typing import ClassVar

import numpy as np

from virtualizarr.codecs.base import ForeignCodec, Octets
from virtualizarr.codecs.grib.chunk import Chunk, bits_of, take_apart
from virtualizarr.codecs.grib.complex import complex_packing, spatial_differencing
from virtualizarr.codecs.grib.second_order import (
    in_order,
    is_turned,
    local_second_order,
    second_order_1,
)
from virtualizarr.codecs.grib.simple import (
    Scale,
    Values,
    ccsds,
    ieee,
    ieee_1,
    jpeg_2000,
    logarithmic,
    png,
    run_length,
    scaled,
    simple,
)
from virtualizarr.codecs.grib.spectral import spectral_1, spectral_complex, spectral_simple
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ZarrTwin
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError

TEMPLATES = {
    0: simple,
    2: complex_packing,
    3: spatial_differencing,
    4: ieee,
    40: jpeg_2000,
    41: png,
    42: ccsds,
    50: spectral_simple,
    51: spectral_complex,
    61: logarithmic,
    200: run_length,
    40000: jpeg_2000,
    40010: png,
    50001: local_second_order,
    50002: local_second_order,
}
"""Data representation templates (code table 5.0) of edition 2."""

COEFFICIENTS, BY_GROUPS = (50, 51), (50001, 50002)

MOST_OUT_OF_LITTLE, MOST_PER_BYTE = 1 << 28, 256
"""How many points are decoded whatever the size of the chunk, and for each of its bytes.

Constant fields have no data at all, so there must be some limit.
"""

SPECTRAL, SECOND_ORDER, INTEGER, MORE_FLAGS = 8, 4, 2, 1
"""Flags of section 4 (code table 11) of edition 1."""

IEEE_VALUES = INTEGER | MORE_FLAGS
"""These together mean IEEE values, as ecCodes writes them; the Manual has none in edition 1."""


@dataclass(frozen=True)
class Grib(ForeignCodec):
    """`dtype`: "float32" or "float64", of the decoded values; what is missing becomes NaN.

    `row`: the number of points of a row where every second row is stored backwards, else 0.
    """

    name: ClassVar[str] = "virtualizarr.grib"
    dtype: str = "float32"
    row: int = 0

    def __post_init__(self) -> None:
        self.require(self.dtype in ("float32", "float64"), f"dtype is {self.dtype!r}")
        self.require_integers(row=(0, 1 << 31))

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        kind = np.dtype(self.dtype)
        try:
            chunk = take_apart(data)
            points = self._points(chunk) if nbytes is None else nbytes // kind.itemsize
            if points > max(MOST_OUT_OF_LITTLE, MOST_PER_BYTE * data.size):
                raise UnsupportedFeatureError(f"{points} points out of {data.size} bytes")
            with np.errstate(over="ignore", invalid="ignore"):
                values = decoded(chunk, points).astype(kind)
        except (CorruptFileError, UnsupportedFeatureError) as error:
            raise type(error)(f"codec {self.name}: {error.reason}") from error
        if self.row:
            self.require(points % self.row == 0, f"{points} points in rows of {self.row}")
            rows = values.reshape(-1, self.row)
            rows[1::2] = rows[1::2, ::-1].copy()
        return values.view(np.uint8)

    def _points(self, chunk: Chunk) -> int:
        """Return the number of points where nothing but the chunk tells it."""
        if chunk.edition == 2 and chunk.bitmap is None:
            return int(unpack_from(">I", chunk.template, 5)[0])
        return self.known_size(None)


def decoded(chunk: Chunk, points: int) -> Values:
    """Return the values of all points, NaN where the bitmap or the packing says missing."""
    present = None if chunk.bitmap is None else bits_of(chunk.bitmap, points)
    count = points if present is None else int(np.count_nonzero(present))
    values = _packed_1(chunk, points, count) if chunk.edition == 1 else _packed_2(chunk, count)
    if present is not None:
        out = np.full(points, np.nan)
        out[present] = values
        values = out
    return in_order(chunk, values) if _is_second_order(chunk) and is_turned(chunk) else values


def _packed_2(chunk: Chunk, count: int) -> Values:
    stored, number = unpack_from(">IH", chunk.template, 5)
    if number not in TEMPLATES:
        raise UnsupportedFeatureError(f"data representation template 5.{number}")
    if stored != count and number not in COEFFICIENTS:
        raise CorruptFileError(f"section 5 tells of {stored} values, there are {count} points")
    return TEMPLATES[number](chunk.template, chunk.data, count)


def _packed_1(chunk: Chunk, points: int, count: int) -> Values:
    flags = int(chunk.template[3]) >> 4
    if flags & SPECTRAL:
        return spectral_1(chunk, count)
    if flags & SECOND_ORDER:
        return second_order_1(chunk, points, count)
    if flags == IEEE_VALUES:
        return ieee_1(chunk.data, count)
    if flags & MORE_FLAGS:
        raise UnsupportedFeatureError("a matrix of values in edition 1")
    scale = Scale.of_edition_1(chunk.template, chunk.decimal)
    return scaled(scale, chunk.data, count)


def _is_second_order(chunk: Chunk) -> bool:
    if chunk.edition == 1:
        return int(chunk.template[3]) >> 4 & (SPECTRAL | SECOND_ORDER) == SECOND_ORDER
    return int(unpack_from(">H", chunk.template, 9)[0]) in BY_GROUPS


class GribCodec(ZarrTwin, of=Grib):
    """Zarr v3 codec `virtualizarr.grib`."""


class GribNumcodec(NumcodecsTwin, of=Grib):
    """numcodecs codec `virtualizarr.grib`."""
