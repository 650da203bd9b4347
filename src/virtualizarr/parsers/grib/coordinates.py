"""The coordinates of a grid's points along its axes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.grib.grid import I_NEGATIVE, J_POSITIVE, Grid

type Floats = npt.NDArray[np.float64]

LATITUDE = {"units": "degrees_north", "standard_name": "latitude", "long_name": "latitude"}
LONGITUDE = {"units": "degrees_east", "standard_name": "longitude", "long_name": "longitude"}
SEPARABLE = ("regular_ll", "regular_gg")
MAX_GAUSSIAN = 8192
"""More parallels than the finest models have; working them out takes the square of the time."""


def latitudes_of(grid: Grid) -> Floats:
    """Return the latitude of each row of a regular grid, in the order of the values.

    As ecCodes has them: the distance of rows is the one given, rounded as it is, and the last row
    lies where it is said to lie.
    """
    parameters, rows = grid.parameters, grid.rows
    assert rows is not None
    first = parameters["latitudeOfFirstGridPointInDegrees"]
    if grid.kind.endswith("_gg"):
        return gaussian_rows(parameters["N"], first, rows, bool(grid.scanning & J_POSITIVE))
    last = parameters["latitudeOfLastGridPointInDegrees"]
    step = parameters.get("jDirectionIncrementInDegrees")
    if step is None:
        step = _spread(first, last, rows)
    values: Floats = first + (step if grid.scanning & J_POSITIVE else -step) * np.arange(rows)
    if rows > 1:
        values[-1] = last
    return values


def longitudes_of(grid: Grid) -> Floats:
    """Return the longitude of each column of a regular grid, in the order of the values.

    They are spread between the ends, which are rounded less, in effect, than their distance.
    """
    parameters, columns = grid.parameters, grid.columns
    assert columns is not None
    first = parameters["longitudeOfFirstGridPointInDegrees"]
    last = parameters["longitudeOfLastGridPointInDegrees"]
    negative = bool(grid.scanning & I_NEGATIVE)
    if negative and last >= first and columns > 1:
        first += 360
    if not negative and last <= first and columns > 1:
        last += 360
    step = _spread(first, last, columns)
    values: Floats = first + (-step if negative else step) * np.arange(columns)
    return values


def _spread(first: float, last: float, count: int) -> float:
    return abs(last - first) / (count - 1) if count > 1 else 0.0


def gaussian_rows(number: int, first: float, rows: int, northward: bool) -> Floats:
    """Return the `rows` latitudes of the Gaussian grid of `number` that begin near `first`."""
    if not 0 < number <= MAX_GAUSSIAN or rows > 2 * number:
        raise CorruptFileError(f"a Gaussian grid of {number} parallels and {rows} rows")
    every = gaussian_latitudes(number)
    every = every[::-1] if northward else every
    start = int(np.argmin(np.abs(every - first)))
    start = min(start, 2 * number - rows)
    return every[start : start + rows]


@lru_cache(maxsize=16)
def gaussian_latitudes(number: int) -> Floats:
    """Return the latitudes of a Gaussian grid, 2 * `number`, from north to south, in degrees.

    They are the arcsines of the roots of the Legendre polynomial of that degree, found by Newton's
    method from McMahon's approximation.
    """
    degree = 2 * number
    k = np.arange(1, number + 1)
    x = np.cos(np.pi * (k - 0.25) / (degree + 0.5)) * (1 - (degree - 1) / (8.0 * degree**3))
    for _ in range(4):
        before, here = np.ones_like(x), x.copy()
        for n in range(2, degree + 1):
            before, here = here, ((2 * n - 1) * x * here - (n - 1) * before) / n
        slope = degree * (before - x * here) / (1 - x * x)
        change = here / slope
        x = x - change
        if np.abs(change).max() < 1e-10:  # the next one would be the square of it
            break
    north = np.degrees(np.arcsin(x))
    found = np.concatenate((north, -north[::-1]))
    found.flags.writeable = False
    return found


def latitude_attributes(values: Floats) -> Mapping[str, Any]:
    """Return the attributes of a latitude, which say that it decreases where it does."""
    down = values.size > 1 and values[0] > values[-1]
    return {**LATITUDE, **({"stored_direction": "decreasing"} if down else {})}
