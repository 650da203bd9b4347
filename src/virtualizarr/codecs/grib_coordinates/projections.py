"""Map projections of GRIB grids, both ways.

Formulas are those of Snyder, "Map Projections - A Working Manual" (USGS Professional Paper 1395),
by chapter: Mercator 7, Albers 14, Lambert conformal conic 15, polar stereographic 21, Lambert
azimuthal equal-area 24. Longitudes and latitudes in degrees, x and y in metres.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.grib_coordinates.ellipsoid import Ellipsoid, Floats

type Pair = tuple[Any, Any]
type Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Projection:
    """`forward` takes longitude and latitude to x and y, `inverse` back."""

    forward: Callable[[Any, Any], Pair]
    inverse: Callable[[Floats, Floats], Pair]


def ellipsoid_of(parameters: Parameters) -> Ellipsoid:
    """Return the figure of the earth."""
    return Ellipsoid(parameters["earthMajorAxis"], parameters["earthMinorAxis"])


def lambert(parameters: Parameters) -> Projection:
    """Lambert conformal conic; the origin lies on the latitude LaD and the meridian LoV."""
    earth = ellipsoid_of(parameters)
    first, second = np.radians([parameters["Latin1InDegrees"], parameters["Latin2InDegrees"]])
    origin, meridian = np.radians([parameters["LaDInDegrees"], parameters["LoVInDegrees"]])
    if abs(first - second) < 1e-9:
        n = np.sin(first)
    else:
        n = np.log(earth.m(first) / earth.m(second)) / np.log(earth.t(first) / earth.t(second))
    scale = earth.major * earth.m(first) / (n * earth.t(first) ** n)
    centre = scale * earth.t(origin) ** n

    def forward(longitude: Any, latitude: Any) -> Pair:
        radius = scale * earth.t(np.radians(latitude)) ** n
        angle = n * _wrapped(np.radians(longitude) - meridian)
        return radius * np.sin(angle), centre - radius * np.cos(angle)

    def inverse(x: Floats, y: Floats) -> Pair:
        sign = np.sign(n)
        radius = sign * np.hypot(x, centre - y)
        angle = np.arctan2(sign * x, sign * (centre - y))
        latitude = earth.latitude_of_t((radius / scale) ** (1 / n))
        return np.degrees(angle / n + meridian), np.degrees(latitude)

    return Projection(forward, inverse)


def albers(parameters: Parameters) -> Projection:
    """Albers equal-area conic."""
    earth = ellipsoid_of(parameters)
    first, second = np.radians([parameters["Latin1InDegrees"], parameters["Latin2InDegrees"]])
    origin, meridian = np.radians([parameters["LaDInDegrees"], parameters["LoVInDegrees"]])
    if abs(first - second) < 1e-9:
        n = np.sin(first)
    else:
        n = (earth.m(first) ** 2 - earth.m(second) ** 2) / (earth.q(second) - earth.q(first))
    constant = earth.m(first) ** 2 + n * earth.q(first)

    def radius_of(latitude: Any) -> Any:
        return earth.major * np.sqrt(np.maximum(constant - n * earth.q(latitude), 0)) / n

    centre = radius_of(origin)

    def forward(longitude: Any, latitude: Any) -> Pair:
        radius = radius_of(np.radians(latitude))
        angle = n * _wrapped(np.radians(longitude) - meridian)
        return radius * np.sin(angle), centre - radius * np.cos(angle)

    def inverse(x: Floats, y: Floats) -> Pair:
        sign = np.sign(n)
        radius = np.hypot(x, centre - y)
        angle = np.arctan2(sign * x, sign * (centre - y))
        latitude = earth.latitude_of_q((constant - (radius * n / earth.major) ** 2) / n)
        return np.degrees(angle / n + meridian), np.degrees(latitude)

    return Projection(forward, inverse)


def polar_stereographic(parameters: Parameters) -> Projection:
    """Polar stereographic, true to scale at LaD."""
    earth = ellipsoid_of(parameters)
    pole = -1.0 if parameters["southPoleOnProjectionPlane"] else 1.0
    meridian = np.radians(parameters["orientationOfTheGridInDegrees"])
    true = np.radians(abs(parameters["LaDInDegrees"]))
    if np.pi / 2 - true < 1e-9:
        e = earth.eccentricity
        scale = 2 * earth.major / np.sqrt((1 + e) ** (1 + e) * (1 - e) ** (1 - e))
    else:
        scale = earth.major * earth.m(true) / earth.t(true)

    def forward(longitude: Any, latitude: Any) -> Pair:
        radius = scale * earth.t(pole * np.radians(latitude))
        angle = np.radians(longitude) - meridian
        return radius * np.sin(angle), -pole * radius * np.cos(angle)

    def inverse(x: Floats, y: Floats) -> Pair:
        latitude = pole * earth.latitude_of_t(np.hypot(x, y) / scale)
        return np.degrees(np.arctan2(x, -pole * y) + meridian), np.degrees(latitude)

    return Projection(forward, inverse)


def mercator(parameters: Parameters) -> Projection:
    """Mercator, true to scale at LaD; x counts from the meridian of Greenwich."""
    earth = ellipsoid_of(parameters)
    scale = earth.major * earth.m(np.radians(parameters["LaDInDegrees"]))

    def forward(longitude: Any, latitude: Any) -> Pair:
        return scale * np.radians(longitude), -scale * np.log(earth.t(np.radians(latitude)))

    def inverse(x: Floats, y: Floats) -> Pair:
        return np.degrees(x / scale), np.degrees(earth.latitude_of_t(np.exp(-y / scale)))

    return Projection(forward, inverse)


def azimuthal(parameters: Parameters) -> Projection:
    """Lambert azimuthal equal-area."""
    earth = ellipsoid_of(parameters)
    origin = np.radians(parameters["standardParallelInDegrees"])
    meridian = np.radians(parameters["centralLongitudeInDegrees"])
    whole = float(earth.q(np.pi / 2))
    radius = earth.major * np.sqrt(whole / 2)
    beta_0 = np.arcsin(earth.q(origin) / whole)
    polar = abs(abs(origin) - np.pi / 2) < 1e-9
    d = 1.0 if polar else earth.major * earth.m(origin) / (radius * np.cos(beta_0))

    def forward(longitude: Any, latitude: Any) -> Pair:
        beta = np.arcsin(np.clip(earth.q(np.radians(latitude)) / whole, -1, 1))
        angle = np.radians(longitude) - meridian
        cosine = np.sin(beta_0) * np.sin(beta) + np.cos(beta_0) * np.cos(beta) * np.cos(angle)
        b = radius * np.sqrt(2 / (1 + cosine))
        x = b * d * np.cos(beta) * np.sin(angle)
        north = np.cos(beta_0) * np.sin(beta) - np.sin(beta_0) * np.cos(beta) * np.cos(angle)
        return x, b / d * north

    def inverse(x: Floats, y: Floats) -> Pair:
        rho = np.hypot(x / d, d * y)
        c = 2 * np.arcsin(np.clip(rho / (2 * radius), -1, 1))
        safe = np.where(rho == 0, 1.0, rho)
        sine = np.cos(c) * np.sin(beta_0) + d * y * np.sin(c) * np.cos(beta_0) / safe
        latitude = earth.latitude_of_q(whole * np.clip(sine, -1, 1))
        across = d * np.cos(beta_0) * rho * np.cos(c) - d * d * y * np.sin(beta_0) * np.sin(c)
        longitude = meridian + np.arctan2(x * np.sin(c), across)
        return np.degrees(longitude), np.degrees(latitude)

    return Projection(forward, inverse)


def transverse_mercator(parameters: Parameters) -> Projection:
    """Transverse Mercator, by Krueger's series to the fourth order of the third flattening."""
    earth = ellipsoid_of(parameters)
    n = (earth.major - earth.minor) / (earth.major + earth.minor)
    rectifying = earth.major / (1 + n) * (1 + n**2 / 4 + n**4 / 64)
    scale = rectifying * parameters["scaleFactorAtReferencePoint"]
    alpha = (
        n / 2 - 2 * n**2 / 3 + 5 * n**3 / 16 + 41 * n**4 / 180,
        13 * n**2 / 48 - 3 * n**3 / 5 + 557 * n**4 / 1440,
        61 * n**3 / 240 - 103 * n**4 / 140,
        49561 * n**4 / 161280,
    )
    beta = (
        n / 2 - 2 * n**2 / 3 + 37 * n**3 / 96 - n**4 / 360,
        n**2 / 48 + n**3 / 15 - 437 * n**4 / 1440,
        17 * n**3 / 480 - 37 * n**4 / 840,
        4397 * n**4 / 161280,
    )
    meridian = np.radians(parameters["longitudeOfReferencePointInDegrees"])

    def plane(longitude: Any, latitude: Any) -> Any:
        conformal = np.pi / 2 - 2 * np.arctan(earth.t(np.radians(latitude)))
        angle = _wrapped(np.radians(longitude) - meridian)
        xi = np.arctan2(np.tan(conformal), np.cos(angle))
        eta = np.arctanh(np.sin(angle) * np.cos(conformal))
        z = xi + 1j * eta
        return z + sum(a * np.sin(2 * (j + 1) * z) for j, a in enumerate(alpha))

    start = plane(np.degrees(meridian), parameters["latitudeOfReferencePointInDegrees"])
    east, north = parameters["XRInMetres"], parameters["YRInMetres"]

    def forward(longitude: Any, latitude: Any) -> Pair:
        z = plane(longitude, latitude) - start
        return east + scale * np.imag(z), north + scale * np.real(z)

    def inverse(x: Floats, y: Floats) -> Pair:
        z = (y - north) / scale + np.real(start) + 1j * (x - east) / scale
        z = z - sum(b * np.sin(2 * (j + 1) * z) for j, b in enumerate(beta))
        xi, eta = np.real(z), np.imag(z)
        conformal = np.arcsin(np.clip(np.sin(xi) / np.cosh(eta), -1, 1))
        latitude = earth.latitude_of_t(np.tan(np.pi / 4 - conformal / 2))
        longitude = meridian + np.arctan2(np.sinh(eta), np.cos(xi))
        return np.degrees(longitude), np.degrees(latitude)

    return Projection(forward, inverse)


PROJECTIONS: Mapping[str, Callable[[Parameters], Projection]] = {
    "albers": albers,
    "lambert": lambert,
    "lambert_azimuthal_equal_area": azimuthal,
    "mercator": mercator,
    "polar_stereographic": polar_stereographic,
    "transverse_mercator": transverse_mercator,
}
"""By ecCodes' `gridType`."""


def unrotated(longitude: Floats, latitude: Floats, parameters: Parameters) -> Pair:
    """Return the geographical position of points of a rotated grid, in degrees."""
    pole_latitude = np.radians(parameters["latitudeOfSouthernPoleInDegrees"])
    pole_longitude = parameters["longitudeOfSouthernPoleInDegrees"]
    tilt = np.pi / 2 + pole_latitude
    angle = np.radians(longitude - parameters["angleOfRotationInDegrees"])
    phi = np.radians(latitude)
    x, y, z = np.cos(phi) * np.cos(angle), np.cos(phi) * np.sin(angle), np.sin(phi)
    east = np.cos(tilt) * x - np.sin(tilt) * z
    up = np.sin(tilt) * x + np.cos(tilt) * z
    return (
        np.degrees(np.arctan2(y, east)) + pole_longitude,
        np.degrees(np.arcsin(np.clip(up, -1, 1))),
    )


def _wrapped(angle: Any) -> Any:
    return (angle + np.pi) % (2 * np.pi) - np.pi


def degrees_east(longitude: npt.NDArray[np.float64]) -> Floats:
    """Return longitudes from 0 up to 360."""
    return np.where(longitude % 360 >= 360 - 1e-12, 0.0, longitude % 360)
