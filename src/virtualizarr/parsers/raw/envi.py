"""ENVI rasters: a text header (`.hdr`) beside a file of raw numbers.

Specification: "ENVI Header Files" and "ENVI Image Files" of the ENVI documentation; where it is
silent, as GDAL reads them.

Not read, and refused by name: virtual mosaics and meta files, frame offsets of images stored band
by band, data types that are no numbers. Ground control points, RPCs and statistics are attributes
as the header has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.model import ManifestGroup
from virtualizarr.parsers.base import CallableParser
from virtualizarr.parsers.beside import (
    FoundFile,
    Pair,
    appended,
    both_cases,
    suffix_of,
)
from virtualizarr.parsers.raw.envi_header import (
    DATA_TYPES,
    decode_header,
    is_header,
    listed,
    place_of,
)
from virtualizarr.parsers.raw.numbers import integer, real_or_none, reals
from virtualizarr.parsers.raw.raster import (
    DIMS,
    LINE,
    ORDERS,
    VARIABLE,
    Raster,
    group_of,
    interleaved,
)
from virtualizarr.parsers.registry import parser_named
from virtualizarr.parsers.strided import RawImage, packed_strides, read_presence
from virtualizarr.source.reading import Elsewhere, Reading
from virtualizarr.source.urls import normalize_url

DATA_SUFFIXES = (
    *("", ".img", ".dat", ".raw", ".bin", ".bsq", ".bil", ".bip", ".sli", ".cub", ".lan", ".gis"),
    *(".envi", ".rad", ".rdn", ".rfl", ".ref", ".int", ".slc", ".cor", ".tif", ".tiff"),
)
OTHER_SUFFIXES = (".hdr", ".sta", ".enp", ".evf", ".ovr", ".xml", ".prj", ".rrd")
"""Files that lie beside ENVI rasters and are no data."""

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
REFUSED_TYPES = ("envi meta file", "envi virtual mosaic")
STRUCTURE = frozenset(
    {
        *("samples", "lines", "bands", "header offset", "data type", "interleave", "byte order"),
        *("file compression", "data ignore value", "data gain values", "data offset values"),
        *("band names", "wavelength", "major frame offsets"),
    }
)

PAIR = Pair("ENVI header", "ENVI data file", is_header)

__all__ = ["ENVIParser"]


@dataclass(frozen=True)
class ENVIParser(CallableParser):
    """Reads ENVI rasters, given the header or the data file.

    `header_url` says where the header of a data file lies, if it is not beside it. `chunk_bytes` is
    how large chunks become, None for one chunk; so is `split_chunks_along_outer_axis=False`, which
    is VirtualiZarr 2.x's way to say it.
    """

    header_url: str | None = None
    split_chunks_along_outer_axis: bool = True
    chunk_bytes: int | None = 16 * 1024 * 1024

    @property
    def name(self) -> str:
        return "envi"

    @property
    def suffixes(self) -> tuple[str, ...]:
        return (".hdr",)

    def sniff(self, head: bytes | memoryview, url: str) -> bool:
        """Say whether `head` begins as ENVI headers do."""
        del url
        return is_header(head)

    def headers(self, url: str) -> tuple[str, ...]:
        """Return the URLs under which the header of the data file at `url` may be."""
        if self.header_url is not None:
            return (normalize_url(self.header_url),)
        if suffix_of(url) in OTHER_SUFFIXES:
            return ()
        return (appended(url, ".hdr"), appended(url, ".HDR"), *both_cases(url, [".hdr"]))

    def parse(self, url: str) -> Reading[ManifestGroup]:
        """Read header and data file's facts, in two rounds.

        Raises CorruptFileError where the header is broken or the data end before they should.
        """
        header, data = yield from PAIR.read(url, self.headers(url), both_cases(url, DATA_SUFFIXES))
        fields = decode_header(header.head)
        if bytes(data.head[:4]) in TIFF_MAGIC and fields.get("file type", "").lower() == "tiff":
            return (yield from _delegated(data.url))
        image = yield from read_presence(image_of(fields, data), url, VARIABLE)
        split = self.chunk_bytes if self.split_chunks_along_outer_axis else None
        return group_of(raster_of(fields, image), split)


def _delegated(url: str) -> Reading[ManifestGroup]:
    """Return what the TIFF parser makes of data that are a TIFF file."""
    (answer,) = yield [Elsewhere(url, parser_named("tiff").parse(url))]
    if isinstance(answer, VirtualizeError):
        raise answer
    group: ManifestGroup = answer
    return group


def image_of(fields: Mapping[str, str], data: FoundFile) -> RawImage:
    """Return where the numbers lie; CorruptFileError where fields are missing or wrong."""
    if fields.get("file type", "").lower() in REFUSED_TYPES:
        raise UnsupportedFeatureError(f"ENVI file type {fields['file type']!r}")
    samples, lines, bands = (
        integer(fields.get(name, ""), name, low=1) for name in ("samples", "lines", "bands")
    )
    offset = integer(fields.get("header offset", "0"), "header offset")
    code = integer(fields.get("data type", _implied(data, samples * lines * bands)), "data type")
    if code not in DATA_TYPES:
        raise UnsupportedFeatureError(f"ENVI data type {code}")
    big = integer(fields.get("byte order", "0"), "byte order", high=255) != 0
    dtype: np.dtype[Any] = DATA_TYPES[code].newbyteorder(">" if big else "<")
    interleave = fields.get("interleave", suffix_of(data.url)[1:])[:3].lower()
    if interleave not in ORDERS:
        raise CorruptFileError(f"interleave is {fields.get('interleave', '')!r}")
    lengths = (bands, lines, samples)
    before, behind = _frame_offsets(fields, interleave)
    strides = packed_strides(
        dict(zip(DIMS, lengths, strict=True)), ORDERS[interleave], dtype.itemsize
    )
    gaps = {LINE: strides[LINE] + before + behind} if before or behind else {}
    compressed = integer(fields.get("file compression", "0"), "file compression") != 0
    return interleaved(
        data.location,
        offset + before,
        dtype,
        lengths,
        interleave,
        strides=gaps,
        gzip=compressed,
    )


def _implied(data: FoundFile, count: int) -> str:
    """Return the data type of a header without one: bytes, if the file has as many as numbers."""
    return "1" if data.facts.size == count else ""


def _frame_offsets(fields: Mapping[str, str], interleave: str) -> tuple[int, int]:
    """Return the bytes before and behind the numbers of each line."""
    texts = listed(fields.get("major frame offsets"))
    if len(texts) != 2:
        return 0, 0
    before, behind = (integer(text, "major frame offsets") for text in texts)
    if (before or behind) and interleave == "bsq":
        raise UnsupportedFeatureError("major frame offsets of an image stored band by band")
    return before, behind


def raster_of(fields: Mapping[str, str], image: RawImage) -> Raster:
    """Return the image with what the header says of it."""
    bands = image.shape[0]
    names = listed(fields.get("band names"))
    keywords: dict[str, Any] = {
        name.replace(" ", "_"): _plain(value)
        for name, value in fields.items()
        if name not in STRUCTURE and value
    }
    wavelength = reals(listed(fields.get("wavelength")))
    along: dict[str, Any] = {}
    if wavelength is not None and len(wavelength) == bands:
        along["wavelength"] = np.array(wavelength, np.float64)
    elif "wavelength" in fields:
        keywords["wavelength"] = _plain(fields["wavelength"])
    scale, offset = 1.0, 0.0
    for field, usual in (("data gain values", 1.0), ("data offset values", 0.0)):
        values = reals(listed(fields.get(field)))
        if values is None or len(values) != bands:
            continue
        if len(set(values)) > 1:
            keywords["scales" if usual else "offsets"] = values
        elif usual:
            scale = values[0]
        else:
            offset = values[0]
    return Raster(
        image,
        place_of(fields),
        nodata=real_or_none(fields.get("data ignore value")),
        scale=scale,
        offset=offset,
        names=names if len(names) == bands else (),
        keywords=keywords,
        along_bands=along,
    )


def _plain(value: str) -> Any:
    """Return a list of numbers as numbers, any other value as its text with single blanks."""
    items = listed(value)
    numbers = [real_or_none(item) for item in items]
    if len(items) > 1 and None not in numbers and all(_is_number(item) for item in items):
        return numbers
    return " ".join(value.split())


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
