"""A grid as its variables show it: dimensions, coordinates, grid mapping."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from virtualizarr.codecs.grib_coordinates.projections import PROJECTIONS
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import ArrayMetadata, ChunkManifest, ManifestArray
from virtualizarr.parsers.grib.axes import inline_array
from virtualizarr.parsers.grib.coordinates import (
    LATITUDE,
    LONGITUDE,
    MAX_GAUSSIAN,
    SEPARABLE,
    Floats,
    gaussian_rows,
    latitude_attributes,
    latitudes_of,
    longitudes_of,
)
from virtualizarr.parsers.grib.grid import I_NEGATIVE, J_CONSECUTIVE, J_POSITIVE, Grid
from virtualizarr.parsers.grib.grid1 import grid_1
from virtualizarr.parsers.grib.grid2 import grid_2
from virtualizarr.parsers.grib.layout import GridSection
from virtualizarr.parsers.grib.mapping import grid_mapping, view_axes
from virtualizarr.parsers.grib.reduced import is_global

SPATIAL_REF = "spatial_ref"
LONGEST_AXIS = 1 << 18
CODEC = "virtualizarr.grib_coordinates"
X = {"units": "m", "standard_name": "projection_x_coordinate", "axis": "X"}
Y = {"units": "m", "standard_name": "projection_y_coordinate", "axis": "Y"}
ROTATED_X = {"units": "degrees", "standard_name": "grid_longitude", "axis": "X"}
ROTATED_Y = {"units": "degrees", "standard_name": "grid_latitude", "axis": "Y"}
VIEW_X = {"units": "rad", "standard_name": "projection_x_angular_coordinate", "axis": "X"}
VIEW_Y = {"units": "rad", "standard_name": "projection_y_angular_coordinate", "axis": "Y"}

ORIGIN_WITHIN = frozenset({"lambert", "albers", "polar_stereographic"})
"""Kinds whose grids mostly lie about the origin of their projection."""


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """`coordinates` are the arrays of the grid, of which `auxiliary` are no dimensions.

    `mapping` is the name of the grid mapping variable, if there is one.
    """

    grid: Grid
    dimensions: tuple[str, ...]
    shape: tuple[int, ...]
    coordinates: Mapping[str, ManifestArray]
    auxiliary: tuple[str, ...]
    mapping: str | None
    attributes: Mapping[str, Any]

    @property
    def points(self) -> Hashable:
        """What is equal for two descriptions of the same points, in whatever edition."""
        if self.grid.kind in SEPARABLE:
            values = [self.coordinates[name].manifest.inline for name in self.dimensions]
            return (self.dimensions, self.grid.alternate_row, *values)
        return id(self)


@dataclass(frozen=True, slots=True)
class Plane:
    """The axes of a grid in its own plane, with their attributes."""

    x: Floats
    y: Floats
    x_attributes: Mapping[str, Any]
    y_attributes: Mapping[str, Any]


@lru_cache(maxsize=64)
def geometry_of(section: GridSection) -> Geometry:
    """Return the geometry of a grid section; errors as `grid_1` and `grid_2`."""
    grid = grid_2(section.section) if section.edition == 2 else grid_1(section)
    if not grid.points:
        raise CorruptFileError("a grid without points")
    if max(grid.columns or 0, grid.rows or 0) > LONGEST_AXIS:
        raise UnsupportedFeatureError(f"a grid of {grid.columns} x {grid.rows} points")
    if grid.kind in SEPARABLE:
        return _separable(grid)
    if grid.is_gridded:
        return _planar(grid)
    return _listed(grid)


def _separable(grid: Grid) -> Geometry:
    latitude, longitude = latitudes_of(grid), longitudes_of(grid)
    arrays = {
        "latitude": inline_array(latitude, ("latitude",), latitude_attributes(latitude)),
        "longitude": inline_array(longitude, ("longitude",), LONGITUDE),
    }
    dimensions = _ordered(grid, "latitude", "longitude")
    return Geometry(grid, dimensions, grid.shape, arrays, (), None, _attributes(grid))


def _planar(grid: Grid) -> Geometry:
    """Return rows and columns in a plane, with latitudes and longitudes worked out on reading."""
    dimensions = _ordered(grid, "y", "x")
    plane = _plane(grid)
    if plane is None:
        return Geometry(grid, dimensions, grid.shape, {}, (), None, _attributes(grid))
    description = {
        "kind": grid.projection,
        "points": grid.points,
        "x": _brief(plane.x),
        "y": _brief(plane.y),
        "transposed": bool(grid.scanning & J_CONSECUTIVE),
        "parameters": _numbers(grid),
    }
    arrays = {
        "x": inline_array(plane.x, ("x",), plane.x_attributes),
        "y": inline_array(plane.y, ("y",), plane.y_attributes),
        **_positions(grid, dimensions, description),
    }
    mapping = grid_mapping(grid)
    if mapping is not None:
        arrays[SPATIAL_REF] = inline_array(np.zeros((), np.int64), (), mapping)
    auxiliary = ("latitude", "longitude", *((SPATIAL_REF,) if mapping is not None else ()))
    name = SPATIAL_REF if mapping is not None else None
    return Geometry(grid, dimensions, grid.shape, arrays, auxiliary, name, _attributes(grid))


def _listed(grid: Grid) -> Geometry:
    """Return a list of points, with their positions where the grid tells them."""
    description: dict[str, Any] | None = None
    known: dict[str, Any] = {"kind": grid.kind, "points": grid.points, "parameters": _numbers(grid)}
    if grid.kind == "healpix" and grid.points == 12 * grid.parameters["Nside"] ** 2:
        description = known
    elif grid.row_lengths is not None:
        rows = _row_latitudes(grid)
        if rows is not None:
            description = {
                **known,
                "y": {"values": rows.tolist()},
                "row_lengths": grid.row_lengths.tolist(),
                **_row_starts(grid),
            }
    dimensions = ("values",)
    arrays = _positions(grid, dimensions, description) if description is not None else {}
    return Geometry(grid, dimensions, grid.shape, arrays, tuple(arrays), None, _attributes(grid))


def _row_starts(grid: Grid) -> Mapping[str, Any]:
    """Return where rows begin and how far their points are apart, for the codec."""
    parameters = grid.parameters
    first = parameters["longitudeOfFirstGridPointInDegrees"]
    if grid.row_circles is not None and grid.row_firsts is not None:
        return {
            "row_circles": grid.row_circles.tolist(),
            "row_firsts": grid.row_firsts.tolist(),
            "first_longitude": 0.0,
        }
    assert grid.row_lengths is not None
    if is_global(parameters, grid.row_lengths):
        return {"first_longitude": first}
    last = parameters["longitudeOfLastGridPointInDegrees"]
    return {"first_longitude": first, "extent": (last - first) % 360}


def _row_latitudes(grid: Grid) -> Floats | None:
    assert grid.row_lengths is not None
    parameters, rows = grid.parameters, grid.row_lengths.size
    first = parameters["latitudeOfFirstGridPointInDegrees"]
    north = bool(grid.scanning & J_POSITIVE)
    if grid.kind in ("reduced_gg", "reduced_rotated_gg") and 0 < parameters["N"] <= MAX_GAUSSIAN:
        return gaussian_rows(parameters["N"], first, rows, north)
    if grid.kind == "reduced_ll":
        last = parameters["latitudeOfLastGridPointInDegrees"]
        return np.linspace(first, last, rows)
    return None


def _plane(grid: Grid) -> Plane | None:
    """Return the axes of the grid's plane; None for grids whose plane is not known here."""
    if grid.kind in ("rotated_ll", "rotated_gg"):
        return Plane(longitudes_of(grid), latitudes_of(grid), ROTATED_X, ROTATED_Y)
    if not _has_earth(grid):
        return None
    if grid.kind == "space_view":
        axes = view_axes(grid)
        return Plane(*axes, VIEW_X, VIEW_Y) if axes is not None else None
    if grid.projection not in PROJECTIONS:
        return None
    parameters = grid.parameters
    if grid.kind == "transverse_mercator":
        x_0, y_0 = parameters["X1InMetres"], parameters["Y1InMetres"]
    else:
        x_0, y_0 = PROJECTIONS[grid.projection](parameters).forward(
            parameters["longitudeOfFirstGridPointInDegrees"],
            parameters["latitudeOfFirstGridPointInDegrees"],
        )
    if not np.isfinite(x_0) or not np.isfinite(y_0):
        return None
    assert grid.columns is not None
    assert grid.rows is not None
    step_x = -parameters["DxInMetres"] if grid.scanning & I_NEGATIVE else parameters["DxInMetres"]
    step_y = parameters["DyInMetres"] if grid.scanning & J_POSITIVE else -parameters["DyInMetres"]
    x = float(x_0) + step_x * np.arange(grid.columns, dtype=np.float64)
    y = float(y_0) + step_y * np.arange(grid.rows, dtype=np.float64)
    if _begins_at_the_other_end(grid, float(y_0), step_y):
        y -= step_y * (grid.rows - 1)
    return Plane(x, y, X, Y)


def _has_earth(grid: Grid) -> bool:
    """Say whether the earth has a size; producers may leave it out."""
    axes = (grid.parameters.get(f"earth{which}Axis", 0.0) for which in ("Major", "Minor"))
    return all(0 < axis < np.inf for axis in axes)


def _begins_at_the_other_end(grid: Grid, y_0: float, step: float) -> bool:
    """Say whether the "first" point is the southern one though rows go south.

    Meteo-France writes Lambert grids so, and ecCodes reads all conic and stereographic ones so. It
    is taken to be so where the grid holds the origin of its own projection only then. On a Mercator
    grid the last point tells.
    """
    assert grid.rows is not None
    extent = step * (grid.rows - 1)
    if step >= 0:
        return False
    if grid.projection == "mercator":
        parameters = grid.parameters
        last = parameters["latitudeOfLastGridPointInDegrees"]
        return bool(last > parameters["latitudeOfFirstGridPointInDegrees"])
    return grid.projection in ORIGIN_WITHIN and y_0 < 0 <= y_0 - extent


def _positions(
    grid: Grid, dimensions: tuple[str, ...], description: Mapping[str, Any]
) -> dict[str, ManifestArray]:
    """Return latitude and longitude of all points as arrays worked out on reading."""
    data = json.dumps(description, separators=(",", ":")).encode()
    return {
        name: ManifestArray(
            ArrayMetadata.create(
                shape=grid.shape,
                dtype=np.dtype("<f8"),
                chunk_shape=grid.shape,
                codecs=({"name": CODEC, "configuration": {"coordinate": name}},),
                fill_value=np.nan,
                attributes=attributes,
                dimension_names=dimensions,
            ),
            ChunkManifest.inlined(data).reshape_grid((1,) * len(grid.shape)),
        )
        for name, attributes in (("latitude", LATITUDE), ("longitude", LONGITUDE))
    }


def _brief(values: Floats) -> Any:
    """Return an axis as first, step and count where that says the same, else all values."""
    if values.size > 1:
        step = (values[-1] - values[0]) / (values.size - 1)
        if np.allclose(np.diff(values), step, rtol=1e-9, atol=1e-12):
            return [float(values[0]), float(step), values.size]
    return {"values": values.tolist()}


def _numbers(grid: Grid) -> dict[str, Any]:
    return {key: value for key, value in grid.parameters.items() if value is not None}


def _ordered(grid: Grid, row: str, column: str) -> tuple[str, ...]:
    return (column, row) if grid.scanning & J_CONSECUTIVE else (row, column)


def _attributes(grid: Grid) -> dict[str, Any]:
    found: dict[str, Any] = {"GRIB_gridType": grid.kind, "GRIB_numberOfPoints": grid.points}
    if grid.is_gridded:
        found |= {
            "GRIB_Nx": grid.columns,
            "GRIB_Ny": grid.rows,
            "GRIB_iScansNegatively": int(bool(grid.scanning & I_NEGATIVE)),
            "GRIB_jScansPositively": int(bool(grid.scanning & J_POSITIVE)),
            "GRIB_jPointsAreConsecutive": int(bool(grid.scanning & J_CONSECUTIVE)),
        }
    return found | {f"GRIB_{key}": value for key, value in grid.parameters.items()}
