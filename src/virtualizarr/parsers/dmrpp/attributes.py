"""Attributes: DAP4's types become numpy's, containers become mappings.

1. One number is a numpy scalar, several are an array, in the declared type.
2. One text is `str`, several are a list of `str`.
3. A container is a mapping; other XML is its markup as text.
4. Of two of one name, the second has a number behind its name.
5. What is not of its declared type is shown as the text that the document holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from virtualizarr.parsers.dmrpp.xml import OTHER_XML, Element

NUMBERS: dict[str, np.dtype[Any]] = {
    "byte": np.dtype("u1"),
    "int8": np.dtype("i1"),
    "uint8": np.dtype("u1"),
    "int16": np.dtype("i2"),
    "uint16": np.dtype("u2"),
    "int32": np.dtype("i4"),
    "uint32": np.dtype("u4"),
    "int64": np.dtype("i8"),
    "uint64": np.dtype("u8"),
    "float32": np.dtype("f4"),
    "float64": np.dtype("f8"),
}

BOOKKEEPING = frozenset(
    {
        *("build_dmrpp_metadata", "DAP4_Checksum_CRC32", "_NCProperties", "_nc3_strict"),
        *("_Netcdf4Dimid", "_Netcdf4Coordinates", "DIMENSION_LIST", "REFERENCE_LIST"),
    }
)
"""Attributes that tell of how the document, or netCDF-4's file, was made: they are not shown."""


def decode_attributes(parent: Element) -> dict[str, Any]:
    """Return the attributes of an element by name; CorruptFileError for one without a name."""
    found: dict[str, Any] = {}
    times: dict[str, int] = {}
    for element in parent.children:
        if element.name != "Attribute":
            continue
        name = element.required("name")
        if name not in BOOKKEEPING:
            times[name] = times.get(name, 0) + 1
            shown = name if times[name] == 1 else f"{name}_{times[name]}"
            found[shown] = _decode(element)
    return found


def _decode(element: Element) -> Any:
    kind = element.attributes.get("type", "String").lower()
    if kind == "container":
        return decode_attributes(element)
    if kind == OTHER_XML:
        return element.text
    texts = [
        dict(zip(row[::2], row[1::2], strict=True)).get("value", text)
        for row, text in element.values
    ]
    if not texts and "value" in element.attributes:
        texts = [element.attributes["value"]]
    dtype = NUMBERS.get(kind)
    if dtype is not None:
        numbers = as_numbers(texts, dtype)
        if numbers is not None:
            return numbers[0] if len(numbers) == 1 else numbers
    if not texts:
        return ""
    return texts[0] if len(texts) == 1 else texts


def as_numbers(texts: Iterable[str], dtype: np.dtype[Any]) -> np.ndarray[Any, Any] | None:
    """Return texts as numbers of `dtype`, None if they are not."""
    try:
        if dtype.kind == "f":
            with np.errstate(over="ignore"):
                return np.array([float(text) for text in texts], np.float64).astype(dtype)
        integers = [int(text) for text in texts]
        signed = [n - 256 if dtype == np.int8 and 127 < n < 256 else n for n in integers]
        wrapped = [n + 256 if dtype == np.uint8 and -129 < n < 0 else n for n in signed]
        return np.array(wrapped, dtype)
    except (ValueError, OverflowError):
        return None
