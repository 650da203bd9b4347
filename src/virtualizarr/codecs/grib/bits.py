"""Numbers of any bit width out of big-endian packed bytes, by columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.base import Octets

type Integers = npt.NDArray[np.integer[Any]]
type Int64s = npt.NDArray[np.int64]

WIDEST = 57
"""A number this wide lies in eight bytes wherever it begins."""

PADDING = 8
"""Bytes that `gather` needs behind the last number."""

_BLOCK = 1 << 16
_WHOLE = {8: ">u1", 16: ">u2", 32: ">u4"}


def unpack(octets: Octets, width: int, count: int) -> Integers:
    """Return `count` unsigned numbers of `width` bits, packed from the first bit of `octets` on.

    `octets` must hold them. `width` is 1 to 57.
    """
    if width in _WHOLE:
        return np.frombuffer(octets, _WHOLE[width], count)
    rows = -(-count // 8)
    if octets.size < rows * width:
        octets = np.concatenate((octets, np.zeros(rows * width - octets.size, np.uint8)))
    table = octets[: rows * width].reshape(rows, width)
    kind: Any = np.uint32 if width <= 25 else np.uint64
    out = np.empty((rows, 8), kind)
    step = max(1, _BLOCK // 8)
    for begin in range(0, rows, step):
        _unpack_rows(table[begin : begin + step], width, out[begin : begin + step])
    return out.reshape(-1)[:count]


def _unpack_rows(table: npt.NDArray[np.uint8], width: int, out: npt.NDArray[Any]) -> None:
    """Unpack rows of `width` bytes, eight numbers each, one number of all rows at a time."""
    columns = table.T.astype(out.dtype)
    for lane in range(8):
        first, last = lane * width // 8, ((lane + 1) * width - 1) // 8
        gathered = columns[first] & out.dtype.type(0xFF >> (lane * width % 8))
        for column in range(first + 1, last):
            gathered = (gathered << 8) | columns[column]
        end = ((lane + 1) * width - 1) % 8 + 1
        if last > first:
            gathered = (gathered << end) | (columns[last] >> (8 - end))
        else:
            gathered >>= 8 - end
        out[:, lane] = gathered


def gather(octets: Octets, starts: Int64s, widths: Int64s | int) -> Int64s:
    """Return the numbers that begin at the bits `starts`, each of its own width, 0 to 57 bits.

    `octets` must have eight bytes more than the last number needs.
    """
    words = np.ndarray((octets.size - 7,), ">u8", octets.data, strides=(1,))
    out = np.empty(starts.shape, np.int64)
    wide = np.broadcast_to(np.asarray(widths, np.uint64), starts.shape)
    for begin in range(0, starts.size, _BLOCK):
        part = slice(begin, begin + _BLOCK)
        at, width = starts[part], wide[part]
        found = words[at >> 3].astype(np.uint64)
        found <<= (at & 7).astype(np.uint64)
        found >>= np.minimum(np.uint64(64) - width, np.uint64(63))
        out[part] = np.where(width == 0, np.uint64(0), found)
    return out


def padded(octets: Octets) -> Octets:
    """Return the bytes with the eight more that `gather` needs."""
    return np.concatenate((octets, np.zeros(PADDING, np.uint8)))


def sign_magnitude(number: int, bits: int) -> int:
    """Return a number whose first bit is its sign, as GRIB stores negative ones."""
    sign = 1 << (bits - 1)
    return -(number & (sign - 1)) if number & sign else number
