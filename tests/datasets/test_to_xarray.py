"""ManifestGroup -> Dataset and DataTree, against what xarray makes of the same variables."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from virtual_groups import FileOfArrays
from virtualizarr.datasets.to_xarray import to_dataset, to_datatree, walk
from virtualizarr.errors import NotLoadedError, UnsupportedFeatureError
from virtualizarr.model import ManifestArray, ManifestGroup


@pytest.fixture
def file(tmp_path: Path) -> FileOfArrays:
    return FileOfArrays(tmp_path / "bytes.bin")


def virtual(dataset: xr.Dataset) -> set[str]:
    return {
        str(name)
        for name, variable in dataset.variables.items()
        if isinstance(variable._data, ManifestArray)
    }


def test_coordinates_are_those_of_xarray(file: FileOfArrays) -> None:
    t = np.zeros((2, 3), np.int16)
    group = ManifestGroup(
        {
            "t": file.add(t, ("y", "x"), coordinates="lat lon nowhere", scale_factor=0.5),
            "y": file.add([1, 2], ("y",)),
            "lat": file.add(t, ("y", "x")),
            "lon": file.add(t, ("y", "x")),
            "crs": file.add(7, ()),
            "other": file.add([1, 2, 3], ("x",)),
        },
        attributes={"title": "a", "coordinates": "crs"},
    )
    stored = xr.Dataset(
        {
            "t": (("y", "x"), t, {"coordinates": "lat lon nowhere", "scale_factor": 0.5}),
            "lat": (("y", "x"), t),
            "lon": (("y", "x"), t),
            "crs": ((), 7),
            "other": ("x", [1, 2, 3]),
        },
        coords={"y": [1, 2]},
        attrs={"title": "a", "coordinates": "crs"},
    )
    expected = xr.decode_cf(stored, mask_and_scale=False)

    found = to_dataset(group)

    assert set(found.coords) == set(expected.coords) == {"y", "lat", "lon", "crs"}
    assert set(found.data_vars) == set(expected.data_vars)
    assert found.attrs == expected.attrs == {"title": "a"}
    assert found.t.attrs == {"scale_factor": 0.5}
    assert found.t.encoding == {"coordinates": "lat lon nowhere"}
    assert virtual(found) == set(group.arrays)
    assert not found.xindexes
    assert found.t.variable._data.metadata.attributes["coordinates"] == "lat lon nowhere"


def test_dimensions_without_names_get_them_by_length(file: FileOfArrays) -> None:
    group = ManifestGroup(
        {
            "a": file.add(np.zeros((4, 4, 2)), None),
            "b": file.add(np.zeros((2, 4)), (None, None)),
            "c": file.add(np.zeros((3, 2)), ("x", None)),
        }
    )
    found = to_dataset(group)
    assert found.a.dims == ("phony_dim_0", "phony_dim_1", "phony_dim_2")
    assert found.b.dims == ("phony_dim_2", "phony_dim_0")
    assert found.c.dims == ("x", "phony_dim_2")


def test_a_dimension_of_two_lengths_is_an_error_that_says_what_to_do(file: FileOfArrays) -> None:
    group = ManifestGroup({"a": file.add([1, 2], ("x",)), "b": file.add([1, 2, 3], ("x",))})
    with pytest.raises(
        UnsupportedFeatureError, match=r"conflicting sizes.*drop_variables"
    ) as caught:
        to_dataset(group, node="/g")
    assert caught.value.node == "/g"
    assert to_dataset(group, drop_variables=["b"]).sizes == {"x": 2}


def test_loaded_dimension_coordinates_get_an_index(file: FileOfArrays) -> None:
    group = ManifestGroup({"x": file.add([1, 2], ("x",)), "a": file.add([3, 4], ("x",))})
    found = to_dataset(group, loaded={"x": xr.Variable("x", [1, 2])})
    assert list(found.indexes["x"]) == [1, 2]
    assert virtual(found) == {"a"}
    assert virtual(found.sel(x=[1, 2])) == {"a"}


def test_values_are_refused_with_advice(file: FileOfArrays) -> None:
    found = to_dataset(ManifestGroup({"a": file.add([3, 4], ("x",))}))
    for ask in (lambda: found.a.values, lambda: found.a + 1, lambda: int(found.a[0])):
        with pytest.raises(NotLoadedError, match=r"virtualize\.open"):
            ask()


def test_a_tree_has_every_group(file: FileOfArrays) -> None:
    deep = ManifestGroup({"a": file.add([1], ("x",))}, attributes={"depth": 2})
    group = ManifestGroup(
        {"top": file.add(1, ())}, {"g": ManifestGroup({}, {"h": deep}), "k": ManifestGroup()}
    )
    nodes = {path: to_dataset(node, node=path) for path, node in walk(group).items()}
    tree = to_datatree(nodes)
    assert [node.path for node in tree.subtree] == ["/", "/g", "/k", "/g/h"]
    assert tree["g/h"].attrs == {"depth": 2}
    assert isinstance(tree["g/h/a"].variable._data, ManifestArray)


def test_a_tree_that_does_not_align_is_an_error_that_says_what_to_do(file: FileOfArrays) -> None:
    child = ManifestGroup({"a": file.add([1, 2], ("x",))})
    group = ManifestGroup({"b": file.add([1, 2, 3], ("x",))}, {"child": child})
    with pytest.raises(UnsupportedFeatureError, match="group="):
        to_datatree({path: to_dataset(node) for path, node in walk(group).items()})


def test_time_bounds_inherit_the_units_of_their_time(file: FileOfArrays) -> None:
    units = {"units": "days since 2000-01-01", "calendar": "noleap"}
    group = ManifestGroup(
        {
            "time": file.add([1.0], ("time",), bounds="time_bnds", **units),
            "time_bnds": file.add([[0.0, 1.0]], ("time", "nv")),
            "lat": file.add([1.0], ("lat",), bounds="lat_bnds", units="degrees"),
            "lat_bnds": file.add([[0.0, 1.0]], ("lat", "nv")),
        }
    )
    virtually = to_dataset(group)
    time = xr.Variable("time", [1], {"bounds": "time_bnds"}, units)
    for found in (virtually, to_dataset(group, loaded={"time": time})):
        assert found.time_bnds.attrs == units
        assert dict(found.time_bnds.variable._data.metadata.attributes) == units
        assert found.lat_bnds.attrs == {}


def test_time_bounds_without_a_calendar_have_the_standard_one(file: FileOfArrays) -> None:
    units = {"units": "hours since 1-1-1"}
    group = ManifestGroup(
        {
            "time": file.add([1.0], ("time",), bounds="time_bnds", **units),
            "time_bnds": file.add([[0.0, 1.0]], ("time", "nv"), **units),
        }
    )
    time = xr.Variable("time", [1], {"bounds": "time_bnds"}, units)
    for found in (to_dataset(group), to_dataset(group, loaded={"time": time})):
        assert found.time_bnds.attrs == {**units, "calendar": "standard"}


def test_virtual_datasets_can_be_pickled_and_copied(file: FileOfArrays) -> None:
    group = ManifestGroup({"x": file.add([1, 2], ("x",)), "a": file.add([3, 4], ("x",), units="K")})
    dataset = to_dataset(group, loaded={"x": xr.Variable("x", [1, 2])})
    for copied in (pickle.loads(pickle.dumps(dataset)), dataset.copy(deep=True)):
        assert virtual(copied) == {"a"}
        assert copied.identical(dataset)


def test_virtual_data_have_no_chunks_for_xarray_to_compute(file: FileOfArrays) -> None:
    dataset = to_dataset(ManifestGroup({"a": file.add([3, 4], ("x",))}))
    assert dataset.a.chunks is None
    assert dataset.a.chunksizes == {}
    assert dict(dataset.chunks) == {}
    assert virtual(dataset.chunk(x=1)) == virtual(dataset.load()) == {"a"}
    with pytest.raises(NotLoadedError):
        dataset.to_netcdf()
    filled = dataset.copy()
    filled.a.variable.data = np.array([1, 2])
    assert filled.chunk(x=1).a.chunks == ((1, 1),)
