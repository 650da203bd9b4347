"""Several files of each format combined by xarray, written as kerchunk, read in a new process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

pytest.importorskip("rasterio")
pytest.importorskip("nibabel")
pytest.importorskip("imagecodecs")

import nibabel

import gdal_files
import virtualizarr
from raw_headers import counting

SHAPE = (2, 6, 5)
READER = """
import sys, json, numpy as np, zarr
from fsspec.implementations.reference import ReferenceFileSystem
store = zarr.storage.FsspecStore(
    ReferenceFileSystem(sys.argv[1], remote_protocol="file", asynchronous=True), read_only=True
)
np.save(sys.argv[3], zarr.open_group(store, mode="r", zarr_format=2)[sys.argv[2]][...])
"""
"""Only zarr and fsspec are imported: the codecs must be found by their entry points."""


def by_gdal(driver: str, **options: str) -> Callable[[Path, int], Any]:
    def make(path: Path, seed: int) -> Any:
        bands = 1 if driver in ("ROI_PAC", "VICAR") else SHAPE[0]
        values = gdal_files.numbers((bands, *SHAPE[1:]), "i2", seed)
        gdal_files.written(path, driver, values, **options)
        return values

    return make


def by_nibabel(path: Path, seed: int) -> Any:
    values = gdal_files.numbers((5, 4, 3), "i2", seed)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)
    return values


def fortran(path: Path, seed: int) -> Any:
    values = np.asfortranarray(gdal_files.numbers((5, 4, 3), "f8", seed))
    np.save(path, values)
    return values


def pds3(path: Path, seed: int) -> Any:
    label = (
        "PDS_VERSION_ID = PDS3\r\n^IMAGE = 513 <BYTES>\r\nOBJECT = IMAGE\r\n LINES = 6\r\n"
        " LINE_SAMPLES = 5\r\n SAMPLE_TYPE = VAX_REAL\r\n SAMPLE_BITS = 32\r\n"
        " LINE_PREFIX_BYTES = 3\r\nEND_OBJECT\r\nEND\r\n"
    )
    values = (np.arange(30, dtype="f4") * (seed + 1)).reshape(1, 6, 5)
    vax = (values * 4).view("<u2").reshape(6, 5, 2)[:, :, ::-1].copy().view("u1").reshape(6, 20)
    rows = np.concatenate([counting(18).reshape(6, 3), vax], axis=1)
    path.write_bytes(label.encode().ljust(512) + rows.tobytes())
    return values


CASES: dict[str, tuple[str, str, Callable[[Path, int], Any]]] = {
    "envi bsq": (".img", "band_data", by_gdal("ENVI")),
    "envi bip": (".img", "band_data", by_gdal("ENVI", INTERLEAVE="bip")),
    "ehdr": (".bil", "band_data", by_gdal("EHdr")),
    "isis3": (".cub", "band_data", by_gdal("ISIS3")),
    "isis3 tiles": (".cub", "band_data", by_gdal("ISIS3", TILED="YES", BLOCKXSIZE="4")),
    "pds3": (".img", "band_data", pds3),
    "pds4": (".xml", "band_data", by_gdal("PDS4", INTERLEAVE="BIL")),
    "vicar": (".vic", "band_data", by_gdal("VICAR")),
    "vicar basic": (".vic", "band_data", by_gdal("VICAR", COMPRESS="BASIC")),
    "roipac": (".dem", "band_data", by_gdal("ROI_PAC")),
    "jpeg2000": (".jp2", "band_data", by_gdal("JP2OpenJPEG", REVERSIBLE="YES", QUALITY="100")),
    "nifti": (".nii", "data", by_nibabel),
    "nifti gzip": (".nii.gz", "data", by_nibabel),
    "npy": (".npy", "data", fortran),
}


OFTEN = ("envi bip", "jpeg2000", "nifti gzip", "vicar basic")
"""One case for each codec; the others run with `-m long`, each in a process of its own."""


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=() if case in OFTEN else pytest.mark.long) for case in CASES],
)
def test_combined_along_time(tmp_path: Path, case: str) -> None:
    ending, name, make = CASES[case]
    paths = [tmp_path / f"day{i}{ending}" for i in range(3)]
    values = [make(path, i) for i, path in enumerate(paths)]
    datasets = [virtualizarr.open_virtual_dataset(path) for path in paths]
    combined = xr.concat(datasets, "time", coords="minimal", compat="override", join="override")
    expected = np.stack(values)
    assert combined[name].dims[0] == "time"
    here = combined.virtualize.open()[name]
    scaled = {"scale_factor", "add_offset", "_FillValue"} & here.encoding.keys()
    if not scaled:
        np.testing.assert_array_equal(here.values, expected)
    references = tmp_path / "combined.json"
    combined.virtualize.to_kerchunk(str(references), format="json")
    found = tmp_path / "found.npy"
    subprocess.run(
        [sys.executable, "-c", READER, str(references), name, str(found)],
        check=True,
        timeout=100,
        cwd=tmp_path,
    )
    np.testing.assert_array_equal(np.load(found), expected)
    ours = virtualizarr.open_store(str(references))
    read = xr.open_dataset(
        ours, engine="zarr", consolidated=False, zarr_format=3, mask_and_scale=False
    )
    np.testing.assert_array_equal(read[name].values, expected)


def test_places_are_kept(tmp_path: Path) -> None:
    pytest.importorskip("pyproj")
    paths = [tmp_path / f"day{i}.img" for i in range(2)]
    for i, path in enumerate(paths):
        values = gdal_files.numbers(SHAPE, "i2", i)
        crs, transform = "EPSG:32611", gdal_files.TRANSFORM
        gdal_files.written(path, "ENVI", values, crs=crs, transform=transform)
    combined = xr.concat(
        [virtualizarr.open_virtual_dataset(path) for path in paths],
        "time",
        coords="minimal",
        compat="override",
    )
    opened = combined.virtualize.open()
    np.testing.assert_array_equal(opened["x"], 440720 + 30 * (np.arange(5) + 0.5))
    assert opened["spatial_ref"].attrs["crs_wkt"].startswith("PROJCRS")
