"""Where PDS4 arrays lie: the class Cartography of the cart dictionary."""

from __future__ import annotations

import re

from virtualizarr.parsers.georeference import Place, north_up
from virtualizarr.parsers.raw.numbers import real_or_none
from virtualizarr.parsers.raw.planetary import proj_string
from virtualizarr.parsers.xml import Element, child, local_name, text_of

METRES = {"m": 1.0, "km": 1000.0, "mm": 1e-3, "cm": 1e-2}
CORNER_SINCE = "1D00_1933"
"""The version of the dictionary since which upperleft_corner is the corner of the pixel."""

_VERSION = re.compile(r"PDS4_CART_(\w+)\.xsd")


def place_of(product: Element, raw: bytes | memoryview) -> Place:
    """Return where the rasters of a product lie; nothing where that is not in planar metres."""
    cartography = next((each for each in product.iter() if local_name(each) == "Cartography"), None)
    for name in ("Spatial_Reference_Information", "Horizontal_Coordinate_System_Definition"):
        cartography = child(cartography, name)
    planar = child(cartography, "Planar")
    if planar is None:
        return Place()
    representation = child(planar, "Planar_Coordinate_Information", "Coordinate_Representation")
    width = _metres(representation, "pixel_resolution_x", "pixel_resolution")
    height = _metres(representation, "pixel_resolution_y", "pixel_resolution")
    corner = child(planar, "Geo_Transformation")
    left = _metres(corner, "upperleft_corner_x")
    top = _metres(corner, "upperleft_corner_y")
    transform = None
    if left is not None and top is not None and width is not None and height is not None:
        if not _is_corner(raw):
            left, top = left - width / 2, top + height / 2
        transform = north_up(left, top, width, height)
    return Place(transform, _crs(planar, child(cartography, "Geodetic_Model")))


def _is_corner(raw: bytes | memoryview) -> bool:
    found = _VERSION.search(bytes(raw[:65536]).decode("latin-1"))
    return found is not None and found[1] >= CORNER_SINCE


def _metres(element: Element | None, *names: str) -> float | None:
    """Return the first of the values that is there, in metres."""
    for name in names:
        found = child(element, name)
        value = real_or_none(text_of(found))
        if found is not None and value is not None:
            unit = (found.get("unit") or "m").partition("/")[0].lower()
            return value * METRES[unit] if unit in METRES else None
    return None


def _crs(planar: Element, model: Element | None) -> str | None:
    projection = child(planar, "Map_Projection")
    name = text_of(projection, "map_projection_name")
    parameters = child(projection, name.replace(" ", "_"))
    numbers = {
        local_name(each): value
        for each in (parameters if parameters is not None else ())
        if (value := real_or_none(text_of(each))) is not None
    }
    semi_major = _metres(model, "a_axis_radius", "semi_major_radius")
    semi_minor = _metres(model, "c_axis_radius", "polar_radius")
    if semi_major is None:
        return None
    parallels = [value for key, value in numbers.items() if key.startswith("standard_parallel")]
    first = parallels[0] if parallels else 0.0
    latitude = numbers.get("latitude_of_projection_origin", first)
    return proj_string(
        name,
        latitude=first if name.startswith("Equi") else latitude,
        longitude=numbers.get("longitude_of_central_meridian", 0.0),
        semi_major=semi_major,
        semi_minor=semi_minor if semi_minor is not None else 0.0,
        planetographic=text_of(model, "latitude_type").lower() == "planetographic",
        parallels=(first, parallels[1] if len(parallels) > 1 else first),
        scale=numbers.get("scale_factor_at_central_meridian", 1.0),
    )
