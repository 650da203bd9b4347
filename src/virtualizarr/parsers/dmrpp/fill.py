"""Fill values: the text of `fillValue`, which is not always what the file holds.

Hyrax writes floating point fill values with six significant digits, and those of big-endian
variables with their bytes reversed. Where the attribute `_FillValue` shows what was meant, it
counts. This is the value of elements that were never written; `_FillValue` is another thing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.dmrpp.attributes import as_numbers
from virtualizarr.parsers.dmrpp.elements import number_of
from virtualizarr.parsers.dmrpp.layout import Variable

UNSUPPORTED = "unsupported-"
UNKNOWN_TEXT = "unsupported-string"
"""What older versions of Hyrax write for every string."""

DIGITS = 6


def check_supported(variable: Variable) -> None:
    """Raise UnsupportedFeatureError for a variable that the document says cannot be read."""
    text = variable.storage.fill_value
    if text is None or not text.startswith(UNSUPPORTED):
        return
    readable = not variable.dims or variable.storage.fixed_strings is not None
    if text != UNKNOWN_TEXT or not readable:
        raise UnsupportedFeatureError(f"the document marks it as {text[:60]!r}")


def text_fill(variable: Variable) -> bytes:
    """Return the fill value of strings; empty where the document gives none."""
    text = variable.storage.fill_value
    return b"" if text is None or text == UNKNOWN_TEXT else text.encode()


def number_fill(variable: Variable, *, certain: bool) -> Any:
    """Return the fill value of numbers as a scalar, None for zero.

    With `certain` (some values are missing, so that it matters) UnsupportedFeatureError is raised
    where the document leaves open which of two numbers is meant.
    """
    text, dtype = variable.storage.fill_value, number_of(variable)
    assert dtype is not None
    if text is None or not text.strip() or dtype.kind == "S":
        return None
    literal = _number(text, dtype)
    attribute = variable.attributes.get("_FillValue")
    meant = _scalar(attribute, dtype)
    if meant is not None and _same(meant, literal, dtype):
        return meant
    if variable.storage.byte_order == "LE" or dtype.itemsize == 1:
        return literal
    reversed_literal = literal.byteswap()
    if literal.tobytes() == reversed_literal.tobytes():
        return literal
    if meant is not None and _same(meant.byteswap(), literal, dtype):
        return meant
    if certain:
        raise UnsupportedFeatureError(
            f"some of its values are not stored, and its big-endian fill value {text!r} may be that"
            " or the number with its bytes reversed"
        )
    return literal


def struct_fill(variable: Variable, members: Sequence[Variable]) -> list[npt.NDArray[Any]]:
    """Return the fill values of a Structure's members, each an array of the member's shape."""
    text = variable.storage.fill_value
    texts = text.split() if text is not None else []
    counts = [int(np.prod(member.shape, dtype=np.int64)) for member in members]
    if not texts or (len(texts) == 1 and texts[0] == "0"):
        texts = ["0"] * sum(counts)
    if len(texts) != sum(counts):
        raise CorruptFileError(f"fillValue has {len(texts)} numbers, an element {sum(counts)}")
    found: list[npt.NDArray[Any]] = []
    at = 0
    for member, count in zip(members, counts, strict=True):
        dtype = number_of(member)
        assert dtype is not None
        values = [_number(each, dtype) for each in texts[at : at + count]]
        found.append(np.array(values, dtype).reshape(member.shape))
        at += count
    return found


def _number(text: str, dtype: np.dtype[Any]) -> Any:
    stored = np.dtype(np.uint8) if dtype.kind == "b" else dtype
    found = as_numbers([text.strip()], stored)
    if found is None:
        raise CorruptFileError(f"fillValue {text[:40]!r} is no {dtype}")
    return found.astype(dtype)[0]


def _scalar(value: Any, dtype: np.dtype[Any]) -> Any:
    """Return a number as `dtype`, None if it is no single number that fits."""
    if not isinstance(value, np.generic) or value.dtype.kind not in "iuf":
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        cast = value.astype(dtype)
    return cast if cast == value or value != value else None


def _same(value: Any, literal: Any, dtype: np.dtype[Any]) -> bool:
    """Say whether a number is the literal one, as far as its digits tell."""
    if value.tobytes() == literal.tobytes():
        return True
    if dtype.kind != "f":
        return False
    written = f"{float(value):.{DIGITS}g}"
    return written == f"{float(literal):.{DIGITS}g}"
