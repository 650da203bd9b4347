"""Numbers in text headers, checked."""

from __future__ import annotations

import math
import re
from typing import Any, cast

import numpy as np

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.strided import MAX_LENGTH

_INTEGER = re.compile(r"\s*([+-]?\d{1,20})(?:\.0*)?(?![\d.eE])")
_REAL = re.compile(
    r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d{1,4})?|[+-]?(?:nan|inf(?:inity)?))", re.I
)


def integer(text: str, what: str, *, low: int = 0, high: int = MAX_LENGTH) -> int:
    """Return the integer that a text begins with; CorruptFileError if it is not in the bounds."""
    found = _INTEGER.match(text)
    value = int(found[1]) if found is not None else None
    if value is None or not low <= value <= high:
        raise CorruptFileError(f"{what} is {text.strip()[:60]!r}")
    return value


def real_or_none(text: str | None) -> float | None:
    """Return the number that a text begins with, None where it begins with none."""
    found = _REAL.match(text) if text is not None else None
    return float(found[1].upper().replace("D", "E")) if found is not None else None


def reals(texts: list[str]) -> list[float] | None:
    """Return all texts as numbers; None if one of them is none."""
    values = [real_or_none(text) for text in texts]
    return None if None in values else [value for value in values if value is not None]


def nodata_of(value: float | None, dtype: np.dtype[Any]) -> np.generic | None:
    """Return the value as a scalar of the dtype; None where the dtype has no such value."""
    if value is None or dtype.kind not in "iuf":
        return None
    if dtype.kind in "iu":
        bounds = np.iinfo(dtype)
        whole = math.isfinite(value) and value == int(value)
        if not whole or not bounds.min <= int(value) <= bounds.max:
            return None
        return cast("np.generic", dtype.newbyteorder("=").type(int(value)))
    with np.errstate(over="ignore"):
        scalar = cast("np.generic", dtype.newbyteorder("=").type(value))
    return scalar if math.isfinite(value) == math.isfinite(float(scalar)) else None
