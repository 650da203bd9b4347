"""Attributes, against what was written with h5py and netCDF4."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
import pytest

from parsers.hdf5.reading_files import parse
from virtualizarr.model.json import to_json

VALUES: list[tuple[Any, Any]] = [
    ("text", "text"),
    (np.bytes_(b"fixed"), "fixed"),
    (np.bytes_(b"caf\xe9"), "café"),
    (np.array(["a", "bc"], object), ["a", "bc"]),
    (np.array([b"a", b"bc"]), ["a", "bc"]),
    (np.int16(3), np.int16(3)),
    (np.array([3.5], ">f4"), np.float32(3.5)),
    (np.arange(6, dtype=">i8").reshape(2, 3), np.arange(6).reshape(2, 3)),
    (True, np.True_),
    (1 + 2j, np.complex128(1 + 2j)),
    (h5py.Empty("S1"), ""),
    (h5py.Empty("f4"), np.empty(0, "f4")),
]


@pytest.mark.parametrize("written, expected", VALUES, ids=[str(n) for n in range(len(VALUES))])
def test_a_value(tmp_path: Path, written: Any, expected: Any) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(path, "w") as file:
        file.attrs["a"] = written
        file.create_dataset("x", data=1).attrs["a"] = written
    tree = parse(path)
    for found in (tree.attributes["a"], tree.arrays["x"].metadata.attributes["a"]):
        if isinstance(expected, np.ndarray):
            np.testing.assert_array_equal(found, expected)
        else:
            assert found == expected
            assert type(found) is type(expected)
        if isinstance(expected, np.generic | np.ndarray):
            assert found.dtype == expected.dtype
        to_json(found)


def test_values_that_only_hdf5_has(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    compound = np.array([(1, b"ab"), (2, b"c")], [("n", ">i4"), ("s", "S2")])
    with h5py.File(path, "w") as file:
        group = file.create_group("group")
        dataset = file.create_dataset("group/x", data=[1.0, 2.0])
        file.attrs["compound"] = compound
        file.attrs["one"] = compound[0]
        file.attrs["reference"] = dataset.ref
        file.attrs["references"] = np.array([group.ref, dataset.ref], h5py.ref_dtype)
        file.attrs.create("ragged", [np.arange(3), np.arange(1)], dtype=h5py.vlen_dtype("i4"))
        file.attrs["region"] = dataset.regionref[0:1]
    attributes = to_json(parse(path).attributes)
    assert isinstance(attributes, dict)
    assert attributes["compound"] == [{"n": 1, "s": "ab"}, {"n": 2, "s": "c"}]
    assert attributes["one"] == {"n": 1, "s": "ab"}
    assert attributes["reference"] == "/group/x"
    assert attributes["references"] == ["/group", "/group/x"]
    assert attributes["ragged"] == [[0, 1, 2], [0]]
    assert str(attributes["region"]).startswith("<HDF5 ")


def test_netcdf_keeps_its_own_attributes_to_itself(tmp_path: Path) -> None:
    path = tmp_path / "file.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("x", 3)
        file.createDimension("y", 2)
        for name, dims in (("x", ("x",)), ("y", ("y", "x")), ("v", ("y", "x"))):
            variable = file.createVariable(name, "f4", dims, fill_value=-1)
            variable.setncatts({"units": "m", "empty": "", "list": ["a", "b"], "n": [1, 2]})
        file.setncattr("title", "t")
        expected = {name: dict(v.__dict__) for name, v in file.variables.items()}
    tree = parse(path)
    assert tree.attributes == {"title": "t"}
    for name, attributes in expected.items():
        assert to_json(tree.arrays[name].metadata.attributes) == to_json(attributes)
        assert tree.arrays[name].metadata.attributes["_FillValue"].dtype == np.float32


def test_an_image_keeps_its_class(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=[1]).attrs.update({"CLASS": "IMAGE", "NAME": "n"})
    assert parse(path).arrays["x"].metadata.attributes == {"CLASS": "IMAGE", "NAME": "n"}
