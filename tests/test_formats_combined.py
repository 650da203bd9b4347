"""Several files of one format, combined along time, written to kerchunk JSON and read back.

Read back twice: by our own engine, and by zarr through fsspec, as any user of references would.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

import virtualizarr

DAYS, TIMES, ROWS, COLUMNS = 3, 2, 6, 5

type Write = Callable[[Path, Any, Any], None]


def netcdf3(path: Path, time: Any, values: Any) -> None:
    import netCDF4

    with netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_OFFSET") as dataset:
        for dim, length in {"time": None, "y": ROWS, "x": COLUMNS}.items():
            dataset.createDimension(dim, length)
        dataset.createVariable("time", "f8", ("time",))[:] = time
        dataset.createVariable("v", "i2", ("time", "y", "x"))[:] = values


def hdf4(path: Path, time: Any, values: Any) -> None:
    files = pytest.importorskip("hdf4_files")
    file = files.open_new(path)
    for name, array in {"time": time, "v": values}.items():
        variable = files.create(file, name, array)
        for axis, dim in enumerate(("time", "y", "x")[: array.ndim]):
            variable.dim(axis).setname(dim)
        if name == "v":
            deflate = (files.COMPRESSED, files.DEFLATE, 0, 5)
            files.set_chunks(variable, (1, 3, COLUMNS), *deflate[1:], flags=deflate[0])
        variable[:] = array
        variable.endaccess()
    file.end()


def hdf4_grid(path: Path, time: Any, values: Any) -> None:
    """A variable in a Vgroup, and times in a table."""
    tables = pytest.importorskip("hdf4_tables")
    files = pytest.importorskip("hdf4_files")
    file = files.open_new(path)
    variable = files.create(file, "v", values)
    for axis, dim in enumerate(("time", "y", "x")):
        variable.dim(axis).setname(dim)
    variable[:] = values
    members = [(tables.DFTAG_NDG, variable.ref())]
    variable.endaccess()
    file.end()
    tables.write_table(path, "times", {"time": time, "day": time.astype("i4")})
    tables.write_vgroup(path, "grid", members)


def fits_image(path: Path, time: Any, values: Any) -> None:
    fits = pytest.importorskip("astropy.io.fits")
    del time
    fits.PrimaryHDU(values).writeto(path)


def fits_tiles(path: Path, time: Any, values: Any) -> None:
    fits = pytest.importorskip("astropy.io.fits")
    del time
    image = fits.CompImageHDU(values, compression_type="RICE_1", tile_shape=(1, 4, COLUMNS))
    image.name = "V"
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(path)


def fits_table(path: Path, time: Any, values: Any) -> None:
    fits = pytest.importorskip("astropy.io.fits")
    columns = [
        fits.Column("TIME", "D", array=time),
        fits.Column("V", f"{ROWS * COLUMNS}I", dim=f"({COLUMNS},{ROWS})", array=values),
    ]
    table = fits.BinTableHDU.from_columns(columns, name="T")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)


def zarr_store(zarr_format: int) -> Write:
    def write(path: Path, time: Any, values: Any) -> None:
        group = zarr.open_group(path, mode="w", zarr_format=zarr_format)
        for name, array in {"time": time, "v": values}.items():
            dims = ("time", "y", "x")[: array.ndim]
            own = {"dimension_names": dims} if zarr_format == 3 else {}
            chunks = (1, 3, COLUMNS)[: array.ndim]
            made = group.create_array(name, data=array, chunks=chunks, **own)
            if zarr_format == 2:
                made.attrs["_ARRAY_DIMENSIONS"] = list(dims)

    return write


FORMATS: dict[str, tuple[str, Write, dict[str, Any], str, str]] = {
    "netcdf3": (".nc", netcdf3, {}, "v", "time"),
    "hdf4": (".hdf", hdf4, {}, "v", "time"),
    "hdf4 Vgroup": (".hdf", hdf4_grid, {"group": "grid"}, "v", "time"),
    "fits image": (".fits", fits_image, {}, "PRIMARY", "z"),
    "fits tiles": (".fits", fits_tiles, {}, "V", "z"),
    "fits table": (".fits", fits_table, {"group": "T"}, "V", "row"),
    "zarr v2": (".zarr", zarr_store(2), {}, "v", "time"),
    "zarr v3": (".zarr", zarr_store(3), {}, "v", "time"),
}
"""By format: suffix, how to write a file, how to open it, and what variable and time are called."""


@pytest.mark.filterwarnings("ignore:Consolidated metadata:UserWarning")
@pytest.mark.parametrize("name", FORMATS)
def test_combined_along_time_and_read_back(name: str, tmp_path: Path) -> None:
    suffix, write, options, variable, dim = FORMATS[name]
    count = DAYS * TIMES * ROWS * COLUMNS
    values = (np.arange(count) * 7 % 1000).astype("i2").reshape(-1, ROWS, COLUMNS)
    time = np.arange(DAYS * TIMES, dtype="f8")
    paths = [tmp_path / f"day{day}{suffix}" for day in range(DAYS)]
    for day, path in enumerate(paths):
        part = slice(day * TIMES, (day + 1) * TIMES)
        write(path, time[part], values[part])

    combined = virtualizarr.open_virtual_mfdataset(
        [str(path) for path in paths], concat_dim=dim, combine="nested", **options
    )
    assert combined[variable].shape == values.shape
    references = tmp_path / "references.json"
    combined.virtualize.to_kerchunk(references, format="json")

    with xr.open_dataset(references, engine="virtualizarr", mask_and_scale=False) as found:
        np.testing.assert_array_equal(found[variable].values, values)
        if "time" in found.variables:
            np.testing.assert_array_equal(found["time"].values, time)
    remote = {"fo": str(references), "remote_protocol": "file"}
    store = zarr.storage.FsspecStore.from_url("reference://", remote, read_only=True)
    array = zarr.open_group(store, mode="r", zarr_format=2)[variable]
    assert isinstance(array, zarr.Array)
    np.testing.assert_array_equal(np.asarray(array[...]), values)
