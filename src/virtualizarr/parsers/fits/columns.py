"""The columns that a table's header declares (FITS standard 4.0, sections 6.1, 7.2 and 7.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from virtualizarr.codecs.field import BITS, COPY, FLIP, INTEGER, LOGICAL, REAL, TEXT
from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.parsers.fits.layout import HDU
from virtualizarr.parsers.fits.names import safe_name, unique_names
from virtualizarr.parsers.fits.rows import Column
from virtualizarr.parsers.fits.scaling import scaling_of, unit_attributes

NUMBERS: Mapping[str, np.dtype[Any]] = {
    "B": np.dtype("u1"),
    "I": np.dtype(">i2"),
    "J": np.dtype(">i4"),
    "K": np.dtype(">i8"),
    "E": np.dtype(">f4"),
    "D": np.dtype(">f8"),
    "C": np.dtype(">c8"),
    "M": np.dtype(">c16"),
}
"""TFORM letters of numbers to the dtype of their bytes."""

DESCRIPTORS = {"P": np.dtype(">i4"), "Q": np.dtype(">i8")}
MAX_FIELDS = 999
MAX_REPEAT = 1 << 40
COLUMN_KEYWORD = re.compile(
    r"(TTYPE|TFORM|TUNIT|TSCAL|TZERO|TNULL|TDISP|TDIM|TBCOL|TDMIN|TDMAX|TLMIN|TLMAX|TCTYP|TCUNI"
    r"|TCRPX|TCRVL|TCDLT|TCOMM|TUCD|TUTYP)(\d{1,3})"
)
NAMED_OTHERWISE = ("TTYPE",)

_BINARY = re.compile(r"(?P<repeat>\d*)(?P<letter>[LXBIJKAEDCMPQ])(?P<rest>.*)$", re.DOTALL)
_HEAP = re.compile(r"(?P<letter>[LXBIJKAEDCM])")
_ASCII = re.compile(r"(?P<letter>[AIJFED])(?P<width>\d+)?(?:\.(?P<digits>\d+))?\s*$")
_TDIM = re.compile(r"\(\s*(\d+(?:\s*,\s*\d+)*)\s*\)")
_ASCII_WIDTHS = {"A": 1, "I": 10, "J": 15, "F": 16, "E": 15, "D": 25}


@dataclass(frozen=True, slots=True)
class HeapColumn:
    """A column of descriptors: arrays of varying length in the heap (section 7.3.5).

    `offset` in the row; `descriptor` is the dtype of its two numbers; `letter` of the elements.
    """

    name: str
    offset: int
    descriptor: np.dtype[Any]
    letter: str
    scale: float
    zero: float
    null: Any
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Declared:
    """What the header says of column `number` (from 1)."""

    hdu: HDU
    number: int
    name: str
    keywords: Mapping[str, Any]

    def corrupt(self, reason: str) -> Exception:
        return self.hdu.corrupt(f"column {self.number} ({self.name}): {reason}")

    @property
    def form(self) -> str:
        """TFORM without blanks around it."""
        form = self.keywords.get("TFORM")
        if not isinstance(form, str):
            raise self.corrupt(f"TFORM is {form!r}")
        return form.strip().upper()

    def number_of(self, keyword: str, default: float) -> float:
        """Return TSCAL or TZERO."""
        return self.hdu.real(f"{keyword}{self.number}", default)

    @property
    def attributes(self) -> dict[str, Any]:
        """The column's keywords without their number, and `units`."""
        shown = {key: value for key, value in self.keywords.items() if key not in NAMED_OTHERWISE}
        unit = self.keywords.get("TUNIT")
        return {**shown, **(unit_attributes(unit) if isinstance(unit, str) else {})}


def declared_columns(hdu: HDU) -> list[Declared]:
    """Return every column's keywords; columns without TTYPE are called column_1 and so on."""
    count = hdu.integer("TFIELDS", 0)
    if not 0 <= count <= MAX_FIELDS:
        raise hdu.corrupt(f"TFIELDS is {count}")
    keywords: list[dict[str, Any]] = [{} for _ in range(count)]
    for keyword, value in hdu.cards.items():
        found = COLUMN_KEYWORD.fullmatch(keyword)
        if found is not None and 1 <= int(found[2]) <= count:
            keywords[int(found[2]) - 1][found[1]] = value
    names = []
    for i, own in enumerate(keywords, 1):
        name = safe_name(own["TTYPE"]) if isinstance(own.get("TTYPE"), str) else ""
        names.append(name if name else f"column_{i}")
    numbers = [str(i) for i in range(1, count + 1)]
    return [
        Declared(hdu, i, name, own)
        for i, (name, own) in enumerate(
            zip(unique_names(names, numbers), keywords, strict=True), 1
        )
    ]


def binary_columns(hdu: HDU, declared: Sequence[Declared]) -> list[Column | HeapColumn]:
    """Return the columns of a binary table; CorruptFileError where they leave the row."""
    columns: list[Column | HeapColumn] = []
    at = 0
    for each in declared:
        column, width = _binary_column(each, at)
        columns.append(column)
        at += width
        if at > hdu.axes[0]:
            raise each.corrupt(f"the columns need {at} bytes of a row that has {hdu.axes[0]}")
    return columns


def _binary_column(declared: Declared, at: int) -> tuple[Column | HeapColumn, int]:
    found = _BINARY.match(declared.form)
    if found is None:
        raise declared.corrupt(f"TFORM is {declared.form!r}")
    letter, rest = found["letter"], found["rest"]
    repeat = int(found["repeat"]) if found["repeat"] else 1
    if letter == "A" and not found["repeat"] and rest.strip().isdigit():
        repeat = int(rest)  # as an ASCII table would write it, a common mistake
    if repeat > MAX_REPEAT:
        raise declared.corrupt(f"TFORM is {declared.form!r}")
    attributes = declared.attributes
    if letter in DESCRIPTORS:
        return _heap_column(declared, at, letter, repeat, rest)
    if letter == "A":
        return _text_column(declared, at, repeat)
    if letter == "X":
        width = -(-repeat // 8)
        kind = (BITS, max(repeat, 1), np.dtype(bool), (repeat,))
        return Column(declared.name, at, width, *kind, attributes), width
    inner = _inner(declared, repeat)
    if letter == "L":
        kind = (LOGICAL, 1, np.dtype(bool), inner)
        return Column(declared.name, at, prod(inner), *kind, attributes), repeat
    stored = NUMBERS[letter]
    scaling = scaling_of(
        stored, declared.number_of("TSCAL", 1), declared.number_of("TZERO", 0),
        declared.keywords.get("TNULL"),
    )
    kind = (FLIP, stored.itemsize) if scaling.flip else (COPY, 1)
    width = prod(inner) * stored.itemsize
    shown = {**attributes, **scaling.attributes}
    column = Column(declared.name, at, width, *kind, scaling.dtype, inner, shown)
    return column, repeat * stored.itemsize


def _text_column(declared: Declared, at: int, repeat: int) -> tuple[Column, int]:
    """Return a column of texts; TDIM says how long each is, and how many there are."""
    size, inner = max(repeat, 1), ()
    width = repeat
    dims = _tdim(declared)
    if dims and 0 < prod(dims) <= repeat:
        size, inner, width = dims[-1], dims[:-1], prod(dims)
    kind = (TEXT, size, np.dtype(f"S{size}"), inner)
    return Column(declared.name, at, width, *kind, declared.attributes), repeat


def _heap_column(
    declared: Declared, at: int, letter: str, repeat: int, rest: str
) -> tuple[Column | HeapColumn, int]:
    found = _HEAP.match(rest)
    if found is None or repeat > 1:
        raise declared.corrupt(f"TFORM is {declared.form!r}")
    descriptor = DESCRIPTORS[letter]
    if repeat == 0:
        column = Column(declared.name, at, 0, COPY, 1, descriptor, (0,), declared.attributes)
        return column, 0
    heap = HeapColumn(
        declared.name, at, descriptor, found["letter"],
        declared.number_of("TSCAL", 1), declared.number_of("TZERO", 0),
        declared.keywords.get("TNULL"), declared.attributes,
    )
    return heap, 2 * descriptor.itemsize


def _tdim(declared: Declared) -> tuple[int, ...]:
    """Return TDIM, slowest first; () where there is none."""
    text = declared.keywords.get("TDIM")
    found = _TDIM.search(text) if isinstance(text, str) else None
    return () if found is None else tuple(int(n) for n in found[1].split(","))[::-1]


def _inner(declared: Declared, repeat: int) -> tuple[int, ...]:
    """Return the shape of the field of one row; a TDIM that does not fit is left aside."""
    dims = _tdim(declared)
    if dims and prod(dims) <= repeat:
        return dims
    return () if repeat == 1 else (repeat,)


def ascii_columns(hdu: HDU, declared: Sequence[Declared]) -> list[Column]:
    """Return the columns of an ASCII table, whose numbers are texts."""
    return [_ascii_column(hdu, each) for each in declared]


def _ascii_column(hdu: HDU, declared: Declared) -> Column:
    found = _ASCII.match(declared.form)
    if found is None:
        raise declared.corrupt(f"TFORM is {declared.form!r}")
    letter = found["letter"]
    width = int(found["width"]) if found["width"] else _ASCII_WIDTHS[letter]
    at = hdu.integer(f"TBCOL{declared.number}") - 1
    if width < 1 or at < 0 or at + width > hdu.axes[0]:
        raise declared.corrupt(f"{width} bytes at {at} of a row that has {hdu.axes[0]}")
    attributes = declared.attributes
    if letter == "A":
        return Column(declared.name, at, width, TEXT, width, np.dtype(f"S{width}"), (), attributes)
    size = 8 if letter == "J" or (letter == "I" and width > 9) or letter not in "IJ" else 4
    if letter == "I" and width <= 4:
        size = 2
    dtype = np.dtype(f">i{size}" if letter in "IJ" else ">f8")
    scale, zero = declared.number_of("TSCAL", 1), declared.number_of("TZERO", 0)
    scaled = {"scale_factor": float(scale)} if scale != 1 else {}
    offset = {"add_offset": float(zero)} if zero != 0 else {}
    null = declared.keywords.get("TNULL")
    kind = (INTEGER if letter in "IJ" else REAL, size, dtype, ())
    return Column(
        declared.name, at, width, *kind, {**attributes, **scaled, **offset},
        None if null is None else str(null),
    )


def group_columns(hdu: HDU) -> list[Column]:
    """Return the parameters and the data of random groups (section 6) as columns."""
    stored = hdu.dtype
    names, numbers = [], [str(i) for i in range(1, hdu.pcount + 2)]
    if hdu.pcount > MAX_FIELDS:
        raise UnsupportedFeatureError(
            f"{hdu.pcount} random parameters, more than {MAX_FIELDS}", at=hdu.header_at
        )
    for i in range(1, hdu.pcount + 1):
        name = safe_name(hdu.text(f"PTYPE{i}"))
        names.append(name if name else f"parameter_{i}")
    columns = []
    for i, name in enumerate(unique_names([*names, "DATA"], numbers)[:-1], 1):
        scaling = scaling_of(stored, hdu.real(f"PSCAL{i}", 1), hdu.real(f"PZERO{i}", 0), None)
        kind = (FLIP, stored.itemsize) if scaling.flip else (COPY, 1)
        columns.append(
            Column(
                name, (i - 1) * stored.itemsize, stored.itemsize, *kind, scaling.dtype, (),
                scaling.attributes,
            )
        )
    scaling = scaling_of(
        stored, hdu.real("BSCALE", 1), hdu.real("BZERO", 0), hdu.cards.get("BLANK")
    )
    kind = (FLIP, stored.itemsize) if scaling.flip else (COPY, 1)
    inner = hdu.axes[1:][::-1]
    width = prod(inner) * stored.itemsize
    name = unique_names([*names, "DATA"], numbers)[-1]
    data = Column(
        name, hdu.pcount * stored.itemsize, width, *kind, scaling.dtype, inner,
        {**scaling.attributes, **unit_attributes(hdu.text("BUNIT"))},
    )
    return [*columns, data]
