"""What an IFD says of its image: tags, their defaults, and checks (TIFF 6.0, sections 3 to 22)."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.tiff import Tiff
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model.columns import Column
from virtualizarr.parsers.tiff.layout import Ifd, Tag, Values

COMPRESSIONS = {
    1: "none",
    2: "ccittrle",
    3: "ccittfax3",
    4: "ccittfax4",
    5: "lzw",
    7: "jpeg",
    8: "deflate",
    22610: "jpegxr",
    32773: "packbits",
    32946: "deflate",
    33003: "jpeg2000",
    33005: "jpeg2000",
    33007: "jpeg",
    34712: "jpeg2000",
    34887: "lerc",
    34892: "jpeg",
    34925: "lzma",
    34926: "zstd",
    34927: "webp",
    34933: "png",
    34934: "jpegxr",
    50000: "zstd",
    50001: "webp",
    50002: "jpegxl",
    50013: "deflate",
    52546: "jpegxl",
}
OTHER_COMPRESSIONS = {
    6: "old-style JPEG",
    9: "JBIG (T.85)",
    10: "JBIG (T.43)",
    32766: "NeXT",
    32771: "CCITT RLE, word aligned",
    32809: "ThunderScan",
    34661: "JBIG",
    34676: "SGI Log",
    34677: "SGI Log, 24 bits",
    34713: "Nikon NEF",
    65000: "EER",
    65001: "EER",
    65002: "EER",
}
PICTURES = frozenset({"jpeg", "jpeg2000", "jpegxl", "jpegxr", "lerc", "png", "webp"})
CCITT = frozenset({"ccittrle", "ccittfax3", "ccittfax4"})
LERC_ALSO = {0: "lerc", 1: "lerc_deflate", 2: "lerc_zstd"}
SAMPLE_KINDS = {1: "uint", 2: "int", 3: "float", 4: "uint", 5: "complexint", 6: "complex"}
YCBCR = 6
SEPARATE = 2
REDUCED, MASK = 1, 4
OLD_REDUCED = 2
MAX_LENGTH = 1 << 40


@dataclass(frozen=True, slots=True)
class Image:
    """The image of one IFD.

    `codec` decodes a whole strip or tile. `offsets` (uint64) and `counts` (uint32 or uint64) are
    its strips or tiles in the order of the file: planes, then rows, then columns of `grid`.
    `counts` is None where the file has none. `planes` is the number of bands that are stored
    apart, else 1.
    """

    ifd: Ifd
    width: int
    length: int
    samples: int
    planes: int
    is_tiled: bool
    codec: Tiff
    offsets: npt.NDArray[np.uint64]
    counts: Column | None
    subfile: int

    @property
    def node(self) -> str:
        """How to call the image in an error."""
        return f"IFD {self.ifd.path}"

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of its decoded samples."""
        return self.codec.stored.dtype

    @property
    def grid(self) -> tuple[int, int]:
        """Strips or tiles down and across."""
        rows, columns, _ = self.codec.shape
        return -(-self.length // rows), -(-self.width // columns)

    @property
    def is_reduced(self) -> bool:
        return bool(self.subfile & REDUCED)

    @property
    def is_mask(self) -> bool:
        return bool(self.subfile & MASK)

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of a strip or tile, uncompressed."""
        _, columns, samples = self.codec.shape
        bits = sum(self.codec.bits) if self.codec.bits else samples * self.codec.stored.bits
        return -(-columns * bits // 8)


def image_of(ifd: Ifd) -> Image:
    """Return the image of an IFD.

    Raises CorruptFileError for tags that contradict each other or are missing,
    UnsupportedFeatureError, by name, for what is not read; both name the IFD.
    """
    try:
        return _image_of(ifd)
    except (CorruptFileError, UnsupportedFeatureError) as error:
        raise error.located(node=f"IFD {ifd.path}", at=ifd.at) from error.__cause__


def _image_of(ifd: Ifd) -> Image:
    width, length = ifd.number(Tag.IMAGE_WIDTH, 0), ifd.number(Tag.IMAGE_LENGTH, 0)
    samples = ifd.number(Tag.SAMPLES_PER_PIXEL, 1)
    if not (0 < width < MAX_LENGTH and 0 < length < MAX_LENGTH and samples > 0):
        raise CorruptFileError(f"an image of {width} x {length} pixels and {samples} samples")
    for tag in (Tag.IMAGE_DEPTH, Tag.TILE_DEPTH):
        if ifd.number(tag, 1) != 1:
            raise UnsupportedFeatureError(f"a volume: tag {int(tag)} is {ifd.number(tag, 1)}")
    if Tag.UIC2 in ifd.values:
        raise UnsupportedFeatureError("a MetaMorph stack (STK), whose planes have no IFDs")
    planes = samples if ifd.number(Tag.PLANAR_CONFIGURATION, 1) == SEPARATE else 1
    is_tiled = Tag.TILE_WIDTH in ifd.values
    rows, columns = _chunk_shape(ifd, width, length, is_tiled)
    edge = (length % rows, width % columns)
    codec = _codec(ifd, (rows, columns, samples // planes), edge, samples)
    if prod(codec.shape) * codec.stored.dtype.itemsize >= 1 << 31 and codec.compression != "none":
        raise UnsupportedFeatureError(f"compressed chunks of {codec.shape} are too large")
    offsets, counts = _tables(ifd, is_tiled)
    grid = -(-length // rows) * -(-width // columns) * planes
    return Image(
        ifd=ifd,
        width=width,
        length=length,
        samples=samples,
        planes=planes,
        is_tiled=is_tiled,
        codec=codec,
        offsets=_as_many(offsets, grid, "offsets").astype(np.uint64, copy=False),
        counts=counts if counts is None else _lengths(_as_many(counts, grid, "byte counts")),
        subfile=_subfile(ifd),
    )


def _chunk_shape(ifd: Ifd, width: int, length: int, is_tiled: bool) -> tuple[int, int]:
    if is_tiled:
        rows, columns = ifd.number(Tag.TILE_LENGTH, 0), ifd.number(Tag.TILE_WIDTH, 0)
        if not (0 < rows < MAX_LENGTH and 0 < columns < MAX_LENGTH):
            raise CorruptFileError(f"tiles of {columns} x {rows} pixels")
        return rows, columns
    rows = ifd.number(Tag.ROWS_PER_STRIP, length)
    return (min(rows, length) if rows > 0 else length), width


def _codec(ifd: Ifd, shape: tuple[int, int, int], edge: tuple[int, int], samples: int) -> Tiff:
    number = ifd.number(Tag.COMPRESSION, 1)
    compression = COMPRESSIONS.get(number)
    if compression is None:
        known = OTHER_COMPRESSIONS.get(number)
        name = f"{known} ({number})" if known is not None else str(number)
        raise UnsupportedFeatureError(f"TIFF compression {name} is not read here")
    photometric = ifd.number(Tag.PHOTOMETRIC_INTERPRETATION, -1)
    is_picture = compression in PICTURES
    if photometric == YCBCR and not is_picture:
        _check_not_subsampled(ifd, compression)
    if compression == "lerc":
        compression = _lerc(ifd)
    sample, bits = _sample(ifd, samples)
    if bits and (is_picture or shape[2] != samples):
        raise UnsupportedFeatureError(f"samples of {bits} bits with compression {compression!r}")
    if compression in CCITT and sample != "uint1":
        raise UnsupportedFeatureError(f"samples of {sample!r} with compression {compression!r}")
    tables = ifd.values.get(Tag.JPEG_TABLES) if compression == "jpeg" else None
    return Tiff(
        shape=shape,
        sample=sample,
        edge=edge,
        compression=compression,
        endian="big" if ifd.endian == ">" and not is_picture else "little",
        predictor=1 if is_picture or compression in CCITT else ifd.number(Tag.PREDICTOR, 1),
        fill_order=2 if ifd.number(Tag.FILL_ORDER, 1) == 2 and not is_picture else 1,
        band_first=shape[2] > 1,
        bits=bits,
        tables=base64.b64encode(tables.tobytes()).decode() if tables is not None else "",
        photometric=photometric if compression == "jpeg" else -1,
        options=ifd.number(Tag.T4_OPTIONS, 0) if compression == "ccittfax3" else 0,
    )


def _check_not_subsampled(ifd: Ifd, compression: str) -> None:
    """Raise UnsupportedFeatureError for YCbCr whose chroma has fewer samples than its luma."""
    values = ifd.values.get(Tag.YCBCR_SUB_SAMPLING)
    factors = values.tolist() if values is not None else [2, 2]
    if factors != [1, 1]:
        raise UnsupportedFeatureError(
            f"YCbCr with chroma subsampled by {factors} and compression {compression!r}"
        )


def _lerc(ifd: Ifd) -> str:
    parameters = ifd.values.get(Tag.LERC_PARAMETERS)
    also = int(parameters[1]) if parameters is not None and len(parameters) > 1 else 0
    if also not in LERC_ALSO:
        raise UnsupportedFeatureError(f"LERC with additional compression {also}")
    return LERC_ALSO[also]


def _sample(ifd: Ifd, samples: int) -> tuple[str, tuple[int, ...]]:
    """Return the name of how samples are stored, and their bits where they differ."""
    widths = _of_each(ifd.values.get(Tag.BITS_PER_SAMPLE), samples, 1)
    formats = _of_each(ifd.values.get(Tag.SAMPLE_FORMAT), samples, 1)
    if len(formats) > 1:
        raise UnsupportedFeatureError(f"samples of different formats: {formats}")
    kind = SAMPLE_KINDS.get(formats[0])
    if kind is None:
        raise UnsupportedFeatureError(f"TIFF sample format {formats[0]} is not known")
    if len(widths) == 1:
        return f"{kind}{widths[0]}", ()
    if kind != "uint" or sum(widths) not in (8, 16, 32) or max(widths) > 8:
        raise UnsupportedFeatureError(f"samples of different widths: {widths} bits")
    return "uint8", widths


def _of_each(values: Values | None, samples: int, default: int) -> tuple[int, ...]:
    """Return the value for each sample, or one value alone where all are equal."""
    if values is None or not len(values):
        return (default,)
    first = values[:samples]
    if (first == first[0]).all():
        return (int(first[0]),)
    return tuple(int(value) for value in first)


def _tables(ifd: Ifd, is_tiled: bool) -> tuple[Values, Values | None]:
    """Return the offsets and byte counts; libtiff also takes the strips' tags for tiles."""
    offset_tags = [Tag.TILE_OFFSETS, Tag.STRIP_OFFSETS]
    count_tags = [Tag.TILE_BYTE_COUNTS, Tag.STRIP_BYTE_COUNTS]
    if not is_tiled:
        offset_tags.reverse()
        count_tags.reverse()
    offsets = next((ifd.values[tag] for tag in offset_tags if tag in ifd.values), None)
    counts = next((ifd.values[tag] for tag in count_tags if tag in ifd.values), None)
    if offsets is None:
        raise CorruptFileError("the image has no offsets of strips or tiles")
    return offsets, counts


def _lengths(counts: Values) -> Column:
    return counts.astype(np.uint64 if counts.itemsize == 8 else np.uint32, copy=False)


def _as_many(values: Values, expected: int, what: str) -> Values:
    if values.dtype.kind not in "ui" or len(values) < expected:
        raise CorruptFileError(f"{len(values)} {what} for {expected} strips or tiles")
    if values.dtype.kind == "i" and (values < 0).any():
        raise CorruptFileError(f"negative {what}")
    return values[:expected]


def _subfile(ifd: Ifd) -> int:
    """Return NewSubfileType, or what the older SubfileType says in its words."""
    kind = ifd.number(Tag.NEW_SUBFILE_TYPE, 0)
    return kind | (REDUCED if ifd.number(Tag.SUBFILE_TYPE, 1) == OLD_REDUCED else 0)
