"""ESRI rasters: BIL, BIP, BSQ and GridFloat files with a text header (`.hdr`) beside them.

Specification: "BIL, BIP, and BSQ raster files" and "Float to raster" of the ArcGIS documentation;
where it is silent, as GDAL's EHdr driver reads them. BANDROWBYTES, TOTALROWBYTES and BANDGAPBYTES
count where the file is as long as they say.

Not read, and refused by name: numbers of other widths than 1 to 8, 16, 32 and 64 bits, floating
point numbers of the VAX. Colour tables and statistics (`.clr`, `.stx`) are not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import ManifestGroup
from virtualizarr.parsers.base import CallableParser
from virtualizarr.parsers.beside import (
    FoundFile,
    Pair,
    appended,
    both_cases,
    existing,
    suffix_of,
)
from virtualizarr.parsers.raw.ehdr_header import decode_header, is_header, place_of
from virtualizarr.parsers.raw.numbers import integer, real_or_none
from virtualizarr.parsers.raw.raster import (
    BAND,
    LINE,
    ORDERS,
    VARIABLE,
    Raster,
    group_of,
    interleaved,
)
from virtualizarr.parsers.strided import RawImage, read_presence
from virtualizarr.source.reading import Reading

DATA_SUFFIXES = (
    *(".bil", ".bip", ".bsq", ".flt", ".dem", ".img", ".bin", ".dat", ".raw", ".src", ".hgt", ""),
)
OTHER_SUFFIXES = (".hdr", ".clr", ".stx", ".prj", ".xml", ".blw", ".ovr", ".rrd")
WIDTHS = {"U": (8, 16, 32, 64), "S": (8, 16, 32, 64), "F": (32, 64)}
STRUCTURE = frozenset(
    {
        *("NROWS", "NCOLS", "NBANDS", "NBITS", "PIXELTYPE", "BYTEORDER", "LAYOUT", "SKIPBYTES"),
        *("BANDROWBYTES", "TOTALROWBYTES", "BANDGAPBYTES", "NODATA", "NODATA_VALUE"),
        *("ULXMAP", "ULYMAP", "XDIM", "YDIM", "XLLCORNER", "YLLCORNER", "XLLCENTER", "YLLCENTER"),
        "CELLSIZE",
    }
)

PAIR = Pair("ESRI header", "raster file", is_header)

__all__ = ["EHdrParser"]


@dataclass(frozen=True)
class EHdrParser(CallableParser):
    """Reads ESRI BIL, BIP, BSQ and GridFloat rasters, given the header or the data file.

    `chunk_bytes` is how large chunks become, None for one chunk.
    """

    chunk_bytes: int | None = 16 * 1024 * 1024

    @property
    def name(self) -> str:
        return "ehdr"

    @property
    def suffixes(self) -> tuple[str, ...]:
        return (".hdr",)

    def sniff(self, head: bytes | memoryview, url: str) -> bool:
        """Say whether `head` is a text with the keywords NROWS and NCOLS, without numbers."""
        del url
        return is_header(head)

    def headers(self, url: str) -> tuple[str, ...]:
        """Return the URLs under which the header of the data file at `url` may be."""
        if suffix_of(url) in OTHER_SUFFIXES:
            return ()
        endings = [".hdr", ".sch"] if suffix_of(url) == ".src" else [".hdr"]
        return (*both_cases(url, endings), appended(url, ".hdr"))

    def parse(self, url: str) -> Reading[ManifestGroup]:
        """Read header, projection and the data file's facts, in three rounds.

        Raises CorruptFileError where the header is broken or the data end before they should.
        """
        header, data = yield from PAIR.read(url, self.headers(url), both_cases(url, DATA_SUFFIXES))
        fields = decode_header(header.head)
        image = yield from read_presence(image_of(fields, data), url, VARIABLE)
        projections = yield from existing(both_cases(data.url, [".prj"]))
        text = bytes(projections[0].head).decode("utf-8", "replace") if projections else None
        raster = Raster(
            image,
            place_of(fields, image.shape[1], text),
            nodata=real_or_none(_nodata(fields)),
            keywords={key.lower(): fields[key] for key in fields if key not in STRUCTURE},
        )
        return group_of(raster, self.chunk_bytes)


def _nodata(fields: Mapping[str, str]) -> str | None:
    return fields.get("NODATA_VALUE", fields.get("NODATA"))


def image_of(fields: Mapping[str, str], data: FoundFile) -> RawImage:
    """Return where the numbers lie; CorruptFileError where keywords are missing or wrong."""
    rows, columns = (integer(fields.get(key, ""), key, low=1) for key in ("NROWS", "NCOLS"))
    bands = integer(fields.get("NBANDS", "1"), "NBANDS", low=1)
    skip = integer(fields.get("SKIPBYTES", "0"), "SKIPBYTES")
    lengths = (bands, rows, columns)
    dtype, bits = _sample(fields, lengths, data)
    layout = fields.get("LAYOUT", "BIL").lower()
    layout = layout if layout in ORDERS else "bil"

    def image(strides: Mapping[str, int]) -> RawImage:
        return interleaved(data.location, skip, dtype, lengths, layout, strides=strides, bits=bits)

    packed = image(_row_aligned(lengths, layout, bits) if bits else {})
    stated = image(_stated(fields, packed, layout))
    size = data.facts.size
    if stated.strides == packed.strides or size is None:
        return stated
    return packed if size == packed.end or size < stated.end else stated


def _sample(
    fields: Mapping[str, str], lengths: tuple[int, int, int], data: FoundFile
) -> tuple[np.dtype[Any], int]:
    """Return the dtype of a number, and its bits where they are no whole bytes.

    What the header does not say follows from the size of the file, its name and the sign of NODATA.
    """
    kind = fields.get("PIXELTYPE", "")[:1].upper()
    bits = integer(fields["NBITS"], "NBITS", low=1, high=64) if "NBITS" in fields else None
    size = data.facts.size
    if bits is None:
        nbytes, rest = divmod(size if size is not None else 0, lengths[0] * lengths[1] * lengths[2])
        if rest or nbytes not in (1, 2, 4, 8):
            raise CorruptFileError("NBITS is not given, and the file's size does not tell it")
        bits = nbytes * 8
        kind = "F" if kind == "" and nbytes == 4 else kind
    if kind == "" and suffix_of(data.url) == ".flt":
        kind = "F"
    nodata = real_or_none(_nodata(fields))
    if kind == "" and nodata is not None and nodata < 0:
        kind = "S"
    kind = kind if kind in WIDTHS else "U"
    if bits < 8 and kind == "U":
        return np.dtype("u1"), bits
    if bits not in WIDTHS[kind]:
        named = fields.get("PIXELTYPE", "numbers")
        raise UnsupportedFeatureError(f"{named} of {bits} bits (NBITS, PIXELTYPE)")
    order = fields.get("BYTEORDER", "M")
    if order.upper().startswith("V"):
        raise UnsupportedFeatureError(f"BYTEORDER {order}")
    endian = "<" if order[:1].upper() in ("I", "L") else ">"
    return np.dtype(f"{endian}{ {'U': 'u', 'S': 'i', 'F': 'f'}[kind] }{bits // 8}"), 0


def _row_aligned(lengths: tuple[int, int, int], layout: str, bits: int) -> dict[str, int]:
    """Return the strides of numbers of a few bits, whose rows begin at a byte."""
    bands, rows, columns = lengths
    if layout == "bip":
        return {LINE: -(-bands * columns * bits // 8) * 8}
    row = -(-columns * bits // 8) * 8
    if layout == "bil":
        return {BAND: row, LINE: row * bands}
    return {LINE: row, BAND: row * rows}


def _stated(fields: Mapping[str, str], packed: RawImage, layout: str) -> dict[str, int]:
    """Return the strides that the header states, where they leave room for the numbers."""
    scale = 8 if packed.bits else 1
    strides = dict(zip(packed.dims, packed.strides, strict=True))
    band_row, total, gap = (
        scale * integer(fields.get(key, "0"), key)
        for key in ("BANDROWBYTES", "TOTALROWBYTES", "BANDGAPBYTES")
    )
    rows = packed.shape[1]
    if layout == "bil":
        strides[BAND] = max(strides[BAND], band_row)
        strides[LINE] = max(strides[BAND] * packed.shape[0], total)
    elif layout == "bip":
        strides[LINE] = max(strides[LINE], total)
    else:
        strides[LINE] = max(strides[LINE], band_row, total)
        strides[BAND] = strides[LINE] * rows + gap
    return strides
