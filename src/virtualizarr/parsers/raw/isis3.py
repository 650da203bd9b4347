"""ISIS cubes, version 3: a PVL label and numbers, band by band or in tiles.

Specification: "ISIS Cube Format" and "Special Pixels" of the USGS ISIS documentation. The label is
attached (in front of the numbers, same file) or detached. `Base` and `Multiplier` are CF attributes
`add_offset` and `scale_factor`; the special pixel NULL is `_FillValue`, the others are named in the
attribute `special_pixels` and read as numbers.

Not read: tables, history, the original label and other objects, which the attribute `not_read`
names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from virtualizarr.errors import (
    CorruptFileError,
    UnknownFormatError,
    UnsupportedFeatureError,
    VirtualizeError,
)
from virtualizarr.model import (
    AffineRun,
    ChunkManifest,
    Location,
    ManifestArray,
    ManifestGroup,
    RegularGrid,
)
from virtualizarr.parsers.base import CallableParser
from virtualizarr.parsers.beside import (
    beside,
    both_cases,
    read_file,
    read_header_beside,
    read_location,
    suffix_of,
)
from virtualizarr.parsers.georeference import Place, north_up
from virtualizarr.parsers.raw.labels import keywords_of, read_label
from virtualizarr.parsers.raw.numbers import integer, real_or_none
from virtualizarr.parsers.raw.planetary import proj_string
from virtualizarr.parsers.raw.pvl import Block, decode_label
from virtualizarr.parsers.raw.raster import VARIABLE, Raster, group_of, interleaved
from virtualizarr.parsers.registry import parser_named
from virtualizarr.parsers.strided import RawImage, read_presence
from virtualizarr.source.reading import Elsewhere, Reading

LABEL = re.compile(
    rb"(?:\s|#[^\n]*\n|/\*.*?\*/)*Object\s*=\s*IsisCube\b", re.IGNORECASE | re.DOTALL
)
PIXEL_TYPES: Mapping[str, str] = {
    "UNSIGNEDBYTE": "u1",
    "SIGNEDBYTE": "i1",
    "UNSIGNEDWORD": "u2",
    "SIGNEDWORD": "i2",
    "UNSIGNEDINTEGER": "u4",
    "SIGNEDINTEGER": "i4",
    "REAL": "f4",
    "DOUBLE": "f8",
}
NAMES = ("NULL", "LRS", "LIS", "HIS", "HRS")
SPECIAL: Mapping[str, tuple[int | float, ...]] = {
    "u1": (0, 0, 0, 255, 255),
    "u2": (0, 1, 2, 65534, 65535),
    "i2": (-32768, -32767, -32766, -32765, -32764),
    "u4": (0, 1, 2, 0xFFFFFFFE, 0xFFFFFFFF),
    "f4": tuple(np.arange(0xFF7FFFFB, 0xFF800000, dtype="u4").view("f4").astype("f8").tolist()),
    "f8": tuple((np.arange(5, dtype="u8") + 0xFFEFFFFFFFFFFFFB).view("f8").tolist()),
}
"""Special pixels by dtype, in the order of `NAMES`."""

__all__ = ["ISIS3Parser"]


@dataclass(frozen=True)
class ISIS3Parser(CallableParser):
    """Reads ISIS cubes, given the cube or its detached label.

    `chunk_bytes` is how large chunks of cubes that are stored band by band become, None for one
    chunk; those of tiled cubes are the tiles.
    """

    chunk_bytes: int | None = 16 * 1024 * 1024

    @property
    def name(self) -> str:
        return "isis3"

    @property
    def suffixes(self) -> tuple[str, ...]:
        return (".lbl",)

    def sniff(self, head: bytes | memoryview, url: str) -> bool:
        """Say whether `head` is a label that begins with the object IsisCube."""
        del url
        return is_label(head)

    def headers(self, url: str) -> tuple[str, ...]:
        """Return the URLs under which the detached label of the data file at `url` may be."""
        return tuple(both_cases(url, [".lbl"])) if suffix_of(url) == ".cub" else ()

    def parse(self, url: str) -> Reading[ManifestGroup]:
        """Read the label: one round, two where it is detached.

        Raises CorruptFileError where the label is broken or the data end before they should.
        """
        given = yield from read_file(url)
        if is_label(given.head):
            label = yield from read_label(given)
        else:
            found = yield from read_header_beside(self.headers(url), "ISIS label", is_label)
            label = decode_label(found.head).root
        cube = label.block("IsisCube")
        core = cube.block("Core") if cube is not None else None
        if cube is None or core is None:
            raise CorruptFileError("the label has no object IsisCube with an object Core")
        place = core.text("^Core")
        data_url = beside(url, place) if place else url
        if data_url != url and not is_label(given.head):
            raise UnknownFormatError(f"the label beside the file is that of {place!r}")
        if core.text("Format").upper() == "GEOTIFF":
            return (yield from _delegated(data_url))
        location = given.location
        if data_url != url:
            location = yield from read_location(data_url)
        image = image_of(core, location)
        if core.text("Format").upper() == "TILE":
            group = _tiled(image, core, _raster(cube, core, image, label))
            return group
        image = yield from read_presence(image, url, VARIABLE)
        return group_of(_raster(cube, core, image, label), self.chunk_bytes)


def is_label(head: bytes | memoryview) -> bool:
    """Say whether a file begins as labels of ISIS cubes do."""
    return LABEL.match(bytes(head[:4096])) is not None


def _delegated(url: str) -> Reading[ManifestGroup]:
    """Return what the TIFF parser makes of a cube whose numbers are in a GeoTIFF file."""
    (answer,) = yield [Elsewhere(url, parser_named("tiff").parse(url))]
    if isinstance(answer, VirtualizeError):
        raise answer
    group: ManifestGroup = answer
    return group


def image_of(core: Block, location: Location) -> RawImage:
    """Return where the numbers of a cube that is stored band by band lie."""
    dimensions, pixels = core.block("Dimensions"), core.block("Pixels")
    if dimensions is None:
        raise CorruptFileError("the object Core has no group Dimensions")
    bands, lines, samples = (
        integer(dimensions.text(key, default), key, low=1)
        for key, default in (("Bands", "1"), ("Lines", ""), ("Samples", ""))
    )
    kind = pixels.text("Type", "Real") if pixels is not None else "Real"
    if kind.upper() not in PIXEL_TYPES:
        raise UnsupportedFeatureError(f"ISIS pixels of type {kind!r}")
    little = pixels is not None and pixels.text("ByteOrder", "Msb").upper() == "LSB"
    dtype: np.dtype[Any] = np.dtype(PIXEL_TYPES[kind.upper()]).newbyteorder("<" if little else ">")
    if core.text("Format").upper() not in ("TILE", "BANDSEQUENTIAL"):
        raise UnsupportedFeatureError(f"ISIS cube of format {core.text('Format')!r}")
    start = integer(core.text("StartByte", "1"), "StartByte")
    return interleaved(location, max(start - 1, 0), dtype, (bands, lines, samples), "bsq")


def _raster(cube: Block, core: Block, image: RawImage, label: Block) -> Raster:
    pixels = core.block("Pixels")
    base, multiplier = (
        real_or_none(pixels.text(key)) if pixels is not None else None
        for key in ("Base", "Multiplier")
    )
    special = SPECIAL.get(image.dtype.str[1:], ())
    keywords: dict[str, Any] = {}
    for block in cube.blocks:
        if block is not core:
            keywords |= {f"{block.name}:{key}": v for key, v in keywords_of(block).items()}
    if special:
        keywords["special_pixels"] = dict(zip(NAMES, special, strict=True))
    others = [each for each in label.blocks if each is not cube and each.name.upper() != "LABEL"]
    if others:
        keywords["not_read"] = [f"{each.name} {each.text('Name')}".strip() for each in others]
    names = _band_names(cube)
    return Raster(
        image,
        place_of(cube),
        nodata=special[0] if special else None,
        scale=multiplier if multiplier is not None else 1.0,
        offset=base if base is not None else 0.0,
        names=names if len(names) == image.shape[0] else (),
        keywords=keywords,
    )


def _band_names(cube: Block) -> list[str]:
    bins = cube.block("BandBin")
    if bins is None:
        return []
    return next((bins.texts(key) for key in ("Name", "FilterName") if bins.texts(key)), [])


def place_of(cube: Block) -> Place:
    """Return where the cube lies: its group Mapping, in metres."""
    mapping = cube.block("Mapping")
    if mapping is None:
        return Place()

    def number(key: str, default: float = 0.0) -> float:
        value = real_or_none(mapping.text(key))
        return value if value is not None else default

    size = real_or_none(mapping.text("PixelResolution"))
    left, top = (real_or_none(mapping.text(f"UpperLeftCorner{axis}")) for axis in "XY")
    transform = None
    if size is not None and left is not None and top is not None:
        transform = north_up(left, top, size, size)
    projection = mapping.text("ProjectionName")
    local = number("CenterLatitudeRadius") if projection.upper() == "EQUIRECTANGULAR" else 0.0
    crs = proj_string(
        projection,
        latitude=number("CenterLatitude"),
        longitude=number("CenterLongitude"),
        semi_major=local if local > 0 else number("EquatorialRadius"),
        semi_minor=number("PolarRadius"),
        planetographic=mapping.text("LatitudeType").upper() != "PLANETOCENTRIC",
        parallels=(number("FirstStandardParallel"), number("SecondStandardParallel")),
        scale=number("ScaleFactor", 1.0),
    )
    return Place(transform, crs)


def _tiled(image: RawImage, core: Block, raster: Raster) -> ManifestGroup:
    """Return a cube whose bands are stored in tiles, which are whole at its edges too."""
    rows = integer(core.text("TileLines"), "TileLines", low=1)
    columns = integer(core.text("TileSamples"), "TileSamples", low=1)
    group = group_of(raster, None)
    array = group.arrays[VARIABLE]
    chunk_shape = (1, rows, columns)
    metadata = array.metadata.replace(chunk_grid=RegularGrid(chunk_shape))
    grid = metadata.grid_shape
    nbytes = rows * columns * image.dtype.itemsize
    end = image.offset + prod(grid) * nbytes
    size = image.location.size
    if size is not None and end > size:
        raise CorruptFileError(
            f"the file is truncated: its tiles end at byte {end:,}, the file at {size:,}",
            node=VARIABLE,
            at=size,
        )
    run = AffineRun.contiguous(image.offset, nbytes, grid)
    manifest = ChunkManifest.single_file(image.location, run, nbytes)
    tiled = ManifestArray(metadata, manifest)
    return ManifestGroup({**group.arrays, VARIABLE: tiled}, group.groups, group.attributes)
