"""Where the points of a grid lie, from a description of the grid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from virtualizarr.codecs.grib_coordinates.ellipsoid import Floats
from virtualizarr.codecs.grib_coordinates.projections import (
    PROJECTIONS,
    Pair,
    degrees_east,
    unrotated,
)
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError

MAX_AXIS = 1 << 22

type Description = Mapping[str, Any]


def points_of(description: Description) -> tuple[Floats, Floats]:
    """Return longitudes and latitudes of all points in degrees, in the order of the values.

    `description` has the key `kind`, ecCodes' `gridType`, and what `_KINDS` needs for it.
    """
    kind = str(description.get("kind"))
    if kind in PROJECTIONS:
        longitude, latitude = _projected(description)
    elif kind in _KINDS:
        longitude, latitude = _KINDS[kind](description)
    else:
        raise UnsupportedFeatureError(f"coordinates of a grid of kind {kind!r}")
    return degrees_east(np.ravel(longitude)), np.ravel(latitude).astype(np.float64)


def _plane(description: Description) -> tuple[Floats, Floats]:
    """Return x and y of all points; `transposed` where columns come first."""
    x, y = (axis_values(description[axis]) for axis in ("x", "y"))
    _require_points(description, x.size * y.size)
    if description.get("transposed"):
        return np.repeat(x, y.size), np.tile(y, x.size)
    return np.tile(x, y.size), np.repeat(y, x.size)


def axis_values(axis: Any) -> Floats:
    """Return the values of an axis: [first, step, count], or a list of all under "values"."""
    if isinstance(axis, Mapping):
        return np.array(axis["values"], np.float64)
    first, step, count = axis
    if not 0 <= count <= MAX_AXIS:
        raise CorruptFileError(f"an axis of {count} points")
    values: Floats = first + step * np.arange(int(count), dtype=np.float64)
    return values


def _require_points(description: Description, points: int) -> None:
    if description["points"] != points:
        raise CorruptFileError(f"{description['points']} points are told, {points} described")


def _projected(description: Description) -> Pair:
    projection = PROJECTIONS[description["kind"]](description["parameters"])
    return projection.inverse(*_plane(description))


def _rotated(description: Description) -> Pair:
    return unrotated(*_plane(description), description["parameters"])


def _rows(description: Description) -> Pair:
    """Rows of differing length: around the globe, a part of it ("extent"), or cut out.

    Of cut rows, "row_circles" says how many points the whole circles have, and "row_firsts" which
    of them, from Greenwich, is the first.
    """
    lengths = np.array(description["row_lengths"], np.int64)
    circles = np.array(description.get("row_circles", lengths), np.int64)
    firsts = np.array(description.get("row_firsts", np.zeros_like(lengths)), np.int64)
    latitudes = axis_values(description["y"])
    if (lengths < 0).any() or not lengths.size == latitudes.size == circles.size == firsts.size:
        raise CorruptFileError("the rows are not described")
    _require_points(description, int(lengths.sum()))
    if "extent" in description:
        steps = float(description["extent"]) / np.maximum(lengths - 1, 1)
    else:
        steps = 360 / np.maximum(circles, 1)
    ends = np.cumsum(lengths)
    within = np.arange(int(lengths.sum())) - np.repeat(ends - lengths - firsts, lengths)
    longitudes = description["first_longitude"] + within * np.repeat(steps, lengths)
    return longitudes, np.repeat(latitudes, lengths)


def _rotated_rows(description: Description) -> Pair:
    return unrotated(*_rows(description), description["parameters"])


def _healpix(description: Description) -> Pair:
    """Pixel centres (Gorski et al. 2005, section 4) in ring or nested order."""
    parameters = description["parameters"]
    side = int(parameters["Nside"])
    if not 0 < side <= 1 << 14:
        raise CorruptFileError(f"a HEALPix grid of side {side}")
    _require_points(description, 12 * side * side)
    ring, place = _nested(side) if parameters["orderingConvention"] == "nested" else _rings(side)
    in_ring = np.minimum(np.minimum(ring, 4 * side - ring), side)
    cap = np.where(ring < side, ring, 4 * side - ring)
    polar = (ring < side) | (ring > 3 * side)
    z = np.where(polar, 1 - cap**2 / (3.0 * side**2), 4 / 3 - 2 * ring / (3.0 * side))
    z = np.where(ring > 3 * side, -z, z)
    shift = np.where(polar, 0.5, np.where((ring - side) % 2 == 0, 0.5, 0.0))
    longitude = (place + shift) * 90.0 / in_ring
    return longitude, np.degrees(np.arcsin(z))


def _rings(side: int) -> tuple[Floats, Floats]:
    rings = np.arange(1, 4 * side)
    lengths = 4 * np.minimum(np.minimum(rings, 4 * side - rings), side)
    ends = np.cumsum(lengths)
    place = np.arange(12 * side * side) - np.repeat(ends - lengths, lengths)
    return np.repeat(rings, lengths).astype(np.float64), place.astype(np.float64)


def _nested(side: int) -> tuple[Floats, Floats]:
    pixel = np.arange(12 * side * side)
    face, within = np.divmod(pixel, side * side)
    x, y = np.zeros_like(within), np.zeros_like(within)
    for bit in range(side.bit_length()):
        x |= ((within >> (2 * bit)) & 1) << bit
        y |= ((within >> (2 * bit + 1)) & 1) << bit
    row = np.array([2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4])[face]
    column = np.array([1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7])[face]
    ring = row * side - x - y - 1
    length = np.minimum(np.minimum(ring, 4 * side - ring), side)
    even = np.where((ring < side) | (ring > 3 * side), 0, (ring - side) & 1)
    place = (column * length + x - y + 1 + even) // 2 - 1
    return ring.astype(np.float64), (place % (4 * length)).astype(np.float64)


def _space_view(description: Description) -> Pair:
    """The geostationary view: CGMS 03, "LRIT/HRIT Global Specification", section 4.4.3."""
    parameters = description["parameters"]
    across, down = _plane(description)
    major, minor = parameters["earthMajorAxis"], parameters["earthMinorAxis"]
    height = parameters["NrInRadiusOfEarthScaled"] * major
    ratio = (major / minor) ** 2
    cos_x, sin_x = np.cos(across), np.sin(across)
    cos_y, sin_y = np.cos(down), np.sin(down)
    k = cos_y**2 + ratio * sin_y**2
    inside = (height * cos_x * cos_y) ** 2 - k * (height**2 - major**2)
    with np.errstate(invalid="ignore"):
        distance = (height * cos_x * cos_y - np.sqrt(inside)) / k
    s1 = height - distance * cos_x * cos_y
    s2 = distance * sin_x * cos_y
    s3 = distance * sin_y
    longitude = np.degrees(np.arctan2(s2, s1)) + parameters["longitudeOfSubSatellitePointInDegrees"]
    return longitude, np.degrees(np.arctan(ratio * s3 / np.hypot(s1, s2)))


_KINDS: Mapping[str, Callable[[Description], Pair]] = {
    "healpix": _healpix,
    "reduced_gg": _rows,
    "reduced_ll": _rows,
    "reduced_rotated_gg": _rotated_rows,
    "rotated_gg": _rotated,
    "rotated_ll": _rotated,
    "space_view": _space_view,
}
