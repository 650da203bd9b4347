"""The main job from end to end: an archive, references, and the same values back, wherever it lies.

The second witness is xarray's own reading of the files through netCDF4.
"""

from __future__ import annotations

import pickle
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import h5py
import numpy as np
import pytest
import xarray as xr
import zarr

import virtualizarr
from servers.ranges import RangeServer
from servers.s3 import S3Server
from virtualizarr.errors import (
    SourcePermissionError,
    UnsupportedFeatureError,
    VirtualizeError,
)

DAYS = 4
JOIN: dict[str, Any] = {
    "data_vars": "minimal",
    "coords": "minimal",
    "compat": "override",
    "join": "outer",
}


def one_day(day: int) -> xr.Dataset:
    random = np.random.default_rng(day)
    steps = np.arange(6) * np.timedelta64(4, "h")
    return xr.Dataset(
        {
            "t": (("time", "lat", "lon"), 280 + random.random((6, 9, 10)), {"units": "K"}),
            "rain": (("time", "lat", "lon"), random.random((6, 9, 10)).astype("f4")),
            "height": (("lat", "lon"), np.arange(90.0).reshape(9, 10)),
        },
        coords={
            "time": np.datetime64("2024-02-27", "ns") + np.timedelta64(day, "D") + steps,
            "lat": np.linspace(80, -80, 9),
            "lon": np.arange(0, 100, 10),
            "crs": ((), 4326, {"grid_mapping_name": "latitude_longitude"}),
        },
        attrs={"title": "archive"},
    )


def encoding(kind: str) -> dict[str, Any]:
    packed = {"dtype": "int16", "scale_factor": 0.01, "add_offset": 273.15, "_FillValue": -9999}
    squeezed = {"zlib": True, "shuffle": True, "chunksizes": (3, 5, 10)}
    if kind != "NETCDF4":
        squeezed = {}
    return {
        "t": packed | squeezed,
        "rain": squeezed,
        "time": {"units": "hours since 2024-02-01", "dtype": "int32"},
    }


@pytest.fixture(scope="module", params=["NETCDF4", "NETCDF3_64BIT"])
def archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    for day in range(DAYS):
        one_day(day).to_netcdf(
            folder / f"day {day}.nc",  # a name with a space, as people have them
            engine="netcdf4",
            format=request.param,
            encoding=encoding(request.param),
            unlimited_dims=["time"],
        )
    return folder


@pytest.fixture
def expected(archive: Path) -> xr.Dataset:
    with xr.open_mfdataset(sorted(archive.glob("*.nc")), combine="by_coords", **JOIN) as ds:
        return ds.load()


@pytest.fixture
def vds(archive: Path) -> xr.Dataset:
    return xr.open_mfdataset(f"{archive}/*.nc", engine="virtualizarr", combine="by_coords", **JOIN)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_references_read_back_equal_through_our_engine(
    vds: xr.Dataset, expected: xr.Dataset, tmp_path: Path, zarr_format: Any
) -> None:
    combined = tmp_path / "combined.json"
    vds.virtualize.to_kerchunk(combined, format="json", zarr_format=zarr_format)
    with xr.open_dataset(combined, engine="virtualizarr") as ds:
        xr.testing.assert_equal(ds, expected)
        assert ds.attrs == expected.attrs
        assert ds["t"].attrs == expected["t"].attrs


def test_references_read_back_equal_through_kerchunk(
    vds: xr.Dataset, expected: xr.Dataset, tmp_path: Path
) -> None:
    combined = tmp_path / "combined.json"
    vds.virtualize.to_kerchunk(combined, format="json")
    with xr.open_dataset(str(combined), engine="kerchunk") as ds:
        xr.testing.assert_equal(ds, expected)


def test_references_read_back_equal_through_fsspec_and_zarr(
    vds: xr.Dataset, expected: xr.Dataset
) -> None:
    references = vds.vz.to_kerchunk(format="dict")
    files = fsspec.filesystem("reference", fo=references, remote_protocol="file", asynchronous=True)
    root = zarr.open_group(zarr.storage.FsspecStore(files, read_only=True), mode="r", zarr_format=2)
    np.testing.assert_array_equal(root["rain"][...], expected["rain"].values)
    np.testing.assert_array_equal(root["height"][...], expected["height"].values)


def test_values_through_the_store_and_through_open(vds: xr.Dataset, expected: xr.Dataset) -> None:
    root = zarr.open_group(virtualizarr.open_store(vds.virtualize.to_group()), mode="r")
    np.testing.assert_array_equal(root["rain"][...], expected["rain"].values)
    with vds.virtualize.open() as ds:
        xr.testing.assert_equal(ds, expected)
        xr.testing.assert_equal(ds.isel(time=slice(5, 14, 3)), expected.isel(time=slice(5, 14, 3)))


def test_chunks_that_do_not_fill_a_day_are_cropped_and_never_shifted(
    tmp_path: Path, expected: xr.Dataset
) -> None:
    for day in range(DAYS):
        squeezed = {"zlib": True, "chunksizes": (4, 5, 10)}
        one_day(day).to_netcdf(
            tmp_path / f"{day}.nc", encoding={"t": squeezed, "rain": squeezed}, engine="h5netcdf"
        )
    vds = xr.open_mfdataset(f"{tmp_path}/*.nc", engine="virtualizarr", combine="by_coords", **JOIN)
    with vds.virtualize.open() as ds:
        xr.testing.assert_allclose(ds, expected, atol=0.006)
        again = pickle.loads(pickle.dumps(ds))
        xr.testing.assert_equal(again.load(), ds.load())
    with pytest.raises(UnsupportedFeatureError, match=r"'t'.*different lengths.*zarr_format=3"):
        vds.virtualize.to_kerchunk(tmp_path / "v2.json", format="json")
    vds.virtualize.to_kerchunk(tmp_path / "v3.json", format="json", zarr_format=3)
    with xr.open_dataset(tmp_path / "v3.json", engine="virtualizarr") as ds:
        xr.testing.assert_allclose(ds, expected, atol=0.006)


def virtual_of(url: str, **options: Any) -> dict[str, Any]:
    """What a virtual dataset says, but for where its file lies."""
    ds = virtualizarr.open_virtual_dataset(url, **options).vz.rename_paths("file:///here")
    return {
        "references": ds.vz.to_kerchunk(format="dict")["refs"],
        "sizes": dict(ds.sizes),
        "coords": sorted(map(str, ds.coords)),
    }


def test_one_file_is_the_same_from_disk_web_and_s3(
    archive: Path, range_server: RangeServer, s3_server: S3Server
) -> None:
    path = archive / "day 0.nc"
    range_server.files["day 0.nc"] = path.read_bytes()
    s3_server.put("main-job", "deep/day 0.nc", path.read_bytes())
    local = virtual_of(str(path))
    assert virtual_of(f"{range_server.url}/day%200.nc") == local
    assert virtual_of("s3://main-job/deep/day 0.nc", storage_options=s3_server.options) == local
    assert range_server.counts.heads == 0
    assert range_server.counts.gets <= 2


def test_an_archive_on_s3_by_glob(
    archive: Path, expected: xr.Dataset, s3_server: S3Server, tmp_path: Path
) -> None:
    bucket = f"archive-{archive.name}".replace("_", "-")
    for path in archive.glob("*.nc"):
        s3_server.put(bucket, f"days/{path.name}", path.read_bytes())
    vds = virtualizarr.open_virtual_mfdataset(
        f"s3://{bucket}/days/*.nc", storage_options=s3_server.options, combine="by_coords", **JOIN
    )
    with vds.virtualize.open(storage_options=s3_server.options) as ds:
        xr.testing.assert_equal(ds, expected)


# ---- what bad input gets: one error of our tree, naming URL and reason, soon and cheaply ----


def a_hard_link_cycle(path: Path) -> None:
    with h5py.File(path, "w") as f:
        group = f.create_group("a")
        group.create_group("b")["up"] = group
        group["x"] = [1.0, 2.0]


def a_vast_grid(path: Path) -> None:
    with h5py.File(path, "w") as f:
        made = f.create_dataset("v", (10**4, 10**4), "f4", chunks=(1, 1), maxshape=(None, 10**4))
        made.id.write_direct_chunk((0, 0), b"abcd")
        made.id.write_direct_chunk((9999, 9999), b"abcd")


def a_file_family(path: Path) -> None:
    with h5py.File(path.with_name("family-%d.nc"), "w", driver="family", memb_size=4096) as f:
        f["x"] = np.zeros(4000)
    path.with_name("family-0.nc").rename(path)


def cut(source: Callable[[Path], None]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        source(path)
        path.write_bytes(path.read_bytes()[:-100])

    return write


def plain(path: Path) -> None:
    one_day(0).to_netcdf(path, engine="h5netcdf")


def classic(path: Path) -> None:
    one_day(0).to_netcdf(path, engine="netcdf4", format="NETCDF3_64BIT")


BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "text": (lambda path: path.write_text("time,t\n0,1\n"), "text"),
    "empty": (lambda path: path.write_bytes(b""), "empty"),
    "html": (lambda path: path.write_text("<!DOCTYPE html><html>Log in</html>"), "HTML"),
    "truncated netCDF-4": (cut(plain), "truncated"),
    "truncated netCDF-3": (cut(classic), "end"),
    "family": (a_file_family, "famil"),
    "split": (lambda path: split(path), "multi|split"),
    "vast grid": (a_vast_grid, "100000000 cells"),
    "missing": (lambda path: None, "no such file"),
}


def split(path: Path) -> None:
    with h5py.File(path.with_name("split"), "w", driver="split") as f:
        f["x"] = np.zeros(4000)
    path.with_name("split-m.h5").rename(path)


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_named_soon_and_cheaply(kind: str, tmp_path: Path) -> None:
    make, reason = BAD[kind]
    path = tmp_path / "bad.nc"
    make(path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    with pytest.raises(VirtualizeError, match=rf"(?is)bad\.nc.*({reason})") as caught:
        virtualizarr.open_virtual_dataset(path)
    assert caught.value.url is not None
    assert time.perf_counter() - start < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000  # kilobytes


def test_a_cyclic_file_opens_and_ends(tmp_path: Path) -> None:
    a_hard_link_cycle(tmp_path / "cycle.h5")
    tree = virtualizarr.open_virtual_datatree(tmp_path / "cycle.h5", loadable_variables=[])
    assert tree["a"].sizes == {"phony_dim_0": 2}


def test_a_bucket_without_permission(range_server: RangeServer) -> None:
    range_server.files["bucket/key.nc"] = b"x"
    range_server.faults["bucket/key.nc"] = ["403!"]
    options = {"endpoint": range_server.url, "region": "us-east-1", "allow_http": True}
    options |= {"virtual_hosted_style_request": False, "skip_signature": True}
    start = time.perf_counter()
    with pytest.raises(SourcePermissionError, match=r"s3://bucket/key\.nc"):
        virtualizarr.open_virtual_dataset("s3://bucket/key.nc", storage_options=options)
    assert time.perf_counter() - start < 2


def test_one_bad_file_among_many_is_named(archive: Path, tmp_path: Path) -> None:
    for path in archive.glob("*.nc"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "day 2.nc").write_text("<html>504 Gateway Time-out</html>")
    with pytest.raises(VirtualizeError, match=r"day%202\.nc.*HTML"):
        virtualizarr.open_virtual_mfdataset(f"{tmp_path}/*.nc", **JOIN)
