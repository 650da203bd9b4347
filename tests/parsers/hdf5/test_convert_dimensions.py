"""Dimension names and lengths, against xarray's own netCDF-4 backends."""

from __future__ import annotations

from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest
import xarray as xr

from materialize import values_of
from parsers.hdf5.reading_files import parse

pytestmark = pytest.mark.filterwarnings("ignore:Duplicate dimension names")


def same_as_xarray(path: Path, group: str | None = None) -> None:
    """Compare names and shapes with netCDF4, values with h5netcdf.

    netCDF-C gives uninitialised memory where a variable is shorter than two unlimited dimensions.
    """
    tree = parse(path, group=group)
    with xr.open_dataset(path, engine="netcdf4", group=group, decode_cf=False) as expected:
        assert set(tree.arrays) == set(expected.variables)
        for name, variable in expected.variables.items():
            metadata = tree.arrays[str(name)].metadata
            assert metadata.dimension_names == variable.dims, name
            assert metadata.shape == variable.shape, name
    options = {"engine": "h5netcdf", "phony_dims": "sort", "decode_cf": False}
    with xr.open_dataset(path, group=group, **options) as expected:
        for name, variable in expected.variables.items():
            np.testing.assert_array_equal(values_of(tree.arrays[str(name)]), variable.values)


def test_netcdf4_dimensions(tmp_path: Path) -> None:
    path = tmp_path / "file.nc"
    with netCDF4.Dataset(path, "w") as file:
        for name, size in (("t", None), ("y", 4), ("x", 5), ("only", 3), ("text", 8)):
            file.createDimension(name, size)
        file.createVariable("x", "f8", ("x",))[:] = np.arange(5)
        file.createVariable("t", "f8", ("t",))[:] = np.arange(6)
        file.createVariable("y", "f8", ("y", "x"))[:] = np.ones((4, 5))  # 2-D, a dimension's name
        file.createVariable("v", "f4", ("t", "y", "x"), zlib=True)[:] = np.ones((6, 4, 5))
        file.createVariable("short", "f4", ("t", "only"), fill_value=-5)[:2] = np.ones((2, 3))
        file.createVariable("scalar", "i4", ())[...] = 4
        file.createVariable("square", "i4", ("x", "x"))[:] = 1
        file.createVariable("chars", "S1", ("only", "text"))[:] = b"q"
        group = file.createGroup("g")
        group.createDimension("z", 2)
        group.createVariable("z", "i4", ("z",))[:] = [1, 2]
        group.createVariable("w", "i4", ("t", "z"))[:] = np.zeros((9, 2))  # lengthens t
    same_as_xarray(path)
    same_as_xarray(path, "g")
    assert parse(path).groups["g"].arrays["w"].metadata.dimension_names == ("t", "z")


def test_a_variable_named_like_a_dimension_but_not_its_coordinate(tmp_path: Path) -> None:
    path = tmp_path / "file.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("a", 3)
        file.createDimension("b", 2)
        file.createVariable("a", "f8", ("b",))[:] = [1, 2]
    same_as_xarray(path)


def test_several_unlimited_dimensions(tmp_path: Path) -> None:
    path = tmp_path / "file.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("a", None)
        file.createDimension("b", None)
        file.createVariable("v", "i4", ("a", "b"), chunksizes=(2, 3))[:] = np.ones((5, 4))
        file.createVariable("long", "i4", ("a",), chunksizes=(4,))[:] = np.ones(11)
        file.createVariable("none", "i4", ("b",))
    same_as_xarray(path)


def test_a_group_alone_knows_the_lengths_of_dimensions_above_it(tmp_path: Path) -> None:
    path = tmp_path / "file.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("t", None)
        file.createDimension("x", 2)
        file.createVariable("t", "f8", ("t",))[:] = np.arange(9)
        below = file.createGroup("a/b").createVariable("short", "i4", ("t", "x"), fill_value=-1)
        below[:4] = np.ones((4, 2))
    same_as_xarray(path, "a/b")
    assert parse(path, group="a/b").arrays["short"].shape == (9, 2)


def test_phony_dimensions(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(path, "w") as file:
        file["a"] = np.zeros((3, 4))
        file["b"] = np.zeros((4, 4))
        file["c"] = np.zeros((3, 5))
        file["g/d"] = np.zeros((7, 3))
    tree = parse(path)
    names = {name: array.metadata.dimension_names for name, array in tree.arrays.items()}
    assert names["a"] == ("phony_dim_2", "phony_dim_3")
    assert names["b"] == ("phony_dim_3", "phony_dim_4")
    assert names["c"] == ("phony_dim_2", "phony_dim_5")
    below = tree.groups["g"].arrays["d"].metadata.dimension_names
    assert below is not None
    assert not set(below) & {name for found in names.values() if found for name in found}
    same_as_xarray(path)


@pytest.mark.parametrize("attached", [True, False])
def test_plain_hdf5_scales(tmp_path: Path, attached: bool) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(path, "w") as file:
        file["v"] = np.zeros((3, 4))
        file["x"] = np.arange(4)
        file["x"].make_scale("x in metres")
        if attached:
            file["v"].dims[1].attach_scale(file["x"])
    tree = parse(path)
    assert tree.arrays["x"].metadata.dimension_names == ("x",)
    found = tree.arrays["v"].metadata.dimension_names
    assert found is not None
    assert found == ("phony_dim_1", "x")
    if not attached:  # h5netcdf refuses a variable of which some axes have scales and some not
        same_as_xarray(path)
