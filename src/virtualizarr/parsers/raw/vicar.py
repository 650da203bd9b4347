"""VICAR images: an ASCII label and numbers, in the same file.

Specification: "VICAR File Format" and the VICAR run-time library (JPL). Binary headers and prefixes
are stepped over. Records under BASIC and BASIC2 compression are a chunk each. Scale, offset and
missing values of digital terrain models (property DTM) are CF attributes.

Not read, and refused by name: other compressions. Binary prefixes and headers are not shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.strided import VAX_D, VAX_F
from virtualizarr.codecs.vicar_basic import VicarBasic
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import ChunkManifest, ManifestArray, ManifestGroup, RegularGrid
from virtualizarr.model.metadata import CodecJson
from virtualizarr.parsers.base import CallableParser
from virtualizarr.parsers.beside import HEAD, FoundFile, read_file
from virtualizarr.parsers.raw.numbers import real_or_none
from virtualizarr.parsers.raw.raster import BAND, LINE, ORDERS, VARIABLE, Raster, group_of
from virtualizarr.parsers.raw.raster import interleaved as placed
from virtualizarr.parsers.raw.vicar_label import (
    MAX_LABEL,
    Section,
    count_of,
    decode_label,
    joined,
    keywords_of,
    label_size,
)
from virtualizarr.parsers.raw.vicar_map import place_of
from virtualizarr.parsers.strided import RawImage, read_presence
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Reading

FORMATS: Mapping[str, str] = {
    "BYTE": "u1",
    "HALF": "i2",
    "WORD": "i2",
    "FULL": "i4",
    "LONG": "i4",
    "REAL": "f4",
    "DOUB": "f8",
    "COMP": "c8",
    "COMPLEX": "c8",
}
INTEGER_ORDERS = {"LOW": "<", "HIGH": ">"}
REAL_ORDERS = {"RIEEE": "<", "IEEE": ">"}
MAX_COMPRESSED = 256 * 1024 * 1024
SIZE = np.dtype("<u4")

STRUCTURE = frozenset(
    {
        *("LBLSIZE", "FORMAT", "TYPE", "BUFSIZ", "DIM", "EOL", "RECSIZE", "ORG", "NL", "NS", "NB"),
        *("N1", "N2", "N3", "N4", "NBB", "NLB", "INTFMT", "REALFMT", "BHOST", "BINTFMT"),
        *("BREALFMT", "COMPRESS", "EOCI1", "EOCI2"),
    }
)

__all__ = ["VICARParser"]


@dataclass(frozen=True)
class VICARParser(CallableParser):
    """Reads VICAR images.

    `chunk_bytes` is how large chunks of uncompressed images become, None for one chunk.
    """

    chunk_bytes: int | None = 16 * 1024 * 1024

    @property
    def name(self) -> str:
        return "vicar"

    @property
    def suffixes(self) -> tuple[str, ...]:
        return (".vic", ".vicar")

    def sniff(self, head: bytes | memoryview, url: str) -> bool:
        """Say whether `head` begins with the item LBLSIZE."""
        del url
        return label_size(head) is not None

    def parse(self, url: str) -> Reading[ManifestGroup]:
        """Read the label, and its rest at the end of the file: two rounds, three if compressed.

        Raises CorruptFileError where the label is broken or the data end before they should.
        """
        given = yield from read_file(url)
        sections = yield from read_label(given)
        system = sections[0]
        image = image_of(system, given)
        compression = system.text("COMPRESS", "NONE").upper()
        is_raw = compression in ("NONE", "")
        image = (yield from read_presence(image, url, VARIABLE)) if is_raw else image
        end = _end_of_image(system, image, is_raw)
        sections = joined(sections, (yield from read_rest(system, end)))
        raster = raster_of(sections, image)
        if is_raw:
            return group_of(raster, self.chunk_bytes)
        return (yield from _compressed(raster, compression, end))


def read_label(given: FoundFile) -> Reading[list[Section]]:
    """Return the sections of the label in front of the image."""
    size = label_size(given.head)
    if size is None:
        raise CorruptFileError("the file does not begin with a VICAR label")
    if size > MAX_LABEL:
        raise CorruptFileError(f"LBLSIZE is {size}")
    raw = given.head[:size]
    if size > HEAD:
        (raw,) = yield [ByteRange(0, size)]
    if len(raw) < size:
        raise CorruptFileError("the file ends inside its label", at=len(raw))
    return decode_label(raw)


def read_rest(system: Section, end: int) -> Reading[list[Section]]:
    """Return the sections of the label behind the image, if EOL says that there is one."""
    if system.text("EOL", "0") != "1":
        return [Section("")]
    (head,) = yield [ByteRange(end, end + HEAD)]
    size = label_size(head)
    if size is None or size > MAX_LABEL:
        raise CorruptFileError("there is no label behind the image, though EOL=1", at=end)
    if size > HEAD:
        (head,) = yield [ByteRange(end, end + size)]
    sections = decode_label(head[:size])
    sections[0].items.pop("LBLSIZE", None)
    return sections


def image_of(system: Section, given: FoundFile) -> RawImage:
    """Return where the numbers lie, as if they were not compressed."""
    kind = system.text("FORMAT").upper()
    if kind not in FORMATS:
        raise CorruptFileError(f"FORMAT is {kind!r}")
    dtype: np.dtype[Any] = np.dtype(FORMATS[kind])
    form = ""
    orders, key, usual = (
        (INTEGER_ORDERS, "INTFMT", "LOW") if dtype.kind in "iu" else (REAL_ORDERS, "REALFMT", "VAX")
    )
    order = system.text(key, usual).upper()
    if order == "VAX" and dtype.kind in "fc":
        form = VAX_D if dtype == np.float64 else VAX_F
    elif order not in orders:
        raise UnsupportedFeatureError(f"{key} {order!r}")
    dtype = dtype.newbyteorder(orders.get(order, "<"))  # type: ignore[arg-type]
    samples, lines, bands = (count_of(system, key, low=1) for key in ("NS", "NL", "NB"))
    organisation = system.text("ORG", "BSQ").lower()
    if organisation not in ORDERS:
        raise UnsupportedFeatureError(f"ORG {organisation.upper()!r}")
    size = count_of(system, "LBLSIZE")
    record, header, prefix = (count_of(system, key, "0") for key in ("RECSIZE", "NLB", "NBB"))
    offset = size + record * header + prefix
    lengths = (bands, lines, samples)
    strides: dict[str, int] = {}
    if prefix:
        row = prefix + samples * dtype.itemsize * (bands if organisation == "bip" else 1)
        if organisation == "bip":
            row, strides = 0, {LINE: row}
        elif organisation == "bsq":
            strides = {LINE: row, BAND: row * lines}
        else:
            strides = {BAND: row, LINE: row * bands}
    return placed(given.location, offset, dtype, lengths, organisation, strides=strides, form=form)


def _end_of_image(system: Section, image: RawImage, is_raw: bool) -> int:
    """Return where the image ends: after its records, or where EOCI1 and EOCI2 say."""
    if not is_raw:
        return count_of(system, "EOCI1", "0") + (count_of(system, "EOCI2", "0") << 32)
    record = count_of(system, "RECSIZE", "0")
    header, second, third = (
        count_of(system, key, default) for key, default in (("NLB", "0"), ("N2", "0"), ("N3", "1"))
    )
    stated = count_of(system, "LBLSIZE") + record * (header + second * third)
    return max(stated, image.end)


def raster_of(sections: list[Section], image: RawImage) -> Raster:
    """Return the image with what the label says of it."""
    terrain = next((each for each in sections if each.name == "DTM"), None)
    scale, offset, nodata = 1.0, 0.0, None
    if terrain is not None and "DTM_OFFSET" in terrain.items:
        scale = _number(terrain, "DTM_SCALING_FACTOR", 1.0)
        offset = _number(terrain, "DTM_OFFSET", 0.0)
        nodata = real_or_none(terrain.text("DTM_MISSING_DN"))
    return Raster(
        image,
        place_of(sections),
        nodata=nodata,
        scale=scale,
        offset=offset,
        keywords=keywords_of(sections, STRUCTURE),
    )


def _number(section: Section, key: str, default: float) -> float:
    value = real_or_none(section.text(key))
    return value if value is not None else default


def _compressed(raster: Raster, compression: str, end: int) -> Reading[ManifestGroup]:
    """Return an image whose records are compressed one by one."""
    image = raster.image
    if compression not in ("BASIC", "BASIC2"):
        raise UnsupportedFeatureError(f"COMPRESS {compression!r}")
    bands, lines, samples = image.shape
    if image.dtype.kind not in "iu" or image.strides[2] != image.dtype.itemsize:
        raise UnsupportedFeatureError(f"COMPRESS {compression} of {image.dtype} or of ORG BIP")
    records = bands * lines
    size = image.location.size
    if records > MAX_COMPRESSED or not image.offset < end or (size is not None and end > size):
        raise CorruptFileError(f"{records} records, the compressed image ends at byte {end}")
    read = _sizes_in_front if compression == "BASIC2" else _sizes_within
    offsets, sizes = yield from read(image.offset, records, end)
    group = group_of(raster, None)
    array = group.arrays[VARIABLE]
    codec = VicarBasic(samples, image.dtype.itemsize)
    ours: CodecJson = {"name": codec.name, "configuration": codec.configuration()}
    metadata = array.metadata.replace(
        chunk_grid=RegularGrid((1, 1, samples)), codecs=(array.metadata.codecs[0], ours)
    )
    order = (bands, lines) if image.strides[0] >= image.strides[1] else (lines, bands)
    grid = [each.reshape(order) for each in (offsets, sizes)]
    if order != (bands, lines):
        grid = [each.T for each in grid]
    manifest = ChunkManifest.single_file(
        image.location, grid[0][:, :, np.newaxis], grid[1][:, :, np.newaxis]
    )
    arrays = {**group.arrays, VARIABLE: ManifestArray(metadata, manifest)}
    return ManifestGroup(arrays, group.groups, group.attributes)


type _Places = tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]


def _sizes_in_front(start: int, records: int, end: int) -> Reading[_Places]:
    """Return where records lie whose sizes precede all of them (BASIC2)."""
    nbytes = records * SIZE.itemsize
    if start + nbytes > end:
        raise CorruptFileError(f"the sizes of {records} records do not fit before byte {end}")
    (raw,) = yield [ByteRange(start, start + nbytes)]
    if len(raw) < nbytes:
        raise CorruptFileError("the file ends inside the sizes of its records", at=start)
    sizes = np.frombuffer(raw, SIZE).astype(np.uint64)
    ends = np.cumsum(sizes) + np.uint64(start + nbytes)
    if int(ends[-1]) > end or (sizes == 0).any():
        raise CorruptFileError(f"compressed records end at byte {ends[-1]}, the image at {end}")
    return (ends - sizes).astype(np.uint64), sizes


def _sizes_within(start: int, records: int, end: int) -> Reading[_Places]:
    """Return where records lie each of which begins with its size (BASIC): all are read."""
    if end - start > MAX_COMPRESSED:
        raise UnsupportedFeatureError(f"a BASIC compressed image of {end - start:,} bytes")
    (raw,) = yield [ByteRange(start, end)]
    offsets = np.zeros(records, np.uint64)
    sizes = np.zeros(records, np.uint64)
    at, width = 0, SIZE.itemsize
    for i in range(records):
        size = int.from_bytes(raw[at : at + width], "little")
        if size <= width or at + size > len(raw):
            raise CorruptFileError(f"compressed record {i} has {size} bytes", at=start + at)
        offsets[i], sizes[i] = start + at + width, size - width
        at += size
    return offsets, sizes
