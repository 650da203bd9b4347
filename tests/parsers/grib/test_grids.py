"""Where the points of every kind of grid lie, in every scanning mode, against ecCodes and PROJ.

Compared are pairs of value and place, since values are numbered: so it is seen that they belong
together. Of ecCodes it is the iterator that pairs them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import grib_oracle
import virtualizarr
from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.parsers.grib import GRIBParser
from virtualizarr.parsers.grib.coordinates import gaussian_latitudes
from virtualizarr.testing import parse_file, read_values

pytestmark = pytest.mark.skipif(not grib_oracle.AVAILABLE, reason="ecCodes is not here")

type Array = np.ndarray[Any, Any]
type Keys = dict[str, Any]

COLUMNS, ROWS = 7, 5
GRID_DIMENSIONS = ("latitude", "longitude", "y", "x", "values")
NORTHWARD = 64

AREA: Keys = {
    "Ni": COLUMNS,
    "Nj": ROWS,
    "iDirectionIncrementInDegrees": 2,
    "jDirectionIncrementInDegrees": 2,
}
POLE: Keys = {"latitudeOfSouthernPoleInDegrees": -35, "longitudeOfSouthernPoleInDegrees": 12}
PLANE: Keys = {
    "Nx": COLUMNS,
    "Ny": ROWS,
    "DxInMetres": 30_000,
    "DyInMetres": 20_000,
    "latitudeOfFirstGridPointInDegrees": 47,
    "longitudeOfFirstGridPointInDegrees": 350,
}
CONE: Keys = {**PLANE, "LoVInDegrees": 5, "LaDInDegrees": 45, "Latin1InDegrees": 33}
SOUTH: Keys = {"latitudeOfFirstGridPointInDegrees": -60, "projectionCentreFlag": 128}
PROJECTED: dict[str, tuple[str, Keys]] = {
    "mercator": ("mercator", {**PLANE, "LaDInDegrees": 20}),
    "lambert": ("lambert", {**CONE, "Latin1InDegrees": 45, "Latin2InDegrees": 45}),
    "lambert, two parallels": ("lambert", {**CONE, "Latin2InDegrees": 55}),
    "lambert, south": (
        "lambert",
        {**CONE, **SOUTH, "LaDInDegrees": -45, "Latin1InDegrees": -33, "Latin2InDegrees": -55},
    ),
    "polar": ("polar_stereographic", {**PLANE, "orientationOfTheGridInDegrees": 10}),
    "polar, true at 75": (
        "polar_stereographic",
        {**PLANE, "orientationOfTheGridInDegrees": 10, "LaDInDegrees": 75},
    ),
    "polar, south": (
        "polar_stereographic",
        {**PLANE, **SOUTH, "orientationOfTheGridInDegrees": 10, "LaDInDegrees": -60},
    ),
    "azimuthal": (
        "lambert_azimuthal_equal_area",
        {**PLANE, "standardParallelInDegrees": 50, "centralLongitudeInDegrees": 10},
    ),
}
VIEW: Keys = {
    "gridType": "space_view",
    "Nx": 50,
    "Ny": 40,
    "dx": 60,
    "dy": 50,
    "Xp": 25_000,
    "Yp": 20_000,
    "Nr": 6_610_700,
    **dict.fromkeys(("latitudeOfSubSatellitePoint", "longitudeOfSubSatellitePoint"), 0),
    **dict.fromkeys(("orientationOfTheGrid", "Xo", "Yo"), 0),
}


def scanning(mode: int) -> Keys:
    names = ("iScansNegatively", "jScansPositively", "jPointsAreConsecutive")
    return {name: int(bool(mode & 128 >> i)) for i, name in enumerate(names)}


def area(mode: int) -> Keys:
    """Return the ends of an area as they are named where rows and columns go as `mode` says."""
    south_to_north, west_to_east = (42, 50), (350, 2)
    first_row, last_row = south_to_north if mode & 64 else south_to_north[::-1]
    first, last = west_to_east[::-1] if mode & 128 else west_to_east
    return {
        **AREA,
        "latitudeOfFirstGridPointInDegrees": first_row,
        "latitudeOfLastGridPointInDegrees": last_row,
        "longitudeOfFirstGridPointInDegrees": first,
        "longitudeOfLastGridPointInDegrees": last,
    }


def numbered(sample: str, size: int, keys: Keys) -> bytes:
    return grib_oracle.message(sample, np.arange(float(size)), {"bitsPerValue": 24, **keys})


def places(data: bytes, folder: Path) -> Array:
    """Return for the value 0, 1, ... its latitude and longitude as we have them."""
    path = folder / "one.grib"
    path.write_bytes(data)
    group = virtualizarr.parse(str(path), parser=GRIBParser(tree=False, dtype="float64"))
    values = read_values(group)
    (name,) = (n for n, a in group.arrays.items() if "GRIB_paramId" in a.metadata.attributes)
    dimensions = group.arrays[name].metadata.dimension_names or ()
    kept = tuple(d for d in dimensions if d in GRID_DIMENSIONS)
    field = xr.DataArray(values[name].reshape(values[name].shape[-len(kept) :]), dims=kept)
    found = []
    for coordinate in ("latitude", "longitude"):
        array = xr.DataArray(
            values[coordinate], dims=group.arrays[coordinate].metadata.dimension_names
        )
        found.append(array.broadcast_like(field).transpose(*kept).values.ravel())
    order = np.argsort(field.values.ravel())
    return np.stack(found, axis=1)[order]


def witness(data: bytes) -> Array:
    table = grib_oracle.points_of(data)
    return table[np.argsort(table[:, 2]), :2]


def apart(one: Array, other: Array) -> float:
    """Return the largest distance of two lists of places, in degrees."""
    assert one.shape == other.shape
    turned = (one[:, 1] - other[:, 1] + 180) % 360 - 180
    return float(
        np.hypot(one[:, 0] - other[:, 0], turned * np.cos(np.radians(one[:, 0]))).max()
    )  # fmt: skip


@pytest.mark.parametrize("mode", range(0, 256, 32))
@pytest.mark.parametrize("kind", ["regular_ll", "rotated_ll"])
@pytest.mark.parametrize("edition", [1, 2])
def test_latitudes_and_longitudes(edition: int, kind: str, mode: int, tmp_path: Path) -> None:
    keys = {"gridType": kind, **area(mode), **scanning(mode)}
    if kind == "rotated_ll":
        keys |= POLE
    data = numbered(f"GRIB{edition}", COLUMNS * ROWS, keys)
    assert apart(places(data, tmp_path), witness(data)) < 2e-5


@pytest.mark.parametrize("consecutive", [0, 32])
@pytest.mark.parametrize("name", PROJECTED)
def test_projections_whose_rows_go_north(name: str, consecutive: int, tmp_path: Path) -> None:
    kind, keys = PROJECTED[name]
    mode = scanning(NORTHWARD + consecutive)
    data = numbered("GRIB2", COLUMNS * ROWS, {"gridType": kind, **keys, **mode})
    assert apart(places(data, tmp_path), witness(data)) < 1e-9


@pytest.mark.parametrize("name", PROJECTED)
def test_projections_begin_at_the_first_point(name: str, tmp_path: Path) -> None:
    """The Manual's rule for all scanning modes, which ecCodes breaks for most of these."""
    kind, keys = PROJECTED[name]
    if kind == "mercator":
        keys = {**keys, "latitudeOfLastGridPointInDegrees": 46}
    for mode in range(0, 256, 32):
        data = numbered("GRIB2", COLUMNS * ROWS, {"gridType": kind, **keys, **scanning(mode)})
        found = places(data, tmp_path)
        first = np.array([[keys["latitudeOfFirstGridPointInDegrees"], 350.0]])
        assert apart(found[:1], first) < 1e-9
        step = 1 if mode & 32 else COLUMNS
        assert (found[step, 0] > found[0, 0]) == bool(mode & 64)
        along = (found[ROWS if mode & 32 else 1, 1] - found[0, 1] + 180) % 360 - 180
        assert (along < 0) == bool(mode & 128)


def test_rows_that_go_south_from_a_first_point_in_the_south(tmp_path: Path) -> None:
    """As Meteo-France writes its Lambert grids; the domain lies about its origin."""
    keys = {
        "gridType": "lambert",
        "Nx": 8,
        "Ny": 6,
        "DxInMetres": 260_000,
        "DyInMetres": 340_000,
        "latitudeOfFirstGridPointInDegrees": 37.333,
        "longitudeOfFirstGridPointInDegrees": 351.646,
        "LoVInDegrees": 2,
        **dict.fromkeys(("LaDInDegrees", "Latin1InDegrees", "Latin2InDegrees"), 45.8),
        **scanning(0),
    }
    data = numbered("GRIB2", 48, keys)
    found = places(data, tmp_path)
    assert apart(found, witness(data)) < 1e-9
    assert found[0, 0] > 50


SAMPLES = ("regular_gg_pl", "regular_gg_ml", "reduced_gg_pl_32", "reduced_gg_pl_48")
SAMPLES = (*SAMPLES, "reduced_gg_ml", "reduced_rotated_gg_pl", "reduced_ll_sfc")


@pytest.mark.parametrize("edition", [1, 2])
@pytest.mark.parametrize("sample", SAMPLES)
def test_gaussian_and_reduced_grids(sample: str, edition: int, tmp_path: Path) -> None:
    name = f"{sample}_grib{edition}"
    size = grib_oracle.keys_of(grib_oracle.message(name), ["numberOfDataPoints"])
    data = numbered(name, size["numberOfDataPoints"], {})
    assert apart(places(data, tmp_path), witness(data)) < 1e-5


@pytest.mark.parametrize("side,ordering", [(2, "ring"), (3, "ring"), (4, "nested"), (8, "nested")])
def test_healpix(side: int, ordering: str, tmp_path: Path) -> None:
    size = 12 * side**2
    keys = {"gridType": "healpix", "Nside": side, "orderingConvention": ordering}
    keys |= {"longitudeOfFirstGridPointInDegrees": 45, "numberOfDataPoints": size}
    data = numbered("GRIB2", size, {**keys, "numberOfValues": size})
    assert apart(places(data, tmp_path), witness(data)) < 1e-9


def test_the_view_of_a_satellite(tmp_path: Path) -> None:
    data = numbered("GRIB2", 2000, {**VIEW, **scanning(0)})
    found, expected = places(data, tmp_path), witness(data)
    seen = np.abs(expected[:, 0]) <= 90
    seen &= np.isfinite(found[:, 0])
    assert seen.sum() > 1900
    assert apart(found[seen], expected[seen]) < 1e-9
    mirrored = places(numbered("GRIB2", 2000, {**VIEW, **scanning(128)}), tmp_path)
    there = np.isfinite(mirrored[:, 0]) & np.isfinite(found[:, 0])
    assert np.allclose(mirrored[there, 1], -found[there, 1] % 360, atol=1e-9)


@pytest.mark.parametrize("kind", ["view", "lambert", "polar"])
def test_an_earth_without_size_has_no_places(kind: str, tmp_path: Path) -> None:
    """Found by a mutant: the parser divided by zero. The values are there all the same."""
    keys, points = VIEW, 2000
    if kind != "view":
        projected, parameters = PROJECTED[kind]
        keys, points = {"gridType": projected, **parameters}, COLUMNS * ROWS
    size = {"shapeOfTheEarth": 1, "scaleFactorOfRadiusOfSphericalEarth": 0}
    data = numbered("GRIB2", points, {**keys, **size, "scaledValueOfRadiusOfSphericalEarth": 0})
    path = tmp_path / "file.grib2"
    path.write_bytes(data)
    group = parse_file(GRIBParser(), path)
    names = {name.rpartition("/")[2] for name, _ in group.walk_arrays()}
    assert not names & {"latitude", "longitude", "x", "y", "spatial_ref"}
    (found,) = (values for values in read_values(group).values() if values.size == points)
    assert sorted(found.ravel().tolist()) == list(range(points))


@pytest.mark.parametrize("angle", [0.0, 25.0, -40.0])
def test_rotation_equals_that_of_proj(angle: float, tmp_path: Path) -> None:
    """ecCodes turns by the angle after the poles are in place; the Manual, and PROJ, before."""
    pyproj = pytest.importorskip("pyproj")
    keys = {"gridType": "rotated_ll", **area(0), **POLE, "angleOfRotationInDegrees": angle}
    found = places(numbered("GRIB2", COLUMNS * ROWS, keys), tmp_path)
    longitude, latitude = np.meshgrid(350 + 2.0 * np.arange(COLUMNS), 50 - 2.0 * np.arange(ROWS))
    steps = (
        "+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad",
        f"+step +inv +proj=ob_tran +o_proj=longlat +o_lon_p={angle} +o_lat_p=35 +lon_0=12",
        "+step +proj=unitconvert +xy_in=rad +xy_out=deg",
    )
    x, y = pyproj.Transformer.from_pipeline(" ".join(steps)).transform(longitude, latitude)
    assert apart(found, np.stack([y.ravel(), x.ravel()], axis=1)) < 1e-5


@pytest.mark.parametrize(
    "parameters,proj",
    [
        ((("Latin1InDegrees", 33), ("Latin2InDegrees", 55)), "aea +lat_1=33 +lat_2=55"),
        ((("Latin1InDegrees", 40), ("Latin2InDegrees", 40)), "aea +lat_1=40 +lat_2=40"),
    ],
)
@pytest.mark.parametrize("earth", [6, 5])
def test_albers_equals_proj(parameters: Any, proj: str, earth: int, tmp_path: Path) -> None:
    pyproj = pytest.importorskip("pyproj")
    keys = {"gridType": "albers", **CONE, **dict(parameters), "shapeOfTheEarth": earth}
    found = places(numbered("GRIB2", 35, {**keys, **scanning(NORTHWARD)}), tmp_path)
    shape = "+R=6371229" if earth == 6 else "+ellps=WGS84"
    projection = pyproj.Proj(f"+proj={proj} +lat_0=45 +lon_0=5 {shape}")
    x_0, y_0 = projection(350.0, 47.0)
    x, y = np.meshgrid(x_0 + 30_000 * np.arange(COLUMNS), y_0 + 20_000 * np.arange(ROWS))
    longitude, latitude = projection(x, y, inverse=True)
    assert apart(found, np.stack([latitude.ravel(), longitude.ravel()], axis=1)) < 1e-8


@pytest.mark.parametrize("kind", ["lambert_bf", "mercator_bf", "polar_stereographic_bf"])
def test_bi_fourier_coefficients_are_refused_by_name(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "one.grib"
    path.write_bytes(grib_oracle.message("GRIB2", None, {"gridType": kind}))
    with pytest.raises(UnsupportedFeatureError, match="bi-Fourier"):
        virtualizarr.parse(str(path))


@pytest.mark.parametrize("ends", [(10, 60), (0, 90), (340, 20), (11.25, 22.5), (359, 1)])
@pytest.mark.parametrize("edition", [1, 2])
def test_parts_of_reduced_gaussian_grids(
    edition: int, ends: tuple[float, float], tmp_path: Path
) -> None:
    name = f"reduced_gg_pl_32_grib{edition}"
    rows = slice(20, 31)
    keys: Keys = {
        "Nj": 11,
        "pl": [int(n) for n in grib_oracle.array_of(grib_oracle.message(name), "pl")[rows]],
        "longitudeOfFirstGridPointInDegrees": ends[0],
        "longitudeOfLastGridPointInDegrees": ends[1],
        "latitudeOfFirstGridPointInDegrees": float(gaussian_latitudes(32)[20]),
        "latitudeOfLastGridPointInDegrees": float(gaussian_latitudes(32)[30]),
    }
    size = grib_oracle.keys_of(grib_oracle.message(name, None, keys), ["numberOfPoints"])
    points = size["numberOfPoints"]
    if edition == 2:
        longitudes = [np.arange(n) * 360 / n for n in keys["pl"]]
        span = (ends[1] - ends[0]) % 360
        points = sum(int(((each - ends[0]) % 360 <= span + 1e-9).sum()) for each in longitudes)
    data = numbered(
        name, points, {**keys, **({"numberOfDataPoints": points} if edition == 2 else {})}
    )
    assert apart(places(data, tmp_path), witness(data)) < 2e-3
