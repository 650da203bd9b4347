"""A message of edition 2: its sections, walked; sections 2 to 7 may be repeated."""

from __future__ import annotations

from struct import Struct

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.grib.headers import header_2
from virtualizarr.parsers.grib.layout import (
    END,
    NO_BITMAP,
    SAME_BITMAP,
    Field,
    GridSection,
    Inventory,
    Kind,
)
from virtualizarr.parsers.grib.window import Window
from virtualizarr.source.reading import Reading

INDICATOR = 16
HEAD = 5
"""Octets of every section: its length and its number."""

NUMBERS = range(1, 8)

KEPT = (0, 4096, 32, 16 * 1024 * 1024, 65536, 11, 6, 5)
"""How many octets of each section are looked at, at most."""

LEAST = (0, 21, 5, 14, 11, 11, 6, 5)
"""How many octets each section has at least."""

BEFORE = ((), (0,), (1, 7), (1, 2, 7), (3, 7), (4,), (5,), (6,))
"""After which section each may come; 7 before 2, 3 or 4 where fields share a message."""

BY_ROWS = 50002
"""The data representation template whose values cannot be ordered without the grid."""

_HEAD = Struct(">IB").unpack_from
_PACKING = Struct(">IH").unpack_from


def read_message_2(window: Window, start: int, total: int, inventory: Inventory) -> Reading[int]:
    """Add the fields of the message at `start`; return where it ends.

    A field's chunk is sections 5 to 7; where it uses the bitmap of an earlier field, the chunk
    begins with section 5 of that one. Where it is packed by rows, it begins with section 3.
    """
    stop = start + total
    if start < window.base or start + INDICATOR > window.end:
        yield from window.load(start, INDICATOR)
    view, base = window.view, window.base
    discipline = view[start - base + 6]
    section_1 = section_2 = section_4 = b""
    grid = geometry = packing = values = begin = last = 0
    origin = -1
    at, end = start + INDICATOR, stop - len(END)
    while at < end:
        if at + HEAD > window.end:
            yield from window.load(at, HEAD)
            view, base = window.view, window.base
        local = at - base
        if at + HEAD > end or local + HEAD > len(view):
            raise CorruptFileError("a section is cut off by the end of its message", at=at)
        length, number = _HEAD(view, local)
        if number not in NUMBERS or length < LEAST[number] or at + length > end:
            raise CorruptFileError(f"section {number} of {length} octets", at=at)
        if last not in BEFORE[number]:
            raise CorruptFileError(f"section {number} follows section {last}", at=at)
        kept = min(length, KEPT[number])
        if at + kept > window.end:
            yield from window.take(at, kept)
            view, base = window.view, window.base
            local = at - base
        if number == 7:
            header, moment = header_2(discipline, section_1, section_2, section_4)
            kind = Kind(2, grid, packing, values, header)
            inventory.add(Field(kind, moment, start, begin, at + length - begin))
        elif number == 6:
            indicator = view[local + 5]
            if indicator == SAME_BITMAP:
                if origin < 0:
                    raise CorruptFileError("there is no earlier bitmap to be used again", at=at)
                begin = origin
            elif indicator != NO_BITMAP:
                origin = begin
        elif number == 5:
            values, packing = _PACKING(view, local + 5)
            begin = geometry if packing == BY_ROWS else at
        else:
            octets = bytes(view[local : local + kept])
            if number == 4:
                section_4 = octets
            elif number == 3:
                grid = inventory.grid_number(GridSection(2, octets))
                geometry = at
            elif number == 2:
                section_2 = octets
            else:
                section_1 = octets
        last = number
        at += length
    if last != 7:
        raise CorruptFileError(f"the message ends after section {last}", at=at)
    yield from window.check_end(stop)
    return stop
