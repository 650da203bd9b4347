"""GeoKeys -> the text of a user-defined coordinate reference system (WKT 1, OGC 01-009).

Which keys a projection takes, and what stands for those that are absent, is as libgeotiff has it
(OGC GeoTIFF 1.1, 7.4 and annex C). Angles are in the unit of the geographic system, lengths in that
of the projected one, as in the keys. Pure text: pyproj makes a system of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import radians
from typing import Any

USER_DEFINED = 32767
METRE, DEGREE, GREENWICH = 9001, 9102, 8901
CITATION_PART = re.compile(r"\s*(GCS Name|Datum|Ellipsoid|Primem|PCS Name)\s*=\s*([^|]+)")
IMAGINE_UNITS = re.compile(r"^\s*Units\s*=\s*(\S+)", re.MULTILINE | re.IGNORECASE)

type Keys = Mapping[str, Any]
type Unit = tuple[str, float]

LINEAR: Mapping[int, Unit] = {
    9001: ("metre", 1.0),
    9002: ("foot", 0.3048),
    9003: ("US survey foot", 1200 / 3937),
    9005: ("Clarke's foot", 0.3047972654),
    9014: ("fathom", 1.8288),
    9030: ("nautical mile", 1852.0),
    9036: ("kilometre", 1000.0),
    9093: ("Statute mile", 1609.344),
}
ANGULAR: Mapping[int, Unit] = {
    9101: ("radian", 1.0),
    9102: ("degree", radians(1)),
    9103: ("arc-minute", radians(1) / 60),
    9104: ("arc-second", radians(1) / 3600),
    9105: ("grad", radians(0.9)),
    9106: ("gon", radians(0.9)),
}
NAMED_UNITS: Mapping[str, int] = {
    **dict.fromkeys(("meters", "metres", "meter", "metre"), 9001),
    **dict.fromkeys(("international_feet", "international_foot", "feet_intl"), 9002),
    **dict.fromkeys(("us_survey_feet", "us_survey_foot", "survey_feet"), 9003),
}
"""The words for units in the citations of ERDAS IMAGINE, which gives no key for them."""

LAT = ("ProjNatOriginLat", "ProjFalseOriginLat", "ProjCenterLat")
LON = (
    *("ProjNatOriginLong", "ProjFalseOriginLong", "ProjCenterLong"),
    "ProjStraightVertPoleLong",
)
POLE = ("ProjStraightVertPoleLong", "ProjNatOriginLong", "ProjFalseOriginLong", "ProjCenterLong")
SCALE = ("ProjScaleAtNatOrigin", "ProjScaleAtCenter")
FIRST, SECOND = ("ProjStdParallel1",), ("ProjStdParallel2",)
AZIMUTH, GRID = ("ProjAzimuthAngle",), ("ProjRectifiedGridAngle",)
EAST = ("ProjFalseEasting", "ProjFalseOriginEasting", "ProjCenterEasting")
NORTH = ("ProjFalseNorthing", "ProjFalseOriginNorthing", "ProjCenterNorthing")

ORIGIN = {"latitude_of_origin": LAT, "central_meridian": LON}
CENTRE = {"latitude_of_center": LAT, "longitude_of_center": LON}
SCALED = {**ORIGIN, "scale_factor": SCALE}
CONIC = {"standard_parallel_1": FIRST, "standard_parallel_2": SECOND}
OBLIQUE = {**CENTRE, "azimuth": AZIMUTH, "rectified_grid_angle": GRID, "scale_factor": SCALE}

type Parameters = Mapping[str, tuple[str, ...]]

METHODS: Mapping[int, tuple[str, Parameters]] = {
    1: ("Transverse_Mercator", SCALED),
    3: ("Hotine_Oblique_Mercator", OBLIQUE),
    7: ("Mercator_1SP", SCALED),
    8: ("Lambert_Conformal_Conic_2SP", {**ORIGIN, **CONIC}),
    9: ("Lambert_Conformal_Conic_1SP", SCALED),
    10: ("Lambert_Azimuthal_Equal_Area", CENTRE),
    11: ("Albers_Conic_Equal_Area", {**CENTRE, **CONIC}),
    12: ("Azimuthal_Equidistant", CENTRE),
    13: ("Equidistant_Conic", {**CENTRE, **CONIC}),
    14: ("Stereographic", SCALED),
    15: ("Polar_Stereographic", {**SCALED, "central_meridian": POLE}),
    16: ("Oblique_Stereographic", SCALED),
    17: ("Equirectangular", {**ORIGIN, "standard_parallel_1": FIRST}),
    18: ("Cassini_Soldner", ORIGIN),
    19: ("Gnomonic", ORIGIN),
    20: ("Miller_Cylindrical", {"longitude_of_center": LON}),
    21: ("Orthographic", ORIGIN),
    22: ("Polyconic", ORIGIN),
    23: ("Robinson", {"longitude_of_center": LON}),
    24: ("Sinusoidal", {"longitude_of_center": LON}),
    25: ("VanDerGrinten", {"central_meridian": LON}),
    26: ("New_Zealand_Map_Grid", ORIGIN),
    27: ("Transverse_Mercator_South_Orientated", SCALED),
    28: ("Cylindrical_Equal_Area", {"standard_parallel_1": FIRST, "central_meridian": LON}),
    9815: ("Hotine_Oblique_Mercator_Azimuth_Center", OBLIQUE),
}
"""By ProjMethodGeoKey: the name of the method in WKT, and the keys of each of its parameters."""

MERCATOR = 7
MERCATOR_2SP: tuple[str, Parameters] = (
    "Mercator_2SP",
    {"standard_parallel_1": FIRST, "central_meridian": LON},
)
ABSENT = {"scale_factor": 1.0}


def number(keys: Keys, name: str) -> float | None:
    """Return the value of a key that holds one number; None where it does not."""
    value = keys.get(f"{name}GeoKey")
    return float(value) if isinstance(value, int | float) else None


def code(keys: Keys, name: str) -> int | None:
    """Return the EPSG code that a key holds; None for none, and for "user defined"."""
    value = keys.get(f"{name}GeoKey")
    return value if isinstance(value, int) and 0 < value < USER_DEFINED else None


def linear_unit(keys: Keys) -> Unit | None:
    """Return the name and metres of the unit of a projected system; None if it is not known."""
    stated = keys.get("ProjLinearUnitsGeoKey")
    if stated is None:
        stated = _imagine_unit(keys)
        return None if stated is None else LINEAR[stated]
    size = number(keys, "ProjLinearUnitSize")
    if stated == USER_DEFINED:
        return None if size is None or size <= 0 else ("user-defined", size)
    return LINEAR.get(stated)


def _imagine_unit(keys: Keys) -> int | None:
    """Return the unit in a citation of ERDAS IMAGINE; metres without one, None for others."""
    for name in ("GTCitationGeoKey", "ProjectedCitationGeoKey"):
        found = IMAGINE_UNITS.search(str(keys.get(name, "")))
        if found is not None:
            return NAMED_UNITS.get(found[1].lower())
    return METRE


def angular_unit(keys: Keys) -> Unit | None:
    """Return the name and radians of the unit of angles; None if it is not known."""
    stated = keys.get("GeogAngularUnitsGeoKey", DEGREE)
    size = number(keys, "GeogAngularUnitSize")
    if stated == USER_DEFINED:
        return None if size is None or size <= 0 else ("user-defined", size)
    return ANGULAR.get(stated)


def names_of(keys: Keys) -> dict[str, str]:
    """Return the names in the citations: "GCS Name", "Datum", "Ellipsoid", "Primem", "PCS Name"."""
    texts = (str(keys.get(f"{name}CitationGeoKey", "")) for name in ("Geodetic", "Projected", "GT"))
    return {name: _plain(value) for text in texts for name, value in CITATION_PART.findall(text)}


def _plain(text: str) -> str:
    return text.strip().replace('"', "").replace("\n", " ")


def esri_text(keys: Keys) -> str | None:
    """Return the WKT that ESRI's programs put into a citation; None where there is none."""
    for name in ("ProjectedCitationGeoKey", "GeodeticCitationGeoKey", "GTCitationGeoKey"):
        before, found, text = str(keys.get(name, "")).partition("ESRI PE String =")
        if found and not before.strip():
            return text.strip()
    return None


def geographic_text(keys: Keys, ellipsoid: Unit, meridian: Unit, datum: str | None) -> str | None:
    """Return the GEOGCS of user-defined keys.

    `ellipsoid` is its name and semi-major axis in metres, `meridian` the name and longitude of the
    prime meridian in degrees, `datum` the name of its code. None where keys are missing.
    """
    unit, flattening = angular_unit(keys), _inverse_flattening(keys, ellipsoid[1])
    if unit is None or flattening is None:
        return None
    names = names_of(keys)
    citation = _plain(str(keys.get("GeodeticCitationGeoKey", "unknown")))
    name = names.get("GCS Name", citation if "=" not in citation else "unknown")
    known = datum if datum is not None else names.get("Datum", "unknown")
    return (
        f'GEOGCS["{name}",DATUM["{known}",SPHEROID["{ellipsoid[0]}",{ellipsoid[1]!r},'
        f'{flattening!r}]],PRIMEM["{meridian[0]}",{meridian[1]!r}],UNIT["{unit[0]}",{unit[1]!r}]]'
    )


def _inverse_flattening(keys: Keys, major: float) -> float | None:
    stated = number(keys, "EllipsoidInvFlattening")
    if stated is not None:
        return stated
    minor = number(keys, "EllipsoidSemiMinorAxis")
    if minor is None or not 0 < minor <= major:
        return None
    return 0.0 if minor == major else major / (major - minor)


def projected_text(keys: Keys, geographic: str) -> str | None:
    """Return the PROJCS of a projection defined by its keys, over the GEOGCS given.

    None for a method that is not known here, or a linear unit that is not.
    """
    method = METHODS.get(int(number(keys, "ProjMethod") or 0))
    unit = linear_unit(keys)
    if method is None or unit is None:
        return None
    if number(keys, "ProjMethod") == MERCATOR and number(keys, "ProjStdParallel1"):
        method = MERCATOR_2SP
    name = names_of(keys).get("PCS Name", _plain(str(keys.get("GTCitationGeoKey", "unknown"))))
    parts = [f'PROJCS["{name}"', geographic, f'PROJECTION["{method[0]}"]']
    parts += _parameters(keys, method[1])
    parts += [f'UNIT["{unit[0]}",{unit[1]!r}]', 'AXIS["Easting",EAST]', 'AXIS["Northing",NORTH]']
    return ",".join(parts) + "]"


def _parameters(keys: Keys, parameters: Parameters) -> Iterator[str]:
    shifts = {"false_easting": EAST, "false_northing": NORTH}
    for name, sources in {**parameters, **shifts}.items():
        stated = (number(keys, source) for source in sources)
        value = next((one for one in stated if one is not None), ABSENT.get(name, 0.0))
        if name == "rectified_grid_angle" and number(keys, GRID[0]) is None:
            value = number(keys, AZIMUTH[0]) or 0.0
        yield f'PARAMETER["{name}",{value!r}]'
