"""The parts of GRIB messages that the parser keeps, by the names of the WMO Manual on Codes.

Edition 1: FM 92-IX (WMO No. 306, volume I.2); edition 2: FM 92-XIV.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct
from typing import NamedTuple

GRIB = b"GRIB"
END = b"7777"

SAME_BITMAP = 254
NO_BITMAP = 255
MISSING_BYTE = 255


class Field(NamedTuple):
    """One field: where its bytes lie, and its sections without their data.

    `offset` and `length` delimit the chunk that the codec decodes. Edition 2: `section_1` and
    `section_4` are whole, `section_2` its first bytes; `grid` numbers `Inventory.grids`;
    `packing` is the number of the data representation template (section 5). Edition 1:
    `section_1` is the product definition section and `packing` the flags of section 4, with the
    extended flags of second-order packing in the bits above. `values` is what section 5 says, in
    edition 1 what section 4 holds, 0 where that is not known.
    """

    edition: int
    message: int
    offset: int
    length: int
    discipline: int
    section_1: bytes
    section_2: bytes
    section_4: bytes
    grid: int
    packing: int
    values: int


class GridSection(NamedTuple):
    """A grid definition section, whole: section 3 of edition 2, section 2 of edition 1.

    An edition 1 section that is left out is empty; `predefined` is then octet 7 of section 1.
    """

    edition: int
    section: bytes
    predefined: int = MISSING_BYTE


class Shape(NamedTuple):
    """How long the sections of an edition 2 message are.

    `heads` reads lengths and numbers of sections 1 to 7 from the end of section 0 on; `told` is
    what it found, without the length of section 7. `places` are where sections 1 to 7 begin in the
    message; section 2 takes no place where there is none.
    """

    heads: Struct
    told: tuple[int, ...]
    places: tuple[int, ...]


@dataclass(slots=True)
class Inventory:
    """All fields of a file in its order, their distinct grids, and what was left out and why.

    `shapes` are those of the last messages.
    """

    fields: list[Field] = field(default_factory=list)
    grids: list[GridSection] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    numbers: dict[GridSection, int] = field(default_factory=dict)
    shapes: list[Shape] = field(default_factory=list)

    def grid_number(self, section: GridSection) -> int:
        """Return the number of a grid, which is new or known."""
        number = self.numbers.setdefault(section, len(self.grids))
        if number == len(self.grids):
            self.grids.append(section)
        return number
