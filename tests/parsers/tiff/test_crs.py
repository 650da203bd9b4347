"""Coordinate reference systems: those of GeoKeys, against GDAL's, as PROJ compares them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parsers.tiff.written import parse_file
from virtualizarr.errors import VirtualizeError

rasterio = pytest.importorskip("rasterio")
pyproj = pytest.importorskip("pyproj")
tifffile = pytest.importorskip("tifffile")

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

CORPUS = Path(__file__).parents[4] / "shared/data/tiff"


def write(path: Path, crs: str, **options: Any) -> None:
    profile = {"driver": "GTiff", "count": 1, "height": 2, "width": 2, "dtype": "uint8"}
    place = {"transform": rasterio.Affine.scale(9)}
    with rasterio.open(path, "w", **profile, **place, crs=crs, **options):
        pass


def write_keys(path: Path, directory: list[int], doubles: list[float] = [], text: str = "") -> None:  # noqa: B006
    """Write an image with these GeoKeys: groups of four numbers, the header left out."""
    keys = [1, 1, 0, len(directory) // 4, *directory]
    extra = [(34735, 3, len(keys), keys, True), (33550, 12, 3, (9.0, 9.0, 0.0), True)]
    extra += [(34736, 12, len(doubles), doubles, True)] if doubles else []
    extra += [(34737, 2, len(text) + 1, text, True)] if text else []
    data = np.zeros((2, 2), "u1")
    tie = (33922, 12, 6, (0.0, 0.0, 0.0, 5e5, 4e6, 0.0), True)
    tifffile.imwrite(path, data, metadata=None, extratags=[*extra, tie])


def found(path: Path) -> dict[str, Any]:
    """Return the attributes of `spatial_ref`, empty if there is none."""
    for name, array in parse_file(path, errors="skip").walk_arrays():
        if name.endswith("spatial_ref"):
            return dict(array.metadata.attributes)
    return {}


def theirs(path: Path) -> Any:
    """Return GDAL's CRS, without the transformation to WGS 84 that it may be bound to."""
    with rasterio.open(path) as dataset:
        crs = dataset.crs if dataset.crs else dataset.gcps[1]
    if not crs:
        return None
    known = pyproj.CRS.from_wkt(crs.to_wkt(version="WKT2_2019"))
    return known.source_crs if known.is_bound else known


def check(path: Path) -> None:
    ours, expected = pyproj.CRS.from_wkt(found(path)["crs_wkt"]), theirs(path)
    same = ours.equals(expected, ignore_axis_order=True)
    assert same, f"{ours.to_wkt(pretty=True)}\n{expected.to_wkt(pretty=True)}"


METHODS = {
    "tmerc": "+proj=tmerc +lat_0=1 +lon_0=22.5 +k_0=0.9 +x_0=1500 +y_0=7 +datum=WGS84",
    "tmerc grads": "+proj=tmerc +lat_0=1 +lon_0=22.5 +pm=paris +ellps=intl",
    "lcc": "+proj=lcc +lat_0=32.1 +lon_0=-116 +lat_1=33.8 +lat_2=32.7 +datum=NAD27 +units=us-ft",
    "lcc 1sp": "+proj=lcc +lat_0=46 +lon_0=2 +lat_1=46 +k_0=0.99 +x_0=6 +y_0=9 +ellps=clrk80",
    "aea": "+proj=aea +lat_0=23 +lon_0=-96 +lat_1=29.5 +lat_2=45.5 +datum=NAD83",
    "laea": "+proj=laea +lat_0=52 +lon_0=10 +x_0=4321000 +y_0=3210000 +ellps=GRS80",
    "sinu": "+proj=sinu +lon_0=0 +R=6371007.181",
    "sterea": "+proj=sterea +lat_0=52 +lon_0=5 +k_0=0.99 +x_0=155000 +ellps=bessel",
    "merc": "+proj=merc +lon_0=139.5 +k_0=0.9 +datum=WGS84 +units=ft",
    "merc 2sp": "+proj=merc +lon_0=10 +lat_ts=30 +datum=WGS84",
    "eqc": "+proj=eqc +lat_ts=40 +lon_0=5 +ellps=GRS80",
    "cass": "+proj=cass +lat_0=10 +lon_0=-61 +x_0=86 +y_0=65 +a=6378293.645 +rf=294.26",
    "aeqd": "+proj=aeqd +lat_0=40 +lon_0=-90 +datum=WGS84",
    "eqdc": "+proj=eqdc +lat_0=40 +lon_0=-96 +lat_1=20 +lat_2=60 +datum=NAD83",
    "gnom": "+proj=gnom +lat_0=40 +lon_0=-96 +R=6371000",
    "ortho": "+proj=ortho +lat_0=40 +lon_0=-96 +R=6371000",
    "mill": "+proj=mill +lon_0=10 +R=6371000",
    "poly": "+proj=poly +lat_0=0 +lon_0=-54 +x_0=5000000 +y_0=10000000 +ellps=aust_SA",
    "robin": "+proj=robin +lon_0=7 +datum=WGS84",
    "vandg": "+proj=vandg +lon_0=7 +R=6371000",
    "nzmg": "+proj=nzmg +lat_0=-41 +lon_0=173 +x_0=2510000 +y_0=6023150 +datum=nzgd49",
    "cea": "+proj=cea +lat_ts=30 +lon_0=0 +datum=WGS84",
    "omerc": "+proj=omerc +lat_0=4 +lonc=115 +alpha=53.3 +gamma=53.1 +k_0=0.99984 +ellps=evrst30",
    "geographic": "+proj=longlat +a=6378140 +rf=298.3",
    "sphere": "+proj=longlat +R=3396190",
}


@pytest.mark.parametrize("name", METHODS)
def test_systems_without_a_code(tmp_path: Path, name: str) -> None:
    write(tmp_path / "a.tif", METHODS[name])
    check(tmp_path / "a.tif")


@pytest.mark.parametrize("definition", ["+proj=stere +lat_0=90 +lat_ts=70 +lon_0=-45", "EPSG:3031"])
def test_polar_systems_give_the_same_numbers(tmp_path: Path, definition: str) -> None:
    write(tmp_path / "a.tif", definition)
    ours = pyproj.CRS.from_wkt(found(tmp_path / "a.tif")["crs_wkt"])
    points = ([5.0, 100.0], [80.0, 66.0] if "90" in definition else [-80.0, -66.0])
    expected = pyproj.Proj(theirs(tmp_path / "a.tif"))(*points)
    np.testing.assert_allclose(pyproj.Proj(ours)(*points), expected, rtol=1e-9)


@pytest.mark.parametrize("flavor", ["STANDARD", "ESRI_PE"])
@pytest.mark.parametrize(
    "code", [32631, 3857, 4326, 2154, 27563, 2263, 26711, 4807, 28992, 5041, 25832, 21781]
)
def test_systems_with_a_code(tmp_path: Path, code: int, flavor: str) -> None:
    write(tmp_path / "a.tif", f"EPSG:{code}", geotiff_keys_flavor=flavor)
    check(tmp_path / "a.tif")


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("code", ["EPSG:32631+5773", "EPSG:2263+6360", "EPSG:4326+3855"])
def test_vertical_systems_are_shown_from_geotiff_1_1_on(
    tmp_path: Path, code: str, version: str
) -> None:
    write(tmp_path / "a.tif", code, geotiff_version=version)
    check(tmp_path / "a.tif")
    assert "VerticalGeoKey" in found(tmp_path / "a.tif")["GeoKeys"]


MODEL, RASTER, PROJECTED, UNITS, SIZE, CITATION = 1024, 1025, 3072, 3076, 3077, 1026


@pytest.mark.parametrize("unit", [9002, 9003, 9036])
def test_a_unit_that_contradicts_the_code(tmp_path: Path, unit: int) -> None:
    keys = [MODEL, 0, 1, 1, RASTER, 0, 1, 1, PROJECTED, 0, 1, 32631, UNITS, 0, 1, unit]
    write_keys(tmp_path / "a.tif", keys)
    check(tmp_path / "a.tif")
    group = parse_file(tmp_path / "a.tif")
    assert "proj:code" not in group.attributes
    assert group.attributes["proj:wkt2"] == found(tmp_path / "a.tif")["crs_wkt"]


def test_a_unit_that_nobody_knows(tmp_path: Path) -> None:
    keys = [MODEL, 0, 1, 1, PROJECTED, 0, 1, 32631, UNITS, 0, 1, 12345]
    write_keys(tmp_path / "a.tif", keys)
    assert "crs_wkt" not in found(tmp_path / "a.tif")
    assert "proj:code" not in parse_file(tmp_path / "a.tif").attributes


@pytest.mark.parametrize(
    ("word", "metres"),
    [
        ("international_FeeT", 0.3048),
        ("US_Survey_Feet", 1200 / 3937),
        ("meters", 1.0),
        ("els", None),
    ],
)
def test_a_unit_in_the_words_of_imagine(tmp_path: Path, word: str, metres: float | None) -> None:
    text = f"IMAGINE GeoTIFF Support\nProjection Name = State Plane\nUnits = {word}|"
    keys = [MODEL, 0, 1, 1, CITATION, 34737, len(text), 0, PROJECTED, 0, 1, 2838]
    write_keys(tmp_path / "a.tif", keys, text=text)
    attributes = found(tmp_path / "a.tif")
    if metres is None:
        assert "crs_wkt" not in attributes
        return
    axis = pyproj.CRS.from_wkt(attributes["crs_wkt"]).axis_info[0]
    assert axis.unit_conversion_factor == pytest.approx(metres, rel=1e-12)


def test_a_unit_of_a_size_of_its_own(tmp_path: Path) -> None:
    keys = [MODEL, 0, 1, 1, 2048, 0, 1, 4326, PROJECTED, 0, 1, 32767, 3074, 0, 1, 32767]
    keys += [3075, 0, 1, 1, UNITS, 0, 1, 32767, SIZE, 34736, 1, 0, 3080, 34736, 1, 1]
    keys += [3082, 34736, 1, 2]
    write_keys(tmp_path / "a.tif", keys, [0.75, 9.0, 1000.0])
    check(tmp_path / "a.tif")


def test_keys_beyond_their_parameters_are_left_out(tmp_path: Path) -> None:
    keys = [MODEL, 0, 1, 1, PROJECTED, 0, 1, 32767, 3075, 0, 1, 1, 3080, 34736, 1, 77]
    write_keys(tmp_path / "a.tif", keys)
    attributes = found(tmp_path / "a.tif")
    assert "crs_wkt" not in attributes
    json.dumps(attributes)


KNOWN_TO_DIFFER = {
    "epsg_27563_allgeokeys.tif": "grads, of which GDAL rounds the size",
    "esri_pcs_gcs_ellipsoid_names.tif": "GDAL finds the code by ESRI's name, northing first",
    "inconsistent_invflattening.tif": "GDAL takes the keys' flattening, 2e-8 from the code's",
}


def test_the_systems_of_the_corpus() -> None:
    paths = sorted(path for path in CORPUS.rglob("*") if path.is_file())
    if not paths:
        pytest.skip("shared data are not here")
    equal, wrong, absent = [], [], []
    for path in paths:
        try:
            wkt = found(path).get("crs_wkt")
            expected = theirs(path)
        except (VirtualizeError, rasterio.errors.RasterioIOError):
            continue
        if wkt is None:
            absent += [path.name] if expected is not None else []
        elif expected is not None:
            same = pyproj.CRS.from_wkt(wkt).equals(expected, ignore_axis_order=True)
            (equal if same else wrong).append(path.name)
    assert set(wrong) <= KNOWN_TO_DIFFER.keys()
    assert len(equal) >= 107
    assert len(absent) <= 2, absent
