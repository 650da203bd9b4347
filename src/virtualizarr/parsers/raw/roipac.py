"""ROI_PAC rasters: raw numbers of a kind told by the file's ending, and a resource file (`.rsc`).

Specification: the ROI_PAC documentation; where it is silent, as GDAL reads them. Numbers are
little-endian.

Not read, and refused by name: raw signals (`.raw`) and endings that are not listed in `KINDS`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model import ManifestGroup
from virtualizarr.parsers.base import CallableParser
from virtualizarr.parsers.beside import (
    FoundFile,
    Pair,
    appended,
    name_of,
    suffix_of,
    with_suffix,
)
from virtualizarr.parsers.georeference import Place, north_up
from virtualizarr.parsers.raw.numbers import integer, real_or_none
from virtualizarr.parsers.raw.raster import LINE, VARIABLE, Raster, group_of, interleaved
from virtualizarr.parsers.strided import RawImage, read_presence
from virtualizarr.source.reading import Reading

REQUIRED = (
    re.compile(rb"(?:\A|[\r\n])[ \t]*WIDTH[ \t]+\d"),
    re.compile(rb"(?:\A|[\r\n])[ \t]*FILE_LENGTH[ \t]+\d"),
)
KINDS: Mapping[str, tuple[str, int, str]] = {
    ".int": ("<c8", 1, "bsq"),
    ".slc": ("<c8", 1, "bsq"),
    ".amp": ("<f4", 2, "bip"),
    ".cor": ("<f4", 2, "bil"),
    ".hgt": ("<f4", 2, "bil"),
    ".unw": ("<f4", 2, "bil"),
    ".msk": ("<f4", 2, "bil"),
    ".trans": ("<f4", 2, "bil"),
    ".dem": ("<i2", 1, "bsq"),
    ".flg": ("<u1", 1, "bsq"),
}
"""By ending: dtype, number of bands and interleave."""

GEOGRAPHIC = {"WGS84": "EPSG:4326", "NAD27": "EPSG:4267", "NAD83": "EPSG:4269", "": "EPSG:4326"}
UTM = {"WGS84": 32600, "NAD27": 26700, "NAD83": 26900, "": 26700}
STRUCTURE = frozenset(
    {
        *("WIDTH", "FILE_LENGTH", "X_FIRST", "X_STEP", "Y_FIRST", "Y_STEP"),
        *("Z_OFFSET", "Z_SCALE"),
    }
)

__all__ = ["ROIPACParser"]


@dataclass(frozen=True)
class ROIPACParser(CallableParser):
    """Reads ROI_PAC rasters, given the resource file or the data file.

    `chunk_bytes` is how large chunks become, None for one chunk.
    """

    chunk_bytes: int | None = 16 * 1024 * 1024

    @property
    def name(self) -> str:
        return "roipac"

    @property
    def suffixes(self) -> tuple[str, ...]:
        return (".rsc",)

    def sniff(self, head: bytes | memoryview, url: str) -> bool:
        """Say whether `head` is a text with the keywords WIDTH and FILE_LENGTH."""
        del url
        return is_header(head)

    def headers(self, url: str) -> tuple[str, ...]:
        """Return the URL under which the resource file of the data file at `url` must be."""
        return (appended(url, ".rsc"),) if suffix_of(url) in KINDS else ()

    def parse(self, url: str) -> Reading[ManifestGroup]:
        """Read the resource file and the data file's facts, in two rounds.

        Raises CorruptFileError where the header is broken or the data end before they should.
        """
        pair = Pair("ROI_PAC resource file", "raster file", is_header)
        header, data = yield from pair.read(url, (appended(url, ".rsc"),), [with_suffix(url, "")])
        fields = decode_header(header.head)
        image = yield from read_presence(image_of(fields, data), url, VARIABLE)
        scale, offset = (real_or_none(fields.get(key)) for key in ("Z_SCALE", "Z_OFFSET"))
        raster = Raster(
            image,
            place_of(fields),
            scale=scale if scale is not None else 1.0,
            offset=offset if offset is not None else 0.0,
            keywords={key: fields[key] for key in fields if key not in STRUCTURE},
        )
        return group_of(raster, self.chunk_bytes)


def is_header(head: bytes | memoryview) -> bool:
    """Say whether a text has the keywords that every resource file has."""
    start = bytes(head[:16384])
    return b"\0" not in start and all(pattern.search(start) for pattern in REQUIRED)


def decode_header(raw: bytes | memoryview) -> dict[str, str]:
    """Return the values by keyword."""
    pairs = (line.split(None, 1) for line in bytes(raw).decode("latin-1").splitlines())
    return {pair[0]: pair[1].strip() for pair in pairs if len(pair) == 2}


def image_of(fields: Mapping[str, str], data: FoundFile) -> RawImage:
    """Return where the numbers lie; UnsupportedFeatureError for an ending that is not known."""
    suffix = suffix_of(data.url)
    if suffix not in KINDS:
        raise UnsupportedFeatureError(
            f"ROI_PAC file {name_of(data.url)!r}: its ending is none of {', '.join(KINDS)}"
        )
    name, bands, interleave = KINDS[suffix]
    dtype = np.dtype(name)
    lines, samples = (integer(fields.get(key, ""), key, low=1) for key in ("FILE_LENGTH", "WIDTH"))
    lengths = (bands, lines, samples)
    image = interleaved(data.location, 0, dtype, lengths, interleave)
    if suffix == ".amp":
        row = dtype.itemsize * samples * bands
        spread = interleaved(
            data.location, 0, dtype, lengths, interleave, strides={LINE: row * bands}
        )
        if data.facts.size == spread.end != image.end:
            return spread  # as GDAL wrote such files before version 2.1.1
    return image


def place_of(fields: Mapping[str, str]) -> Place:
    """Return where the raster lies. The half of the earth of a UTM zone is not stated."""
    left, top, width, height = (
        real_or_none(fields.get(key)) for key in ("X_FIRST", "Y_FIRST", "X_STEP", "Y_STEP")
    )
    transform = None
    if left is not None and top is not None and width is not None and height is not None:
        transform = north_up(left, top, width, -height)
    projection, datum = fields.get("PROJECTION", ""), fields.get("DATUM", "").upper()
    if projection == "LL":
        return Place(transform, GEOGRAPHIC.get(datum))
    zone = real_or_none(projection[3:]) if projection.startswith("UTM") else None
    if zone is not None and datum in UTM and 1 <= zone <= 60:
        return Place(transform, f"EPSG:{UTM[datum] + int(zone)}")
    return Place(transform)
