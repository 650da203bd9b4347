"""How many points each row of a grid has, from the grid's section: for packings that go by rows."""

from __future__ import annotations

from struct import unpack_from

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.base import Octets
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError

type Int64s = npt.NDArray[np.int64]

J_CONSECUTIVE = 0x20
MISSING_1, MISSING_2 = 0xFFFF, 0xFFFFFFFF
SCANNING_AT = {
    **dict.fromkeys((0, 1, 2, 3, 40, 41, 42, 43), 71),
    **dict.fromkeys((10, 12, 13), 59),
    **dict.fromkeys((20, 23, 30, 31, 33), 64),
    **dict.fromkeys((90, 140), 63),
}
"""Where the scanning mode lies in section 3, by grid definition template."""


def row_lengths(edition: int, section: Octets | None, points: int) -> Int64s:
    """Return the points of each row in the order of the values.

    Raises UnsupportedFeatureError for grids that have no rows, CorruptFileError where the rows do
    not hold `points` together.
    """
    if section is None or section.size < 32:
        raise UnsupportedFeatureError("packing by rows on a grid that is not described")
    lengths = _rows_1(section) if edition == 1 else _rows_2(section)
    if (lengths < 0).any() or int(lengths.sum()) != points:
        raise CorruptFileError(f"rows of {int(lengths.sum())} points, there are {points}")
    return lengths


def _rows_1(section: Octets) -> Int64s:
    columns, rows = unpack_from(">HH", section, 6)
    if columns != MISSING_1:
        return _equal(columns, rows, int(section[27]))
    start = int(section[4]) - 1 + 4 * int(section[3])
    if start + 2 * rows > section.size:
        raise CorruptFileError("section 2 lacks the lengths of its rows")
    return np.frombuffer(section, ">u2", rows, start).astype(np.int64)


def _rows_2(section: Octets) -> Int64s:
    (template,) = unpack_from(">H", section, 12)
    if template not in SCANNING_AT or section.size <= SCANNING_AT[template]:
        raise UnsupportedFeatureError(f"packing by rows on grid definition template 3.{template}")
    columns, rows = unpack_from(">II", section, 30)
    if columns != MISSING_2:
        return _equal(columns, rows, int(section[SCANNING_AT[template]]))
    size = int(section[10])
    start = section.size - size * rows
    if size not in (1, 2, 4) or start < SCANNING_AT[template]:
        raise CorruptFileError("section 3 lacks the lengths of its rows")
    return np.frombuffer(section, f">u{size}", rows, start).astype(np.int64)


def _equal(columns: int, rows: int, scanning: int) -> Int64s:
    if scanning & J_CONSECUTIVE:
        columns, rows = rows, columns
    return np.broadcast_to(np.int64(columns), (rows,))


def turned(values: npt.NDArray[np.float64], lengths: Int64s) -> npt.NDArray[np.float64]:
    """Return the values with every second row turned round."""
    ends = np.cumsum(lengths)
    row = np.repeat(np.arange(lengths.size), lengths)
    place = np.arange(values.size)
    mirrored = ends[row] - 1 - (place - (ends - lengths)[row])
    return values[np.where(row % 2 == 1, mirrored, place)]
