"""Grid mappings, by the words of the CF conventions (appendix F)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from virtualizarr.parsers.grib.coordinates import Floats
from virtualizarr.parsers.grib.grid import I_NEGATIVE, J_POSITIVE, Grid

type Parameters = Mapping[str, Any]


def grid_mapping(grid: Grid) -> dict[str, Any] | None:
    """Return the attributes of the grid mapping variable; None for grids that have none."""
    build = _MAPPINGS.get(grid.projection)
    if build is None:
        return None
    return {
        **build(grid.parameters),
        "semi_major_axis": grid.parameters["earthMajorAxis"],
        "semi_minor_axis": grid.parameters["earthMinorAxis"],
    }


def view_axes(grid: Grid) -> tuple[Floats, Floats] | None:
    """Return the scanning angles of columns and rows of a space view, in radians.

    None where the satellite is infinitely far or not above the equator.
    """
    parameters = grid.parameters
    distance = parameters["NrInRadiusOfEarthScaled"]
    across, down = parameters["dx"], parameters["dy"]
    if distance <= 1 or not across or not down or distance > 1000:
        return None
    if parameters["latitudeOfSubSatellitePointInDegrees"]:
        return None
    assert grid.columns is not None
    assert grid.rows is not None
    width = 2 * np.arcsin(1 / distance)
    ratio = parameters["earthMinorAxis"] / parameters["earthMajorAxis"]
    columns = np.arange(grid.columns) + parameters["Xo"] - parameters["XpInGridLengths"]
    rows = np.arange(grid.rows) + parameters["Yo"] - parameters["YpInGridLengths"]
    x, y = columns * width / across, rows * ratio * width / down
    return (-x if grid.scanning & I_NEGATIVE else x), (y if grid.scanning & J_POSITIVE else -y)


def _lambert(parameters: Parameters) -> dict[str, Any]:
    parallels = [parameters["Latin1InDegrees"], parameters["Latin2InDegrees"]]
    return {
        "grid_mapping_name": "lambert_conformal_conic",
        "standard_parallel": parallels if parallels[0] != parallels[1] else parallels[0],
        "longitude_of_central_meridian": parameters["LoVInDegrees"],
        "latitude_of_projection_origin": parameters["LaDInDegrees"],
        "false_easting": 0.0,
        "false_northing": 0.0,
    }


def _albers(parameters: Parameters) -> dict[str, Any]:
    return _lambert(parameters) | {"grid_mapping_name": "albers_conical_equal_area"}


def _polar(parameters: Parameters) -> dict[str, Any]:
    south = parameters["southPoleOnProjectionPlane"]
    return {
        "grid_mapping_name": "polar_stereographic",
        "latitude_of_projection_origin": -90.0 if south else 90.0,
        "straight_vertical_longitude_from_pole": parameters["orientationOfTheGridInDegrees"],
        "standard_parallel": parameters["LaDInDegrees"],
        "false_easting": 0.0,
        "false_northing": 0.0,
    }


def _mercator(parameters: Parameters) -> dict[str, Any]:
    return {
        "grid_mapping_name": "mercator",
        "standard_parallel": parameters["LaDInDegrees"],
        "longitude_of_projection_origin": 0.0,
        "false_easting": 0.0,
        "false_northing": 0.0,
    }


def _azimuthal(parameters: Parameters) -> dict[str, Any]:
    return {
        "grid_mapping_name": "lambert_azimuthal_equal_area",
        "latitude_of_projection_origin": parameters["standardParallelInDegrees"],
        "longitude_of_projection_origin": parameters["centralLongitudeInDegrees"],
        "false_easting": 0.0,
        "false_northing": 0.0,
    }


def _transverse(parameters: Parameters) -> dict[str, Any]:
    return {
        "grid_mapping_name": "transverse_mercator",
        "latitude_of_projection_origin": parameters["latitudeOfReferencePointInDegrees"],
        "longitude_of_central_meridian": parameters["longitudeOfReferencePointInDegrees"],
        "scale_factor_at_central_meridian": parameters["scaleFactorAtReferencePoint"],
        "false_easting": parameters["XRInMetres"],
        "false_northing": parameters["YRInMetres"],
    }


def _rotated(parameters: Parameters) -> dict[str, Any]:
    return {
        "grid_mapping_name": "rotated_latitude_longitude",
        "grid_north_pole_latitude": -parameters["latitudeOfSouthernPoleInDegrees"],
        "grid_north_pole_longitude": (parameters["longitudeOfSouthernPoleInDegrees"] % 360) - 180,
        "north_pole_grid_longitude": parameters["angleOfRotationInDegrees"],
    }


def _view(parameters: Parameters) -> dict[str, Any]:
    height = (parameters["NrInRadiusOfEarthScaled"] - 1) * parameters["earthMajorAxis"]
    return {
        "grid_mapping_name": "geostationary",
        "perspective_point_height": height,
        "latitude_of_projection_origin": parameters["latitudeOfSubSatellitePointInDegrees"],
        "longitude_of_projection_origin": parameters["longitudeOfSubSatellitePointInDegrees"],
        "sweep_angle_axis": "y",
    }


_MAPPINGS: Mapping[str, Callable[[Parameters], dict[str, Any]]] = {
    "albers": _albers,
    "lambert": _lambert,
    "lambert_azimuthal_equal_area": _azimuthal,
    "mercator": _mercator,
    "polar_stereographic": _polar,
    "rotated_gg": _rotated,
    "rotated_ll": _rotated,
    "space_view": _view,
    "transverse_mercator": _transverse,
}
