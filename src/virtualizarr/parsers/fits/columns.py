"""Columns of tables as fields of their rows (FITS standard 4.0, sections 6.1, 7.2 and 7.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from virtualizarr.codecs.field import (
    BITS,
    COMPLEX,
    COPY,
    FLIP,
    INTEGER,
    LOGICAL,
    MAX_DECIMALS,
    REAL,
    TEXT,
)
from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.parsers.fits.declared import MAX_FIELDS, Declared
from virtualizarr.parsers.fits.layout import HDU
from virtualizarr.parsers.fits.names import safe_name, unique_names
from virtualizarr.parsers.fits.rows import Column
from virtualizarr.parsers.fits.scaling import Scaling, scaling_of, unit_attributes

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

DESCRIPTORS: Mapping[str, np.dtype[Any]] = {"P": np.dtype(">i4"), "Q": np.dtype(">i8")}
BOOL = np.dtype(bool)
MAX_REPEAT = 1 << 40

_BINARY = re.compile(r"(?P<repeat>\d{0,18})(?P<letter>[LXBIJKAEDCMPQ])(?P<rest>.*)$", re.DOTALL)
_HEAP = re.compile(r"(?P<letter>[LXBIJKAEDCM])")
_ASCII = re.compile(r"(?P<letter>[AIJFED])(?P<width>\d{1,18})?(?:\.(?P<decimals>\d{1,3}))?\s*$")
_ASCII_WIDTHS = {"A": 1, "I": 10, "J": 15, "F": 16, "E": 15, "D": 25}


@dataclass(frozen=True, slots=True)
class HeapColumn:
    """A column of descriptors: arrays of varying length in the heap (section 7.3.5).

    `offset` in the row; `descriptor` is the dtype of its two numbers; `letter` that of the
    elements, `scaling` what becomes of them.
    """

    name: str
    offset: int
    descriptor: np.dtype[Any]
    letter: str
    scaling: Scaling
    attributes: Mapping[str, Any]


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
    """Return a column that begins at byte `at` of a row, and how many bytes it takes there."""
    found = _BINARY.match(declared.form)
    if found is None:
        raise declared.corrupt(f"TFORM is {declared.form!r}")
    letter, rest = found["letter"], found["rest"].strip()
    repeat = int(found["repeat"]) if found["repeat"] else 1
    if letter == "A" and not found["repeat"] and rest.isdecimal():
        repeat = int(rest)  # as an ASCII table would write it, a common mistake
    if repeat > MAX_REPEAT:
        raise declared.corrupt(f"TFORM is {declared.form!r}")
    if letter in DESCRIPTORS:
        return _heap_column(declared, at, DESCRIPTORS[letter], repeat, rest)
    if letter == "A":
        return _text_column(declared, at, repeat), repeat
    if letter == "X":
        width = -(-repeat // 8)
        return declared.column(at, width, BITS, max(repeat, 1), BOOL, (repeat,)), width
    inner = _inner(declared, repeat)
    if letter == "L":
        return declared.column(at, prod(inner), LOGICAL, 1, BOOL, inner), repeat
    stored = NUMBERS[letter]
    column = _number_column(declared, at, declared.scaling(stored), inner)
    return column, repeat * stored.itemsize


def _number_column(declared: Declared, at: int, scaling: Scaling, inner: tuple[int, ...]) -> Column:
    itemsize = scaling.dtype.itemsize
    kind, size = (FLIP, itemsize) if scaling.flip else (COPY, 1)
    width = prod(inner) * itemsize
    if scaling.dtype.kind == "c" and scaling.attributes:
        column = declared.column(at, width, COMPLEX, itemsize, scaling.dtype, inner)
        scale, zero = declared.number_of("TSCAL", 1), declared.number_of("TZERO", 0)
        return replace(column, scale=float(scale), zero=float(zero))
    return declared.column(at, width, kind, size, scaling.dtype, inner, scaling.attributes)


def _text_column(declared: Declared, at: int, repeat: int) -> Column:
    """Return a column of texts; TDIM says how long each is, and how many there are."""
    dims = declared.tdim
    if not dims or not 0 < prod(dims) <= repeat:
        dims = (repeat,)
    size = max(dims[-1], 1)
    return declared.column(at, prod(dims), TEXT, size, declared.texts(size), dims[:-1])


def _heap_column(
    declared: Declared, at: int, descriptor: np.dtype[Any], repeat: int, rest: str
) -> tuple[Column | HeapColumn, int]:
    found = _HEAP.match(rest)
    if found is None or repeat > 1:
        raise declared.corrupt(f"TFORM is {declared.form!r}")
    if repeat == 0:
        return declared.column(at, 0, COPY, 1, descriptor, (0,)), 0
    letter = found["letter"]
    scaling = declared.scaling(NUMBERS[letter]) if letter in NUMBERS else Scaling(BOOL, False, {})
    attributes = {**declared.attributes, **scaling.attributes}
    heap = HeapColumn(declared.name, at, descriptor, letter, scaling, attributes)
    return heap, 2 * descriptor.itemsize


def _inner(declared: Declared, repeat: int) -> tuple[int, ...]:
    """Return the shape of the field of one row; a TDIM that does not fit is left aside."""
    dims = declared.tdim
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
    if letter == "A":
        return declared.column(at, width, TEXT, width, declared.texts(width))
    scale, zero = declared.number_of("TSCAL", 1), declared.number_of("TZERO", 0)
    scaled = scaling_of(np.dtype(">f8"), scale, zero, None).attributes
    null = declared.keywords.get("TNULL")
    kind, size = (INTEGER, _integer_size(letter, width)) if letter in "IJ" else (REAL, 8)
    dtype = np.dtype(f">{'i' if kind == INTEGER else 'f'}{size}")
    texts = None if null is None else str(null)
    column = declared.column(at, width, kind, size, dtype, (), scaled, texts)
    if kind == INTEGER:
        return column
    decimals = int(found["decimals"] or 0)
    if decimals > MAX_DECIMALS:
        raise declared.corrupt(f"TFORM is {declared.form!r}")
    return replace(column, decimals=decimals)


def _integer_size(letter: str, width: int) -> int:
    """Return the bytes that integers of `width` digits need, as CFITSIO and astropy say."""
    if letter == "J" or width > 9:
        return 8
    return 2 if width <= 4 else 4


def group_columns(hdu: HDU) -> list[Column]:
    """Return the parameters and the data of random groups (section 6) as columns."""
    if hdu.pcount > MAX_FIELDS:
        raise UnsupportedFeatureError(f"{hdu.pcount} random parameters, more than {MAX_FIELDS}")
    numbers = range(1, hdu.pcount + 1)
    own = [safe_name(hdu.text(f"PTYPE{i}")) for i in numbers]
    names = [name if name else f"parameter_{i}" for i, name in zip(numbers, own, strict=True)]
    names = unique_names([*names, "DATA"], [str(i) for i in range(1, hdu.pcount + 2)])
    columns = []
    for i, name in zip(numbers, names, strict=False):
        scaling = scaling_of(hdu.dtype, hdu.real(f"PSCAL{i}", 1), hdu.real(f"PZERO{i}", 0), None)
        columns.append(_group_column(hdu, name, i - 1, scaling, ()))
    scaling = scaling_of(
        hdu.dtype, hdu.real("BSCALE", 1), hdu.real("BZERO", 0), hdu.cards.get("BLANK")
    )
    return [*columns, _group_column(hdu, names[-1], hdu.pcount, scaling, hdu.axes[1:][::-1])]


def _group_column(
    hdu: HDU, name: str, number: int, scaling: Scaling, inner: tuple[int, ...]
) -> Column:
    itemsize = hdu.dtype.itemsize
    kind, size = (FLIP, itemsize) if scaling.flip else (COPY, 1)
    units = unit_attributes(hdu.text("BUNIT")) if inner else {}
    return Column(
        name,
        number * itemsize,
        prod(inner) * itemsize,
        kind,
        size,
        scaling.dtype,
        inner,
        {**scaling.attributes, **units},
    )
