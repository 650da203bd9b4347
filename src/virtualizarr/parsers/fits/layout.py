"""Headers and data units (HDUs) as the file states them, in the standard's own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.fits.cards import BLOCK, Cards

MAX_SIZE = 2**63 - 1
MAX_AXES = 999

BITPIX: Mapping[int, np.dtype[Any]] = {
    8: np.dtype("u1"),
    16: np.dtype(">i2"),
    32: np.dtype(">i4"),
    64: np.dtype(">i8"),
    -32: np.dtype(">f4"),
    -64: np.dtype(">f8"),
}
"""BITPIX to the numpy dtype of the stored bytes."""

PRIMARY = "PRIMARY"
ASCII_TABLE = "TABLE"
BINARY_TABLES = ("BINTABLE", "A3DTABLE", "3DTABLE")


@dataclass(frozen=True, slots=True)
class HDU:
    """A header and where its data lie: `data_at` is their offset, `data_size` without padding.

    `kind` is PRIMARY or the XTENSION; `axes` are NAXIS1, NAXIS2, ...: fastest first.
    """

    index: int
    kind: str
    cards: Cards
    header_at: int
    data_at: int
    bitpix: int
    axes: tuple[int, ...]
    pcount: int
    gcount: int
    random_groups: bool

    @property
    def data_size(self) -> int:
        if not self.axes:
            return 0
        axes = self.axes[1:] if self.random_groups else self.axes
        return abs(self.bitpix) // 8 * self.gcount * (self.pcount + prod(axes))

    @property
    def next_at(self) -> int:
        """Offset of the next header."""
        return self.data_at + -(-self.data_size // BLOCK) * BLOCK

    @property
    def shape(self) -> tuple[int, ...]:
        """The axes, slowest first, as numpy orders them."""
        return self.axes[::-1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the stored bytes, big-endian."""
        return BITPIX[self.bitpix]

    def integer(self, keyword: str, default: int | None = None) -> int:
        """Return an integer keyword; CorruptFileError where it is missing or something else."""
        return integer_of(self.cards, keyword, self.header_at, default)

    def text(self, keyword: str, default: str = "") -> str:
        """Return a text keyword without blanks around it; `default` where it is no text."""
        value = self.cards.get(keyword)
        return value.strip() if isinstance(value, str) else default

    def real(self, keyword: str, default: float) -> float:
        """Return a number; CorruptFileError where the keyword is something else."""
        value = self.cards.get(keyword)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.corrupt(f"{keyword} is {value!r}, not a number")
        return value

    def corrupt(self, reason: str) -> CorruptFileError:
        """Return the error that says what is wrong with this HDU."""
        return CorruptFileError(f"HDU {self.index}: {reason}", at=self.header_at)


def hdu_of(cards: Cards, index: int, header_at: int, data_at: int) -> HDU:
    """Check the mandatory keywords (section 4.4.1) and return the HDU they describe."""
    bitpix = integer_of(cards, "BITPIX", header_at)
    if bitpix not in BITPIX:
        raise CorruptFileError(f"HDU {index}: BITPIX is {bitpix}", at=header_at)
    naxis = integer_of(cards, "NAXIS", header_at)
    if not 0 <= naxis <= MAX_AXES:
        raise CorruptFileError(f"HDU {index}: NAXIS is {naxis}", at=header_at)
    axes = tuple(integer_of(cards, f"NAXIS{i}", header_at) for i in range(1, naxis + 1))
    random_groups = cards.get("GROUPS") is True and axes[:1] == (0,) and index == 0
    extended = index > 0 or random_groups
    pcount = integer_of(cards, "PCOUNT", header_at, 0) if extended else 0
    gcount = integer_of(cards, "GCOUNT", header_at, 1) if extended else 1
    if min(*axes, pcount, gcount, 0) < 0:
        raise CorruptFileError(f"HDU {index}: a size is negative", at=header_at)
    extension = cards.get("XTENSION")
    kind = extension.strip() if isinstance(extension, str) and index > 0 else PRIMARY
    hdu = HDU(index, kind, cards, header_at, data_at, bitpix, axes, pcount, gcount, random_groups)
    if hdu.next_at > MAX_SIZE:
        raise CorruptFileError(f"HDU {index}: its data are larger than any file", at=header_at)
    return hdu


def integer_of(cards: Cards, keyword: str, at: int, default: int | None = None) -> int:
    """Return an integer keyword of a header at offset `at`, also where it is written 2.0."""
    value = cards.get(keyword, default)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise CorruptFileError(f"{keyword} is {value!r}, not an integer", at=at)
    return value
