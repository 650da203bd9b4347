"""Latitudes or longitudes of all points of a grid, worked out from a description of the grid.

A chunk is a JSON document of some hundred bytes, which a manifest holds inline; so coordinates of
millions of points cost nothing until they are read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from virtualizarr.codecs.base import ForeignCodec, Octets, octets
from virtualizarr.codecs.grib_coordinates.points import points_of
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ZarrTwin
from virtualizarr.errors import UnsupportedFeatureError

MOST = 1 << 28
"""Points whose places are worked out at once; a description of any number is short."""


@dataclass(frozen=True)
class GribCoordinates(ForeignCodec):
    """`coordinate`: "latitude" or "longitude", in degrees, as float64."""

    name: ClassVar[str] = "virtualizarr.grib_coordinates"
    coordinate: str

    def __post_init__(self) -> None:
        self.require(
            self.coordinate in ("latitude", "longitude"), f"coordinate is {self.coordinate!r}"
        )

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        try:
            description = json.loads(data.tobytes())
            self._check_size(description, nbytes)
            longitude, latitude = points_of(description)
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
            raise self.corrupt(f"not the description of a grid: {error!r}") from error
        found = np.ascontiguousarray(latitude if self.coordinate == "latitude" else longitude)
        self.require(nbytes is None or found.nbytes == nbytes, f"{found.nbytes} bytes for {nbytes}")
        return octets(found.astype("<f8", copy=False))

    def _check_size(self, description: object, nbytes: int | None) -> None:
        """Refuse to work out more points than the chunk has."""
        points = description.get("points") if isinstance(description, dict) else None
        self.require(isinstance(points, int), "the number of points is not told")
        self.require(nbytes is None or points == nbytes // 8, f"{points} points in {nbytes} bytes")
        if isinstance(points, int) and points > MOST:
            raise UnsupportedFeatureError(f"codec {self.name}: places of {points} points")


class GribCoordinatesCodec(ZarrTwin, of=GribCoordinates):
    """Zarr v3 codec `virtualizarr.grib_coordinates`."""


class GribCoordinatesNumcodec(NumcodecsTwin, of=GribCoordinates):
    """numcodecs codec `virtualizarr.grib_coordinates`."""
