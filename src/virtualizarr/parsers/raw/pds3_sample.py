"""Types of samples in PDS3 labels (PDS3 standards reference, chapter 3 and appendix C)."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np

from virtualizarr.codecs.strided import VAX_D, VAX_F, VAX_G
from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.parsers.raw.numbers import real_or_none

LITTLE = ("LSB", "PC", "VAX")
AMBIGUOUS = frozenset({"UNSIGNED_INTEGER"})
_BASED = re.compile(r"\s*(\d{1,2})#([0-9A-Fa-f]+)#")


class Sample(NamedTuple):
    """The dtype of stored numbers, and the format of those that are not IEEE's."""

    dtype: np.dtype[Any]
    form: str = ""


def sample_of(name: str, bits: int, byte_order: str | None) -> Sample:
    """Return the sample that SAMPLE_TYPE and SAMPLE_BITS say.

    Bytes are unsigned, whatever SAMPLE_TYPE says of their sign: so ISIS and GDAL take them, and
    so archives mean them. The standard takes UNSIGNED_INTEGER for big-endian, GDAL for
    little-endian numbers: without `byte_order` those of several bytes are refused.
    """
    kind = name.strip("\"' ").upper().replace(" ", "_")
    order = "<" if kind.startswith(LITTLE) else ">"
    if bits == 8 and "REAL" not in kind and "COMPLEX" not in kind:
        return Sample(np.dtype("u1"))
    if "REAL" in kind or "FLOAT" in kind or "DOUBLE" in kind:
        return _real(kind, bits, order)
    if "COMPLEX" in kind and bits in (64, 128):
        if kind.startswith("VAX"):
            return Sample(np.dtype(f"<c{bits // 8}"), VAX_F if bits == 64 else VAX_D)
        return Sample(np.dtype(f"{order}c{bits // 8}"))
    if "INTEGER" in kind and bits in (16, 32, 64):
        if kind in AMBIGUOUS:
            if byte_order is None:
                raise UnsupportedFeatureError(
                    f"SAMPLE_TYPE {kind} of {bits} bits, whose byte order readers disagree on; "
                    'PDS3Parser(byte_order="big"), or "little", reads it'
                )
            order = ">" if byte_order == "big" else "<"
        sign = "u" if "UNSIGNED" in kind else "i"
        return Sample(np.dtype(f"{order}{sign}{bits // 8}"))
    raise UnsupportedFeatureError(f"samples of type {name!r} and {bits} bits")


def _real(kind: str, bits: int, order: str) -> Sample:
    if bits not in (32, 64):
        raise UnsupportedFeatureError(f"samples of type {kind} and {bits} bits")
    dtype = np.dtype(f"{order}f{bits // 8}")
    if not kind.startswith("VAX"):
        return Sample(dtype)
    forms = {"VAXG_REAL": VAX_G, "VAXD_REAL": VAX_D}
    form = VAX_F if bits == 32 else forms.get(kind, VAX_D)
    return Sample(dtype.newbyteorder("<"), form)


def constant_of(text: str, dtype: np.dtype[Any]) -> float | int | None:
    """Return a special constant; those of a base, as 16#FF7FFFFB#, are the bits of a number."""
    based = _BASED.match(text)
    if based is None:
        return real_or_none(text)
    try:
        bits = int(based[2], int(based[1]))
    except ValueError:
        return None
    size = dtype.itemsize
    if bits >> (8 * size):
        return None
    raw = np.array([bits], np.uint64).view(np.uint8)[:size]
    value: float | int = raw.view(dtype.newbyteorder("<"))[0].item()
    return value if dtype.kind in "iuf" and value == value else None
