"""The structures of a TIFF file, with the specification's own names (TIFF 6.0, section 2).

BigTIFF has the same structures with wider counts and offsets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

CLASSIC_VERSION, BIG_VERSION = 42, 43


class Tag(IntEnum):
    """The tags that decide how an image is stored, placed on the earth or described."""

    NEW_SUBFILE_TYPE = 254
    SUBFILE_TYPE = 255
    IMAGE_WIDTH = 256
    IMAGE_LENGTH = 257
    BITS_PER_SAMPLE = 258
    COMPRESSION = 259
    PHOTOMETRIC_INTERPRETATION = 262
    FILL_ORDER = 266
    DOCUMENT_NAME = 269
    IMAGE_DESCRIPTION = 270
    MAKE = 271
    MODEL = 272
    STRIP_OFFSETS = 273
    ORIENTATION = 274
    SAMPLES_PER_PIXEL = 277
    ROWS_PER_STRIP = 278
    STRIP_BYTE_COUNTS = 279
    MIN_SAMPLE_VALUE = 280
    MAX_SAMPLE_VALUE = 281
    X_RESOLUTION = 282
    Y_RESOLUTION = 283
    PLANAR_CONFIGURATION = 284
    PAGE_NAME = 285
    T4_OPTIONS = 292
    RESOLUTION_UNIT = 296
    SOFTWARE = 305
    DATE_TIME = 306
    ARTIST = 315
    HOST_COMPUTER = 316
    PREDICTOR = 317
    COLOR_MAP = 320
    TILE_WIDTH = 322
    TILE_LENGTH = 323
    TILE_OFFSETS = 324
    TILE_BYTE_COUNTS = 325
    SUB_IFDS = 330
    INK_NAMES = 333
    EXTRA_SAMPLES = 338
    SAMPLE_FORMAT = 339
    JPEG_TABLES = 347
    JPEG_INTERCHANGE_FORMAT = 513
    JPEG_INTERCHANGE_FORMAT_LENGTH = 514
    JPEG_RESTART_INTERVAL = 515
    JPEG_Q_TABLES = 519
    JPEG_DC_TABLES = 520
    JPEG_AC_TABLES = 521
    YCBCR_COEFFICIENTS = 529
    YCBCR_SUB_SAMPLING = 530
    REFERENCE_BLACK_WHITE = 532
    IMAGE_DEPTH = 32997
    TILE_DEPTH = 32998
    COPYRIGHT = 33432
    MODEL_PIXEL_SCALE = 33550
    UIC2 = 33629
    MODEL_TIEPOINT = 33922
    MODEL_TRANSFORMATION = 34264
    CZ_LSMINFO = 34412
    GEO_KEY_DIRECTORY = 34735
    GEO_DOUBLE_PARAMS = 34736
    GEO_ASCII_PARAMS = 34737
    GDAL_METADATA = 42112
    GDAL_NODATA = 42113
    LERC_PARAMETERS = 50674
    EER_SKIP_BITS = 65007
    EER_HORIZONTAL_BITS = 65008
    EER_VERTICAL_BITS = 65009


WANTED = frozenset(map(int, Tag))

TYPES: Mapping[int, str] = {
    1: "u1",  # BYTE
    2: "u1",  # ASCII
    3: "u2",  # SHORT
    4: "u4",  # LONG
    5: "u4",  # RATIONAL, two of them
    6: "i1",  # SBYTE
    7: "u1",  # UNDEFINED
    8: "i2",  # SSHORT
    9: "i4",  # SLONG
    10: "i4",  # SRATIONAL, two of them
    11: "f4",  # FLOAT
    12: "f8",  # DOUBLE
    13: "u4",  # IFD
    16: "u8",  # LONG8
    17: "i8",  # SLONG8
    18: "u8",  # IFD8
}
RATIONALS = frozenset({5, 10})
ASCII = 2

type Values = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Header:
    """The image file header: `endian` is "<" or ">", `first` the offset of the first IFD."""

    endian: str
    is_big: bool
    first: int

    @property
    def count_size(self) -> int:
        """Bytes of the number of entries at the head of an IFD."""
        return 8 if self.is_big else 2

    @property
    def entry_size(self) -> int:
        return 20 if self.is_big else 12

    @property
    def offset_size(self) -> int:
        return 8 if self.is_big else 4


class Field(NamedTuple):
    """An IFD entry: a `number` of values of `type`, `nbytes` in all, at offset `at` of the file."""

    tag: int
    type: int
    number: int
    at: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class Entries:
    """An IFD as stored: its place, its fields by tag, and the offset of the next IFD, 0 if none.

    `inline` holds the values, or as many of their first bytes as were at hand, by tag.
    """

    at: int
    nbytes: int
    fields: Mapping[int, Field]
    inline: Mapping[int, memoryview]
    following: int


@dataclass(frozen=True, slots=True)
class Ifd:
    """An image file directory with its values at hand: 1-D arrays by tag, native byte order.

    ASCII values are bytes as uint8, rationals are float64. `path` names it: "0" is the first of the
    chain, "0/1" the second of its SubIFDs. `endian` is that of the file, "<" or ">".
    """

    path: str
    at: int
    endian: str
    values: Mapping[int, Values]

    def number(self, tag: Tag, default: int) -> int:
        """Return the first value of a tag as an int; `default` where it has none."""
        values = self.values.get(tag)
        return int(values[0]) if values is not None and len(values) else default

    def text(self, tag: Tag) -> str | None:
        """Return an ASCII value without its NUL; None where the tag is absent."""
        values = self.values.get(tag)
        if values is None or values.dtype != np.uint8:
            return None
        raw = values.tobytes().partition(b"\0")[0]
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return raw.decode("latin-1")
