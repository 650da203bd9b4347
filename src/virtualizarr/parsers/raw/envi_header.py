"""ENVI headers: text of `name = value` lines (ENVI 5 documentation, "ENVI Header Files")."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import numpy as np

from virtualizarr.parsers.georeference import Affine, Place
from virtualizarr.parsers.raw.numbers import real_or_none

MAGIC = re.compile(rb"(?:\xef\xbb\xbf)?ENVI[ \t]*[\r\n]")
_FIELD = re.compile(
    r"^[ \t]*(?P<name>[^=;{}\r\n]+?)[ \t]*=[ \t]*(?:\{(?P<list>[^}]*)\}|(?P<value>[^\r\n]*))", re.M
)

DATA_TYPES: Mapping[int, np.dtype[np.generic]] = {
    1: np.dtype("u1"),
    2: np.dtype("i2"),
    3: np.dtype("i4"),
    4: np.dtype("f4"),
    5: np.dtype("f8"),
    6: np.dtype("c8"),
    9: np.dtype("c16"),
    12: np.dtype("u2"),
    13: np.dtype("u4"),
    14: np.dtype("i8"),
    15: np.dtype("u8"),
}

DATUM_CODES: Mapping[str, tuple[int, int | None]] = {
    "wgs-84": (32600, 32700),
    "wgs-72": (32200, 32300),
    "north america 1927": (26700, None),
    "north america 1983": (26900, None),
}
"""By datum: the EPSG code of UTM zone 0 on the northern half and on the southern."""

GEOGRAPHIC_CODES = {
    "wgs-84": 4326,
    "wgs-72": 4322,
    "north america 1927": 4267,
    "north america 1983": 4269,
}


def is_header(head: bytes | memoryview) -> bool:
    """Say whether a file begins as ENVI headers do."""
    return MAGIC.match(head) is not None


def decode_header(raw: bytes | memoryview) -> dict[str, str]:
    """Return the fields by name, in lower case and with single blanks; lists without braces."""
    text = bytes(raw).decode("utf-8", "replace")
    fields: dict[str, str] = {}
    for found in _FIELD.finditer(text):
        name = " ".join(found["name"].lower().replace("_", " ").split())
        value = found["list"] if found["list"] is not None else found["value"]
        fields.setdefault(name, value.strip())
    return fields


def listed(value: str | None) -> list[str]:
    """Return the items of a list."""
    if value is None or not value.strip():
        return []
    return [" ".join(item.split()) for item in value.split(",")]


def place_of(fields: Mapping[str, str]) -> Place:
    """Return where the image lies: `map info`, and `coordinate system string` or its projection."""
    info = listed(fields.get("map info"))
    transform = _transform(info)
    text = fields.get("coordinate system string", "")
    crs = text if text else _crs(info)
    return Place(transform, crs)


def _transform(info: list[str]) -> Affine | None:
    """Return the transform of a map info; the reference pixel counts from 1, at its corner."""
    if len(info) < 7:
        return None
    numbers = [real_or_none(item) for item in info[1:7]]
    known = [number for number in numbers if number is not None]
    if len(known) < 6:
        return None
    column, row, east, north, width, height = known
    if width == 0 or height == 0 or not np.isfinite(known).all():
        return None
    angle = math.radians(_option(info, "rotation"))
    cosine, sine = (1.0, 0.0) if angle == 0 else (math.cos(angle), math.sin(angle))
    scale = {"minutes": 60.0, "seconds": 3600.0}.get(_units(info), 1.0)
    left, top = east - (column - 1) * width, north + (row - 1) * height
    plain = (cosine * width, sine * width, left, sine * height, -cosine * height, top)
    a, b, c, d, e, f = (number / scale + 0.0 for number in plain)
    return (a, b, c, d, e, f)


def _option(info: list[str], name: str) -> float:
    for item in info[7:]:
        key, mark, value = item.partition("=")
        if mark and key.strip().lower() == name:
            number = real_or_none(value)
            return number if number is not None and math.isfinite(number) else 0.0
    return 0.0


def _units(info: list[str]) -> str:
    """Return the units of a geographic map info; "" for any other."""
    if not info[0].lower().startswith("geographic"):
        return ""
    for item in info[7:]:
        key, mark, value = item.partition("=")
        if mark and key.strip().lower() == "units":
            return value.strip().lower()
    return ""


def _crs(info: list[str]) -> str | None:
    """Return the code of the commonest systems that a map info names; None for others."""
    words = [item.lower() for item in info]
    if not words:
        return None
    if words[0].startswith("geographic"):
        datum = words[7] if len(words) > 7 and "=" not in words[7] else "wgs-84"
        code = GEOGRAPHIC_CODES.get(datum)
        return f"EPSG:{code}" if code is not None else None
    if words[0] != "utm" or len(words) < 9 or not words[7].isdecimal():
        return None
    zone = int(words[7])
    datum = words[9] if len(words) > 9 and "=" not in words[9] else "north america 1927"
    north, south = DATUM_CODES.get(datum, (None, None))
    base = south if words[8].startswith("south") else north
    return f"EPSG:{base + zone}" if base is not None and 1 <= zone <= 60 else None
