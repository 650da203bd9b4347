"""Where the rasters of a Sentinel-2 granule lie: its Tile_Geocoding (MTD_TL.xml)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from virtualizarr.model import ManifestArray, ManifestGroup
from virtualizarr.parsers.georeference import (
    Place,
    coordinates_of,
    geozarr_attributes,
    north_up,
    variable_attributes,
)
from virtualizarr.parsers.xml import Element, local_name, text_of

RASTER = "band_data"


@dataclass(frozen=True, slots=True)
class Geocoding:
    """The place of a granule by the lines and samples of its rasters, of each resolution."""

    places: Mapping[tuple[int, int], Place]


def geocoding_of(metadata: Element) -> Geocoding | None:
    """Return the geocoding of a granule; None where the document has none."""
    found = next((each for each in metadata.iter() if local_name(each) == "Tile_Geocoding"), None)
    if found is None:
        return None
    code = text_of(found, "HORIZONTAL_CS_CODE")
    sizes: dict[str, tuple[int, int]] = {}
    places: dict[tuple[int, int], Place] = {}
    try:
        for each in found:
            if local_name(each) == "Size":
                lengths = (int(text_of(each, "NROWS")), int(text_of(each, "NCOLS")))
                sizes[each.get("resolution") or ""] = lengths
        for each in found:
            if local_name(each) == "Geoposition":
                left, top, width, height = (
                    float(text_of(each, key)) for key in ("ULX", "ULY", "XDIM", "YDIM")
                )
                size = sizes[each.get("resolution") or ""]
                places[size] = Place(north_up(left, top, width, -height), code if code else None)
    except (ValueError, KeyError):
        return None
    return Geocoding(places)


def placed(group: ManifestGroup, geocoding: Geocoding | None) -> ManifestGroup:
    """Return a raster's group with coordinates, if the granule has a raster of its size."""
    array = group.arrays.get(RASTER)
    if geocoding is None or array is None or array.metadata.ndim != 3:
        return group
    _, lines, samples = array.metadata.shape
    place = geocoding.places.get((lines, samples))
    if place is None:
        return group
    lengths = {"y": lines, "x": samples}
    attributes = {**array.metadata.attributes, **variable_attributes(place)}
    arrays: dict[str, ManifestArray] = {
        **group.arrays,
        RASTER: array.rebuilt(array.metadata.replace(attributes=attributes), array.manifest),
        **coordinates_of(place, lengths),
    }
    described = {**group.attributes, **geozarr_attributes(place, lengths)}
    return ManifestGroup(arrays, group.groups, described)
