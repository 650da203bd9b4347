"""From a folder of daily netCDF-4 files to one virtual store, and back to values.

Makes a small archive, opens it as one virtual dataset without reading any data, writes references,
opens them, and compares every value with what xarray reads from the files themselves.

    python examples/quickstart.py [--days 60] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr

import virtualizarr  # noqa: F401 -- registers engine="virtualizarr" and Dataset.virtualize

LATITUDES, LONGITUDES, HOURS = 91, 180, 24


def one_day(day: int) -> xr.Dataset:
    """Return a day of hourly fields with the usual attributes and packing."""
    random = np.random.default_rng(day)
    latitude = np.linspace(90, -90, LATITUDES, dtype="float32")
    longitude = np.arange(0, 360, 2, dtype="float32")
    warmth = 288 - 40 * np.sin(np.deg2rad(latitude))[None, :, None] ** 2
    noise = random.normal(0, 3, (HOURS, LATITUDES, LONGITUDES))
    dims = ("time", "lat", "lon")
    return xr.Dataset(
        {
            "t2m": (dims, warmth + noise, {"units": "K", "long_name": "2 metre temperature"}),
            "wind": (dims, np.abs(noise).astype("float32"), {"units": "m s-1"}),
            "orography": (dims[1:], random.random((LATITUDES, LONGITUDES)), {"units": "m"}),
        },
        coords={
            "time": np.datetime64("2024-01-01", "ns")
            + np.timedelta64(day, "D")
            + np.arange(HOURS) * np.timedelta64(1, "h"),
            "lat": ("lat", latitude, {"units": "degrees_north", "standard_name": "latitude"}),
            "lon": ("lon", longitude, {"units": "degrees_east", "standard_name": "longitude"}),
        },
        attrs={"title": "A small archive", "Conventions": "CF-1.10"},
    )


def make_archive(folder: Path, days: int) -> list[Path]:
    """Write one netCDF-4 file a day, packed, shuffled and compressed."""
    packed = {"dtype": "int16", "scale_factor": 0.01, "add_offset": 273.15, "_FillValue": -32767}
    squeezed = {"zlib": True, "shuffle": True, "complevel": 4, "chunksizes": (12, 91, 90)}
    encoding = {
        "t2m": packed | squeezed,
        "wind": squeezed,
        "time": {"units": "hours since 2024-01-01", "dtype": "int32"},
    }
    paths = [folder / f"day-{day:03}.nc" for day in range(days)]
    for day, path in enumerate(paths):
        one_day(day).to_netcdf(path, engine="h5netcdf", encoding=encoding, unlimited_dims=["time"])
    return paths


def megabytes(*paths: Path) -> str:
    return f"{sum(path.stat().st_size for path in paths) / 1e6:.2f} MB"


@contextlib.contextmanager
def timed(what: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    print(f"{what:58} {time.perf_counter() - start:7.3f} s")


def main(days: int, folder: Path) -> None:
    with timed(f"made {days} netCDF-4 files"):
        paths = make_archive(folder, days)

    with timed("virtual dataset of all files (references, no data)"):
        vds = xr.open_mfdataset(
            f"{folder}/*.nc",
            engine="virtualizarr",
            combine="by_coords",
            data_vars="minimal",
            coords="minimal",
            compat="override",
            join="outer",
        )
    print(vds)
    print(f"{vds.virtualize.nrefs()} references, {vds.virtualize.nbytes} bytes in memory")

    combined = folder / "combined.json"
    with timed("written as kerchunk references"):
        vds.virtualize.to_kerchunk(combined, format="json")
    print(f"archive {megabytes(*paths)}, references {megabytes(combined)}")

    with timed("opened the whole archive"):
        ds = xr.open_dataset(combined, engine="virtualizarr")
    with timed("read every value through the references"):
        ds.load()
    with timed("read every value with xarray and h5netcdf"):
        expected = xr.open_mfdataset(
            paths,
            engine="h5netcdf",
            combine="by_coords",
            data_vars="minimal",
            coords="minimal",
            compat="override",
            join="outer",
        ).load()
    xr.testing.assert_equal(ds, expected)
    count = sum(variable.size for variable in ds.variables.values())
    print(f"all {count:,} values are equal")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--keep", type=Path, help="make the archive here and leave it")
    arguments = parser.parse_args()
    if arguments.keep is not None:
        arguments.keep.mkdir(parents=True, exist_ok=True)
        main(arguments.days, arguments.keep)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            main(arguments.days, Path(scratch))
