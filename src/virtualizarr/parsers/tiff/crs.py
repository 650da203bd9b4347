"""The coordinate reference system that GeoKeys stand for (OGC GeoTIFF 1.1, annex C), by pyproj."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

USER_DEFINED = 32767
DEGREE = 9102
METHODS: Mapping[int, tuple[str, ...]] = {
    1: ("tmerc", "lat_0", "lon_0", "k_0"),
    7: ("merc", "lon_0", "k_0"),
    8: ("lcc", "lat_0", "lon_0", "lat_1", "lat_2"),
    9: ("lcc", "lat_0", "lon_0", "lat_1=lat_0", "k_0"),
    10: ("laea", "lat_0", "lon_0"),
    11: ("aea", "lat_0", "lon_0", "lat_1", "lat_2"),
    16: ("sterea", "lat_0", "lon_0", "k_0"),
    17: ("eqc", "lat_0", "lon_0", "lat_ts=lat_1"),
    24: ("sinu", "lon_0"),
}
"""By ProjMethodGeoKey: the method of PROJ and its parameters, `to=from` where names differ."""

PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "lat_0": ("ProjNatOriginLatGeoKey", "ProjFalseOriginLatGeoKey", "ProjCenterLatGeoKey"),
    "lon_0": (
        *("ProjNatOriginLongGeoKey", "ProjFalseOriginLongGeoKey"),
        *("ProjCenterLongGeoKey", "ProjStraightVertPoleLongGeoKey"),
    ),
    "lat_1": ("ProjStdParallel1GeoKey",),
    "lat_2": ("ProjStdParallel2GeoKey",),
    "k_0": ("ProjScaleAtNatOriginGeoKey", "ProjScaleAtCenterGeoKey"),
    "x_0": (
        *("ProjFalseEastingGeoKey", "ProjFalseOriginEastingGeoKey", "ProjCenterEastingGeoKey"),
    ),
    "y_0": (
        *("ProjFalseNorthingGeoKey", "ProjFalseOriginNorthingGeoKey", "ProjCenterNorthingGeoKey"),
    ),
}
ABSENT = {"k_0": 1.0}
LINEAR_UNITS = "ProjLinearUnitsGeoKey"
UNIT_SIZE = "ProjLinearUnitSizeGeoKey"
TOLERANCE = 1e-9
METRES = {9001: 1.0, 9002: 0.3048, 9003: 1200 / 3937}
UNITS = {9001: "EASTING_NORTHING", 9002: "EASTING_NORTHING_FT", 9003: "EASTING_NORTHING_US_FT"}

type CrsAttributes = tuple[Mapping[str, Any], Mapping[str, Mapping[str, Any]]]


def crs_attributes(code: str | None, keys: Mapping[str, Any]) -> CrsAttributes:
    """Return the CF grid mapping attributes of a CRS, and those of its X and Y axes.

    `code` is its EPSG code; without one it is made of the keys, for the commonest methods. Both are
    empty where pyproj is not installed, the CRS is not known, or its unit is not that of the keys.
    """
    numbers = tuple((key, value) for key, value in keys.items() if isinstance(value, int | float))
    units = tuple((key, value) for key, value in numbers if key in (LINEAR_UNITS, UNIT_SIZE))
    return _crs_attributes(code, units if code is not None else numbers)


@lru_cache(maxsize=256)
def _crs_attributes(code: str | None, keys: tuple[tuple[str, int | float], ...]) -> CrsAttributes:
    try:
        pyproj = importlib.import_module("pyproj")
    except ImportError:
        return {}, {}
    try:
        crs = pyproj.CRS.from_user_input(code) if code is not None else _projected(dict(keys))
        if crs is None:
            return {}, {}
        if not _in_units(crs, keys):
            return {}, {}
        mapping = crs.to_cf()
        axes = {axis["axis"]: axis for axis in crs.cs_to_cf() if "axis" in axis}
    except (pyproj.exceptions.ProjError, ValueError, OverflowError):
        return {}, {}
    return {**mapping, "spatial_ref": mapping.get("crs_wkt", "")}, axes


def _in_units(crs: Any, keys: tuple[tuple[str, int | float], ...]) -> bool:
    """Say whether the axes of a projected CRS have the linear unit that the keys name."""
    named = dict(keys)
    metres = METRES.get(int(named.get(LINEAR_UNITS, 0)), named.get(UNIT_SIZE))
    if not metres or not crs.is_projected:
        return True
    return abs(float(crs.axis_info[0].unit_conversion_factor) / metres - 1) < TOLERANCE


def _projected(keys: Mapping[str, int | float]) -> Any:
    """Return the pyproj CRS of a projection defined by its keys; None where it is not known."""
    if keys.get(LINEAR_UNITS, 9001) == 9001:
        keys = {**keys, **_utm(int(keys.get("ProjectionGeoKey", 0)))}
    method = METHODS.get(int(keys.get("ProjMethodGeoKey", 0)))
    unit = int(keys.get(LINEAR_UNITS, 9001))
    base = _geographic(keys)
    if keys.get("ProjectedCRSGeoKey") != USER_DEFINED or method is None or base is None:
        return None
    if unit not in METRES:
        return None
    words = [f"+proj={method[0]}"]
    for parameter in (*method[1:], "x_0", "y_0"):
        name, _, source = parameter.partition("=")
        value = _value(keys, source if source else name)
        factor = METRES[unit] if name in ("x_0", "y_0") else 1.0
        words.append(f"+{name}={value * factor!r}")
    crs = importlib.import_module("pyproj.crs")
    systems = importlib.import_module("pyproj.crs.coordinate_system")
    axis = getattr(systems.Cartesian2DCSAxis, UNITS[unit])
    return crs.ProjectedCRS(
        crs.CoordinateOperation.from_string(" ".join(words)),
        geodetic_crs=base,
        cartesian_cs=systems.Cartesian2DCS(axis),
    )


def _utm(projection: int) -> dict[str, int | float]:
    """Return the keys that a ProjectionGeoKey for a zone of UTM, 160zz north or 161zz south, means.

    Empty for any other projection, and for zones in other units than metres.
    """
    half, zone = divmod(projection, 100)
    if half not in (160, 161) or not 1 <= zone <= 60:
        return {}
    return {
        "ProjMethodGeoKey": 1,
        "ProjNatOriginLatGeoKey": 0.0,
        "ProjNatOriginLongGeoKey": 6.0 * zone - 183,
        "ProjScaleAtNatOriginGeoKey": 0.9996,
        "ProjFalseEastingGeoKey": 500_000.0,
        "ProjFalseNorthingGeoKey": 1e7 if half == 161 else 0.0,
    }


def _value(keys: Mapping[str, int | float], parameter: str) -> float:
    for name in PARAMETERS[parameter]:
        if name in keys:
            return float(keys[name])
    return ABSENT.get(parameter, 0.0)


def _geographic(keys: Mapping[str, int | float]) -> Any:
    """Return the CRS that is projected: by its code, or by the axes of its ellipsoid, Greenwich."""
    crs = importlib.import_module("pyproj.crs")
    code = int(keys.get("GeodeticCRSGeoKey", USER_DEFINED))
    if code != USER_DEFINED:
        return crs.GeographicCRS.from_epsg(code)
    axis = keys.get("EllipsoidSemiMajorAxisGeoKey")
    in_degrees = keys.get("GeogAngularUnitsGeoKey", DEGREE) == DEGREE
    if axis is None or not in_degrees or keys.get("PrimeMeridianLongitudeGeoKey", 0) != 0:
        return None
    if "EllipsoidInvFlatteningGeoKey" in keys:
        shape = f"+rf={float(keys['EllipsoidInvFlatteningGeoKey'])!r}"
    elif "EllipsoidSemiMinorAxisGeoKey" in keys:
        shape = f"+b={float(keys['EllipsoidSemiMinorAxisGeoKey'])!r}"
    else:
        return None
    return crs.CRS.from_string(f"+proj=longlat +a={float(axis)!r} {shape} +no_defs +type=crs")
