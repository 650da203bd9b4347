"""What a table's header says of each column, keyword by keyword."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.fits.layout import HDU
from virtualizarr.parsers.fits.names import safe_name, unique_names
from virtualizarr.parsers.fits.rows import Column
from virtualizarr.parsers.fits.scaling import Scaling, scaling_of, unit_attributes

MAX_FIELDS = 999
MAX_TEXT = 2**31 - 1
COLUMN_KEYWORD = re.compile(
    r"(TTYPE|TFORM|TUNIT|TSCAL|TZERO|TNULL|TDISP|TDIM|TBCOL|TDMIN|TDMAX|TLMIN|TLMAX|TCTYP|TCUNI"
    r"|TCRPX|TCRVL|TCDLT|TCOMM|TUCD|TUTYP)(\d{1,3})"
)
NAMED_OTHERWISE = ("TTYPE",)

_TDIM = re.compile(r"\(\s*(\d{1,18}(?:\s*,\s*\d{1,18})*)\s*\)")


@dataclass(frozen=True, slots=True)
class Declared:
    """What the header says of column `number` (from 1)."""

    hdu: HDU
    number: int
    name: str
    keywords: Mapping[str, Any]

    def corrupt(self, reason: str) -> CorruptFileError:
        """Return the error that says what is wrong with this column."""
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
    def tdim(self) -> tuple[int, ...]:
        """TDIM, slowest first; () where there is none."""
        text = self.keywords.get("TDIM")
        found = _TDIM.search(text) if isinstance(text, str) else None
        return () if found is None else tuple(int(n) for n in found[1].split(","))[::-1]

    def scaling(self, stored: np.dtype[Any]) -> Scaling:
        """Return what TSCAL, TZERO and TNULL make of stored numbers."""
        scale, zero = self.number_of("TSCAL", 1), self.number_of("TZERO", 0)
        return scaling_of(stored, scale, zero, self.keywords.get("TNULL"))

    def column(
        self,
        offset: int,
        width: int,
        kind: str,
        size: int,
        dtype: np.dtype[Any],
        inner: tuple[int, ...] = (),
        attributes: Mapping[str, Any] | None = None,
        null: str | None = None,
    ) -> Column:
        """Return the column, with its keywords and `attributes` besides."""
        shown = {**self.attributes, **(attributes if attributes is not None else {})}
        return Column(self.name, offset, width, kind, size, dtype, inner, shown, null)

    def texts(self, size: int) -> np.dtype[Any]:
        """Return the dtype of texts of `size` bytes; CorruptFileError where that is too much."""
        if size > MAX_TEXT:
            raise self.corrupt(f"texts of {size} bytes")
        return np.dtype(f"S{size}")

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
        for i, (name, own) in enumerate(zip(unique_names(names, numbers), keywords, strict=True), 1)
    ]
