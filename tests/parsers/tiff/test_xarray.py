"""TIFF files in xarray: combined along time, written to kerchunk, read in other processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import virtualizarr
from parsers.tiff.by_hand import image_tags, tiff_bytes
from parsers.tiff.test_old_encodings import COLUMNS, ENCODED, ROWS
from parsers.tiff.written import numbers, parse_file
from virtualizarr.model import ManifestArray
from virtualizarr.writers.kerchunk.zarr2 import documents_of

rasterio = pytest.importorskip("rasterio")
pytest.importorskip("imagecodecs")


def write(path: Path, data: Any, **options: Any) -> None:
    bands, height, width = data.shape
    profile = {"driver": "GTiff", "count": bands, "height": height, "width": width}
    place = {"crs": "EPSG:32631", "transform": rasterio.Affine(10, 0, 5e5, 0, -10, 4e6)}
    with rasterio.open(path, "w", **profile, **place, dtype=data.dtype, **options) as dataset:
        dataset.write(data)


pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

STORED: dict[str, dict[str, Any]] = {
    "plain": {},
    "tiles": {"tiled": True, "blockxsize": 32, "blockysize": 16, "compress": "deflate"},
    "pixel": {"interleave": "pixel", "compress": "lzw", "predictor": 2, "blockysize": 7},
    "big": {"endianness": "BIG", "compress": "zstd", "blockysize": 7},
}


@pytest.mark.parametrize("name", STORED)
def test_combined_along_time_and_read_back_from_kerchunk(tmp_path: Path, name: str) -> None:
    days = [numbers((2, 48, 64), "int16") + np.int16(day) for day in range(3)]
    paths = [tmp_path / f"{day}.tif" for day in range(3)]
    for path, data in zip(paths, days, strict=True):
        write(path, data, nodata=-5, **STORED[name])
    combined = virtualizarr.open_virtual_mfdataset(
        [str(path) for path in paths], concat_dim="time", combine="nested"
    )
    assert combined.band_data.dims == ("time", "band", "y", "x")
    combined.virtualize.to_kerchunk(tmp_path / "refs.json", format="json")
    with xr.open_dataset(
        tmp_path / "refs.json", engine="virtualizarr", mask_and_scale=False
    ) as found:
        np.testing.assert_array_equal(found.band_data.values, np.stack(days))
        with rasterio.open(paths[0]) as dataset:
            np.testing.assert_allclose(found.x.values, dataset.xy([0] * 64, range(64))[0])
            np.testing.assert_allclose(found.y.values, dataset.xy(range(48), [0] * 48)[1])


def test_time_from_file_names(tmp_path: Path) -> None:
    days = [numbers((1, 20, 30), "int16") + np.int16(day) for day in range(3)]
    for day, data in enumerate(days):
        write(tmp_path / f"scene_2020010{day + 1}.tif", data, **STORED["tiles"])

    def dated(dataset: xr.Dataset) -> xr.Dataset:
        stem = Path(str(dataset.encoding["source"])).stem
        date = np.datetime64(f"{stem[6:10]}-{stem[10:12]}-{stem[12:]}", "ns")
        return dataset.expand_dims(time=[date])

    combined = virtualizarr.open_virtual_mfdataset(
        str(tmp_path / "scene_*.tif"), preprocess=dated, concat_dim="time", combine="nested"
    )
    combined.virtualize.to_kerchunk(tmp_path / "refs.json", format="json")
    with xr.open_dataset(tmp_path / "refs.json", engine="virtualizarr") as found:
        np.testing.assert_array_equal(found.band_data.values, np.stack(days))
        assert found.time.values.astype("M8[D]").astype(str).tolist() == [
            "2020-01-01",
            "2020-01-02",
            "2020-01-03",
        ]
        assert found.spatial_ref.attrs["crs_wkt"].startswith("PROJCRS")


def test_a_tree_with_overviews(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    data = numbers((1, 256, 256), "uint8")
    write(path, data, tiled=True, blockxsize=64, blockysize=64, compress="deflate")
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4])
    tree = virtualizarr.open_virtual_datatree(str(path))
    assert [node.path for node in tree.subtree] == ["/", "/1", "/2"]
    assert isinstance(tree["/1/band_data"].variable._data, ManifestArray)
    tree.virtualize.to_kerchunk(tmp_path / "refs.json", format="json")
    found = xr.open_datatree(tmp_path / "refs.json", engine="virtualizarr")
    np.testing.assert_array_equal(found["band_data"].values, data)
    with rasterio.open(path, overview_level=1) as level:
        np.testing.assert_array_equal(found["2/band_data"].values, level.read())
    levels = virtualizarr.open_virtual_datatree(
        str(path), parser=virtualizarr.parsers.TIFFParser(overviews="levels")
    )
    assert levels["2/band_data"].dims == ("band", "y", "x")


def as_zarr3(array: ManifestArray, folder: Path) -> None:
    """Copy an array's chunks into a plain Zarr v3 array."""
    _copy(array, folder, "zarr.json", array.metadata.to_json(), lambda cell: "/".join(["c", *cell]))


def as_zarr2(array: ManifestArray, folder: Path) -> None:
    """Copy an array's chunks into a plain Zarr v2 array."""
    _copy(array, folder, ".zarray", dict(documents_of(array.metadata).zarray), ".".join)


def _copy(array: ManifestArray, folder: Path, name: str, document: Any, key: Any) -> None:
    folder.mkdir()
    (folder / name).write_text(json.dumps(document))
    for cell, entry in array.manifest.dict().items():
        place = folder / key(cell.split("."))
        place.parent.mkdir(parents=True, exist_ok=True)
        with open(entry["path"].removeprefix("file://"), "rb") as file:
            file.seek(entry["offset"])
            place.write_bytes(file.read(entry["length"]))


PROGRAM = """
import sys, zarr
import numpy as np
array = zarr.open_array(sys.argv[1], mode="r")
np.save(sys.argv[2], array[...])
"""


@pytest.mark.parametrize("copied", [as_zarr3, as_zarr2])
@pytest.mark.parametrize("pipeline", ["Batched", "Fused"])
def test_a_fresh_process_needs_zarr_alone(tmp_path: Path, copied: Any, pipeline: str) -> None:
    data = numbers((2, 48, 64), "int16")
    write(tmp_path / "a.tif", data, **STORED["pixel"])
    copied(parse_file(tmp_path / "a.tif").arrays["band_data"], tmp_path / "a.zarr")
    setting = f"zarr.core.codec_pipeline.{pipeline}CodecPipeline"
    subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "a.zarr"), str(tmp_path / "a.npy")],
        check=True,
        env={"ZARR_CODEC_PIPELINE__PATH": setting},
    )
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), data)


@pytest.mark.parametrize("copied", [as_zarr3, as_zarr2])
@pytest.mark.parametrize("name", ["thunderscan", "LogL 3 32", "ycbcr"])
def test_a_fresh_process_decodes_old_encodings(tmp_path: Path, copied: Any, name: str) -> None:
    if name == "ycbcr":
        strip = np.random.default_rng(0).integers(16, 235, ROWS * 38 * 3 // 2, "u1").tobytes()
        samples, bits, compression, more = 3, 8, 1, {"t262": ("H", [6]), "t530": ("H", [2, 2])}
    else:
        strip, samples, bits, compression, more = ENCODED[name]()
    tags = image_tags((ROWS, COLUMNS, samples), bits, compression, **more)
    (tmp_path / "a.tif").write_bytes(tiff_bytes(tags, [strip]))
    copied(parse_file(tmp_path / "a.tif").arrays["band_data"], tmp_path / "a.zarr")
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "a.zarr"), str(tmp_path / "a.npy")]
    subprocess.run(command, check=True)
    with rasterio.open(tmp_path / "a.tif") as dataset:
        np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), dataset.read())


def test_a_wrong_suffix_does_not_matter(tmp_path: Path) -> None:
    write(tmp_path / "a.nc", numbers((1, 20, 30), "uint8"))
    assert virtualizarr.open_virtual_dataset(str(tmp_path / "a.nc")).band_data.shape == (1, 20, 30)
