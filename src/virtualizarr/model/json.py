"""JSON values, and attributes as numpy gives them turned into JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

type Json = bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None


def to_json(value: Any) -> Json:
    """Return an attribute's value as plain JSON data.

    numpy scalars and arrays become numbers, strings and nested lists, times and spans the integers
    that they are stored as; bytes become text (UTF-8, else Latin-1); complex numbers become
    `[real, imag]`; NaN and infinities become the strings "NaN", "Infinity" and "-Infinity", as Zarr
    writes them.

    Raises TypeError for anything else.
    """
    if isinstance(value, np.ndarray | np.generic):
        return to_json((value.astype(np.int64) if value.dtype.kind in "mM" else value).tolist())
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else _non_finite(value)
    if isinstance(value, bytes):
        return _text(value)
    if isinstance(value, complex):
        return [to_json(value.real), to_json(value.imag)]
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no JSON form: {value!r}")


def _non_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
