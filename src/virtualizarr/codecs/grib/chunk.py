"""What a chunk of bytes holds: the sections of one field, taken apart."""

from __future__ import annotations

from dataclasses import dataclass
from struct import unpack_from

import numpy as np

from virtualizarr.codecs.base import Octets
from virtualizarr.codecs.grib.bits import sign_magnitude
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError

GRIB = b"GRIB"
SAME_BITMAP, NO_BITMAP = 254, 255
HAS_GRID, HAS_BITMAP = 0x80, 0x40
LARGE, UNIT = 0x800000, 120


@dataclass(frozen=True, slots=True)
class Chunk:
    """One field: `template` is the section that says how `data` are packed, whole.

    `bitmap` has one bit for each point, None where every point has a value. `decimal` is the power
    of ten that values were multiplied by (in edition 2 the template says it, and this is 0).
    `grid` is the section that describes the grid, None where the chunk does not hold it.
    """

    edition: int
    template: Octets
    bitmap: Octets | None
    data: Octets
    decimal: int = 0
    grid: Octets | None = None


def take_apart(octets: Octets) -> Chunk:
    """Return the field in a chunk: a message of edition 1, or sections of edition 2.

    Of several fields (edition 2) the last is returned, with the bitmap of an earlier one where it
    says so. Raises CorruptFileError where sections are cut off or missing.
    """
    if octets[:4].tobytes() == GRIB:
        return _edition_1(octets)
    return _edition_2(octets)


def _edition_2(octets: Octets) -> Chunk:
    at = 0
    grid = template = data = bitmap = None
    uses_bitmap = False
    while at + 5 <= octets.size:
        length, number = unpack_from(">IB", octets, at)
        section = octets[at : at + length]
        if length < 5 or section.size < length:
            raise CorruptFileError(f"section {number} of {length} octets is cut off")
        if number == 3:
            grid = section
        elif number == 5:
            template = section
        elif number == 6 and length >= 6:
            uses_bitmap = section[5] != NO_BITMAP
            if section[5] == 0:
                bitmap = section[6:]
            elif section[5] not in (SAME_BITMAP, NO_BITMAP):
                raise UnsupportedFeatureError(f"predefined bitmap {section[5]}")
        elif number == 7:
            data = section[5:]
        at += length
    if template is None or template.size < 11 or data is None:
        raise CorruptFileError("sections 5 to 7 are not all there")
    if uses_bitmap and bitmap is None:
        raise CorruptFileError("the bitmap that is to be used again is not there")
    return Chunk(2, template, bitmap if uses_bitmap else None, data, grid=grid)


def _edition_1(octets: Octets) -> Chunk:
    if octets.size < 8 + 28 + 11 + 4:
        raise CorruptFileError(f"a message of {octets.size} bytes")
    product = octets[8:]
    decimal = sign_magnitude(int(unpack_from(">H", product, 26)[0]), 16)
    flags = int(product[7])
    at = 8 + _length(octets, 8)
    bitmap = grid = None
    if flags & HAS_GRID:
        length = _length(octets, at)
        grid = octets[at : at + length]
        at += length
    if flags & HAS_BITMAP:
        length = _length(octets, at)
        section = octets[at : at + length]
        if section.size < max(length, 6):
            raise CorruptFileError(f"section 3 of {length} octets is cut off")
        predefined = int(unpack_from(">H", section, 4)[0])
        if predefined:
            raise UnsupportedFeatureError(f"predefined bitmap {predefined}")
        bitmap = section[6:]
        at += length
    length = _length(octets, at)
    total = int.from_bytes(octets[4:7].tobytes(), "big")
    if total & LARGE and length < UNIT:
        length = octets.size - 4 - at
    section = octets[at : at + length]
    if length < 11 or section.size < length:
        raise CorruptFileError(f"section 4 of {length} octets is cut off")
    return Chunk(1, section[:11], bitmap, section[11:], decimal, grid)


def _length(octets: Octets, at: int) -> int:
    head = octets[at : at + 3]
    if head.size < 3:
        raise CorruptFileError("a section is cut off")
    return int.from_bytes(head.tobytes(), "big")


def bits_of(bitmap: Octets, points: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return for each point whether it has a value; CorruptFileError for a short bitmap."""
    if bitmap.size * 8 < points:
        raise CorruptFileError(f"a bitmap of {bitmap.size} bytes for {points} points")
    return np.unpackbits(bitmap[: -(-points // 8)], count=points).view(np.bool_)
