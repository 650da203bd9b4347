"""The parts of GRIB messages that the parser keeps, by the names of the WMO Manual on Codes.

Edition 1: FM 92-IX (WMO No. 306, volume I.2); edition 2: FM 92-XIV.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from struct import Struct
from typing import NamedTuple, Self

GRIB = b"GRIB"
END = b"7777"

SAME_BITMAP = 254
NO_BITMAP = 255
MISSING_BYTE = 255


KIND = Struct(">BIHI")
"""How a kind begins as bytes: edition, grid, packing, values."""


class Kind(NamedTuple):
    """What the headers of a field tell, but for its times; most kinds have many fields.

    `header` is made by `headers`. `grid` numbers `Inventory.grids`. Edition 2: `packing` is the
    number of the data representation template (section 5), `values` what section 5 says. Edition 1:
    `packing` is the flags of section 4, with the extended flags of second-order packing in the bits
    above, `values` what section 4 holds, 0 where that is not known.
    """

    edition: int
    grid: int
    packing: int
    values: int
    header: bytes

    @classmethod
    def unpacked(cls, octets: bytes) -> Self:
        """Return the kind that bytes made by `packed` stand for."""
        edition, grid, packing, values = KIND.unpack_from(octets)
        return cls(edition, grid, packing, values, octets[KIND.size :])

    def packed(self) -> bytes:
        """Return the kind as bytes, by which it is counted."""
        return KIND.pack(*self[:4]) + self.header


class Field(NamedTuple):
    """One field: what it is, its times (as `headers` makes them), and where its bytes lie.

    `message` is where its message begins; `offset` and `length` delimit the chunk that the codec
    decodes.
    """

    kind: Kind
    moment: bytes
    message: int
    offset: int
    length: int


class GridSection(NamedTuple):
    """A grid definition section, whole: section 3 of edition 2, section 2 of edition 1.

    An edition 1 section that is left out is empty; `predefined` is then octet 7 of section 1.
    """

    edition: int
    section: bytes
    predefined: int = MISSING_BYTE


@dataclass(slots=True)
class Inventory:
    """All fields of a file in its order, as columns, and what was left out and why.

    `kind` and `moment` number `kinds` (packed) and `moments`; not all of these need have fields.
    """

    kind: list[int] = field(default_factory=list)
    moment: list[int] = field(default_factory=list)
    message: list[int] = field(default_factory=list)
    offset: list[int] = field(default_factory=list)
    length: list[int] = field(default_factory=list)
    kinds: dict[bytes, int] = field(default_factory=dict)
    moments: dict[bytes, int] = field(default_factory=dict)
    grids: dict[GridSection, int] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.offset)

    @property
    def fields(self) -> list[Field]:
        """The fields, each by itself."""
        kinds, moments = [*map(Kind.unpacked, self.kinds)], list(self.moments)
        columns = (self.kind, self.moment, self.message, self.offset, self.length)
        return [
            Field(kinds[kind], moments[moment], *place)
            for kind, moment, *place in zip(*columns, strict=True)
        ]

    def grid_number(self, section: GridSection) -> int:
        """Return the number of a grid, which is new or known."""
        return self.grids.setdefault(section, len(self.grids))

    def add(self, field: Field) -> None:
        """Add a field behind the others."""
        self.extend(
            [self.kinds.setdefault(field.kind.packed(), len(self.kinds))],
            [self.moments.setdefault(field.moment, len(self.moments))],
            *([field.message], [field.offset], [field.length]),
        )

    def extend(
        self,
        kind: Iterable[int],
        moment: Iterable[int],
        message: Sequence[int],
        offset: Iterable[int],
        length: Iterable[int],
    ) -> None:
        """Add fields behind the others, as columns of one length."""
        self.kind += kind
        self.moment += moment
        self.message += message
        self.offset += offset
        self.length += length

    def leave_out(self, rows: Collection[int]) -> None:
        """Leave out the fields in these places."""
        for column in (self.kind, self.moment, self.message, self.offset, self.length):
            column[:] = [value for row, value in enumerate(column) if row not in rows]

    def cut(self, count: int) -> None:
        """Leave out all fields behind the first `count`."""
        for column in (self.kind, self.moment, self.message, self.offset, self.length):
            del column[count:]
