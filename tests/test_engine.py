"""The xarray engine: virtual by default for archives, readable for references."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr

import virtualizarr
from netcdf_archive import EAGER, month, write_netcdf3, write_netcdf4
from virtualizarr.engine import VirtualizarrBackendEntrypoint
from virtualizarr.errors import NotLoadedError, SourceError, SourceNotFoundError, UnknownFormatError
from virtualizarr.model import ManifestArray

ENGINE: Any = "virtualizarr"
VIRTUAL = {"t", "static", "crs", "lat", "ref"}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    for number in range(3):
        write_netcdf4(month(number), folder / f"{number}.nc")
    return folder


@pytest.fixture(scope="module")
def expected(archive: Path) -> xr.Dataset:
    paths = sorted(archive.glob("*.nc"))
    with xr.open_mfdataset(paths, engine="h5netcdf", **EAGER) as dataset:
        return dataset.load()


def virtual(dataset: xr.Dataset) -> set[str]:
    return {
        str(name)
        for name, variable in dataset.variables.items()
        if isinstance(variable._data, ManifestArray)
    }


@pytest.mark.parametrize("chunks", [None, {}, {"time": 1}, "auto"])
def test_a_file_opens_virtually_whatever_chunks_are_asked_for(archive: Path, chunks: Any) -> None:
    found = xr.open_dataset(archive / "0.nc", engine=ENGINE, chunks=chunks)
    assert virtual(found) == VIRTUAL
    assert list(found.indexes) == ["time", "x"]
    assert found.time.dtype.kind == "M"


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("combine", ["by_coords", "nested"])
def test_open_mfdataset(archive: Path, expected: xr.Dataset, parallel: bool, combine: Any) -> None:
    options: dict[str, Any] = {"combine": combine, "parallel": parallel}
    if combine == "nested":
        options["concat_dim"] = "time"
    with dask.config.set(scheduler="threads"):
        found = xr.open_mfdataset(str(archive / "*.nc"), engine=ENGINE, **EAGER, **options)
    assert virtual(found) == VIRTUAL
    xr.testing.assert_identical(found.virtualize.open().load(), expected)
    assert virtual(pickle.loads(pickle.dumps(found))) == VIRTUAL


def test_open_mfdataset_with_differing_coordinates(archive: Path) -> None:
    options: Any = {"data_vars": "all", "coords": "different", "compat": "equals"}
    found = xr.open_mfdataset(str(archive / "*.nc"), engine=ENGINE, join="outer", **options)
    assert virtual(found) == VIRTUAL
    assert found.lat.dims == ("time", "y", "x")


def test_nothing_loaded(archive: Path, expected: xr.Dataset) -> None:
    options: Any = {"loadable_variables": [], "create_default_indexes": False}
    found = xr.open_mfdataset(
        str(archive / "*.nc"),
        engine=ENGINE,
        combine="nested",
        concat_dim="time",
        **EAGER,
        **options,
    )
    assert virtual(found) == VIRTUAL | {"time", "x"}
    xr.testing.assert_identical(found.virtualize.open().load(), expected)
    with pytest.raises(NotLoadedError):
        xr.open_dataset(archive / "0.nc", engine=ENGINE, loadable_variables=[])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"decode_cf": False},
        {"mask_and_scale": False},
        {"decode_times": False},
        {"decode_coords": "all"},
        {"drop_variables": ["t"]},
        {"drop_variables": "t"},
    ],
    ids=str,
)
def test_values_are_those_of_h5netcdf(archive: Path, options: dict[str, Any]) -> None:
    found = xr.open_dataset(archive / "0.nc", engine=ENGINE, virtual=False, **options)
    with xr.open_dataset(archive / "0.nc", engine="h5netcdf", **options) as plain:
        assert {n: v.dtype for n, v in found.variables.items()} == {
            n: v.dtype for n, v in plain.variables.items()
        }
        xr.testing.assert_identical(found.load(), plain.load())


def test_values_of_netcdf3(tmp_path: Path) -> None:
    path = write_netcdf3(month(0), tmp_path / "a.nc")
    with xr.open_dataset(path, engine="netcdf4") as plain:
        found = xr.open_dataset(path, engine=ENGINE, virtual=False)
        xr.testing.assert_identical(found.load(), plain.load())


def test_values_are_read_in_the_chunks_of_the_file(archive: Path) -> None:
    found = xr.open_dataset(archive / "0.nc", engine=ENGINE, virtual=False, chunks={})
    assert found.t.chunks == ((2, 2), (3,), (5,))
    with xr.open_dataset(archive / "0.nc", engine="h5netcdf") as plain:
        sent = pickle.loads(pickle.dumps(found))
        xr.testing.assert_identical(sent.compute(scheduler="threads"), plain.load())


def test_selections_are_lazy_and_right(archive: Path) -> None:
    found = xr.open_dataset(archive / "0.nc", engine=ENGINE, virtual=False)
    with xr.open_dataset(archive / "0.nc", engine="h5netcdf") as plain:
        for selection in (
            {"time": 1},
            {"time": slice(1, 3), "x": [4, 0]},
            {"x": slice(None, None, -2)},
            {"y": xr.DataArray([0, 2], dims="p"), "x": xr.DataArray([1, 3], dims="p")},
        ):
            one, other = found.isel(selection), plain.isel(selection)
            xr.testing.assert_identical(one.load(), other.load())


def test_references_open_readable_or_virtual(
    archive: Path, expected: xr.Dataset, tmp_path: Path
) -> None:
    combined = xr.open_mfdataset(str(archive / "*.nc"), engine=ENGINE, **EAGER)
    path = tmp_path / "combined.json"
    combined.virtualize.to_kerchunk(path)

    readable = xr.open_dataset(path, engine=ENGINE)
    assert not virtual(readable)
    xr.testing.assert_allclose(readable.load(), expected)
    chunked = xr.open_dataset(path, engine=ENGINE, chunks={})
    assert chunked.t.chunks == ((2,) * 6, (3,), (5,))
    assert virtual(xr.open_dataset(path, engine=ENGINE, virtual=True)) == VIRTUAL
    refs: Any = combined.virtualize.to_kerchunk()
    xr.testing.assert_allclose(xr.open_dataset(refs, engine=ENGINE).load(), expected)


def test_the_engine_volunteers_for_references_alone(archive: Path, tmp_path: Path) -> None:
    entrypoint = VirtualizarrBackendEntrypoint()
    combined = xr.open_dataset(archive / "0.nc", engine=ENGINE)
    references = tmp_path / "combined.json"
    combined.virtualize.to_kerchunk(references)
    other = tmp_path / "other.json"
    other.write_text('{"type": "FeatureCollection"}')
    empty = tmp_path / "empty.json"
    empty.touch()

    assert entrypoint.guess_can_open(references)
    assert entrypoint.guess_can_open(str(references))
    assert entrypoint.guess_can_open(combined.virtualize.to_kerchunk())
    for unknown in (archive / "0.nc", other, empty, tmp_path, tmp_path / "no.json", b"CDF", 3):
        assert not entrypoint.guess_can_open(unknown)
    with xr.open_dataset(archive / "0.nc") as plain:
        assert not virtual(plain)


def test_trees(tmp_path: Path) -> None:
    path = write_netcdf4(month(1), tmp_path / "tree.nc")
    write_netcdf4(month(1), path, group="a/b")
    with xr.open_datatree(path, engine="h5netcdf") as plain:
        tree = xr.open_datatree(path, engine=ENGINE)
        assert [node.path for node in tree.subtree] == ["/", "/a", "/a/b"]
        assert virtual(tree["a/b"].to_dataset()) == VIRTUAL
        xr.testing.assert_identical(tree.virtualize.open().load(), plain.load())
        readable = xr.open_datatree(path, engine=ENGINE, virtual=False, chunks={})
        xr.testing.assert_identical(readable.compute(scheduler="threads"), plain)
        below = xr.open_datatree(path, engine=ENGINE, group="a", virtual=False)
        xr.testing.assert_identical(below.load()["b"].to_dataset(), plain["a/b"].to_dataset())
        groups = xr.open_groups(path, engine=ENGINE)
        assert sorted(groups) == ["/", "/a", "/a/b"]
        one = xr.open_dataset(path, engine=ENGINE, group="/a/b", virtual=False)
        xr.testing.assert_identical(one.load(), plain["a/b"].to_dataset())


def test_errors_say_what_is_wrong(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"none\.nc"):
        xr.open_dataset(tmp_path / "none.nc", engine=ENGINE)
    with pytest.raises(SourceNotFoundError, match="no group"):
        xr.open_dataset(archive / "0.nc", engine=ENGINE, group="g")
    with pytest.raises(TypeError, match="virtul"):
        xr.open_dataset(archive / "0.nc", engine=ENGINE, virtul=True)


def test_encoding_can_be_written_again(archive: Path, tmp_path: Path) -> None:
    found = xr.open_dataset(archive / "0.nc", engine=ENGINE, virtual=False)
    assert found.t.encoding["scale_factor"] == np.float32(0.01)
    found.to_netcdf(tmp_path / "again.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "again.nc", engine="h5netcdf") as again:
        xr.testing.assert_identical(again.load(), found.load())


def test_directories_of_references_are_recognised_and_archives_are_not(
    archive: Path, tmp_path: Path
) -> None:
    entrypoint = VirtualizarrBackendEntrypoint()
    group = virtualizarr.parse(archive / "0.nc")
    for kind in ("parquet", "icechunk", "zarr"):
        store = tmp_path / f"store.{kind}"
        virtualizarr.convert(group, store)
        assert entrypoint.guess_can_open(store)
        assert entrypoint.guess_can_open(f"{store}/")
        with xr.open_dataset(store, engine=ENGINE) as readable:
            assert not virtual(readable)
            assert readable.t.values.shape == (4, 3, 5)
        assert "t" in virtual(xr.open_dataset(store, engine=ENGINE, virtual=True))
    with xr.open_dataset(archive / "0.nc", engine="h5netcdf") as plain:
        plain.to_zarr(tmp_path / "plain.zarr", zarr_format=3, consolidated=False)
    (tmp_path / "empty.zarr").mkdir()
    for unknown in ("plain.zarr", "empty.zarr", "none.icechunk"):
        assert not entrypoint.guess_can_open(tmp_path / unknown)
    assert "t" in virtual(xr.open_dataset(tmp_path / "plain.zarr", engine=ENGINE))
    with pytest.raises(SourceError, match=r"empty\.zarr.*directory"):
        xr.open_dataset(tmp_path / "empty.zarr", engine=ENGINE)
    (tmp_path / "empty.zarr" / "notes.txt").touch()
    with pytest.raises(UnknownFormatError, match=r"empty\.zarr.*notes\.txt"):
        xr.open_dataset(tmp_path / "empty.zarr", engine=ENGINE)


def test_bounds_of_times_before_the_gregorian_calendar_are_those_of_netcdf4(tmp_path: Path) -> None:
    """A loaded time is written in a calendar of xarray's choice; its bounds keep their own."""
    path = tmp_path / "hours.nc"
    stored = xr.Dataset(
        {"time_bnds": (("time", "nv"), np.array([[17633208.0, 17633952.0]]))},
        {
            "time": (
                "time",
                [17633208.0],
                {"units": "hours since 0001-01-01", "bounds": "time_bnds"},
            )
        },
    )
    stored.to_netcdf(path, engine="netcdf4")
    expected = xr.open_dataset(path, engine="netcdf4").load()
    virtual = xr.open_dataset(path, engine="virtualizarr")
    virtual.virtualize.to_kerchunk(str(tmp_path / "hours.json"), format="json")
    for found in (
        virtual.virtualize.open(),
        xr.open_dataset(tmp_path / "hours.json", engine="virtualizarr"),
    ):
        np.testing.assert_array_equal(found.time_bnds, expected.time_bnds)
        np.testing.assert_array_equal(found.time, expected.time)
