"""Map projections of planetary labels, as PROJ strings."""

from __future__ import annotations

from collections.abc import Mapping

METHODS: Mapping[str, str] = {
    "EQUIRECTANGULAR": "+proj=eqc +lat_ts={lat} +lat_0=0 +lon_0={lon}",
    "EQUIDISTANT": "+proj=eqc +lat_ts={lat} +lat_0=0 +lon_0={lon}",
    "SIMPLECYLINDRICAL": "+proj=eqc +lat_ts={lat} +lat_0=0 +lon_0={lon}",
    "ORTHOGRAPHIC": "+proj=ortho +lat_0={lat} +lon_0={lon}",
    "SINUSOIDAL": "+proj=sinu +lon_0={lon}",
    "MERCATOR": "+proj=merc +lon_0={lon} +k_0={scale}",
    "TRANSVERSEMERCATOR": "+proj=tmerc +lat_0={lat} +lon_0={lon} +k_0={scale}",
    "LAMBERTCONFORMAL": "+proj=lcc +lat_1={first} +lat_2={second} +lat_0={lat} +lon_0={lon}",
    "LAMBERTCONFORMALCONIC": "+proj=lcc +lat_1={first} +lat_2={second} +lat_0={lat} +lon_0={lon}",
}
"""By the projection's name, without blanks and underscores."""

SPHERICAL = frozenset({"EQUIRECTANGULAR", "EQUIDISTANT", "SIMPLECYLINDRICAL", "SINUSOIDAL"})
"""Projections whose equations are those of a sphere, whatever the latitudes."""


def proj_string(
    projection: str,
    *,
    latitude: float,
    longitude: float,
    semi_major: float,
    semi_minor: float,
    planetographic: bool,
    parallels: tuple[float, float] = (0.0, 0.0),
    scale: float = 1.0,
) -> str | None:
    """Return a projection of a body with radii in metres; None for one that is not known here."""
    name = projection.upper().replace("_", "").replace(" ", "").replace("-", "")
    method = METHODS.get(name)
    if method is None or not semi_major > 0:
        return None
    words = method.format(
        lat=latitude, lon=longitude, scale=scale, first=parallels[0], second=parallels[1]
    )
    is_sphere = name in SPHERICAL or not planetographic or not semi_minor > 0
    shape = f"+R={semi_major}" if is_sphere else f"+a={semi_major} +b={semi_minor}"
    return f"{words} +x_0=0 +y_0=0 {shape} +units=m +no_defs +type=crs"
