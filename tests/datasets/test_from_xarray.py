"""Dataset -> ManifestGroup -> values; the witness is what xarray writes to netCDF and reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from virtual_groups import FileOfArrays
from virtualizarr.datasets.from_xarray import from_dataset, from_datatree
from virtualizarr.datasets.lazy import open_lazily
from virtualizarr.datasets.to_xarray import to_dataset
from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model import ManifestGroup
from virtualizarr.store import ManifestStore


def read(group: ManifestGroup) -> xr.Dataset:
    opened = open_lazily(group, ManifestStore(group))
    return opened.assign_coords(
        {name: opened[name].load() for name in opened.variables if opened[name].dims == (name,)}
    ).load()


def test_values_come_back_as_from_netcdf(tmp_path: Path) -> None:
    dataset = xr.Dataset(
        {
            "a": (("time", "x"), np.linspace(0, 9, 12, dtype="f4").reshape(3, 4), {"units": "K"}),
            "bool": ("x", [True, False, True, True]),
            "text": ("x", np.array(["a", "bc", "", "é"], object)),
            "bytes": ("x", np.array([b"a", b"bb", b"c", b"dd"])),
            "delta": ("time", pd.timedelta_range("1D", periods=3, unit="ns")),
            "big": ("x", np.arange(4, dtype=">i4")),
            "scalar": ((), 5),
            "none": (("empty",), np.zeros(0)),
            "complex": ("x", np.array([1j, 2, 3, 4])),
        },
        coords={
            "time": pd.date_range("2000-01-01", periods=3, unit="ns"),
            "aux": ("x", np.arange(4)),
            "ref": ((), np.datetime64("2000-01-01", "ns")),
        },
        attrs={"title": "x"},
    )
    dataset.a.encoding = {"scale_factor": 0.5, "dtype": "i2", "_FillValue": np.int16(-9)}
    dataset.time.encoding = {"units": "hours since 1999-12-31", "calendar": "standard"}
    dataset.drop_vars("complex").to_netcdf(tmp_path / "a.nc", engine="h5netcdf")

    group = from_dataset(dataset)

    with xr.open_dataset(tmp_path / "a.nc", engine="h5netcdf") as plain:
        found = read(group)
        xr.testing.assert_identical(found.drop_vars("complex"), plain.load())
        np.testing.assert_array_equal(found["complex"], dataset["complex"])
    with xr.open_dataset(tmp_path / "a.nc", engine="h5netcdf", decode_cf=False) as plain:
        for name, variable in plain.variables.items():
            ours = dict(group.arrays[str(name)].metadata.attributes)
            for key in ("units", "calendar", "coordinates", "scale_factor", "add_offset"):
                assert ours.get(key) == variable.attrs.get(key), name
    assert group.arrays["a"].metadata.fill_value == -9
    assert all(array.manifest.locations == () for array in group.arrays.values())


def test_virtual_variables_come_back_unchanged(tmp_path: Path) -> None:
    file = FileOfArrays(tmp_path / "bytes.bin")
    zeros = np.zeros((2, 2))
    group = ManifestGroup(
        {
            "t": file.add(zeros, ("y", "x"), (1, 2), coordinates="lat", scale_factor=0.5),
            "lat": file.add(zeros, ("y", "x")),
            "x": file.add([1, 2], ("x",)),
        },
        attributes={"title": "a"},
    )
    assert from_dataset(to_dataset(group)) == group


def test_what_the_variable_says_now_counts(tmp_path: Path) -> None:
    file = FileOfArrays(tmp_path / "bytes.bin")
    group = ManifestGroup({"a": file.add([1, 2], ("x",), units="K"), "b": file.add([1, 2], ("x",))})
    dataset = to_dataset(group).rename_dims(x="n").rename(a="c").set_coords("b")
    dataset.c.attrs["long_name"] = "new"
    metadata = from_dataset(dataset).arrays["c"].metadata
    assert metadata.dimension_names == ("n",)
    assert metadata.attributes == {"units": "K", "long_name": "new", "coordinates": "b"}


def test_coordinates_of_no_variable_are_the_groups(tmp_path: Path) -> None:
    file = FileOfArrays(tmp_path / "bytes.bin")
    group = ManifestGroup({"b": file.add([1, 2], ("x",))}, attributes={"coordinates": "b"})
    dataset = to_dataset(group)
    assert set(dataset.coords) == {"b"}
    assert dict(from_dataset(dataset).attributes) == {"coordinates": "b"}


def test_dask_is_computed() -> None:
    dataset = xr.Dataset({"a": ("x", dask.array.arange(4, chunks=2))})
    assert read(from_dataset(dataset)).a.values.tolist() == [0, 1, 2, 3]


def test_trees_leave_inherited_coordinates_to_their_owner() -> None:
    parent = xr.Dataset(coords={"x": [1, 2]})
    child = xr.Dataset({"a": ("x", [3, 4])})
    tree = xr.DataTree.from_dict({"/": parent, "/g/h": child})
    group: Any = from_datatree(tree)
    assert set(group.arrays) == {"x"}
    assert set(group.groups["g"].groups["h"].arrays) == {"a"}
    written: Any = from_datatree(tree, write_inherited_coords=True)
    assert set(written.groups["g"].groups["h"].arrays) == {"a", "x"}


@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        (xr.Dataset({1: ("x", [1])}), "variable name 1"),
        (xr.Dataset({"a": ((2,), [1])}), "dimension name 2"),
        (xr.Dataset({"a": ("x", [1], {3: 4})}), "attribute name 3"),
        (xr.Dataset({"a": ("x", [1, 2])}, {"x": [1, 2]}).stack(z=["x"]), "MultiIndex"),
    ],
    ids=["variable", "dimension", "attribute", "multiindex"],
)
def test_what_cannot_be_written_is_named(dataset: xr.Dataset, said: str) -> None:
    with pytest.raises(UnsupportedFeatureError, match=said):
        from_dataset(dataset)
    with pytest.raises(UnsupportedFeatureError) as caught:
        from_datatree(xr.DataTree.from_dict({"/g": dataset}))
    assert str(caught.value.node).startswith("/g")
