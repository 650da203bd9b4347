"""Parquet references are read when they are wanted, array by array, and only if still the same."""

from __future__ import annotations

import asyncio
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import virtualizarr
from strategies import assert_same_tree
from virtual_groups import FileOfArrays
from virtualizarr.errors import ChangedSourceError, CorruptFileError
from virtualizarr.model import ManifestArray, ManifestGroup
from virtualizarr.model.combine import concatenate
from virtualizarr.source.local import LocalSource
from virtualizarr.writers import kerchunk

NAMES = [f"v{i:02}" for i in range(100)]


@pytest.fixture
def group(tmp_path: Path) -> ManifestGroup:
    file = FileOfArrays(tmp_path / "data.bin")
    arrays = {
        name: file.add(np.arange(12.0).reshape(3, 4) + i, ("t", "x"), (1, 2))
        for i, name in enumerate(NAMES)
    }
    return ManifestGroup(arrays, {"below": ManifestGroup({"w": arrays["v00"]})})


@pytest.fixture
def store(group: ManifestGroup, tmp_path: Path) -> Path:
    kerchunk.write(group, tmp_path / "refs.parquet", record_size=4)
    return tmp_path / "refs.parquet"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files whose bytes are read."""
    names: list[str] = []
    real = LocalSource.read

    def noted(self: LocalSource, requests: object) -> object:
        names.append(self.url.rpartition("refs.parquet/")[2])
        return real(self, requests)  # type: ignore[arg-type]

    monkeypatch.setattr(LocalSource, "read", noted)
    return names


def test_of_a_hundred_variables_one_is_read(store: Path, read: list[str]) -> None:
    with xr.open_dataset(store, engine="virtualizarr") as ds:
        assert not [name for name in read if name.endswith(".parq")]
        assert list(ds.data_vars) == NAMES
        np.testing.assert_array_equal(ds["v07"], np.arange(12.0).reshape(3, 4) + 7)
        parts = {name for name in read if name.endswith(".parq")}
        assert parts == {"v07/refs.0.parq", "v07/refs.1.parq"}


def test_virtual_datasets_are_lazy_too(store: Path, read: list[str]) -> None:
    vds = virtualizarr.open_virtual_dataset(store, loadable_variables=[])
    opened = vds[["v03"]].vz.open()
    np.testing.assert_array_equal(opened["v03"], np.arange(12.0).reshape(3, 4) + 3)
    assert {name.partition("/")[0] for name in read if name.endswith(".parq")} == {"v03"}


def test_all_of_it_is_what_was_written(group: ManifestGroup, store: Path) -> None:
    assert_same_tree(virtualizarr.parse(store), group)
    assert_same_tree(asyncio.run(virtualizarr.parse_async(store)), group)
    found = virtualizarr.parse(store)
    assert_same_tree(pickle.loads(pickle.dumps(found)), group)
    array = virtualizarr.parse(store).arrays["v01"]
    assert isinstance(array, ManifestArray)
    assert array.is_pending
    assert array.described(array.metadata.replace(attributes={"a": 1})).is_pending
    twice = concatenate([array, array], 0)
    assert twice.manifest == concatenate([group.arrays["v01"]] * 2, 0).manifest
    assert not array.is_pending


def test_many_threads_read_once(store: Path, read: list[str]) -> None:
    array = virtualizarr.parse(store).arrays["v01"]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: array.manifest, range(32)))
    assert all(manifest is found[0] for manifest in found)
    assert read.count("v01/refs.0.parq") <= 2  # its head, and the rest


def test_a_store_that_was_written_anew_is_not_mixed_with_the_old(
    group: ManifestGroup, store: Path
) -> None:
    before = virtualizarr.parse(store)
    settled = before.arrays["v00"].manifest
    kerchunk.write(group.rename_paths("file:///elsewhere.bin"), store, record_size=4)
    assert before.arrays["v00"].manifest == settled
    with pytest.raises(ChangedSourceError, match=r"v01.*written anew.*open them again"):
        _ = before.arrays["v01"].manifest
    shutil.rmtree(store / "v02")
    with pytest.raises(ChangedSourceError, match="gone"):
        _ = before.arrays["v02"].manifest


def test_what_is_broken_is_named_when_it_is_wanted(store: Path) -> None:
    (store / "v05" / "refs.1.parq").write_bytes(b"cut")
    found = virtualizarr.parse(store)
    assert found.arrays["v04"].manifest.nrefs == 6
    for _ in range(2):
        with pytest.raises(CorruptFileError, match=r"v05/refs\.1\.parq") as caught:
            _ = found.arrays["v05"].manifest
        assert str(store) in str(caught.value)
    with pytest.raises(CorruptFileError, match=r"v05/refs\.1\.parq"):
        virtualizarr.convert(store, store.with_suffix(".json"))


def test_references_know_who_named_them(store: Path) -> None:
    """What a file of references may lead to is decided by where it lies, read early or late."""
    (location,) = virtualizarr.parse(store).arrays["v01"].manifest.locations
    assert location.referrer == store.as_uri()
