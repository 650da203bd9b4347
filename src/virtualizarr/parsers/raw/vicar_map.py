"""Where a VICAR image lies: its properties GEOTIFF and MAP."""

from __future__ import annotations

import re

from virtualizarr.parsers.georeference import Affine, Place, north_up
from virtualizarr.parsers.raw.numbers import real_or_none, reals
from virtualizarr.parsers.raw.planetary import proj_string
from virtualizarr.parsers.raw.vicar_label import Section

USER_DEFINED = 32767
_CODE = re.compile(r"\s*(\d{1,5})")


def place_of(sections: list[Section]) -> Place:
    """Return where the image lies; nothing where the label does not say."""
    named = {section.name: section for section in sections}
    if "MAP" in named and named["MAP"].text("MAP_PROJECTION_TYPE"):
        return _mapped(named["MAP"])
    if "GEOTIFF" in named:
        return _geotiff(named["GEOTIFF"])
    return Place()


def _geotiff(keys: Section) -> Place:
    scale = reals(keys.texts("MODELPIXELSCALETAG"))
    tie = reals(keys.texts("MODELTIEPOINTTAG"))
    matrix = reals(keys.texts("MODELTRANSFORMATIONTAG"))
    transform: Affine | None = None
    if scale is not None and tie is not None and len(scale) >= 2 and len(tie) >= 6:
        left, top = tie[3] - tie[0] * scale[0], tie[4] + tie[1] * scale[1]
        transform = north_up(left, top, scale[0], scale[1])
    elif matrix is not None and len(matrix) == 16:
        transform = (matrix[0], matrix[1], matrix[3], matrix[4], matrix[5], matrix[7])
    if transform is not None and keys.text("GTRASTERTYPEGEOKEY").strip().startswith("2"):
        a, b, c, d, e, f = transform
        transform = (a, b, c - (a + b) / 2, d, e, f - (d + e) / 2)
    code = None
    for key in ("PROJECTEDCSTYPEGEOKEY", "GEOGRAPHICTYPEGEOKEY"):
        found = _CODE.match(keys.text(key))
        if found is not None and int(found[1]) != USER_DEFINED and code is None:
            code = f"EPSG:{found[1]}"
    return Place(transform, code)


def _mapped(mapping: Section) -> Place:
    def number(key: str, default: float = 0.0) -> float:
        value = real_or_none(mapping.text(key))
        return value if value is not None else default

    size = number("MAP_SCALE") * 1000.0
    column, row = number("SAMPLE_PROJECTION_OFFSET"), number("LINE_PROJECTION_OFFSET")
    transform = north_up(-(column + 0.5) * size, (row + 0.5) * size, size, size)
    crs = proj_string(
        mapping.text("MAP_PROJECTION_TYPE"),
        latitude=number("CENTER_LATITUDE"),
        longitude=number("CENTER_LONGITUDE"),
        semi_major=number("A_AXIS_RADIUS") * 1000.0,
        semi_minor=number("C_AXIS_RADIUS") * 1000.0,
        planetographic=mapping.text("COORDINATE_SYSTEM_NAME").upper() == "PLANETOGRAPHIC",
        parallels=(number("FIRST_STANDARD_PARALLEL"), number("SECOND_STANDARD_PARALLEL")),
    )
    return Place(transform, crs)
