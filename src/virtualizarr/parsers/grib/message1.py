"""A message of edition 1, which holds one field."""

from __future__ import annotations

from virtualizarr.codecs.grib import SECOND_ORDER
from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.grib.headers import header_1
from virtualizarr.parsers.grib.layout import END, Field, GridSection, Inventory, Kind
from virtualizarr.parsers.grib.packing import EXTENDED_AT
from virtualizarr.parsers.grib.runs import Form, read_run
from virtualizarr.parsers.grib.window import Window
from virtualizarr.source.reading import Reading

INDICATOR = 8
PRODUCT = 28
"""Octets of a product definition section without local extensions."""

DATA_HEAD, EXTENDED_HEAD = 11, 14
"""Octets of a binary data section before its data; with its extended flags."""

LARGE = 0x800000
UNIT = 120
HAS_GRID, HAS_BITMAP = 0x80, 0x40


def read_message_1(window: Window, start: int, inventory: Inventory) -> Reading[int]:
    """Add the field of the message at `start`, and those behind it that are built alike.

    Returns where they end.

    Messages of 8 MiB and more do not fit the length of edition 1. As ECMWF writes them, bit 1 of
    the length says that it counts units of 120 octets, and the length of section 4 is then what
    is to be taken off.
    """
    head = yield from window.take(start, INDICATOR + PRODUCT)
    total = int.from_bytes(head[4:7], "big")
    length = int.from_bytes(head[8:11], "big")
    if length < PRODUCT:
        raise CorruptFileError(f"section 1 of {length} octets", at=start + INDICATOR)
    section_1 = bytes((yield from window.take(start + INDICATOR, length)))
    flags = section_1[7]
    at = start + INDICATOR + length
    grid = GridSection(1, b"", section_1[6])
    if flags & HAS_GRID:
        size = int.from_bytes((yield from window.take(at, 3)), "big")
        if size < 6:
            raise CorruptFileError(f"section 2 of {size} octets", at=at)
        grid = GridSection(1, bytes((yield from window.take(at, size))))
        at += size
    if flags & HAS_BITMAP:
        size = int.from_bytes((yield from window.take(at, 3)), "big")
        if size < 6:
            raise CorruptFileError(f"section 3 of {size} octets", at=at)
        at += size
    data = yield from window.take(at, DATA_HEAD)
    packing = data[3] >> 4
    if packing & SECOND_ORDER:
        packing |= (yield from window.take(at, EXTENDED_HEAD))[-1] << EXTENDED_AT
    plain = not (flags & HAS_BITMAP or total & LARGE or packing & SECOND_ORDER)
    size = int.from_bytes(data[:3], "big")
    if total & LARGE and size < UNIT:
        total = (total & ~LARGE) * UNIT - size + len(END)
        size = start + total - len(END) - at
    stop = start + total
    if size < DATA_HEAD or at + size > stop - len(END):
        raise CorruptFileError(f"section 4 of {size} octets in a message of {total}", at=at)
    if window.size is not None and stop > window.size:
        raise CorruptFileError(
            f"the file ends at byte {window.size}, inside a message of {total} bytes", at=start
        )
    number = inventory.grid_number(grid)
    bits = data[10]
    values = 0
    if plain and bits and not packing:
        values = ((size - DATA_HEAD) * 8 - (data[3] & 0xF)) // bits
    yield from window.check_end(stop)
    header, moment = header_1(section_1)
    kind = Kind(1, number, packing, values, header)
    inventory.add(Field(kind, moment, start, start, total))
    if not plain:
        return stop
    return read_run(window, stop, Form(kind, total, at - start), inventory)
