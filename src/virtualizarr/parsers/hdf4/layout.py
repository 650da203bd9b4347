"""What HDF4 files are made of: tags, special elements, number types, and our records of them.

Specification: "HDF Specification and Developer's Guide", HDF 4.1r5; chapter and tag names are its.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.hdf4_raster import Hdf4Raster
from virtualizarr.errors import UnsupportedFeatureError

type Int64s = npt.NDArray[np.int64]
type Key = tuple[int, int]

MAGIC = b"\x0e\x03\x13\x01"

DFTAG_NULL = 1
DFTAG_LINKED = 20
DFTAG_COMPRESSED = 40
DFTAG_CHUNK = 61
DFTAG_FID, DFTAG_FD, DFTAG_DIL, DFTAG_DIA = 100, 101, 104, 105
DFTAG_NT = 106
DFTAG_ID8, DFTAG_IP8, DFTAG_RI8, DFTAG_CI8, DFTAG_II8 = 200, 201, 202, 203, 204
DFTAG_ID, DFTAG_LUT, DFTAG_RI, DFTAG_CI, DFTAG_RIG, DFTAG_LD = 300, 301, 302, 303, 306, 307
DFTAG_SDG = 700
DFTAG_SDD = 701
DFTAG_SD = 702
DFTAG_SDS = 703
DFTAG_SDL = 704
DFTAG_SDU = 705
DFTAG_SDF = 706
DFTAG_SDM = 707
DFTAG_SDC = 708
DFTAG_SDLNK = 710
DFTAG_NDG = 720
DFTAG_CAL = 731
DFTAG_VH = 1962
DFTAG_VS = 1963
DFTAG_VG = 1965

SPECIAL_BIT, EXTENDED_BIT = 0x4000, 0x8000
SPECIAL_LINKED, SPECIAL_EXT, SPECIAL_COMP, SPECIAL_CHUNKED = 1, 2, 3, 5

COMP_CODE_NONE, COMP_CODE_RLE, COMP_CODE_NBIT, COMP_CODE_SKPHUFF = 0, 1, 2, 3
COMP_CODE_DEFLATE, COMP_CODE_SZIP = 4, 5
CODER_NAMES = {6: "JPEG by chunks", 7: "JPEG", 12: "IMCOMP"}

DFNT_CHAR8 = 4
DFNT_NATIVE, DFNT_LITEND = 0x1000, 0x4000
FULL_INTERLACE, NO_INTERLACE = 0, 1
VSET_NEW_VERSION, HAS_ATTRIBUTES = 4, 1
NUMBER_TYPES = {
    3: "u1",
    DFNT_CHAR8: "S1",
    5: "f4",
    6: "f8",
    20: "i1",
    21: "u1",
    22: "i2",
    23: "u2",
    24: "i4",
    25: "u4",
    26: "i8",
    27: "u8",
}
BIG_ENDIAN_CLASSES, LITTLE_ENDIAN_CLASS = (0, 1), 4

DEFAULT_FILL = {"i1": -127, "i2": -32767, "i4": -2147483647}
FLOAT_FILL = float.fromhex("0x1.ep+122")

CDF_CLASS, VARIABLE_CLASS, ATTRIBUTE_CLASS = "CDF0.0", "Var0.0", "Attr0.0"
DATA_CLASS = "Data0.0"
DIMENSION_CLASS, UNLIMITED_CLASS = "Dim0.0", "UDim0.0"
LENGTH_AS_ROWS, LENGTH_AS_VALUE = "DimVal0.0", "DimVal0.1"
IMAGE_CLASS, IMAGES_CLASS = "RI0.0", "RIG0.0"
IMAGE_ATTRIBUTE_CLASS = "RIATTR0.0C"
VGROUP_ATTRIBUTE_CLASS = "VgAttr0.0"
INTERNAL_VGROUPS = (
    CDF_CLASS,
    VARIABLE_CLASS,
    DIMENSION_CLASS,
    UNLIMITED_CLASS,
    IMAGE_CLASS,
    IMAGES_CLASS,
)
INTERNAL_VDATAS = (
    ATTRIBUTE_CLASS,
    LENGTH_AS_ROWS,
    LENGTH_AS_VALUE,
    IMAGE_ATTRIBUTE_CLASS,
    "RIATTR0.0N",
    "SDSVar",
    "CoordVar",
    "_HDF_CHK_TBL_",
)
"""How the classes begin of those Vgroups and Vdatas that the library keeps its own records in."""


def number_type(code: int, little: bool) -> np.dtype[Any]:
    """Return the dtype of a number type code, in the byte order in which it is stored.

    UnsupportedFeatureError for those that numpy does not have.
    """
    name = NUMBER_TYPES.get(code & 0xFFF)
    if name is None:
        raise UnsupportedFeatureError(f"HDF4 number type {code}")
    return np.dtype(name).newbyteorder("<" if little else ">")


def default_fill(dtype: np.dtype[Any]) -> Any:
    """Return what the SD interface reads where nothing was written and no fill value was set."""
    if dtype.kind == "f":
        return FLOAT_FILL
    if dtype.kind == "S":
        return b"\0"
    return np.array(DEFAULT_FILL.get(f"i{dtype.itemsize}", 0)).astype(dtype.newbyteorder("="))


@dataclass(frozen=True, slots=True)
class Vgroup:
    """A Vgroup: the tags and refs of its members, in order, and the refs of its attributes."""

    name: str
    vclass: str
    members: tuple[Key, ...]
    attributes: tuple[int, ...] = ()

    @property
    def internal(self) -> bool:
        """Whether the library keeps its own records in it."""
        return self.vclass in INTERNAL_VGROUPS or self.name == IMAGES_CLASS


@dataclass(frozen=True, slots=True)
class VdataField:
    """A field of every row: `order` numbers of type `kind`, `size` bytes at byte `offset`."""

    name: str
    kind: int
    order: int
    size: int
    offset: int


@dataclass(frozen=True, slots=True)
class Vdata:
    """The header (VH) of a table: `nvert` rows of `row_bytes`.

    `attributes` are the number of a field, or -1 for the table, and the ref of a Vdata.
    """

    name: str
    vclass: str
    nvert: int
    row_bytes: int
    interlace: int
    fields: tuple[VdataField, ...]
    attributes: tuple[tuple[int, int], ...] = ()

    @property
    def internal(self) -> bool:
        """Whether the library keeps its own records in it."""
        return self.vclass.startswith(INTERNAL_VDATAS)


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable as the SD interface shows it.

    `data` is its element, None where nothing was written; `skip` bytes of it belong to others
    before it. With `unlimited` the first length of `shape` follows from the data. `keys` are those
    by which Vgroups name it. With `zero` 0 is what was not written, unless an attribute says else.
    `raster` decodes the data of an image that is not stored as plain pixels.
    """

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    attributes: Mapping[str, Any]
    data: Key | None
    unlimited: bool = False
    skip: int = 0
    keys: tuple[Key, ...] = ()
    zero: bool = False
    raster: Hdf4Raster | None = None


@dataclass(frozen=True, slots=True)
class Extents:
    """The parts of an element, one after the other: offsets in the file and lengths, in bytes."""

    offset: Int64s
    length: Int64s

    @property
    def total(self) -> int:
        return int(self.length.sum())

    def within(self, start: int, stop: int) -> Extents:
        """Return the parts of the element's bytes from `start` to `stop`; neighbours are joined."""
        ends = np.cumsum(self.length)
        begins = ends - self.length
        first, last = np.maximum(begins, start), np.minimum(ends, stop)
        some = last > first
        offset = (self.offset + first - begins)[some]
        length = (last - first)[some]
        apart = np.r_[True, offset[1:] != offset[:-1] + length[:-1]] if len(offset) else some[:0]
        starts = np.flatnonzero(apart)
        joined = np.add.reduceat(length, starts) if len(starts) else length
        return Extents(offset[apart], joined)
