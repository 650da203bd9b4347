"""Small archives of netCDF files for tests, and what xarray itself makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

EAGER: dict[str, Any] = {
    "data_vars": "minimal",
    "coords": "minimal",
    "compat": "override",
    "join": "outer",
    "combine_attrs": "override",
}
"""How to combine without comparing values, which virtual variables do not have."""


def month(number: int, *, units: str = "days since 2000-01-01") -> xr.Dataset:
    """Return four time steps of a small field, the `number`-th of a row of files."""
    rng = np.random.default_rng(number)
    time = pd.date_range("2000-01-01", periods=4, unit="ns") + pd.Timedelta(4 * number, "D")
    field = rng.normal(280, 5, (4, 3, 5))
    field[0, 0, 0] = np.nan
    dataset = xr.Dataset(
        {
            "t": (("time", "y", "x"), field, {"units": "K", "long_name": "température"}),
            "static": (("y", "x"), np.arange(15.0).reshape(3, 5)),
            "crs": ((), 4326, {"grid_mapping_name": "latitude_longitude"}),
        },
        coords={
            "time": ("time", time),
            "x": ("x", np.arange(5, dtype="i4"), {"units": "m"}),
            "lat": (("y", "x"), np.linspace(40, 50, 15).reshape(3, 5)),
            "ref": ((), 7.0),
        },
        attrs={"title": "small archive", "number": np.int32(number)},
    )
    dataset.t.encoding = {
        "dtype": "i2",
        "scale_factor": np.float32(0.01),
        "add_offset": np.float32(280),
        "_FillValue": np.int16(-32768),
    }
    dataset.time.encoding = {"units": units, "dtype": "i4"}
    return dataset


def write_netcdf4(dataset: xr.Dataset, path: Path, group: str | None = None) -> Path:
    """Write a netCDF-4 file whose field is chunked and compressed."""
    if "t" in dataset:
        dataset.t.encoding |= {"chunksizes": (2, 3, 5), "zlib": True, "shuffle": True}
    mode: Any = "a" if path.exists() else "w"
    dataset.to_netcdf(path, engine="h5netcdf", group=group, mode=mode)
    return path


def write_netcdf3(dataset: xr.Dataset, path: Path) -> Path:
    """Write a classic netCDF file with time as its record dimension."""
    dataset.to_netcdf(path, engine="netcdf4", format="NETCDF3_64BIT", unlimited_dims=["time"])
    return path
