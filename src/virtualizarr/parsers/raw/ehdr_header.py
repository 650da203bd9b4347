"""ESRI headers: text of `keyword value` lines (ArcGIS "BIL, BIP, and BSQ raster files")."""

from __future__ import annotations

import re
from collections.abc import Mapping

from virtualizarr.parsers.georeference import Place, north_up
from virtualizarr.parsers.raw.numbers import real_or_none

MAX_LINES = 1000
_LINE = re.compile(r"[ \t]*([A-Za-z_][\w:]*)[ \t=]+(\S[^\r\n]*)")
_SIZES = (
    re.compile(rb"(?:\A|[\r\n])[ \t]*ncols[ \t]+\d", re.IGNORECASE),
    re.compile(rb"(?:\A|[\r\n])[ \t]*nrows[ \t]+\d", re.IGNORECASE),
)
_NUMBERS = re.compile(rb"[\s\d.eE+-]*\Z")
_WKT = ("PROJCS", "GEOGCS", "LOCAL_CS", "PROJCRS", "GEOGCRS", "COMPD_CS", "BOUNDCRS")

EPSG_OF_DATUM: Mapping[str, tuple[int, int, int | None]] = {
    "WGS84": (4326, 32600, 32700),
    "WGS72": (4322, 32200, 32300),
    "NAD27": (4267, 26700, None),
    "NAD83": (4269, 26900, None),
}
"""By datum: the EPSG code of its longitudes and latitudes, and of UTM zone 0 north and south."""


def is_header(head: bytes | memoryview) -> bool:
    """Say whether a text has NROWS and NCOLS, and is no ASCII grid, whose numbers follow them."""
    start = bytes(head[:4096])
    if b"\0" in start or not all(pattern.search(start) for pattern in _SIZES):
        return False
    lines = [line for line in bytes(head[:16384]).splitlines() if line.strip()]
    return not any(_NUMBERS.match(line) for line in lines[:20])


def decode_header(raw: bytes | memoryview) -> dict[str, str]:
    """Return the values by keyword in upper case."""
    fields: dict[str, str] = {}
    for line in bytes(raw).decode("latin-1").splitlines()[:MAX_LINES]:
        found = _LINE.match(line)
        if found is not None:
            fields[found[1].upper()] = found[2].strip()
    return fields


def place_of(fields: Mapping[str, str], rows: int, projection: str | None) -> Place:
    """Return where the raster lies; `projection` is the text of its .prj file.

    ULXMAP and ULYMAP are the centre of the upper left pixel; XLLCORNER, YLLCORNER, XLLCENTER and
    YLLCENTER those of the lower left one.
    """
    crs, scale = _crs(projection) if projection is not None else (None, 1.0)
    known = {key: real_or_none(fields[key]) for key in fields}
    cell = known.get("CELLSIZE")
    width = _first(known.get("XDIM"), cell, 1.0)
    height = _first(known.get("YDIM"), cell, 1.0)
    is_corner = "XLLCORNER" in fields or "YLLCORNER" in fields
    left = _first(
        known.get("ULXMAP"), known.get("XLLCORNER"), known.get("XLLCENTER"), None if cell else 0.5
    )
    bottom = _first(known.get("YLLCORNER"), known.get("YLLCENTER"))
    top = known.get("ULYMAP")
    if bottom is not None and height is not None:
        top = bottom + (rows if is_corner else rows - 1) * height
    if left is None or top is None or width is None or height is None:
        return Place(None, crs)
    if not is_corner:
        left, top = left - width / 2, top + height / 2
    return Place(north_up(left / scale, top / scale, width / scale, height / scale), crs)


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


def _crs(text: str) -> tuple[str | None, float]:
    """Return the CRS of a .prj file, well-known text or keywords, and its units in a degree."""
    stripped = text.strip()
    if stripped.upper().startswith(_WKT):
        return stripped, 1.0
    words = {
        line.split()[0].upper(): " ".join(line.split()[1:]).upper()
        for line in stripped.splitlines()[:100]
        if line.split()
    }
    codes = EPSG_OF_DATUM.get(words.get("DATUM", "").replace(" ", "").replace("-", ""))
    projection = words.get("PROJECTION", "")
    if codes is None:
        return None, 1.0
    if projection.startswith("GEOGRAPHIC"):
        return f"EPSG:{codes[0]}", 3600.0 if words.get("UNITS") == "DS" else 1.0
    zone = real_or_none(words.get("ZONE"))
    if projection == "UTM" and zone is not None and 1 <= abs(zone) <= 60:
        base = codes[1] if zone > 0 else codes[2]
        return (f"EPSG:{base + int(abs(zone))}" if base is not None else None), 1.0
    return None, 1.0
