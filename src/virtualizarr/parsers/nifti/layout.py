"""The headers of NIfTI-1 and NIfTI-2, with the specification's names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

HEADER1 = np.dtype(
    [
        ("sizeof_hdr", "i4"),
        ("data_type", "S10"),
        ("db_name", "S18"),
        ("extents", "i4"),
        ("session_error", "i2"),
        ("regular", "S1"),
        ("dim_info", "u1"),
        ("dim", "i2", (8,)),
        ("intent_p", "f4", (3,)),
        ("intent_code", "i2"),
        ("datatype", "i2"),
        ("bitpix", "i2"),
        ("slice_start", "i2"),
        ("pixdim", "f4", (8,)),
        ("vox_offset", "f4"),
        ("scl_slope", "f4"),
        ("scl_inter", "f4"),
        ("slice_end", "i2"),
        ("slice_code", "u1"),
        ("xyzt_units", "u1"),
        ("cal_max", "f4"),
        ("cal_min", "f4"),
        ("slice_duration", "f4"),
        ("toffset", "f4"),
        ("glmax", "i4"),
        ("glmin", "i4"),
        ("descrip", "S80"),
        ("aux_file", "S24"),
        ("qform_code", "i2"),
        ("sform_code", "i2"),
        ("quatern", "f4", (3,)),
        ("qoffset", "f4", (3,)),
        ("srow", "f4", (3, 4)),
        ("intent_name", "S16"),
        ("magic", "S4"),
    ]
)
"""nifti1.h: 348 bytes."""

HEADER2 = np.dtype(
    [
        ("sizeof_hdr", "i4"),
        ("magic", "S8"),
        ("datatype", "i2"),
        ("bitpix", "i2"),
        ("dim", "i8", (8,)),
        ("intent_p", "f8", (3,)),
        ("pixdim", "f8", (8,)),
        ("vox_offset", "i8"),
        ("scl_slope", "f8"),
        ("scl_inter", "f8"),
        ("cal_max", "f8"),
        ("cal_min", "f8"),
        ("slice_duration", "f8"),
        ("toffset", "f8"),
        ("slice_start", "i8"),
        ("slice_end", "i8"),
        ("descrip", "S80"),
        ("aux_file", "S24"),
        ("qform_code", "i4"),
        ("sform_code", "i4"),
        ("quatern", "f8", (3,)),
        ("qoffset", "f8", (3,)),
        ("srow", "f8", (3, 4)),
        ("slice_code", "i4"),
        ("xyzt_units", "i4"),
        ("intent_code", "i4"),
        ("intent_name", "S16"),
        ("dim_info", "u1"),
        ("unused_str", "S15"),
    ]
)
"""nifti2.h: 540 bytes."""

HEADERS: Mapping[int, np.dtype[Any]] = {348: HEADER1, 540: HEADER2}
MAGIC_AT = {348: 344, 540: 4}
SINGLE = {348: b"n+1\0", 540: b"n+2\0\r\n\x1a\n"}
PAIR = {348: b"ni1\0", 540: b"ni2\0\r\n\x1a\n"}

RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
RGBA = np.dtype([*RGB.descr, ("A", "u1")])

DATATYPES: Mapping[int, np.dtype[Any]] = {
    2: np.dtype("u1"),
    4: np.dtype("i2"),
    8: np.dtype("i4"),
    16: np.dtype("f4"),
    32: np.dtype("c8"),
    64: np.dtype("f8"),
    128: RGB,
    256: np.dtype("i1"),
    512: np.dtype("u2"),
    768: np.dtype("u4"),
    1024: np.dtype("i8"),
    1280: np.dtype("u8"),
    1792: np.dtype("c16"),
    2304: RGBA,
}
REFUSED = {1: "binary", 1536: "float128", 2048: "complex256"}

SPACE_UNITS = {1: "m", 2: "mm", 3: "um"}
TIME_UNITS = {8: "s", 16: "ms", 24: "us", 32: "Hz", 40: "ppm", 48: "rad/s"}
AXES = ("x", "y", "z", "t", "u", "v", "w")


@dataclass(frozen=True, slots=True)
class Header:
    """A decoded header: its `fields` in native order, its byte order, whether data are behind it.

    `extensions` are the codes of the header extensions that are in the bytes at hand.
    """

    fields: np.void
    big_endian: bool
    is_single: bool
    extensions: tuple[int, ...]

    def number(self, name: str) -> float:
        """Return a field as a number."""
        value: float = self.fields[name].item()
        return value
