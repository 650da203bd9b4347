"""Map projections of HDF-EOS2 grids (GCTP) as CF grid mappings.

References: "HDF-EOS Library User's Guide", volume 2, appendix on GCTP projections (13 parameters,
angles packed as DDDMMMSSS.SS); CF conventions 1.11, appendix F.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

SPHEROIDS = {
    0: (6378206.4, 6356583.8),
    1: (6378249.145, 6356514.86955),
    2: (6377397.155, 6356078.96284),
    4: (6378388.0, 6356911.94613),
    5: (6378135.0, 6356750.519915),
    8: (6378137.0, 6356752.31414),
    12: (6378137.0, 6356752.314245),
    19: (6370997.0, 6370997.0),
}
"""By SphereCode, semi-major and semi-minor axis in metres: Clarke 1866 and 1880, Bessel,
International 1909, WGS 72, GRS 80, WGS 84 and the sphere."""

SPHERE = 6370997.0
PARAMETERS = 13
type Params = Sequence[float]


def packed_degrees(packed: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return degrees from DDDMMMSSS.SS: degrees, minutes and seconds with three digits each."""
    degrees = np.trunc(packed / 1e6)
    minutes = np.trunc((packed - degrees * 1e6) / 1e3)
    seconds = packed - degrees * 1e6 - minutes * 1e3
    return degrees + minutes / 60 + seconds / 3600


def grid_mapping(
    projection: str, params: Params, sphere: int | None, zone: int | None
) -> Mapping[str, Any]:
    """Return the CF attributes of a projection; empty where CF or we have none for it."""
    made = MAPPED.get(projection)
    if made is None:
        return {}
    params = [*params[:PARAMETERS], *(0.0,) * (PARAMETERS - len(params))]
    if not np.isfinite(params).all():
        return {}
    return made(params, sphere if sphere is not None else -1, zone if zone is not None else 0)


def _ellipsoid(params: Params, sphere: int) -> dict[str, float]:
    """Return the axes: of the SphereCode, or where it is negative of the first two parameters."""
    if sphere >= 0:
        axes = SPHEROIDS.get(sphere)
        return {} if axes is None else {"semi_major_axis": axes[0], "semi_minor_axis": axes[1]}
    major, minor = abs(params[0]), abs(params[1])
    if major == 0:
        return {}
    if 0 < minor <= 1:  # the square of the eccentricity
        minor = sqrt(1 - minor) * major
    return {"semi_major_axis": major, "semi_minor_axis": minor if minor else major}


def _sphere(params: Params, sphere: int) -> dict[str, float]:
    radius = SPHERE if sphere >= 0 else abs(params[0])
    return {"earth_radius": radius} if radius else {}


def _degrees(packed: float) -> float:
    return float(packed_degrees(np.array(packed)))


def _false(params: Params) -> dict[str, float]:
    return {"false_easting": params[6], "false_northing": params[7]}


def _sinusoidal(params: Params, sphere: int, zone: int) -> Mapping[str, Any]:
    del zone
    return _named(
        "sinusoidal",
        _sphere(params, sphere),
        {"longitude_of_projection_origin": _degrees(params[4]), **_false(params)},
    )


def _polar(params: Params, sphere: int, zone: int) -> Mapping[str, Any]:
    del zone
    true_scale = _degrees(params[5])
    return _named(
        "polar_stereographic",
        _ellipsoid(params, sphere),
        {
            "straight_vertical_longitude_from_pole": _degrees(params[4]),
            "latitude_of_projection_origin": -90.0 if true_scale < 0 else 90.0,
            "standard_parallel": true_scale,
            **_false(params),
        },
    )


def _azimuthal(params: Params, sphere: int, zone: int) -> Mapping[str, Any]:
    del zone
    return _named(
        "lambert_azimuthal_equal_area",
        _sphere(params, sphere),
        {
            "longitude_of_projection_origin": _degrees(params[4]),
            "latitude_of_projection_origin": _degrees(params[5]),
            **_false(params),
        },
    )


def _conformal(params: Params, sphere: int, zone: int) -> Mapping[str, Any]:
    del zone
    return _named(
        "lambert_conformal_conic",
        _ellipsoid(params, sphere),
        {**_conic(params), **_false(params)},
    )


def _albers(params: Params, sphere: int, zone: int) -> Mapping[str, Any]:
    del zone
    return _named(
        "albers_conical_equal_area",
        _ellipsoid(params, sphere),
        {**_conic(params), **_false(params)},
    )


def _conic(params: Params) -> dict[str, Any]:
    return {
        "standard_parallel": [_degrees(params[2]), _degrees(params[3])],
        "longitude_of_central_meridian": _degrees(params[4]),
        "latitude_of_projection_origin": _degrees(params[5]),
    }


def _cylindrical(params: Params, sphere: int, zone: int) -> Mapping[str, Any]:
    del zone
    return _named(
        "lambert_cylindrical_equal_area",
        _ellipsoid(params, sphere),
        {
            "longitude_of_central_meridian": _degrees(params[4]),
            "standard_parallel": _degrees(params[5]),
            **_false(params),
        },
    )


def _transverse(params: Params, sphere: int, zone: int) -> Mapping[str, Any]:
    del zone
    return _named(
        "transverse_mercator",
        _ellipsoid(params, sphere),
        {
            "scale_factor_at_central_meridian": params[2],
            "longitude_of_central_meridian": _degrees(params[4]),
            "latitude_of_projection_origin": _degrees(params[5]),
            **_false(params),
        },
    )


def _utm(params: Params, sphere: int, zone: int) -> Mapping[str, Any]:
    if not 1 <= abs(zone) <= 60 or sphere < 0:
        return {}  # with a zone the first two parameters are no axes
    return _named(
        "transverse_mercator",
        _ellipsoid(params, sphere),
        {
            "scale_factor_at_central_meridian": 0.9996,
            "longitude_of_central_meridian": 6.0 * abs(zone) - 183,
            "latitude_of_projection_origin": 0.0,
            "false_easting": 500_000.0,
            "false_northing": 1e7 if zone < 0 else 0.0,
        },
    )


def _named(name: str, earth: Mapping[str, float], rest: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"grid_mapping_name": name, **earth, **rest} if earth else {}


MAPPED: Mapping[str, Callable[[Params, int, int], Mapping[str, Any]]] = {
    "GCTP_SNSOID": _sinusoidal,
    "GCTP_PS": _polar,
    "GCTP_LAMAZ": _azimuthal,
    "GCTP_LAMCC": _conformal,
    "GCTP_ALBERS": _albers,
    "GCTP_CEA": _cylindrical,
    "GCTP_TM": _transverse,
    "GCTP_UTM": _utm,
}
