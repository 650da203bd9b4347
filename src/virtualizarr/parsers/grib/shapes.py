"""Messages of edition 2 whose sections are as long as those of one before, read in one step.

Most messages of a file differ in their data alone, and hold one field without a bitmap.
"""

from __future__ import annotations

from struct import Struct

from virtualizarr.parsers.grib.layout import END, NO_BITMAP, Field, GridSection, Inventory, Shape

INDICATOR = 16
HEAD = 5
MOST = 4
"""How many shapes are tried, the last that was met first."""

KEPT_2, LONGEST = 32, 4096
_PACKING = Struct(">IH").unpack_from


def remember(view: memoryview, at: int, inventory: Inventory) -> None:
    """Keep the shape of the message at `at`, which has been read and has one field.

    One with a bitmap or with long sections is not kept.
    """
    form, place = ">", INDICATOR
    places = [place]
    for number in range(1, 7):
        length = int.from_bytes(view[at + place : at + place + 4], "big")
        if number == 2 and view[at + place + 4] == 3:
            length = 0
        elif number == 6:
            form += "IBB"
            if view[at + place + HEAD] != NO_BITMAP:
                return
        elif length > LONGEST:
            return
        else:
            form += f"IB{length - HEAD}x"
        place += length
        places.append(place)
    heads = Struct(f"{form}IB")
    *told, _, last = heads.unpack_from(view, at + INDICATOR)
    inventory.shapes.insert(0, Shape(heads, (*told, last), tuple(places)))
    del inventory.shapes[MOST:]


def read_alike(view: memoryview, at: int, start: int, total: int, inventory: Inventory) -> bool:
    """Add the field of the message at `at` if it has a known shape; say whether it has.

    `view` holds the whole message, which begins at `start` of the file.
    """
    end = at + total - len(END)
    for heads, shape, (first, second, third, fourth, fifth, _, seventh) in inventory.shapes:
        if total < seventh + HEAD + len(END):
            continue
        *told, length, number = heads.unpack_from(view, at + INDICATOR)
        if (*told, number) != shape or at + seventh + length != end or length < HEAD:
            continue
        if view[end : end + len(END)] != END:
            continue
        grid = inventory.grid_number(GridSection(2, bytes(view[at + third : at + fourth])))
        values, packing = _PACKING(view, at + fifth + HEAD)
        inventory.fields.append(
            Field(
                *(2, start, start + fifth, seventh - fifth + length, view[at + 6]),
                bytes(view[at + first : at + second]),
                bytes(view[at + second : at + min(third, second + KEPT_2)]),
                bytes(view[at + fourth : at + fifth]),
                *(grid, packing, values),
            )
        )
        return True
    return False
