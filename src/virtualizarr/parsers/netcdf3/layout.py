"""The netCDF classic header as the file states it, in the specification's own words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

type Attributes = dict[str, Any]

STREAMING = -1
"""The `numrecs` (all bits set) that means "count the records by the file's size"."""


class Version(IntEnum):
    """The fourth byte of the file."""

    CLASSIC = 1
    OFFSET_64 = 2
    DATA_64 = 5


class Tag(IntEnum):
    """What opens a list in the header."""

    ABSENT = 0
    DIMENSION = 0x0A
    VARIABLE = 0x0B
    ATTRIBUTE = 0x0C


NC_CHAR = 2

EXTERNAL_TYPES: dict[int, np.dtype[Any]] = {
    nc_type: np.dtype(name)
    for nc_type, name in enumerate(
        ("i1", "S1", ">i2", ">i4", ">f4", ">f8", "u1", ">u2", ">u4", ">i8", ">u8"), start=1
    )
}
"""`nc_type` to the numpy dtype of the stored bytes."""

CLASSIC_TYPES = range(1, 7)
"""The `nc_type` codes of CDF-1 and CDF-2; the others came with CDF-5."""

DEFAULT_FILL: dict[int, int | float | bytes] = {
    1: -127,
    2: b"\0",
    3: -32767,
    4: -2147483647,
    5: 9.9692099683868690e36,
    6: 9.9692099683868690e36,
    7: 255,
    8: 65535,
    9: 4294967295,
    10: -9223372036854775806,
    11: 18446744073709551614,
}
"""`nc_type` to the value that the netCDF library writes where nobody wrote."""


@dataclass(frozen=True, slots=True)
class Dim:
    """A dimension; `dim_length` 0 marks the record dimension."""

    name: str
    dim_length: int


@dataclass(frozen=True, slots=True)
class Var:
    """A variable: `begin` is the offset of its data, `at` that of its entry in the header.

    The file's `vsize` is not kept: it is redundant, and wrong by rule for large variables.
    """

    name: str
    dimids: tuple[int, ...]
    vatts: Attributes
    nc_type: int
    begin: int
    at: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the stored bytes, big-endian."""
        return EXTERNAL_TYPES[self.nc_type]


@dataclass(frozen=True, slots=True)
class Header:
    """The whole header; `numrecs` is None in a file that was being streamed; `end` is its size."""

    version: Version
    numrecs: int | None
    dims: tuple[Dim, ...]
    gatts: Attributes
    vars: tuple[Var, ...]
    end: int

    def is_record(self, var: Var) -> bool:
        """Say whether `var` grows along the record dimension."""
        return bool(var.dimids) and self.dims[var.dimids[0]].dim_length == 0
