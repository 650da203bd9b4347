"""Section 2 of edition 1: grid definitions by data representation type (code table 6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.grib.bits import sign_magnitude
from virtualizarr.codecs.grib.simple import ibm_float
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.grib.grid import Grid, spectral_grid
from virtualizarr.parsers.grib.layout import GridSection
from virtualizarr.parsers.grib.reduced import Rows, rows_of

MISSING = 0xFFFF
MISSING_BYTE = 255
MILLIDEGREES = 1000
PRECISION = 0.001
SPHERE = 6367470.0
SPHEROID = (6378160.0, 6356775.0)
INCREMENTS_GIVEN, OBLATE = 0x80, 0x40

KINDS = {
    0: "regular_ll",
    1: "mercator",
    3: "lambert",
    4: "regular_gg",
    5: "polar_stereographic",
    8: "albers",
    10: "rotated_ll",
    13: "lambert",
    14: "rotated_gg",
    20: "stretched_ll",
    24: "stretched_gg",
    30: "stretched_rotated_ll",
    34: "stretched_rotated_gg",
    90: "space_view",
}
SPECTRAL = {50: "sh", 60: "rotated_sh", 70: "stretched_sh", 80: "stretched_rotated_sh"}
REDUCED = {
    "regular_ll": "reduced_ll",
    "regular_gg": "reduced_gg",
    "rotated_gg": "reduced_rotated_gg",
}
ROTATED, GAUSSIAN = frozenset({10, 14, 30, 34}), frozenset({4, 14, 24, 34})
LATLON = frozenset({0, 4, 10, 14, 20, 24, 30, 34})


class Section:
    """Section 2, read by octet number as the Manual counts, from 1."""

    def __init__(self, octets: bytes) -> None:
        self.octets = octets

    def unsigned(self, octet: int, size: int) -> int:
        if octet - 1 + size > len(self.octets):
            raise CorruptFileError(f"section 2 of {len(self.octets)} octets is too short")
        return int.from_bytes(self.octets[octet - 1 : octet - 1 + size], "big")

    def degrees(self, octet: int) -> float:
        return sign_magnitude(self.unsigned(octet, 3), 24) / MILLIDEGREES


def grid_1(grid: GridSection) -> Grid:
    """Return the grid of section 2.

    Raises UnsupportedFeatureError, by name, for unknown types and predefined grids,
    CorruptFileError for a short section.
    """
    if not grid.section:
        raise UnsupportedFeatureError(f"a predefined grid (number {grid.predefined})")
    section = Section(grid.section)
    kind = section.unsigned(6, 1)
    if kind in SPECTRAL:
        return spectral_grid(SPECTRAL[kind], *(section.unsigned(at, 2) for at in (7, 9, 11)))
    if kind not in KINDS:
        raise UnsupportedFeatureError(f"data representation type {kind} (code table 6)")
    name = KINDS[kind]
    columns, rows = section.unsigned(7, 2), section.unsigned(9, 2)
    parameters = _earth(section) | _READERS.get(kind, _latlon)(section)
    scanning = section.unsigned(28, 1)
    if kind in GAUSSIAN:
        parameters.pop("jDirectionIncrementInDegrees", None)
        parameters["N"] = section.unsigned(26, 2)
    if kind in ROTATED:
        parameters["latitudeOfSouthernPoleInDegrees"] = section.degrees(33)
        parameters["longitudeOfSouthernPoleInDegrees"] = section.degrees(36)
        parameters["angleOfRotationInDegrees"] = ibm_float(section.unsigned(39, 4))
    if columns == MISSING:
        told = _row_lengths(section, rows)
        cut = rows_of(parameters, told, None, PRECISION) if kind in GAUSSIAN else Rows(told)
        points = int(cut.lengths.sum())
        return Grid(REDUCED.get(name, name), points, None, None, scanning, parameters, *cut)
    return Grid(name, columns * rows, columns, rows, scanning, parameters)


def _earth(section: Section) -> dict[str, Any]:
    oblate = section.unsigned(17, 1) & OBLATE
    major, minor = SPHEROID if oblate else (SPHERE, SPHERE)
    return {"earthMajorAxis": major, "earthMinorAxis": minor}


def _row_lengths(section: Section, rows: int) -> npt.NDArray[np.int64]:
    """Return the points of each row, which follow the vertical coordinates (octet 5 on)."""
    vertical, location = section.unsigned(4, 1), section.unsigned(5, 1)
    if location == MISSING_BYTE:
        raise CorruptFileError("the lengths of rows are missing")
    start = location - 1 + 4 * vertical
    if start + 2 * rows > len(section.octets):
        raise CorruptFileError(f"section 2 lacks the lengths of its {rows} rows")
    return np.frombuffer(section.octets, ">u2", rows, start).astype(np.int64)


def _latlon(section: Section) -> dict[str, Any]:
    found: dict[str, Any] = {
        "latitudeOfFirstGridPointInDegrees": section.degrees(11),
        "longitudeOfFirstGridPointInDegrees": section.degrees(14),
        "latitudeOfLastGridPointInDegrees": section.degrees(18),
        "longitudeOfLastGridPointInDegrees": section.degrees(21),
    }
    steps = section.unsigned(24, 2), section.unsigned(26, 2)
    if section.unsigned(17, 1) & INCREMENTS_GIVEN:
        for axis, step in zip("ij", steps, strict=True):
            if step != MISSING:
                found[f"{axis}DirectionIncrementInDegrees"] = step / MILLIDEGREES
    return found


def _mercator(section: Section) -> dict[str, Any]:
    found = _latlon(section)
    found.pop("iDirectionIncrementInDegrees", None)
    found.pop("jDirectionIncrementInDegrees", None)
    return found | {
        "LaDInDegrees": section.degrees(24),
        "orientationOfTheGridInDegrees": 0.0,
        "DxInMetres": float(section.unsigned(29, 3)),
        "DyInMetres": float(section.unsigned(32, 3)),
    }


def _polar(section: Section) -> dict[str, Any]:
    south = section.unsigned(27, 1) >> 7
    return {
        "latitudeOfFirstGridPointInDegrees": section.degrees(11),
        "longitudeOfFirstGridPointInDegrees": section.degrees(14),
        "LaDInDegrees": -60.0 if south else 60.0,
        "orientationOfTheGridInDegrees": section.degrees(18),
        "DxInMetres": float(section.unsigned(21, 3)),
        "DyInMetres": float(section.unsigned(24, 3)),
        "southPoleOnProjectionPlane": south,
    }


def _conic(section: Section) -> dict[str, Any]:
    found = _polar(section)
    found["LoVInDegrees"] = found.pop("orientationOfTheGridInDegrees")
    found["Latin1InDegrees"] = found["LaDInDegrees"] = section.degrees(29)
    found["Latin2InDegrees"] = section.degrees(32)
    return found


def _space_view(section: Section) -> dict[str, Any]:
    return {
        "latitudeOfSubSatellitePointInDegrees": section.degrees(11),
        "longitudeOfSubSatellitePointInDegrees": section.degrees(14),
        "dx": section.unsigned(18, 3),
        "dy": section.unsigned(21, 3),
        "XpInGridLengths": float(section.unsigned(24, 2)),
        "YpInGridLengths": float(section.unsigned(26, 2)),
        "orientationOfTheGridInDegrees": section.degrees(29),
        "NrInRadiusOfEarthScaled": section.unsigned(32, 3) / 1_000_000,
        "Xo": section.unsigned(35, 2),
        "Yo": section.unsigned(37, 2),
    }


_READERS: dict[int, Callable[[Section], dict[str, Any]]] = {
    1: _mercator,
    3: _conic,
    5: _polar,
    8: _conic,
    13: _conic,
    90: _space_view,
}
