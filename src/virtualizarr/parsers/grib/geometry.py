"""A grid as its variables show it: dimensions, coordinates, grid mapping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from virtualizarr.model import ManifestArray
from virtualizarr.parsers.grib.axes import inline_array
from virtualizarr.parsers.grib.coordinates import (
    LONGITUDE,
    SEPARABLE,
    latitude_attributes,
    latitudes_of,
    longitudes_of,
)
from virtualizarr.parsers.grib.grid import I_NEGATIVE, J_CONSECUTIVE, J_POSITIVE, Grid
from virtualizarr.parsers.grib.grid1 import grid_1
from virtualizarr.parsers.grib.grid2 import grid_2
from virtualizarr.parsers.grib.layout import GridSection


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


@lru_cache(maxsize=64)
def geometry_of(section: GridSection) -> Geometry:
    """Return the geometry of a grid section; errors as `grid_1` and `grid_2`."""
    grid = grid_2(section.section) if section.edition == 2 else grid_1(section)
    if grid.kind in SEPARABLE:
        return _separable(grid)
    if grid.is_gridded:
        return _planar(grid)
    return Geometry(grid, ("values",), grid.shape, {}, (), None, _attributes(grid))


def _separable(grid: Grid) -> Geometry:
    latitude, longitude = latitudes_of(grid), longitudes_of(grid)
    arrays = {
        "latitude": inline_array(latitude, ("latitude",), latitude_attributes(latitude)),
        "longitude": inline_array(longitude, ("longitude",), LONGITUDE),
    }
    dimensions = _ordered(grid, "latitude", "longitude")
    return Geometry(grid, dimensions, grid.shape, arrays, (), None, _attributes(grid))


def _planar(grid: Grid) -> Geometry:
    return Geometry(grid, _ordered(grid, "y", "x"), grid.shape, {}, (), None, _attributes(grid))


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
