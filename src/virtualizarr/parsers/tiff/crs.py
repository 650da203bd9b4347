"""The coordinate reference system that GeoKeys stand for (OGC GeoTIFF 1.1, annex C), by pyproj.

It is that of the EPSG code that the keys name, in the unit that they name; without a code it is
made of the keys. Where it cannot be known for sure there is none: the keys are still shown.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from virtualizarr.parsers.tiff.crs_text import (
    ANGULAR,
    GREENWICH,
    Keys,
    Unit,
    code,
    esri_text,
    geographic_text,
    linear_unit,
    names_of,
    number,
    projected_text,
)

TOLERANCE = 1e-9
ELLIPSOID_TOLERANCE = 1e-7
ELLIPSOID_OF_DATUM = 1000
"""Datum 6xxx is unknown but for its ellipsoid 7xxx, up to the number below."""

UNKNOWN_DATUMS = range(6001, 6100)
PARTS = ("ProjMethodGeoKey", "ProjectionGeoKey")
WORDS = frozenset({"GTCitationGeoKey", "GeodeticCitationGeoKey", "ProjectedCitationGeoKey"})
USER_MODEL = 32767


@dataclass(frozen=True, slots=True)
class System:
    """A coordinate reference system: CF attributes of the grid mapping, and of the axes X and Y.

    `code` is its EPSG code, None if it has none; `wkt` is empty where the system is not known.
    """

    code: str | None
    mapping: Mapping[str, Any]
    axes: Mapping[str, Mapping[str, Any]]

    @property
    def wkt(self) -> str:
        return str(self.mapping.get("crs_wkt", ""))


def system_of(epsg: str | None, keys: Mapping[str, Any]) -> System:
    """Return the system of an EPSG code such as "EPSG:32631", or of the keys without one.

    Without pyproj there is nothing but the code.
    """
    told = {
        key: value
        for key, value in keys.items()
        if isinstance(value, int | float) or (key in WORDS and isinstance(value, str))
    }
    return _system_of(epsg, tuple(told.items()))


@lru_cache(maxsize=256)
def _system_of(epsg: str | None, items: tuple[tuple[str, Any], ...]) -> System:
    keys = dict(items)
    unknown = System(None, {}, {})
    try:
        pyproj = importlib.import_module("pyproj")
    except ImportError:
        return System(epsg, {}, {}) if linear_unit(keys) is not None else unknown
    try:
        found = pyproj.CRS.from_user_input(epsg) if epsg is not None else _made(keys)
        stated = found
        if found is not None and epsg is not None:
            found = _in_stated_unit(_on_stated_ellipsoid(found, keys), keys)
        if found is None:
            return unknown
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of parameters that CF has no attribute for
            mapping = found.to_cf()
        axes = {axis["axis"]: axis for axis in found.cs_to_cf() if "axis" in axis}
    except (pyproj.exceptions.ProjError, ValueError, OverflowError, KeyError):
        return unknown
    kept = epsg if found is stated else None
    return System(kept, {**mapping, "spatial_ref": mapping.get("crs_wkt", "")}, axes)


def _in_stated_unit(crs: Any, keys: Keys) -> Any:
    """Return a projected CRS in the linear unit that the keys name; None if that is not known.

    Compound systems are not rewritten. The false easting keeps its own unit.
    """
    if not crs.is_projected or not {"ProjLinearUnitsGeoKey", *WORDS} & keys.keys():
        return crs
    unit = linear_unit(keys)
    if unit is None:
        return None
    factor = float(crs.axis_info[0].unit_conversion_factor)
    is_imagined = "ProjLinearUnitsGeoKey" not in keys and unit[1] == 1.0
    if is_imagined or abs(factor / unit[1] - 1) < TOLERANCE:
        return crs
    definition = crs.to_json_dict()
    if definition["type"] != "ProjectedCRS":
        return None
    for axis in definition["coordinate_system"]["axis"]:
        axis["unit"] = {"type": "LinearUnit", "name": unit[0], "conversion_factor": unit[1]}
    kept = ("$schema", "type", "name", "base_crs", "conversion", "coordinate_system")
    return type(crs).from_json_dict({key: definition[key] for key in kept if key in definition})


def _on_stated_ellipsoid(crs: Any, keys: Keys) -> Any:
    """Return a CRS on the ellipsoid whose axes the keys name, where its code says another.

    GDAL takes the keys for the truth too. Compound systems are not rewritten.
    """
    major, flattening = (
        number(keys, "EllipsoidSemiMajorAxis"),
        number(keys, "EllipsoidInvFlattening"),
    )
    known = crs.ellipsoid
    if major is None or flattening is None or known is None or major <= 0:
        return crs
    stated = (major, flattening)
    usual = (float(known.semi_major_metre), float(known.inverse_flattening))
    if all(abs(a - b) <= ELLIPSOID_TOLERANCE * abs(b) for a, b in zip(stated, usual, strict=True)):
        return crs
    definition = crs.to_json_dict()
    base = definition.get("base_crs", definition)
    datum = base.pop("datum_ensemble", base.get("datum"))
    if definition["type"] not in ("ProjectedCRS", "GeographicCRS") or datum is None:
        return crs
    base["datum"] = {
        "type": "GeodeticReferenceFrame",
        "name": datum["name"].removesuffix(" ensemble"),
        "ellipsoid": {
            "name": str(known.name),
            "semi_major_axis": major,
            "inverse_flattening": flattening,
        },
        **{key: datum[key] for key in ("prime_meridian",) if key in datum},
    }
    for one in (base, definition):
        one.pop("id", None)
    return type(crs).from_json_dict(definition)


def _made(keys: Keys) -> Any:
    """Return the CRS that keys without a code define; None where they do not."""
    pyproj = importlib.import_module("pyproj")
    text = esri_text(keys)
    if text is not None:
        return pyproj.CRS.from_wkt(text)
    model = keys.get("GTModelTypeGeoKey")
    base = _geographic(keys)
    if base is None:
        return None
    if model == 2 and not any(part in keys for part in PARTS):
        return base
    if model not in (1, None, USER_MODEL):
        return None
    projection = code(keys, "Projection")
    if projection is not None:
        return _by_conversion(keys, base, projection)
    text = projected_text(keys, base.to_wkt("WKT1_GDAL"))
    return None if text is None else pyproj.CRS.from_wkt(text)


def _by_conversion(keys: Keys, base: Any, projection: int) -> Any:
    """Return the CRS of a conversion that has an EPSG code of its own, as zones of UTM have."""
    crs = importlib.import_module("pyproj.crs")
    unit = linear_unit(keys)
    if unit is None:
        return None
    axes = [
        {
            "name": name,
            "abbreviation": short,
            "direction": direction,
            "unit": {"type": "LinearUnit", "name": unit[0], "conversion_factor": unit[1]},
        }
        for name, short, direction in (("Easting", "E", "east"), ("Northing", "N", "north"))
    ]
    citation = str(keys.get("GTCitationGeoKey", "unknown"))
    return crs.CRS.from_json_dict(
        {
            "type": "ProjectedCRS",
            "name": names_of(keys).get("PCS Name", citation),
            "base_crs": base.to_json_dict(),
            "conversion": crs.CoordinateOperation.from_epsg(projection).to_json_dict(),
            "coordinate_system": {"subtype": "Cartesian", "axis": axes},
        }
    )


def _geographic(keys: Keys) -> Any:
    """Return the geographic CRS of the keys: by its code, or by its datum, ellipsoid and unit."""
    crs = importlib.import_module("pyproj.crs")
    epsg = code(keys, "GeodeticCRS")
    if epsg is not None:
        return _on_stated_ellipsoid(crs.CRS.from_epsg(epsg), keys)
    ellipsoid, meridian = _ellipsoid(keys, crs), _meridian(keys, crs)
    if ellipsoid is None or meridian is None:
        return None
    stated = code(keys, "GeodeticDatum")
    is_named = stated is not None and stated not in UNKNOWN_DATUMS
    datum = str(crs.Datum.from_epsg(stated).name) if is_named else None
    text = geographic_text(keys, ellipsoid, meridian, datum)
    return None if text is None else crs.CRS.from_wkt(text)


def _ellipsoid(keys: Keys, crs: Any) -> Unit | None:
    """Return name and semi-major axis of the ellipsoid that the keys give axes of."""
    major = number(keys, "EllipsoidSemiMajorAxis")
    stated, datum = code(keys, "Ellipsoid"), code(keys, "GeodeticDatum")
    if stated is None and datum in UNKNOWN_DATUMS and datum is not None:
        stated = datum + ELLIPSOID_OF_DATUM
    if major is None or major <= 0:
        return None
    if stated is not None:
        return str(crs.Ellipsoid.from_epsg(stated).name), major
    return names_of(keys).get("Ellipsoid", "unknown"), major


def _meridian(keys: Keys, crs: Any) -> Unit | None:
    """Return name and longitude in degrees of the prime meridian; None if it is not known."""
    stated = code(keys, "PrimeMeridian")
    longitude = number(keys, "PrimeMeridianLongitude")
    if stated is None or stated == GREENWICH:
        if longitude not in (None, 0.0):
            name = names_of(keys).get("Primem", "unknown")
            in_degrees = keys.get("GeogAngularUnitsGeoKey", 9102) == 9102
            return (name, float(longitude)) if in_degrees and longitude is not None else None
        return names_of(keys).get("Primem", "Greenwich"), 0.0
    known = crs.PrimeMeridian.from_epsg(stated)
    factor = float(known.unit_conversion_factor) / ANGULAR[9102][1]
    return str(known.name), float(known.longitude) * factor
