"""HDF4 files in xarray: combined along time, written to kerchunk JSON, read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import virtualizarr
from hdf4_files import (
    COMPRESSED,
    DEFLATE,
    NBIT,
    RLE,
    SKPHUFF,
    create,
    numbers,
    open_new,
    set_chunks,
)

STORED: dict[str, tuple[int, ...] | None] = {
    "contiguous": None,
    "deflate": (COMPRESSED, DEFLATE, 0, 5),
    "rle": (COMPRESSED, RLE, 0),
    "skphuff": (COMPRESSED, SKPHUFF, 0, 2),
    "nbit": (NBIT, 9, 10, 1, 0),
}


def write(path: Path, values: Any, chunks: tuple[int, ...] | None) -> None:
    file = open_new(path)
    variable = create(file, "v", values)
    variable.setfillvalue(-9)
    for axis, name in enumerate(("time", "y", "x")):
        variable.dim(axis).setname(name)
    if chunks is not None:
        flags, *words = chunks
        set_chunks(variable, (1, 10, 15), *words, flags=flags)
    variable[:] = values
    variable.endaccess()
    file.end()


@pytest.mark.parametrize("name", STORED)
def test_combined_along_time_and_read_back_from_kerchunk(tmp_path: Path, name: str) -> None:
    days = [numbers((2, 40, 30), "i2") + np.int16(day) for day in range(3)]
    paths = [tmp_path / f"{day}.dat" for day in range(3)]
    for path, values in zip(paths, days, strict=True):
        write(path, values, STORED[name])
    combined = virtualizarr.open_virtual_mfdataset(
        [str(path) for path in paths], concat_dim="time", combine="nested"
    )
    assert combined.v.dims == ("time", "y", "x")
    combined.virtualize.to_kerchunk(tmp_path / "refs.json", format="json")
    with xr.open_dataset(
        tmp_path / "refs.json", engine="virtualizarr", mask_and_scale=False
    ) as found:
        np.testing.assert_array_equal(found.v.values, np.concatenate(days))
        assert found.v.attrs["_FillValue"] == -9
