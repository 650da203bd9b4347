"""Auxiliary functions of latitude on an ellipsoid of revolution.

J. P. Snyder, "Map Projections - A Working Manual", USGS Professional Paper 1395, chapter 3. All
angles in radians.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

type Floats = npt.NDArray[np.float64]

_ROUNDS = 20
_CLOSE = 1e-14


@dataclass(frozen=True, slots=True)
class Ellipsoid:
    """Semi-axes in metres; a sphere where they are equal."""

    major: float
    minor: float

    @property
    def squared(self) -> float:
        """The square of the eccentricity."""
        return 1 - (self.minor / self.major) ** 2

    @property
    def eccentricity(self) -> float:
        return float(np.sqrt(max(self.squared, 0.0)))

    def m(self, latitude: Any) -> Any:
        """Return the radius of a parallel in units of the major axis (14-15)."""
        return np.cos(latitude) / np.sqrt(1 - self.squared * np.sin(latitude) ** 2)

    def t(self, latitude: Any) -> Any:
        """Return the tangent of half the conformal colatitude (15-9)."""
        e = self.eccentricity
        flat = e * np.sin(latitude)
        return np.tan(np.pi / 4 - latitude / 2) / ((1 - flat) / (1 + flat)) ** (e / 2)

    def latitude_of_t(self, t: Floats) -> Floats:
        """Return the inverse of `t` (7-9)."""
        e = self.eccentricity
        latitude = np.pi / 2 - 2 * np.arctan(t)
        for _ in range(_ROUNDS if e else 0):
            flat = e * np.sin(latitude)
            better = np.pi / 2 - 2 * np.arctan(t * ((1 - flat) / (1 + flat)) ** (e / 2))
            done = np.abs(better - latitude).max(initial=0) < _CLOSE
            latitude = better
            if done:
                break
        return latitude

    def q(self, latitude: Any) -> Any:
        """Return twice the sine of the authalic latitude, on a sphere (3-12)."""
        e, sine = self.eccentricity, np.sin(latitude)
        if e == 0:
            return 2 * sine
        flat = e * sine
        return (1 - e * e) * (sine / (1 - flat**2) - np.log((1 - flat) / (1 + flat)) / (2 * e))

    def latitude_of_q(self, q: Floats) -> Floats:
        """Return the inverse of `q` (3-16)."""
        e = self.eccentricity
        latitude = np.arcsin(np.clip(q / 2, -1, 1))
        for _ in range(_ROUNDS if e else 0):
            sine = np.sin(latitude)
            flat = 1 - (e * sine) ** 2
            change = (
                flat**2
                / (2 * np.maximum(np.cos(latitude), 1e-12))
                * (
                    q / (1 - e * e)
                    - sine / flat
                    + np.log((1 - e * sine) / (1 + e * sine)) / (2 * e)
                )
            )
            latitude = np.clip(latitude + change, -np.pi / 2, np.pi / 2)
            if np.abs(change).max(initial=0) < _CLOSE:
                break
        return latitude
