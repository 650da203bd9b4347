"""Dimension names and lengths, against xarray's own netCDF-4 backends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
import pytest
import xarray as xr

from materialize import values_of
from parsers.hdf5.reading_files import parse
from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.parsers.hdf5.convert import lengthening

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


def same_as_h5netcdf(path: Path) -> None:
    """Compare the dimensions of all variables with h5netcdf's."""
    for name, expected in xr.open_groups(path, engine="h5netcdf", phony_dims="sort").items():
        with expected:
            found = parse(path)
            for part in filter(None, name.split("/")):
                found = found.groups[part]
            names = {each: array.metadata.dimension_names for each, array in found.arrays.items()}
            assert names == {each: variable.dims for each, variable in expected.variables.items()}


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
    assert names["a"] == ("phony_dim_0", "phony_dim_1")
    assert names["b"] == ("phony_dim_1", "phony_dim_2")
    assert names["c"] == ("phony_dim_0", "phony_dim_3")
    below = tree.groups["g"].arrays["d"].metadata.dimension_names
    assert below is not None
    assert not set(below) & {name for found in names.values() if found for name in found}
    same_as_h5netcdf(path)


def test_phony_dimensions_of_lengths_that_repeat_and_of_scales(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(path, "w") as file:
        file["b/x"] = np.arange(3)
        file["b/x"].make_scale("x")
        file["b/long"] = np.zeros((15, 3, 8, 3))
        file["b/short"] = np.zeros((8, 8))
        file["a/c/inner"] = np.zeros((2, 3))
        file["a/outer"] = np.zeros((0, 3))
        file["z"] = np.zeros((5, 5))
    same_as_h5netcdf(path)


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
        same_as_h5netcdf(path)


def test_records_never_written_read_as_netcdf_fills_them(tmp_path: Path) -> None:
    path = tmp_path / "file.nc"
    kinds = ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8")
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("t", None)
        file.createDimension("x", 3)
        file.createVariable("long", "f8", ("t",))[:] = np.arange(5)
        for kind in kinds:
            options = {"chunksizes": (1, 3), "fill_value": False}
            file.createVariable(f"never_{kind}", kind, ("t", "x"), **options)[:2] = np.ones((2, 3))
            file.createVariable(f"own_{kind}", kind, ("t", "x"), fill_value=7)[:2] = np.ones((2, 3))
    tree = parse(path)
    with netCDF4.Dataset(path) as file:
        file.set_auto_mask(False)
        for name, variable in file.variables.items():
            np.testing.assert_array_equal(values_of(tree.arrays[name]), variable[...], name)


KINDS = ("S1", "i1", "<u2", "<i4", ">i4", "<i8", ">u8", "<f4", ">f8")


def write_short(path: Path, fill: object, shape: tuple[int, int], **options: Any) -> None:
    """Write variables of which the last chunks reach past what is written, and a longer one."""
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("t", None)
        file.createDimension("x", 3)
        file.createVariable("long", "f8", ("t",))[:] = np.arange(11)
        options |= {"chunksizes": (4, 2), "fill_value": fill}
        for kind in KINDS:
            if kind[0] in "<>":
                options["endian"] = "big" if kind[0] == ">" else "little"
            made = file.createVariable(f"v_{kind}", kind, ("t", "x"), **options)
            made[: shape[0], : shape[1]] = np.full(shape, 1).astype(kind)


@pytest.mark.parametrize("fill", [False, None])
@pytest.mark.parametrize("options", [{}, {"zlib": True, "shuffle": True, "fletcher32": True}])
def test_chunks_partly_beyond_what_was_written(
    tmp_path: Path, fill: object, options: dict[str, Any]
) -> None:
    path = tmp_path / "file.nc"
    write_short(path, fill, (6, 3), **options)
    if not options and fill is False:
        with h5py.File(path, "r+") as file:  # as a library that does not clear its memory would
            for name in file:
                if name[0] == "v" and file[name].dtype.kind != "S":
                    raw = np.full((4, 2), 1, file[name].dtype)
                    raw[2:] = 99
                    file[name].id.write_direct_chunk((4, 0), raw.tobytes())
                    raw[:, 1] = 98
                    file[name].id.write_direct_chunk((4, 2), raw.tobytes())
    tree = parse(path)
    with netCDF4.Dataset(path) as file:
        file.set_auto_maskandscale(False)
        for name, variable in file.variables.items():
            np.testing.assert_array_equal(values_of(tree.arrays[name]), variable[...], name)


def test_missing_chunks_of_a_short_variable_without_fill_values(tmp_path: Path) -> None:
    path = tmp_path / "file.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("t", None)
        file.createVariable("long", "f8", ("t",))[:] = np.arange(11)
        made = file.createVariable("v", "i4", ("t",), fill_value=False, chunksizes=(4,))
        made[5:7] = 1
    expected = xr.open_dataset(path, engine="h5netcdf", decode_cf=False)["v"].values
    np.testing.assert_array_equal(values_of(parse(path).arrays["v"]), expected)


def test_short_variables_that_would_take_too_much_inline_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.nc"
    write_short(path, False, (6, 3))
    monkeypatch.setattr(lengthening, "MAX_EDGES", 15)
    with pytest.raises(UnsupportedFeatureError, match="past its end"):
        parse(path)


def test_a_group_alone_knows_who_else_lengthens_its_dimensions(tmp_path: Path) -> None:
    path = tmp_path / "file.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("t", None)
        file.createDimension("u", None)
        file.createVariable("u", "f8", ("u",))[:] = np.arange(2)
        file.createGroup("a").createVariable("v", "f4", ("t",))[:] = np.ones(3)
        file.createGroup("a").createVariable("w", "f4", ("u",))[:] = np.ones(3)
        file.createGroup("b/c").createVariable("long", "f4", ("t", "u"))[:] = np.ones((9, 5))
    same_as_xarray(path, "a")
    assert parse(path, group="a").arrays["v"].shape == (9,)


def test_coordinates_of_several_dimensions_lengthen_them(tmp_path: Path) -> None:
    path = tmp_path / "file.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("t", None)
        file.createDimension("x", 3)
        file.createDimension("n", 2)
        file.createVariable("n", "i4", ("n", "t", "x"), fill_value=-9)[:] = np.ones((2, 4, 3))
        file.createVariable("short", "i4", ("t",), fill_value=-9)[:] = [1, 2]
        below = file.createGroup("g")
        below.createDimension("m", 2)
        below.createVariable("m", "i4", ("m", "t"), fill_value=-9)[:] = np.ones((2, 7))
        below.createVariable("v", "i4", ("t",), fill_value=-9)[:] = np.ones(5)
    whole = {**parse(path).arrays, **parse(path).groups["g"].arrays}
    for group in (None, "g"):
        with xr.open_dataset(path, engine="netcdf4", group=group, decode_cf=False) as expected:
            for name, variable in expected.variables.items():
                found = [whole[str(name)], parse(path, group=group).arrays[str(name)]]
                assert [each.metadata.dimension_names for each in found] == [variable.dims] * 2
                assert [each.shape for each in found] == [variable.shape] * 2, name


def test_texts_never_written_are_the_fill_value(tmp_path: Path) -> None:
    path = tmp_path / "file.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("t", None)
        file.createVariable("long", "f4", ("t",))[:] = np.arange(9)
        file.createVariable("never", str, ("t",), fill_value="none")
        file.createVariable("short", str, ("t",), fill_value="none", chunksizes=(2,))[1] = "q"
        file.createVariable("plain", str, ("t",), chunksizes=(2,))[1] = "q"
    tree = parse(path)
    with netCDF4.Dataset(path) as file:
        for name in ("never", "short", "plain"):
            assert values_of(tree.arrays[name]).tolist() == file[name][...].tolist(), name
