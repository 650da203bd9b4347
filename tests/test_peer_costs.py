"""What VirtualiZarr 2.8 and kerchunk 0.2.10 do quadratically or for each chunk: not here.

Work is counted in calls of functions, not timed: four times as many variables, groups or files may
cost four times as many calls, and more chunks may cost hardly any more.
"""

from __future__ import annotations

import json
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr

import virtualizarr
from servers.ranges import RangeServer
from virtualizarr.model import ArrayMetadata, ChunkManifest, Location, ManifestArray, ManifestGroup
from virtualizarr.writers import icechunk as icechunk_writer
from virtualizarr.writers import zarr as zarr_writer

LINEAR = 4 * 1.15


def calls(work: Callable[[], Any]) -> int:
    """Return how many functions, in Python or in C, are called by `work`, in this thread."""
    count = 0

    def note(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def growth(make: Callable[[int], Callable[[], Any]], size: int) -> float:
    """Return how many times as many calls four times the size takes, once all is imported."""
    make(size)()
    return calls(make(4 * size)) / calls(make(size))


def many_variables(count: int) -> ManifestGroup:
    metadata = ArrayMetadata.create(
        shape=(4, 5), dtype=np.dtype("f4"), chunk_shape=(2, 5), dimension_names=("y", "x")
    )
    manifest = ChunkManifest.single_file(
        Location("s3://bucket/f"), np.array([[0], [40]], np.uint64), 40
    )
    array = ManifestArray(metadata, manifest)
    return ManifestGroup({f"v{i}": array for i in range(count)})


def many_chunks(count: int, url: str = "s3://bucket/f") -> ManifestGroup:
    """A variable of so many chunks, which lie apart, so that no column can be left out."""
    numbers = np.arange(count, dtype=np.uint64)
    metadata = ArrayMetadata.create(
        shape=(count,), dtype=np.dtype("u1"), chunk_shape=(1,), dimension_names=("x",)
    )
    manifest = ChunkManifest.single_file(Location(url), numbers * 7 + numbers % 3, numbers + 1)
    return ManifestGroup({"v": ManifestArray(metadata, manifest)})


def test_many_variables() -> None:
    def make(count: int) -> Callable[[], Any]:
        group = many_variables(count)
        return lambda: virtualizarr.open_virtual_dataset(group, loadable_variables=[])

    assert growth(make, 50) < LINEAR


def test_many_groups() -> None:
    def make(count: int) -> Callable[[], Any]:
        group = ManifestGroup(groups={f"g{i}": many_variables(1) for i in range(count)})
        return lambda: virtualizarr.open_virtual_datatree(group, loadable_variables=[])

    assert growth(make, 20) < LINEAR


def document(count: int) -> dict[str, Any]:
    array = {"zarr_format": 2, "shape": [count], "chunks": [1], "dtype": "|u1", "order": "C"}
    array |= {"compressor": None, "filters": None, "fill_value": None}
    refs: dict[str, Any] = {".zgroup": '{"zarr_format": 2}', "v/.zarray": json.dumps(array)}
    return refs | {f"v/{i}": ["s3://bucket/f", 7 * i + i % 3, 1] for i in range(count)}


@pytest.mark.parametrize("kind", ["dict", "json", "parquet", "zarr", "icechunk"])
def test_chunks_are_columns_when_references_are_read(kind: str, tmp_path: Path) -> None:
    """Not a function call for each chunk: dicts have a few a key, JSON at most one."""

    def make(count: int) -> Callable[[], Any]:
        if kind == "dict":
            refs = document(count)
            return lambda: virtualizarr.parse(refs)
        target = tmp_path / f"{count}.{kind}"
        group = many_chunks(count)
        if not target.exists():
            if kind == "zarr":
                zarr_writer.write(group, target)
            elif kind == "icechunk":
                icechunk_writer.write(group, target)
            else:
                vds = virtualizarr.open_virtual_dataset(group, loadable_variables=[])
                vds.vz.to_kerchunk(target, format=kind, record_size=100_000)
        return lambda: virtualizarr.parse(target)

    make(100)()
    few, many = calls(make(2_000)), calls(make(12_000))
    assert (many - few) / 10_000 < {"dict": 4, "json": 1}.get(kind, 0.05), (few, many)


@pytest.mark.parametrize("kind", ["json", "parquet", "zarr"])
def test_chunks_are_columns_when_references_are_written(kind: str, tmp_path: Path) -> None:
    def make(count: int) -> Callable[[], Any]:
        group = many_chunks(count)
        target = tmp_path / f"{count}.{kind}"
        if kind == "zarr":
            return lambda: zarr_writer.write(group, target)
        vds = virtualizarr.open_virtual_dataset(group, loadable_variables=[])
        return lambda: vds.vz.to_kerchunk(target, format=kind, record_size=100_000)

    make(100)()
    few, many = calls(make(2_000)), calls(make(12_000))
    assert (many - few) / 10_000 < {"json": 2}.get(kind, 0.05), (few, many)


def test_chunks_are_columns_when_datasets_are_joined_and_renamed() -> None:
    def make(count: int) -> Callable[[], Any]:
        one, two = (
            virtualizarr.open_virtual_dataset(many_chunks(count, url), loadable_variables=[])
            for url in ("s3://bucket/a", "s3://bucket/b")
        )

        def work() -> None:
            joined = xr.concat([one, two], "x", coords="minimal", compat="override")
            renamed = joined.vz.rename_paths(lambda path: path.replace("bucket", "other"))
            assert renamed.vz.nrefs() == 2 * count

        return work

    make(100)()
    few, many = calls(make(2_000)), calls(make(50_000))
    assert many - few < 200, (few, many)


def test_joining_many_files_is_linear() -> None:
    def make(count: int) -> Callable[[], Any]:
        datasets = [
            virtualizarr.open_virtual_dataset(
                many_chunks(10, f"s3://bucket/{i}"), loadable_variables=[]
            )
            for i in range(count)
        ]
        return lambda: xr.concat(datasets, "x", coords="minimal", compat="override").vz.nrefs()

    assert growth(make, 50) < LINEAR


def test_references_take_a_few_bytes_each_while_they_are_read(tmp_path: Path) -> None:
    """kerchunk holds a dict of them: 13 GB of JSON for a year of data."""
    count = 100_000
    path = tmp_path / "refs.json"
    path.write_text(json.dumps({"version": 1, "refs": document(count)}))
    virtualizarr.parse(path)
    tracemalloc.start()
    group = virtualizarr.parse(path)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert group["v"].manifest.nrefs == count
    assert held < 20 * count
    assert peak < 4 * path.stat().st_size + 20_000_000


def test_nothing_is_opened_where_nothing_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as f:
        f["x"] = np.arange(3.0)
        f["x"].make_scale()

    def fails(*_: object, **__: object) -> None:
        raise AssertionError("opened as Zarr, though nothing is to be loaded")

    import zarr

    for owner, name in ((xr, "open_zarr"), (xr, "open_dataset"), (zarr, "open_group")):
        monkeypatch.setattr(owner, name, fails)
    vds = virtualizarr.open_virtual_dataset(tmp_path / "f.h5", loadable_variables=[])
    assert list(vds.variables) == ["x"]


def test_an_hdf5_file_is_read_once_for_all_its_groups(
    tmp_path: Path, range_server: RangeServer
) -> None:
    path = tmp_path / "f.h5"
    for groups in (1, 40):
        with h5py.File(path, "w") as f:
            for i in range(groups):
                f[f"g{i}/v"] = np.arange(4.0)
                f[f"g{i}/v"].make_scale()
        range_server.files["f.h5"] = path.read_bytes()
        range_server.reset()
        virtualizarr.open_virtual_datatree(f"{range_server.url}/f.h5", loadable_variables=[])
        assert range_server.counts.requests == 1


def test_dimension_names_cost_no_calls_for_each_pair(tmp_path: Path) -> None:
    def make(count: int) -> Callable[[], Any]:
        path = tmp_path / f"{count}.h5"
        with h5py.File(path, "w") as f:
            f["x"] = np.arange(4.0)
            f["x"].make_scale()
            for i in range(count):
                f[f"v{i}"] = np.arange(4.0)
                f[f"v{i}"].dims[0].attach_scale(f["x"])
        return lambda: virtualizarr.parse(path)

    assert growth(make, 40) < LINEAR
