"""SAFE products made up of real rasters, against GDAL's reading of each raster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rasterio")
pytest.importorskip("imagecodecs")

import gdal_files
import virtualizarr
from virtualizarr.errors import (
    CorruptFileError,
    SourceNotFoundError,
    UnsupportedFeatureError,
)
from virtualizarr.model import ManifestGroup
from virtualizarr.parsers import SAFEParser
from virtualizarr.testing import mutant, parse_within_memory, read_values

MANIFEST = """<?xml version="1.0" encoding="UTF-8"?>
<xfdu:XFDU xmlns:xfdu="urn:ccsds:schema:xfdu:1" xmlns:safe="http://www.esa.int/safe/sentinel-1.0">
  <metadataSection><metadataObject><safe:platform><safe:familyName>SENTINEL</safe:familyName>
    <safe:startTime>2020-01-01T00:00:00</safe:startTime></safe:platform></metadataObject>
  </metadataSection>
  <dataObjectSection>{objects}</dataObjectSection>
</xfdu:XFDU>"""
OBJECT = """<dataObject ID="i{i}" repID="r"><byteStream><fileLocation locatorType="URL"
  href="./{href}"/></byteStream></dataObject>"""
TILE = """<n1:Level-1C_Tile_ID xmlns:n1="https://psd-14.sentinel2.eo.esa.int/">
<n1:Geometric_Info><Tile_Geocoding metadataLevel="Brief">
<HORIZONTAL_CS_NAME>WGS84 / UTM zone 32N</HORIZONTAL_CS_NAME>
<HORIZONTAL_CS_CODE>EPSG:32632</HORIZONTAL_CS_CODE>
<Size resolution="10"><NROWS>80</NROWS><NCOLS>90</NCOLS></Size>
<Size resolution="20"><NROWS>40</NROWS><NCOLS>45</NCOLS></Size>
<Geoposition resolution="10"><ULX>600000</ULX><ULY>4900020</ULY><XDIM>10</XDIM><YDIM>-10</YDIM>
</Geoposition>
<Geoposition resolution="20"><ULX>600000</ULX><ULY>4900020</ULY><XDIM>20</XDIM><YDIM>-20</YDIM>
</Geoposition></Tile_Geocoding></n1:Geometric_Info></n1:Level-1C_Tile_ID>"""
SENTINEL1 = "measurement/s1a-iw1-slc-{}-20150705t064241-20150705t064306-006672-008ea0-00{}.tiff"
GRANULE = "GRANULE/L2A_T32TQM_A1_20200101T101401"
NAME = "T32TQM_20200101T101401"


def product(root: Path, files: dict[str, Any], *, listed: tuple[str, ...] = ()) -> Path:
    """Write a product; arrays become TIFF or JPEG 2000 files, texts what they are."""
    for href, content in files.items():
        path = root / href
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.write_text(content)
        elif path.suffix == ".jp2":
            options = {"QUALITY": "100", "REVERSIBLE": "YES", "BLOCKYSIZE": "32"}
            gdal_files.written(path, "JP2OpenJPEG", content, **options)
        else:
            gdal_files.written(path, "GTiff", content)
    objects = "".join(OBJECT.format(i=i, href=href) for i, href in enumerate((*files, *listed)))
    (root / "manifest.safe").write_text(MANIFEST.format(objects=objects))
    return root


def sentinel1(root: Path) -> Path:
    rasters = {
        SENTINEL1.format("vv", 1): gdal_files.numbers((1, 9, 8), "c8", 1),
        SENTINEL1.format("vh", 2): gdal_files.numbers((1, 9, 8), "c8", 2),
    }
    return product(root, {**rasters, "annotation/a.xml": "<a/>"})


def sentinel2(root: Path) -> Path:
    bands = {
        f"{GRANULE}/IMG_DATA/R10m/{NAME}_B02_10m.jp2": gdal_files.numbers((1, 80, 90), "u2", 1),
        f"{GRANULE}/IMG_DATA/R10m/{NAME}_TCI_10m.jp2": gdal_files.numbers((3, 80, 90), "u1", 2),
        f"{GRANULE}/IMG_DATA/R20m/{NAME}_B8A_20m.jp2": gdal_files.numbers((1, 40, 45), "u2", 3),
    }
    return product(root, {**bands, f"{GRANULE}/MTD_TL.xml": TILE})


def same_as_gdal(root: Path, path: str, raster: str, values: dict[str, Any]) -> None:
    np.testing.assert_array_equal(values[f"{path}/band_data"], gdal_files.read(root / raster))


def test_sentinel_1(tmp_path: Path) -> None:
    root = sentinel1(tmp_path / "S1A_IW_SLC.SAFE")
    group = virtualizarr.parse(root)
    values = read_values(group)
    same_as_gdal(root, "IW1/VV", SENTINEL1.format("vv", 1), values)
    same_as_gdal(root, "IW1/VH", SENTINEL1.format("vh", 2), values)
    assert group.attributes["not_read"] == ["annotation/a.xml"]
    assert group.attributes["familyName"] == "SENTINEL"
    for given in (f"{root}/", root / "manifest.safe"):
        assert virtualizarr.parse(given) == group
    locations = {each.url for _, array in group.walk_arrays() for each in array.manifest.locations}
    assert all(url.endswith(".tiff") for url in locations)


def test_sentinel_2(tmp_path: Path) -> None:
    pytest.importorskip("pyproj")
    root = sentinel2(tmp_path / "S2A_MSIL2A.SAFE")
    tree = virtualizarr.open_virtual_datatree(root)
    assert set(tree.groups) == {"/", "/R10m", "/R10m/B02", "/R10m/TCI", "/R20m", "/R20m/B8A"}
    group = virtualizarr.parse(root)
    values = read_values(group)
    same_as_gdal(root, "R10m/B02", f"{GRANULE}/IMG_DATA/R10m/{NAME}_B02_10m.jp2", values)
    same_as_gdal(root, "R10m/TCI", f"{GRANULE}/IMG_DATA/R10m/{NAME}_TCI_10m.jp2", values)
    same_as_gdal(root, "R20m/B8A", f"{GRANULE}/IMG_DATA/R20m/{NAME}_B8A_20m.jp2", values)
    np.testing.assert_array_equal(values["R20m/B8A/x"], 600000 + 20 * (np.arange(45) + 0.5))
    np.testing.assert_array_equal(values["R10m/B02/y"], 4900020 - 10 * (np.arange(80) + 0.5))
    band = group.groups["R10m"].groups["B02"]
    assert band.attributes["proj:code"] == "EPSG:32632"
    assert band.arrays["band_data"].metadata.chunk_grid.chunk_shape[1] == 32  # type: ignore[union-attr]


def test_rasters_of_several_days_can_be_joined(tmp_path: Path) -> None:
    import xarray as xr

    roots = [sentinel2(tmp_path / f"day{i}.SAFE") for i in range(2)]
    days = [virtualizarr.open_virtual_dataset(root, group="R10m/B02") for root in roots]
    joined = xr.concat(days, "time", coords="minimal", compat="override")
    expected = gdal_files.read(roots[0] / f"{GRANULE}/IMG_DATA/R10m/{NAME}_B02_10m.jp2")
    found = joined.virtualize.open()["band_data"].values
    np.testing.assert_array_equal(found, np.stack([expected, expected]))


def test_files_that_are_missing_or_broken(tmp_path: Path) -> None:
    root = sentinel1(tmp_path / "a.SAFE")
    (root / SENTINEL1.format("vv", 1)).write_bytes(b"II*\0broken")
    with pytest.raises(CorruptFileError):
        virtualizarr.parse(root)
    (root / SENTINEL1.format("vv", 1)).unlink()
    with pytest.raises(SourceNotFoundError, match=r"vv.*001\.tiff"):
        virtualizarr.parse(root)
    group = virtualizarr.parse(root, parser=SAFEParser(errors="skip"))
    assert set(group.groups["IW1"].groups) == {"VH"}
    assert "vv" in group.attributes["skipped"][0]


def test_mutants_of_a_manifest(tmp_path: Path) -> None:
    path = sentinel1(tmp_path / "a.SAFE") / "manifest.safe"
    whole = path.read_bytes()
    outcomes = set()
    for seed in range(150):
        content = mutant(whole, seed)
        outcomes.add(type(parse_within_memory(SAFEParser(), path.as_uri(), content)))
    assert {ManifestGroup, CorruptFileError, SourceNotFoundError} <= outcomes


def test_manifests_that_lead_out_or_nowhere(tmp_path: Path) -> None:
    root = product(tmp_path / "a.SAFE", {"a.xml": "<a/>"}, listed=("../../secret.tiff",))
    with pytest.raises(CorruptFileError, match="outside of its directory"):
        virtualizarr.parse(root)
    root = product(tmp_path / "b.SAFE", {"a.xml": "<a/>"})
    with pytest.raises(UnsupportedFeatureError, match="no rasters"):
        virtualizarr.parse(root)
    (root / "manifest.safe").write_text(MANIFEST.format(objects="")[:-20])
    with pytest.raises(CorruptFileError, match="not well-formed"):
        virtualizarr.parse(root)
    entity = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]>'
    (root / "manifest.safe").write_text(entity + MANIFEST.format(objects="")[38:])
    with pytest.raises(UnsupportedFeatureError, match="document type"):
        virtualizarr.parse(root / "manifest.safe", parser="safe")
