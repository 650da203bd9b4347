"""Section 3 of edition 2: grid definition templates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.grib.grid import Grid, spectral_grid
from virtualizarr.parsers.grib.reduced import rows_of
from virtualizarr.parsers.grib.section3 import Section, earth_of

MISSING = 0xFFFFFFFF
MICRODEGREES = 1_000_000
PRECISION = 1e-6
MILLI = 1000

REFUSED = {
    61: "bi-Fourier coefficients",
    62: "bi-Fourier coefficients",
    63: "bi-Fourier coefficients",
}
SPECTRAL = {50: "sh", 51: "rotated_sh", 52: "stretched_sh", 53: "stretched_rotated_sh"}
KINDS = {
    0: "regular_ll",
    1: "rotated_ll",
    2: "stretched_ll",
    3: "stretched_rotated_ll",
    10: "mercator",
    12: "transverse_mercator",
    13: "mercator_lam",
    20: "polar_stereographic",
    23: "polar_stereographic_lam",
    30: "lambert",
    31: "albers",
    33: "lambert_lam",
    40: "regular_gg",
    41: "rotated_gg",
    42: "stretched_gg",
    43: "stretched_rotated_gg",
    90: "space_view",
    101: "unstructured_grid",
    140: "lambert_azimuthal_equal_area",
    150: "healpix",
}


REDUCED = {
    "regular_ll": "reduced_ll",
    "regular_gg": "reduced_gg",
    "stretched_gg": "reduced_stretched_gg",
    "rotated_gg": "reduced_rotated_gg",
    "stretched_rotated_gg": "reduced_stretched_rotated_gg",
}
"""How a kind is called where rows differ in length."""


def grid_2(octets: bytes) -> Grid:
    """Return the grid of section 3.

    Raises UnsupportedFeatureError, by name, for bi-Fourier coefficients,
    CorruptFileError where the points do not fit the rows.
    """
    section = Section(octets)
    template = section.unsigned(13, 2)
    points = section.unsigned(7)
    if template in REFUSED:
        raise UnsupportedFeatureError(
            f"{REFUSED[template]} (grid definition template 3.{template})"
        )
    if template in SPECTRAL:
        return spectral_grid(SPECTRAL[template], *(section.unsigned(at) for at in (15, 19, 23)))
    if template not in KINDS:
        return Grid(f"template_{template}", points, None, None, 0, {})
    kind = KINDS[template]
    parameters: dict[str, Any] = {}
    if template != 101:
        major, minor = earth_of(section)
        parameters = {"earthMajorAxis": major, "earthMinorAxis": minor}
    if template in (101, 150):
        scanning = 0
        columns = rows = None
        parameters |= _UNGRIDDED[template](section)
    else:
        columns, rows = section.unsigned(31), section.unsigned(35)
        more, scanning = _GRIDDED[template](section)
        parameters |= more
    if columns == MISSING:
        told = _row_lengths(section, template)
        cut = rows_of(parameters, told, points, PRECISION)
        if int(cut.lengths.sum()) != points:
            raise CorruptFileError(f"rows of {int(told.sum())} points in a grid of {points}")
        name = REDUCED.get(kind, kind)
        return Grid(name, points, None, None, scanning, parameters, *cut)
    if columns is not None and rows is not None and columns * rows != points:
        raise CorruptFileError(f"a grid of {columns} x {rows} has {points} points")
    return Grid(kind, points, columns, rows, scanning, parameters)


def _row_lengths(section: Section, template: int) -> npt.NDArray[np.int64]:
    """Return the list of numbers that follows the template: the points of each row."""
    size, rows = section.unsigned(11, 1), section.unsigned(35)
    start = len(section.octets) - size * rows
    if size not in (1, 2, 4) or start < 72:
        raise CorruptFileError(f"template 3.{template} lacks the lengths of its {rows} rows")
    return np.frombuffer(section.octets, f">u{size}", rows, start).astype(np.int64)


def _unit(section: Section) -> float:
    """Return what angles are to be multiplied by to be degrees (octets 39 to 46)."""
    basic, subdivisions = section.unsigned(39), section.unsigned(43)
    if basic in (0, MISSING) or subdivisions in (0, MISSING):
        return 1 / MICRODEGREES
    return basic / subdivisions


def _latlon(section: Section) -> tuple[dict[str, Any], int]:
    unit = _unit(section)
    flags = section.unsigned(55, 1)
    last = section.unsigned(68)
    steps = section.unsigned(64), last
    found: dict[str, Any] = {
        "latitudeOfFirstGridPointInDegrees": _degrees(section.signed(47), unit),
        "longitudeOfFirstGridPointInDegrees": _degrees(section.signed(51), unit),
        "latitudeOfLastGridPointInDegrees": _degrees(section.signed(56), unit),
        "longitudeOfLastGridPointInDegrees": _degrees(section.signed(60), unit),
    }
    if flags & 0x20 and steps[0] != MISSING:
        found["iDirectionIncrementInDegrees"] = _degrees(steps[0], unit)
    if flags & 0x10 and last != MISSING:
        found["jDirectionIncrementInDegrees"] = _degrees(last, unit)
    return found, section.unsigned(72, 1)


def _degrees(number: int, unit: float) -> float:
    return number / MICRODEGREES if unit == 1 / MICRODEGREES else number * unit


def _rotated(base: Callable[[Section], tuple[dict[str, Any], int]]) -> Callable[..., Any]:
    def read(section: Section) -> tuple[dict[str, Any], int]:
        found, scanning = base(section)
        found["latitudeOfSouthernPoleInDegrees"] = section.signed(73) / MICRODEGREES
        found["longitudeOfSouthernPoleInDegrees"] = section.signed(77) / MICRODEGREES
        found["angleOfRotationInDegrees"] = section.ieee(81)
        return found, scanning

    return read


def _gaussian(section: Section) -> tuple[dict[str, Any], int]:
    found, scanning = _latlon(section)
    found.pop("jDirectionIncrementInDegrees", None)
    found["N"] = section.unsigned(68)
    return found, scanning


def _first_point(section: Section) -> dict[str, Any]:
    return {
        "latitudeOfFirstGridPointInDegrees": section.signed(39) / MICRODEGREES,
        "longitudeOfFirstGridPointInDegrees": section.signed(43) / MICRODEGREES,
    }


def _mercator(section: Section) -> tuple[dict[str, Any], int]:
    found = _first_point(section) | {
        "LaDInDegrees": section.signed(48) / MICRODEGREES,
        "latitudeOfLastGridPointInDegrees": section.signed(52) / MICRODEGREES,
        "longitudeOfLastGridPointInDegrees": section.signed(56) / MICRODEGREES,
        "orientationOfTheGridInDegrees": section.unsigned(61) / MICRODEGREES,
        "DxInMetres": section.unsigned(65) / MILLI,
        "DyInMetres": section.unsigned(69) / MILLI,
    }
    return found, section.unsigned(60, 1)


def _polar(section: Section) -> tuple[dict[str, Any], int]:
    found = _first_point(section) | {
        "LaDInDegrees": section.signed(48) / MICRODEGREES,
        "orientationOfTheGridInDegrees": section.signed(52) / MICRODEGREES,
        "DxInMetres": section.unsigned(56) / MILLI,
        "DyInMetres": section.unsigned(60) / MILLI,
        "southPoleOnProjectionPlane": section.unsigned(64, 1) >> 7,
    }
    return found, section.unsigned(65, 1)


def _conic(section: Section) -> tuple[dict[str, Any], int]:
    found, scanning = _polar(section)
    found["LoVInDegrees"] = found.pop("orientationOfTheGridInDegrees")
    found["Latin1InDegrees"] = section.signed(66) / MICRODEGREES
    found["Latin2InDegrees"] = section.signed(70) / MICRODEGREES
    return found, scanning


def _azimuthal(section: Section) -> tuple[dict[str, Any], int]:
    found = _first_point(section) | {
        "standardParallelInDegrees": section.signed(47) / MICRODEGREES,
        "centralLongitudeInDegrees": section.signed(51) / MICRODEGREES,
        "DxInMetres": section.unsigned(56) / MILLI,
        "DyInMetres": section.unsigned(60) / MILLI,
    }
    return found, section.unsigned(64, 1)


def _transverse(section: Section) -> tuple[dict[str, Any], int]:
    found = {
        "latitudeOfReferencePointInDegrees": section.signed(39) / MICRODEGREES,
        "longitudeOfReferencePointInDegrees": section.signed(43) / MICRODEGREES,
        "scaleFactorAtReferencePoint": section.ieee(48),
        "XRInMetres": section.signed(52) / 100,
        "YRInMetres": section.signed(56) / 100,
        "DxInMetres": section.unsigned(61) / 100,
        "DyInMetres": section.unsigned(65) / 100,
        "X1InMetres": section.signed(69) / 100,
        "Y1InMetres": section.signed(73) / 100,
    }
    return found, section.unsigned(60, 1)


def _space_view(section: Section) -> tuple[dict[str, Any], int]:
    found = {
        "latitudeOfSubSatellitePointInDegrees": section.signed(39) / MICRODEGREES,
        "longitudeOfSubSatellitePointInDegrees": section.signed(43) / MICRODEGREES,
        "dx": section.unsigned(48),
        "dy": section.unsigned(52),
        "XpInGridLengths": section.unsigned(56) / 1000,
        "YpInGridLengths": section.unsigned(60) / 1000,
        "orientationOfTheGridInDegrees": section.signed(65) / MICRODEGREES,
        "NrInRadiusOfEarthScaled": section.unsigned(69) / MICRODEGREES,
        "Xo": section.unsigned(73),
        "Yo": section.unsigned(77),
    }
    return found, section.unsigned(64, 1)


def _unstructured(section: Section) -> dict[str, Any]:
    section.unsigned(20, 16)
    return {
        "numberOfGridUsed": section.unsigned(16, 3),
        "numberOfGridInReference": section.unsigned(19, 1),
        "uuidOfHGrid": section.octets[19:35].hex(),
    }


def _healpix(section: Section) -> dict[str, Any]:
    return {
        "Nside": section.unsigned(32),
        "longitudeOfFirstGridPointInDegrees": section.unsigned(36) / MICRODEGREES,
        "orderingConvention": "nested" if section.unsigned(41, 1) else "ring",
    }


_GRIDDED: dict[int, Callable[[Section], tuple[dict[str, Any], int]]] = {
    0: _latlon,
    1: _rotated(_latlon),
    2: _latlon,
    3: _rotated(_latlon),
    40: _gaussian,
    41: _rotated(_gaussian),
    42: _gaussian,
    43: _rotated(_gaussian),
    10: _mercator,
    12: _transverse,
    13: _mercator,
    20: _polar,
    23: _polar,
    30: _conic,
    31: _conic,
    33: _conic,
    90: _space_view,
    140: _azimuthal,
}
_UNGRIDDED: dict[int, Callable[[Section], dict[str, Any]]] = {101: _unstructured, 150: _healpix}
