"""Where an image lies on the earth (OGC GeoTIFF 1.1), as GDAL and rioxarray say it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from virtualizarr.parsers.georeference import Affine, is_rotated
from virtualizarr.parsers.tiff.crs import System, system_of
from virtualizarr.parsers.tiff.layout import Ifd, Tag

MODEL_TYPE, RASTER_TYPE = 1024, 1025
GEODETIC_CRS, PROJECTED_CRS, VERTICAL_CRS = 2048, 3072, 4096
USER_DEFINED = 32767
PIXEL_IS_POINT = 2
PROJECTED, GEOGRAPHIC, GEOCENTRIC = 1, 2, 3
WITH_VERTICAL = 1
"""The minor revision of the keys, that of GeoTIFF 1.1, from which on GDAL shows vertical ones."""

HORIZONTAL = {PROJECTED: PROJECTED_CRS, GEOGRAPHIC: GEODETIC_CRS, GEOCENTRIC: GEODETIC_CRS}
KEY_NAMES: Mapping[int, str] = {
    1024: "GTModelTypeGeoKey",
    1025: "GTRasterTypeGeoKey",
    1026: "GTCitationGeoKey",
    2048: "GeodeticCRSGeoKey",
    2049: "GeodeticCitationGeoKey",
    2050: "GeodeticDatumGeoKey",
    2051: "PrimeMeridianGeoKey",
    2052: "GeogLinearUnitsGeoKey",
    2053: "GeogLinearUnitSizeGeoKey",
    2054: "GeogAngularUnitsGeoKey",
    2055: "GeogAngularUnitSizeGeoKey",
    2056: "EllipsoidGeoKey",
    2057: "EllipsoidSemiMajorAxisGeoKey",
    2058: "EllipsoidSemiMinorAxisGeoKey",
    2059: "EllipsoidInvFlatteningGeoKey",
    2060: "GeogAzimuthUnitsGeoKey",
    2061: "PrimeMeridianLongitudeGeoKey",
    3072: "ProjectedCRSGeoKey",
    3073: "ProjectedCitationGeoKey",
    3074: "ProjectionGeoKey",
    3075: "ProjMethodGeoKey",
    3076: "ProjLinearUnitsGeoKey",
    3077: "ProjLinearUnitSizeGeoKey",
    3078: "ProjStdParallel1GeoKey",
    3079: "ProjStdParallel2GeoKey",
    3080: "ProjNatOriginLongGeoKey",
    3081: "ProjNatOriginLatGeoKey",
    3082: "ProjFalseEastingGeoKey",
    3083: "ProjFalseNorthingGeoKey",
    3084: "ProjFalseOriginLongGeoKey",
    3085: "ProjFalseOriginLatGeoKey",
    3086: "ProjFalseOriginEastingGeoKey",
    3087: "ProjFalseOriginNorthingGeoKey",
    3088: "ProjCenterLongGeoKey",
    3089: "ProjCenterLatGeoKey",
    3090: "ProjCenterEastingGeoKey",
    3091: "ProjCenterNorthingGeoKey",
    3092: "ProjScaleAtNatOriginGeoKey",
    3093: "ProjScaleAtCenterGeoKey",
    3094: "ProjAzimuthAngleGeoKey",
    3095: "ProjStraightVertPoleLongGeoKey",
    3096: "ProjRectifiedGridAngleGeoKey",
    4096: "VerticalGeoKey",
    4097: "VerticalCitationGeoKey",
    4098: "VerticalDatumGeoKey",
    4099: "VerticalUnitsGeoKey",
}


@dataclass(frozen=True, slots=True)
class Georeference:
    """`transform` is a, b, c, d, e, f: x = a * column + b * row + c, y = d * column + e * row + f.

    Columns and rows count from the outer corner of the first pixel. `gcps` are the ground control
    points of an image that has no transform, as GeoJSON text. `keys` are the GeoKeys by name,
    `system` the coordinate reference system that they stand for.
    """

    transform: Affine | None
    keys: Mapping[str, Any]
    system: System
    gcps: str | None
    is_point: bool

    @property
    def is_rotated(self) -> bool:
        return self.transform is not None and is_rotated(self.transform)

    def scaled(self, columns: float, rows: float) -> Georeference:
        """Return the reference of the same area with pixels so many times as large."""
        if self.transform is None:
            return self
        a, b, c, d, e, f = self.transform
        larger = (a * columns, b * rows, c, d * columns, e * rows, f)
        return Georeference(larger, self.keys, self.system, self.gcps, self.is_point)


def georeference_of(ifd: Ifd) -> Georeference | None:
    """Return the georeference that an IFD has; None where it has none."""
    keys, code = geo_keys(ifd)
    system = system_of(code, keys)
    is_point = keys.get(KEY_NAMES[RASTER_TYPE]) == PIXEL_IS_POINT
    transform = _transform(ifd, is_point)
    gcps = _gcps(ifd) if transform is None else None
    if transform is None and gcps is None and not keys:
        return None
    return Georeference(transform, keys, system, gcps, is_point)


def _doubles(ifd: Ifd, tag: Tag) -> list[float]:
    values = ifd.values.get(tag)
    return [] if values is None else values.astype(np.float64).tolist()


def _transform(ifd: Ifd, is_point: bool) -> Affine | None:
    """Return the affine transform of ModelTransformation, or of one tie point and a scale.

    A negative ScaleY is taken for a positive one, as GDAL takes it.
    """
    matrix = _doubles(ifd, Tag.MODEL_TRANSFORMATION)
    scale, tie = _doubles(ifd, Tag.MODEL_PIXEL_SCALE), _doubles(ifd, Tag.MODEL_TIEPOINT)
    if len(scale) >= 2 and scale[0] != 0 and scale[1] != 0 and len(tie) >= 6:
        a, e = scale[0], -abs(scale[1])
        plain: Affine = (a, 0.0, tie[3] - tie[0] * a, 0.0, e, tie[4] - tie[1] * e)
    elif len(matrix) == 16:
        plain = (matrix[0], matrix[1], matrix[3], matrix[4], matrix[5], matrix[7])
    else:
        return None
    if not np.isfinite(plain).all() or plain[0] * plain[4] == plain[1] * plain[3]:
        return None
    if not is_point:
        return plain
    a, b, c, d, e, f = plain
    return (a, b, c - (a + b) / 2, d, e, f - (d + e) / 2)


def _gcps(ifd: Ifd) -> str | None:
    """Return tie points as a GeoJSON collection, in the form that rioxarray has in `gcps`."""
    points = np.array(_doubles(ifd, Tag.MODEL_TIEPOINT), np.float64)
    if len(points) < 12 or len(points) % 6 or not np.isfinite(points).all():
        return None
    features = [
        {
            "type": "Feature",
            "properties": {"id": str(i + 1), "info": "", "row": row, "col": column},
            "geometry": {"type": "Point", "coordinates": [x, y, z]},
        }
        for i, (column, row, _, x, y, z) in enumerate(points.reshape(-1, 6).tolist())
    ]
    return json.dumps({"type": "FeatureCollection", "features": features})


def geo_keys(ifd: Ifd) -> tuple[dict[str, Any], str | None]:
    """Return the GeoKeys by name (section 7.1), and the EPSG code that they give.

    A key whose value lies outside its parameters is left out: nothing of it can be known.
    """
    directory = ifd.values.get(Tag.GEO_KEY_DIRECTORY)
    if directory is None or len(directory) < 4:
        return {}, None
    doubles = _doubles(ifd, Tag.GEO_DOUBLE_PARAMS)
    stored = ifd.values.get(Tag.GEO_ASCII_PARAMS)
    text = stored.tobytes().decode("latin-1") if stored is not None else ""
    table = directory[4 : 4 + len(directory[4:]) // 4 * 4].reshape(-1, 4)[: int(directory[3])]
    numbers: dict[int, Any] = {}
    for key, place, count, value in table.tolist():
        found: Any = None
        if place == 0:
            found = value
        elif place == Tag.GEO_DOUBLE_PARAMS:
            part = doubles[value : value + count]
            found = part[0] if len(part) == 1 else part
        elif place == Tag.GEO_ASCII_PARAMS:
            found = text[value : value + count].rstrip("|\0")
        if found not in (None, [], ""):
            numbers.setdefault(key, found)
    names = {KEY_NAMES.get(key, f"GeoKey{key}"): value for key, value in numbers.items()}
    return names, _epsg(numbers, has_vertical=int(directory[2]) >= WITH_VERTICAL)


def _epsg(keys: Mapping[int, Any], *, has_vertical: bool) -> str | None:
    model: Any = keys.get(MODEL_TYPE)
    if model == USER_DEFINED:
        return None
    if model not in HORIZONTAL:
        model = PROJECTED if PROJECTED_CRS in keys else GEOGRAPHIC
    code = keys.get(HORIZONTAL[model])
    if not isinstance(code, int) or not 1023 < code < USER_DEFINED:
        return None
    vertical = keys.get(VERTICAL_CRS)
    if has_vertical and isinstance(vertical, int) and 1023 < vertical < USER_DEFINED:
        return f"EPSG:{code}+{vertical}"
    return f"EPSG:{code}"
