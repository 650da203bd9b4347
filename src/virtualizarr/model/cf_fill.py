"""The CF attribute `_FillValue` in Zarr v3 documents, in the form that xarray writes and reads.

In a Zarr v3 document xarray expects `_FillValue` encoded by the array's dtype: floats as base64 of
eight little-endian bytes, complex numbers as two of those, byte strings as base64, and numbers and
text as they are. Everywhere else in this package the attribute holds a plain value.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from virtualizarr.model.json import to_json

FILL_ATTRIBUTE = "_FillValue"


def encode_cf_fill(attributes: Mapping[str, Any], dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return the attributes with `_FillValue` in xarray's form for an array of `dtype`.

    A `_FillValue` that no value of an integer `dtype` can equal (NaN, or out of range) masks
    nothing and is left out, for xarray could not read it. One that is no number stays as it is.
    """
    encoded = dict(attributes)
    if FILL_ATTRIBUTE not in encoded:
        return encoded
    value = _scalar(encoded.pop(FILL_ATTRIBUTE))
    if dtype.kind in "iu":
        whole = integer_fill(value, dtype)
        if whole is None:
            return encoded
        value = whole
    elif dtype.kind == "f" and _is_number(value):
        value = _encode_float(float(value))
    elif dtype.kind == "c" and isinstance(value, int | float | complex):
        value = [_encode_float(complex(value).real), _encode_float(complex(value).imag)]
    elif dtype.kind == "S" and isinstance(value, bytes | str):
        raw = value.encode() if isinstance(value, str) else value
        value = base64.b64encode(raw).decode()
    encoded[FILL_ATTRIBUTE] = value
    return encoded


def decode_cf_fill(attributes: Mapping[str, Any], dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return the attributes of a Zarr v3 document with `_FillValue` as a numpy scalar of `dtype`.

    What is not in xarray's form (a plain number, the text "NaN") is taken for what it says; what
    cannot be a value of `dtype` stays as it is.
    """
    decoded = dict(attributes)
    if FILL_ATTRIBUTE not in decoded:
        return decoded
    value = decoded[FILL_ATTRIBUTE]
    try:
        if dtype.kind == "f":
            decoded[FILL_ATTRIBUTE] = dtype.type(_decode_float(value))
        elif dtype.kind == "c" and isinstance(value, list) and len(value) == 2:
            parts = [_decode_float(part) for part in value]
            decoded[FILL_ATTRIBUTE] = dtype.type(complex(*parts))
        elif dtype.kind == "S" and isinstance(value, str):
            decoded[FILL_ATTRIBUTE] = np.bytes_(base64.b64decode(value, validate=True))
        elif dtype.kind in "iu" and (whole := integer_fill(value, dtype)) is not None:
            decoded[FILL_ATTRIBUTE] = dtype.type(whole)
    except (ValueError, TypeError, OverflowError):
        return decoded
    return decoded


def integer_fill(value: Any, dtype: np.dtype[Any]) -> int | None:
    """Return the integer of `dtype` that equals a number; None where there is none."""
    if not _is_number(value) or value != value // 1:
        return None
    whole = int(value)
    bounds = np.iinfo(dtype)
    return whole if bounds.min <= whole <= bounds.max else None


def _scalar(value: Any) -> Any:
    """Return a plain Python value for numpy scalars and arrays of one element."""
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.size == 1):
        return to_json(value.reshape(())) if value.dtype.kind in "mM" else value.item()
    if isinstance(value, list | tuple) and len(value) == 1:
        return _scalar(value[0])
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _encode_float(value: float) -> str:
    return base64.b64encode(struct.pack("<d", value)).decode()


def _decode_float(value: Any) -> float:
    if isinstance(value, str) and len(value) == 12:
        try:
            number: float = struct.unpack("<d", base64.b64decode(value, validate=True))[0]
        except (binascii.Error, struct.error):
            return float(value)
        return number
    return float(value)
