"""Stored numbers and the numbers they stand for (FITS standard 4.0, sections 4.4.2 and 7.3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

UNSIGNED: Mapping[str, tuple[str, int]] = {
    "u1": ("i1", -(2**7)),
    "i2": (">u2", 2**15),
    "i4": (">u4", 2**31),
    "i8": (">u8", 2**63),
}
"""Stored type to the type that it stands for where it is offset by the number (table 11)."""

TIME_UNITS = frozenset(
    f"{unit}{plural}"
    for unit in ("day", "hour", "minute", "second", "millisecond", "microsecond", "nanosecond")
    for plural in ("", "s")
)


@dataclass(frozen=True, slots=True)
class Scaling:
    """The dtype of the decoded elements; whether their first bit is turned over; CF attributes."""

    dtype: np.dtype[Any]
    flip: bool
    attributes: Mapping[str, Any]


def scaling_of(dtype: np.dtype[Any], scale: float, zero: float, blank: Any) -> Scaling:
    """Return how stored numbers of `dtype` become values.

    Integers offset by half their range are unsigned integers (or signed bytes), and exactly that.
    Other scales and offsets become `scale_factor` and `add_offset`. `blank`, if it is an integer
    that an integer dtype can hold, becomes `_FillValue`, in the numbers that are decoded.
    """
    attributes: dict[str, Any] = {}
    other, offset = UNSIGNED.get(dtype.str[1:], ("", 0))
    flip = other != "" and scale == 1 and zero == offset
    decoded = np.dtype(other) if flip else dtype
    if not flip and scale != 1:
        attributes["scale_factor"] = float(scale)
    if not flip and zero != 0:
        attributes["add_offset"] = float(zero)
    if dtype.kind in "iu" and isinstance(blank, int) and not isinstance(blank, bool):
        bounds = np.iinfo(dtype)
        if bounds.min <= blank <= bounds.max:
            attributes["_FillValue"] = blank + offset if flip else blank
    return Scaling(decoded, flip, attributes)


def unit_attributes(unit: str) -> dict[str, str]:
    """Return `units` for a BUNIT or TUNIT, unless CF would take the numbers for times."""
    word = unit.strip()
    if not word or word.lower() in TIME_UNITS or " since " in word.lower():
        return {}
    return {"units": word}
