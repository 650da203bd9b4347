"""The accessors, on Datasets and on trees."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import virtualizarr
from netcdf_archive import month, write_netcdf4


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_netcdf4(month(0), tmp_path / "0.nc")


@pytest.fixture
def tree_path(tmp_path: Path) -> Path:
    path = write_netcdf4(month(0), tmp_path / "tree.nc")
    return write_netcdf4(month(0), path, group="a")


def test_both_names_are_one_thing(path: Path) -> None:
    dataset = virtualizarr.open_virtual_dataset(path)
    assert type(dataset.vz) is type(dataset.virtualize)
    tree = virtualizarr.open_virtual_datatree(path)
    assert type(tree.vz) is type(tree.virtualize)


def test_what_the_references_are(path: Path, tree_path: Path) -> None:
    dataset = virtualizarr.open_virtual_dataset(path)
    assert dataset.vz.locations == (path.as_uri(),)
    assert dataset.vz.nrefs() == 2 + 4
    loaded = dataset.time.nbytes + dataset.x.nbytes
    assert loaded < dataset.vz.nbytes < loaded + 5000
    tree = virtualizarr.open_virtual_datatree(tree_path)
    assert tree.vz.locations == (tree_path.as_uri(),)
    assert tree.vz.nrefs() == 2 * (2 + 4)
    assert tree.vz.nbytes > dataset.vz.nbytes


def test_locations_can_be_renamed(path: Path, tree_path: Path) -> None:
    dataset = virtualizarr.open_virtual_dataset(path)
    assert dataset.vz.rename_paths("s3://b/x.nc").vz.locations == ("s3://b/x.nc",)
    renamed = dataset.vz.rename_paths(lambda url: url.replace("0.nc", "moved.nc"))
    assert dataset.vz.locations == (path.as_uri(),)
    path.rename(path.with_name("moved.nc"))
    with xr.open_dataset(path.with_name("moved.nc"), engine="h5netcdf") as plain:
        xr.testing.assert_identical(renamed.vz.open().load(), plain.load())
    tree = virtualizarr.open_virtual_datatree(tree_path)
    assert tree.vz.rename_paths("s3://b/x.nc").vz.locations == ("s3://b/x.nc",)


def test_open_passes_decoding_on(path: Path) -> None:
    dataset = virtualizarr.open_virtual_dataset(path)
    raw = dataset.vz.open(decode_cf=False)
    with xr.open_dataset(path, engine="h5netcdf", decode_cf=False) as plain:
        np.testing.assert_array_equal(raw.t.values, plain.t.values)
        assert raw.t.dtype == plain.t.dtype
        assert raw.t.attrs["coordinates"] == plain.t.attrs["coordinates"]
    assert dataset.vz.open(chunks={}).t.chunks == ((2, 2), (3,), (5,))


def test_kerchunk_references_hold_what_is_loaded(path: Path, tmp_path: Path) -> None:
    dataset = virtualizarr.open_virtual_dataset(path)
    refs = dataset.vz.to_kerchunk()
    assert refs["refs"]["t/0.0.0"][0].endswith("0.nc")
    assert json.loads(refs["refs"]["time/.zattrs"])["units"] == "days since 2000-01-01"
    out = tmp_path / "refs.json"
    assert dataset.vz.to_kerchunk(out, format="json") is None
    assert json.loads(out.read_text()) == json.loads(json.dumps(refs))
    table = tmp_path / "refs.parquet"
    dataset.vz.to_kerchunk(table, format="parquet", record_size=2, categorical_threshold=1)
    assert json.loads((table / ".zmetadata").read_text())["record_size"] == 2


def test_kerchunk_references_of_a_tree(tree_path: Path) -> None:
    tree = virtualizarr.open_virtual_datatree(tree_path)
    refs = tree.vz.to_kerchunk()["refs"]
    assert "a/t/.zarray" in refs
    assert "a/time/.zarray" not in refs
    assert "a/time/.zarray" in tree.vz.to_kerchunk(write_inherited_coords=True)["refs"]
    again = virtualizarr.open_virtual_datatree({"version": 1, "refs": refs})
    with xr.open_datatree(tree_path, engine="h5netcdf") as plain:
        for one, other in zip(again.vz.open().subtree, plain.subtree, strict=True):
            xr.testing.assert_allclose(one.to_dataset().load(), other.to_dataset().load())


def test_writing_what_is_not_virtual_warns(path: Path) -> None:
    with (
        xr.open_dataset(path, engine="h5netcdf") as plain,
        pytest.warns(UserWarning, match="no variable is virtual"),
    ):
        refs = plain.vz.to_kerchunk()
    assert isinstance(refs["refs"]["static/0.0"], str | bytes)


def test_the_import_is_light() -> None:
    code = (
        "import sys, xarray; before = set(sys.modules); import virtualizarr;"
        "new = {name for name in set(sys.modules) - before};"
        "assert new <= {'virtualizarr', 'virtualizarr.views'}, new;"
        "assert hasattr(xarray.Dataset, 'vz');"
        "assert 'open_virtual_dataset' in dir(virtualizarr); print(virtualizarr.__version__)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with pytest.raises(AttributeError, match="nothing"):
        virtualizarr.nothing  # noqa: B018


def test_the_accessor_says_what_there_is(tmp_path: Path) -> None:
    path = tmp_path / "file.nc"
    xr.Dataset({"a": ("x", np.arange(4))}).to_netcdf(path, engine="h5netcdf")
    virtual = virtualizarr.open_virtual_dataset(path, loadable_variables=[])
    assert repr(virtual.virtualize) == (
        "<virtualizarr: 1 virtual variables, 1 references to 1 files, "
        f"{virtual.vz.nbytes:,} bytes in memory>"
    )
    tree = virtualizarr.open_virtual_datatree(path, loadable_variables=[])
    assert repr(tree.vz) == repr(virtual.vz)
