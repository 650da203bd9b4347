"""Comparing references cell by cell, whatever the order of the two location tables."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from virtualizarr.model.columns import AffineRun, offsets_of
from virtualizarr.model.inline import same_bytes
from virtualizarr.model.location import INLINE, MISSING, References

_UNKNOWN = np.uint32(0xFFFF_FFFD)


def cells_equal(one: References, two: References) -> npt.NDArray[np.bool_]:
    """Say for each cell of two chunk grids of one shape whether both refer to the same bytes.

    Inline chunks are compared by their bytes; two missing chunks are equal.
    """
    if _same_columns(one, two):
        return np.broadcast_to(np.True_, one.location.shape)
    theirs = _recoded(one, two)
    same_place = one.location == theirs
    offset, other_offset = offsets_of(one.offset_column), offsets_of(two.offset_column)
    same_length = one.length == two.length
    equal = np.asarray(same_place & same_length & (offset == other_offset))
    equal |= same_place & (one.location == MISSING)
    inline = same_place & same_length & (one.location == INLINE)
    if inline.any():
        equal[inline] = same_bytes(
            one.inline,
            offset[inline].astype(np.int64),
            two.inline,
            other_offset[inline].astype(np.int64),
            one.length[inline].astype(np.int64),
        )
    return np.asarray(equal)


def _same_columns(one: References, two: References) -> bool:
    return (
        one.locations == two.locations
        and _same(one.location, two.location)
        and _same(one.offset_column, two.offset_column)
        and _same(one.length, two.length)
        and one.inline == two.inline
    )


def _same(
    one: npt.NDArray[np.generic] | AffineRun, two: npt.NDArray[np.generic] | AffineRun
) -> bool:
    if one is two:
        return True
    if isinstance(one, AffineRun) or isinstance(two, AffineRun):
        return one == two if isinstance(one, AffineRun) and isinstance(two, AffineRun) else False
    alike = one.strides == two.strides and one.shape == two.shape
    return alike and one.ctypes.data == two.ctypes.data


def _recoded(one: References, two: References) -> npt.NDArray[np.uint32]:
    """Return the codes of `two` in terms of the locations of `one`."""
    if one.locations == two.locations or not two.locations:
        return two.location
    codes = {location.url: code for code, location in enumerate(one.locations)}
    table = np.array([codes.get(location.url, _UNKNOWN) for location in two.locations], np.uint32)
    real = two.location < INLINE
    return np.where(real, table[np.where(real, two.location, 0)], two.location)
