"""Every layout that GDAL writes, value for value; places, names and scales as GDAL says them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rasterio")

import rasterio

import gdal_files
import virtualizarr
from virtualizarr.model import ManifestGroup
from virtualizarr.testing import read_values

TRANSFORM = rasterio.Affine(30.0, 0.0, 440720.0, 0.0, -20.0, 3751320.0)


def check(path: Path, given: Path | None = None) -> ManifestGroup:
    """Compare a file with GDAL; `given` is the file that is opened here, where it is another."""
    group = virtualizarr.parse(given if given is not None else path)
    found, expected = read_values(group)["band_data"], gdal_files.read(path)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    return group


def place_of(group: ManifestGroup) -> dict[str, Any]:
    mapping = group.arrays["spatial_ref"].metadata.attributes
    values = read_values(group)
    return {"x": values["x"], "y": values["y"], "GeoTransform": mapping["GeoTransform"]}


def test_every_layout(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    for driver, path in gdal_files.every_layout(tmp_path):
        check(path)
        counts[driver] += 1
    assert counts == {"ENVI": 33, "EHdr": 6, "ISIS3": 16, "PDS4": 30, "VICAR": 12}


@pytest.mark.parametrize(
    "driver, header",
    [("ENVI", ".hdr"), ("EHdr", ".hdr"), ("ROI_PAC", ".dem.rsc")],
)
def test_headers_and_data_files_are_the_same(tmp_path: Path, driver: str, header: str) -> None:
    values = gdal_files.numbers((1, 6, 5), "i2")
    path = tmp_path / f"raster{gdal_files.ENDINGS[driver]}"
    gdal_files.written(path, driver, values, crs="EPSG:32611", transform=TRANSFORM)
    group = check(path)
    assert group == check(path, path.with_name(f"raster{header}"))
    place = place_of(group)
    expected = gdal_files.facts(path)["transform"]
    np.testing.assert_allclose(place["x"], expected[2] + expected[0] * (np.arange(5) + 0.5))
    np.testing.assert_allclose(place["y"], expected[5] + expected[4] * (np.arange(6) + 0.5))
    locations = {each.url for array in group.arrays.values() for each in array.manifest.locations}
    assert locations == {path.as_uri()}


@pytest.mark.parametrize("driver", ["ENVI", "EHdr"])
@pytest.mark.parametrize("crs", ["EPSG:32611", "EPSG:4326", "EPSG:26711", "EPSG:3035"])
def test_reference_systems(tmp_path: Path, driver: str, crs: str) -> None:
    pytest.importorskip("pyproj")
    path = tmp_path / f"raster{gdal_files.ENDINGS[driver]}"
    values = gdal_files.numbers((1, 4, 5), "f4")
    gdal_files.written(path, driver, values, crs=crs, transform=TRANSFORM)
    code = check(path).attributes.get("proj:code")
    expected = gdal_files.facts(path)["epsg"]
    assert code == crs or crs == "EPSG:3035"
    assert expected is None or code == f"EPSG:{expected}"


def test_nodata_and_names(tmp_path: Path) -> None:
    values = gdal_files.numbers((2, 4, 5), "i2")
    path = gdal_files.written(tmp_path / "raster.img", "ENVI", values, nodata=-999)
    attributes = check(path).arrays["band_data"].metadata.attributes
    assert attributes["_FillValue"] == -999
    assert attributes["long_name"] == ["Band 1", "Band 2"]
    path = gdal_files.written(tmp_path / "raster.bil", "EHdr", values[:1], nodata=-999)
    assert check(path).arrays["band_data"].metadata.attributes["_FillValue"] == -999


def test_chunks_are_cut_along_lines(tmp_path: Path) -> None:
    values = gdal_files.numbers((3, 50, 40), "i2")
    for interleave in ("bsq", "bil", "bip"):
        path = tmp_path / f"{interleave}.img"
        gdal_files.written(path, "ENVI", values, INTERLEAVE=interleave)
        parser = virtualizarr.parsers.ENVIParser(chunk_bytes=2500)
        array = virtualizarr.parse(path, parser=parser).arrays["band_data"]
        shape = (1, 25, 40) if interleave == "bsq" else (3, 10, 40)
        assert array.metadata.chunk_grid.chunk_shape == shape  # type: ignore[union-attr]
        found = read_values(virtualizarr.parse(path, parser=parser))["band_data"]
        np.testing.assert_array_equal(found, values)
