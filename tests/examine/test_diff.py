"""`diff`: nothing for what is the same in any format, and each difference by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import virtualizarr
from netcdf_archive import month, write_netcdf4
from virtualizarr.model import ManifestGroup


@pytest.fixture
def group(tmp_path: Path) -> ManifestGroup:
    return virtualizarr.parse(write_netcdf4(month(0), tmp_path / "0.nc"))


def test_nothing_differs_between_formats(group: ManifestGroup, tmp_path: Path) -> None:
    stores = [tmp_path / f"a.{kind}" for kind in ("zarr", "icechunk")]
    for store in stores:
        virtualizarr.convert(group, store)
        assert virtualizarr.diff(group, store, values=True) == []
    assert virtualizarr.diff(*stores) == []


def changed(group: ManifestGroup, name: str, change: Callable[[xr.Dataset], None]) -> ManifestGroup:
    del name, change
    return group


def test_each_difference_is_named(tmp_path: Path) -> None:
    before = month(0)
    after = before.copy(deep=True)
    after["t"].encoding = dict(before["t"].encoding)
    after["t"].attrs["units"] = "degC"
    after["t"][1, 1, 1] = 300.0
    after["static"] = after["static"].astype("f4")
    after = after.drop_vars("lat").assign(new=("x", np.arange(5)))
    after.attrs["title"] = "another"
    left = write_netcdf4(before, tmp_path / "a.nc")
    right = write_netcdf4(after, tmp_path / "b.nc")
    write_netcdf4(month(0)[["crs"]], right, group="more")
    found = virtualizarr.diff(left, right, values=True)
    named = {(each.node, each.what.split(" (")[0]) for each in found}
    assert {
        ("/", "attribute title"),
        ("t", "attribute units"),
        ("t", "values"),
        ("static", "dtype"),
        ("lat", "node"),
        ("new", "node"),
        ("more", "node"),
    } <= named
    (values,) = (each for each in found if (each.node, each.what) == ("t", "values"))
    assert str(values.right).startswith("1 of 60 differ, the first at (1, 1, 1)")
    texts = [str(each) for each in found]
    assert "/: attribute title: small archive -> another" in texts
    assert "lat: node: variable -> nothing" in texts


def test_references(group: ManifestGroup, tmp_path: Path) -> None:
    moved = group.rename_paths("file:///elsewhere.nc")
    (t,) = (each for each in virtualizarr.diff(group, moved) if each.node == "t")
    assert t.what == "references, in another file (2 of 2 chunks)"
    assert "elsewhere.nc" in str(t.right)
    (tmp_path / "copy").mkdir()
    write_netcdf4(month(0).drop_vars("lat"), tmp_path / "copy" / "0.nc")
    other = virtualizarr.parse(tmp_path / "copy" / "0.nc")
    pointed = other.rename_paths((tmp_path / "0.nc").as_uri())
    whats = {each.what.split(" (")[0] for each in virtualizarr.diff(group, pointed)}
    assert "references, other bytes" in whats


def test_what_one_store_does_not_know_is_no_difference(
    group: ManifestGroup, tmp_path: Path
) -> None:
    plain = ManifestGroup({"t": group.arrays["t"]})
    virtualizarr.convert(plain, tmp_path / "a.json")
    found = virtualizarr.diff(plain, tmp_path / "a.json")
    assert not any(each.what.startswith(("recorded", "references")) for each in found)
