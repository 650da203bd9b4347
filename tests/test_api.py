"""The whole chain, from files to virtual datasets and back to values; the witness is xarray."""

from __future__ import annotations

import asyncio
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import obstore
import pytest
import xarray as xr
import zarr
from obspec_utils.registry import ObjectStoreRegistry
from obstore.store import MemoryStore

import virtualizarr
from h5py_parser import h5py_parser
from netcdf_archive import EAGER, month, write_netcdf3, write_netcdf4
from servers.ranges import RangeServer
from virtualizarr.api import _Opener
from virtualizarr.datasets.many import Attempt
from virtualizarr.errors import (
    CombineError,
    CorruptFileError,
    SourceNotFoundError,
    UnknownFormatError,
    UnsupportedFeatureError,
)
from virtualizarr.model import ManifestArray
from virtualizarr.parsers.hdf5 import HDFParser


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


VIRTUAL = {"t", "static", "crs", "lat", "ref"}


@pytest.mark.parametrize("parser", [None, "hdf5", HDFParser(), HDFParser, h5py_parser])
def test_one_file(archive: Path, parser: Any) -> None:
    path = archive / "0.nc"
    found = virtualizarr.open_virtual_dataset(path, parser=parser)
    with xr.open_dataset(path, engine="h5netcdf") as plain:
        assert virtual(found) == VIRTUAL
        assert set(found.coords) == set(plain.coords)
        xr.testing.assert_identical(found.time.drop_vars("ref"), plain.time.drop_vars("ref"))
        xr.testing.assert_identical(found.virtualize.open().load(), plain.load())


@pytest.mark.parametrize("spelling", [str, Path, Path.as_uri, os.path.relpath])
def test_any_spelling_of_a_path(archive: Path, spelling: Any) -> None:
    found = virtualizarr.open_virtual_dataset(spelling(archive / "0.nc"))
    assert found.virtualize.locations == ((archive / "0.nc").as_uri(),)


def test_what_was_known_of_the_file_is_kept(archive: Path) -> None:
    path = archive / "0.nc"
    group = virtualizarr.parse(path)
    (location,) = group.arrays["t"].manifest.locations
    assert location.size == path.stat().st_size
    assert location.last_modified is not None


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"combine": "nested", "concat_dim": "time"},
        {"parallel": "dask"},
        {"parallel": ThreadPoolExecutor},
        {"preprocess": lambda dataset: dataset.assign_attrs(title="small archive")},
        {"progress": lambda done, total: None, "on_error": "warn"},
    ],
    ids=["by_coords", "nested", "dask", "executor", "preprocess", "warn"],
)
def test_many_files(archive: Path, expected: xr.Dataset, options: dict[str, Any]) -> None:
    found = virtualizarr.open_virtual_mfdataset(archive / "*.nc", **EAGER | options)
    assert virtual(found) == VIRTUAL
    xr.testing.assert_identical(found.virtualize.open().load(), expected)


def test_many_files_with_the_defaults_of_2x(archive: Path, expected: xr.Dataset) -> None:
    paths = sorted(archive.glob("*.nc"))
    found = virtualizarr.open_virtual_mfdataset(paths, loadable_variables=["time", "x", "lat"])
    assert found.t.dims == expected.t.dims
    assert found.static.dims == ("time", "y", "x")
    opened = found.virtualize.open().load()
    xr.testing.assert_identical(opened.t.drop_vars("ref"), expected.t.drop_vars("ref"))


def test_executors_and_files_in_order(archive: Path, expected: xr.Dataset) -> None:
    seen: list[tuple[int, int]] = []
    paths = sorted(archive.glob("*.nc"))[::-1]
    with ThreadPoolExecutor(2) as pool:
        found = virtualizarr.open_virtual_mfdataset(
            paths, parallel=pool, progress=lambda done, total: seen.append((done, total)), **EAGER
        )
    assert found.sizes == expected.sizes
    assert seen[-1] == (3, 3)
    chosen = virtualizarr.open_virtual_mfdataset(paths, attrs_file=paths[1], **EAGER)
    assert chosen.attrs["number"] == 1


def test_nested_lists(tmp_path: Path) -> None:
    paths: list[list[Path]] = []
    for row in range(2):
        dataset = month(row)
        west, east = dataset.isel(x=[0, 1]), dataset.isel(x=[2, 3])
        for part in (west, east):
            part.t.encoding |= {"chunksizes": (4, 3, 2)}
        paths.append([])
        for name, part in (("w", west), ("e", east)):
            path = tmp_path / f"{row}{name}.nc"
            part.to_netcdf(path, engine="h5netcdf")
            paths[-1].append(path)
    options = EAGER | {"combine": "nested", "concat_dim": ["time", "x"]}
    found = virtualizarr.open_virtual_mfdataset(paths, **options)
    with xr.open_mfdataset(paths, engine="h5netcdf", **options) as plain:
        xr.testing.assert_identical(found.virtualize.open().load(), plain.load())


def test_netcdf3(tmp_path: Path) -> None:
    paths = [write_netcdf3(month(number), tmp_path / f"{number}.nc") for number in range(2)]
    found = virtualizarr.open_virtual_mfdataset(paths, **EAGER)
    with xr.open_mfdataset(paths, engine="netcdf4", **EAGER) as plain:
        xr.testing.assert_identical(found.virtualize.open().load(), plain.load())


def test_groups_and_trees(tmp_path: Path) -> None:
    path = tmp_path / "tree.nc"
    write_netcdf4(month(0)[["crs"]].drop_vars(["time", "x", "lat", "ref"], errors="ignore"), path)
    write_netcdf4(month(1), path, group="a")
    write_netcdf4(month(1), path, group="a/b")
    with xr.open_datatree(path, engine="h5netcdf") as plain:
        tree = virtualizarr.open_virtual_datatree(path)
        assert [node.path for node in tree.subtree] == [node.path for node in plain.subtree]
        assert virtual(tree["a/b"].to_dataset()) == VIRTUAL
        xr.testing.assert_identical(tree.virtualize.open().load(), plain.load())
        below = virtualizarr.open_virtual_datatree(path, group="a")
        assert [node.path for node in below.subtree] == ["/", "/b"]
        one = virtualizarr.open_virtual_dataset(path, group="/a/b")
        xr.testing.assert_identical(one.virtualize.open().load(), plain["a/b"].to_dataset())
    chosen = virtualizarr.open_virtual_datatree(path, loadable_variables=["/a/t", "crs"])
    assert virtual(chosen["a"].to_dataset()) == {"time", "x", "lat", "ref", "static"}
    assert "t" in virtual(chosen["a/b"].to_dataset())
    with pytest.raises(SourceNotFoundError, match="groups at this level: b"):
        virtualizarr.open_virtual_dataset(path, group="a/c")


def test_groups_that_do_not_align_can_be_opened_one_by_one(tmp_path: Path) -> None:
    path = write_netcdf4(month(1), tmp_path / "tree.nc")
    write_netcdf4(month(2), path, group="a")
    with pytest.raises(UnsupportedFeatureError, match=r"tree\.nc.*not aligned.*group="):
        virtualizarr.open_virtual_datatree(path)
    assert virtualizarr.open_virtual_dataset(path, group="a").attrs["number"] == 2


def test_strings_and_names_without_dimensions(tmp_path: Path) -> None:
    path = tmp_path / "strings.nc"
    xr.Dataset(
        {
            "station": ("n", np.array(["Kew", "Uccle", ""], object)),
            "code": ("n", np.array([b"ab", b"c", b"de"])),
            "scalar": ((), "text"),
        }
    ).to_netcdf(path, engine="h5netcdf")
    found = virtualizarr.open_virtual_dataset(path)
    with xr.open_dataset(path, engine="h5netcdf") as plain:
        xr.testing.assert_equal(found.virtualize.open().load(), plain.load())
    loaded = virtualizarr.open_virtual_dataset(path, loadable_variables=["station", "scalar"])
    assert loaded.station.values.tolist() == ["Kew", "Uccle", ""]
    assert loaded.scalar.item() == "text"


def test_drop_variables(archive: Path) -> None:
    for names in ("t", ["t"], {"t"}):
        found = virtualizarr.open_virtual_dataset(archive / "0.nc", drop_variables=names)
        assert "t" not in found.variables
    without_time = virtualizarr.open_virtual_dataset(archive / "0.nc", drop_variables=["time"])
    assert "time" not in without_time.variables


def test_stores_open_with_zarr(archive: Path) -> None:
    path = archive / "0.nc"
    store = virtualizarr.open_store(path)
    with xr.open_dataset(path, engine="h5netcdf", decode_cf=False) as plain:
        np.testing.assert_array_equal(zarr.open_group(store, mode="r")["t"][...], plain.t.values)
    again = virtualizarr.open_store(store.group)
    assert set(zarr.open_group(again, mode="r")) == set(plain.variables)


def test_parse_async(archive: Path) -> None:
    async def together() -> list[Any]:
        paths = sorted(archive.glob("*.nc"))
        return await asyncio.gather(*(virtualizarr.parse_async(path) for path in paths))

    groups = asyncio.run(together())
    assert [group.attributes["number"] for group in groups] == [0, 1, 2]
    assert groups[0] == virtualizarr.parse(archive / "0.nc")


def test_a_registry_says_what_is_read(archive: Path) -> None:
    store = MemoryStore()
    for path in archive.glob("*.nc"):
        obstore.put(store, f"data/{path.name}", path.read_bytes())
    registry = ObjectStoreRegistry({"s3://bucket": store})
    urls = [f"s3://bucket/data/{number}.nc" for number in range(3)]
    found = virtualizarr.open_virtual_mfdataset(urls, registry, **EAGER)
    assert found.virtualize.locations == tuple(urls)
    globbed = virtualizarr.open_virtual_mfdataset("s3://bucket/data/*.nc", registry, **EAGER)
    assert globbed.virtualize.locations == tuple(urls)
    with xr.open_mfdataset(archive.glob("*.nc"), engine="h5netcdf", **EAGER) as plain:
        opened = found.virtualize.open(registry=registry)
        xr.testing.assert_identical(opened.load(), plain.load())


def test_remote_files_are_opened_together(archive: Path, range_server: RangeServer) -> None:
    for path in archive.glob("*.nc"):
        range_server.files[path.name] = path.read_bytes()
    range_server.latency = 0.05
    urls = [f"{range_server.url}/{number}.nc" for number in range(3)]
    found = virtualizarr.open_virtual_mfdataset(urls, **EAGER)
    assert found.sizes["time"] == 12
    assert range_server.counts.in_flight_max >= 2
    assert range_server.counts.requests <= 6


def test_loading_a_small_remote_file_costs_no_request(
    archive: Path, range_server: RangeServer
) -> None:
    range_server.files["0.nc"] = (archive / "0.nc").read_bytes()
    virtualizarr.parse(f"{range_server.url}/0.nc")
    parsing = range_server.counts.requests
    range_server.reset()
    found = virtualizarr.open_virtual_dataset(f"{range_server.url}/0.nc")
    assert "time" in found.indexes
    assert range_server.counts.requests == parsing


def test_virtual_datasets_survive_pickling(archive: Path, expected: xr.Dataset) -> None:
    found = virtualizarr.open_virtual_mfdataset(archive / "*.nc", **EAGER)
    copied = pickle.loads(pickle.dumps(found))
    xr.testing.assert_identical(copied.virtualize.open().load(), expected)
    lazily = pickle.loads(pickle.dumps(copied.virtualize.open(chunks={})))
    xr.testing.assert_identical(lazily.compute(scheduler="threads"), expected)


def test_references_in_a_dict(archive: Path, expected: xr.Dataset) -> None:
    combined = virtualizarr.open_virtual_mfdataset(archive / "*.nc", **EAGER)
    refs = combined.virtualize.to_kerchunk()
    found = virtualizarr.open_virtual_dataset(refs)
    assert virtual(found) == VIRTUAL
    xr.testing.assert_allclose(found.virtualize.open().load(), expected)


class TestMessages:
    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"none\.nc"):
            virtualizarr.open_virtual_dataset(tmp_path / "none.nc")

    def test_a_glob_without_files(self, tmp_path: Path) -> None:
        with pytest.raises(SourceNotFoundError, match="no file matches"):
            virtualizarr.open_virtual_mfdataset(tmp_path / "*.nc")
        with pytest.raises(SourceNotFoundError, match="no files"):
            virtualizarr.open_virtual_mfdataset([])

    def test_a_wrong_parser_name(self, archive: Path) -> None:
        with pytest.raises(UnknownFormatError, match=r"did you mean 'hdf5'.*netcdf3"):
            virtualizarr.open_virtual_dataset(archive / "0.nc", parser="hdf")

    def test_something_that_is_no_parser(self, archive: Path) -> None:
        with pytest.raises(TypeError, match="parser must be"):
            virtualizarr.open_virtual_dataset(archive / "0.nc", parser=3)  # type: ignore[arg-type]

    def test_the_wrong_parser(self, archive: Path) -> None:
        with pytest.raises(UnknownFormatError, match=r"0\.nc.*HDF"):
            virtualizarr.open_virtual_dataset(archive / "0.nc", parser="netcdf3")

    def test_an_error_page(self, tmp_path: Path) -> None:
        path = tmp_path / "page.nc"
        path.write_text("<!DOCTYPE html><html>404</html>")
        with pytest.raises(UnknownFormatError, match=r"page\.nc.*HTML page"):
            virtualizarr.open_virtual_dataset(path)

    def test_files_that_do_not_fit(self, archive: Path, tmp_path: Path) -> None:
        other = month(3)
        other.t.encoding["scale_factor"] = np.float32(0.5)
        odd = write_netcdf4(other, tmp_path / "odd.nc")
        paths = [*sorted(archive.glob("*.nc")), odd]
        with pytest.raises(CombineError, match="scale_factor") as caught:
            virtualizarr.open_virtual_mfdataset(paths, **EAGER)
        assert caught.value.url == odd.as_uri()
        assert caught.value.node == "t"
        assert "0.nc" in str(caught.value)

    def test_times_of_another_epoch_are_not_joined_undecoded(
        self, archive: Path, tmp_path: Path
    ) -> None:
        odd = write_netcdf4(month(3, units="hours since 1990-01-01"), tmp_path / "odd.nc")
        paths = [archive / "0.nc", odd]
        options = EAGER | {"combine": "nested", "concat_dim": "time"}
        with pytest.raises(CombineError, match="units") as caught:
            virtualizarr.open_virtual_mfdataset(paths, loadable_variables=[], **options)
        assert caught.value.node == "time"
        decoded = virtualizarr.open_virtual_mfdataset(paths, **options)
        with xr.open_mfdataset(paths, engine="h5netcdf", **options) as plain:
            assert (decoded.time.values == plain.time.values).all()


class TestOnError:
    @pytest.fixture
    def paths(self, archive: Path, tmp_path: Path) -> list[Path]:
        broken = tmp_path / "broken.nc"
        broken.write_bytes((archive / "1.nc").read_bytes()[:1000])
        return [archive / "0.nc", broken, archive / "2.nc"]

    def test_raise_names_the_file(self, paths: list[Path]) -> None:
        with pytest.raises(CorruptFileError, match=r"broken\.nc"):
            virtualizarr.open_virtual_mfdataset(paths, **EAGER)

    def test_warn_and_skip_go_on(self, paths: list[Path]) -> None:
        with pytest.warns(UserWarning, match=r"left out: .*broken\.nc"):
            warned = virtualizarr.open_virtual_mfdataset(paths, on_error="warn", **EAGER)
        skipped = virtualizarr.open_virtual_mfdataset(
            paths, on_error="skip", combine="nested", concat_dim="time", **EAGER
        )
        for found in (warned, skipped):
            assert found.sizes["time"] == 8
            assert len(found.virtualize.locations) == 2

    def test_nothing_left(self, paths: list[Path]) -> None:
        with pytest.raises(CombineError, match="none of the 1 files"):
            virtualizarr.open_virtual_mfdataset([paths[1]], on_error="skip")

    def test_a_failing_preprocess_is_named(self, paths: list[Path]) -> None:
        def fail(dataset: xr.Dataset) -> xr.Dataset:
            raise KeyError("nothing")

        with pytest.raises(KeyError) as caught:
            virtualizarr.open_virtual_mfdataset(paths[:1], preprocess=fail)
        assert "0.nc" in caught.value.__notes__[0]

    @pytest.mark.parametrize(
        "options", [{"on_error": "ignore"}, {"combine": "best"}, {"concat_dim": "time"}]
    )
    def test_wrong_words(self, paths: list[Path], options: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"on_error|combine"):
            virtualizarr.open_virtual_mfdataset(paths, **options)

    def test_wrong_executor(self, paths: list[Path]) -> None:
        with pytest.raises(ValueError, match="'dask', 'lithops' or an Executor"):
            virtualizarr.open_virtual_mfdataset(paths, parallel="threads")


def test_a_bar_shows_progress(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    virtualizarr.open_virtual_mfdataset(archive / "*.nc", progress=True, **EAGER)
    assert "opening files" in capsys.readouterr().out


def test_what_is_parsed_already_opens_too(archive: Path, expected: xr.Dataset) -> None:
    group = virtualizarr.parse(archive / "0.nc")
    store = virtualizarr.open_store(archive / "0.nc")
    direct = virtualizarr.open_virtual_dataset(archive / "0.nc")
    for parsed in (group, store):
        found = virtualizarr.open_virtual_dataset(parsed)
        assert virtual(found) == VIRTUAL
        xr.testing.assert_identical(found.virtualize.open(), direct.virtualize.open())
    assert virtualizarr.open_virtual_datatree(group).children == {}


def test_preprocess_is_told_the_file(archive: Path) -> None:
    seen: list[str] = []

    def remember(dataset: xr.Dataset) -> xr.Dataset:
        seen.append(dataset.encoding["source"])
        return dataset

    virtualizarr.open_virtual_mfdataset(archive / "*.nc", preprocess=remember, **EAGER)
    assert seen == [(archive / f"{number}.nc").as_uri() for number in range(3)]


def test_the_work_can_be_sent_to_other_processes(archive: Path) -> None:
    opener = _Opener(None, "hdf5", {"loadable_variables": ["time"]})
    attempt = pickle.loads(pickle.dumps(Attempt(opener, None, tolerant=True)))
    found = attempt((archive / "0.nc").as_uri())
    assert virtual(pickle.loads(pickle.dumps(found))) == VIRTUAL | {"x"}
    failed = pickle.loads(pickle.dumps(attempt("file:///none.nc")))
    assert isinstance(failed, SourceNotFoundError)
    assert failed.url == "file:///none.nc"
