"""Parquet references: what is written is read back the same, by us and by other readers."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path

import fsspec
import numpy as np
import obstore
import pyarrow.parquet as pq
import pytest
import xarray as xr
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from obstore.store import LocalStore, MemoryStore

import virtualizarr
from strategies import assert_same_tree, groups
from virtualizarr.api import extend
from virtualizarr.errors import (
    AlreadyExistsError,
    CorruptFileError,
    SourceError,
    SourceNotFoundError,
    UnknownFormatError,
    UnsupportedFeatureError,
)
from virtualizarr.model import (
    INLINE,
    MISSING,
    ArrayMetadata,
    ChunkManifest,
    Location,
    ManifestArray,
    ManifestGroup,
    RectilinearGrid,
)
from virtualizarr.parsers.driver import Sources, parse_with
from virtualizarr.parsers.kerchunk import KerchunkParquetParser
from virtualizarr.parsing import settled
from virtualizarr.source.open import open_source
from virtualizarr.source.urls import normalize_url
from virtualizarr.writers import kerchunk


class Registry:
    """One store for all URLs of a bucket."""

    def __init__(self, store):
        self.store = store

    def resolve(self, url):
        return self.store, url.removeprefix("s3://bucket/")


def parsed(path, registry=None, **options):
    sources = Sources(lambda url: open_source(url, registry))
    return settled(parse_with(KerchunkParquetParser(**options), normalize_url(path), sources))


@settings(max_examples=60, deadline=None)
@given(group=groups(), record_size=st.integers(1, 5), threshold=st.sampled_from([0, 1, 10]))
def test_what_is_written_reads_back_the_same(tmp_path_factory, group, record_size, threshold):
    path = tmp_path_factory.mktemp("refs") / "refs.parquet"
    kerchunk.write(group, path, record_size=record_size, categorical_threshold=threshold)
    assert_same_tree(parsed(path), group)


def example(path: Path, seed: int = 0, cells: int = 40) -> tuple[ManifestGroup, np.ndarray]:
    """Ranges of several files, inline and missing chunks; and the values they stand for."""
    random = np.random.default_rng(seed)
    files = [path / f"file {i}.bin" for i in range(3)]
    data = [random.integers(1, 1000, 2 * cells, np.int64).astype("<i4") for _ in files]
    for file, values in zip(files, data, strict=True):
        file.write_bytes(values.tobytes())
    code = random.choice(np.array([0, 1, 2, INLINE, MISSING], np.uint32), cells)
    code[10:20] = MISSING
    offset = np.arange(cells, dtype=np.uint64) * 8
    length = np.full(cells, 8, np.uint32)
    inline = np.arange(2 * cells, dtype="<i4")
    wanted = np.full((cells, 2), -9, "<i4")
    for cell, kind in enumerate(code):
        if kind == INLINE:
            wanted[cell] = inline[2 * cell : 2 * cell + 2]
        elif kind != MISSING:
            wanted[cell] = data[kind][2 * cell : 2 * cell + 2]
    absent = code == MISSING
    offset[absent], length[absent] = 0, 0
    metadata = ArrayMetadata.create(
        shape=(2 * cells,),
        dtype=np.dtype("<i4"),
        chunk_shape=(2,),
        fill_value=-9,
        attributes={"_FillValue": np.int32(-9)},
        dimension_names=["x"],
    )
    locations = tuple(Location(normalize_url(file)) for file in files)
    manifest = ChunkManifest.from_columns(locations, code, offset, length, inline.tobytes())
    scalar = ArrayMetadata.create(
        shape=(), dtype=np.dtype("<i4"), chunk_shape=(), dimension_names=()
    )
    group = ManifestGroup(
        {
            "v": ManifestArray(metadata, manifest),
            "scalar": ManifestArray(scalar, ChunkManifest.inlined(b"\5\0\0\0")),
        },
        attributes={"title": "an example"},
    )
    return group, wanted.reshape(-1)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("record_size", [1, 7, 10, 100_000])
def test_xarray_reads_the_values(tmp_path, record_size):
    group, wanted = example(tmp_path)
    target = tmp_path / "refs.parquet"
    kerchunk.write(group, target, record_size=record_size)
    with xr.open_dataset(
        str(target), engine="kerchunk", mask_and_scale=False, storage_options={}
    ) as dataset:
        assert dataset["v"].values.tolist() == wanted.tolist()
        assert dataset["scalar"].values == 5
        assert dataset.attrs == {"title": "an example"}
    assert_same_tree(parsed(target), group)


def test_our_engine_reads_the_values_and_the_kind_is_recognised(tmp_path):
    group, wanted = example(tmp_path)
    target = tmp_path / "references"
    kerchunk.write(group, target, format="parquet", record_size=7)
    with xr.open_dataset(target, engine="virtualizarr", mask_and_scale=False) as dataset:
        assert dataset["v"].values.tolist() == wanted.tolist()
    virtual = virtualizarr.open_virtual_dataset(target, loadable_variables=[])
    virtual.vz.to_kerchunk(tmp_path / "again.parquet")
    assert_same_tree(parsed(tmp_path / "again.parquet"), group)


@pytest.mark.filterwarnings("ignore")
def test_zarr_reads_groups_through_the_reference_file_system(tmp_path):
    group, wanted = example(tmp_path)
    tree = ManifestGroup(groups={"a": ManifestGroup(groups={"b": group})})
    target = tmp_path / "refs.parquet"
    kerchunk.write(tree, target, record_size=7)
    system = fsspec.filesystem(
        "reference", fo=str(target), asynchronous=True, remote_protocol="file"
    )
    store = zarr.storage.FsspecStore(system, read_only=True, path="")
    array = zarr.open_array(store, path="a/b/v", mode="r", zarr_format=2)
    assert array[...].tolist() == wanted.tolist()
    assert_same_tree(parsed(target), tree)
    assert_same_tree(parsed(target, group="a/b"), group)


@settings(max_examples=15, deadline=None)
@given(group=groups(depth=0), record_size=st.integers(1, 4))
def test_the_reference_file_system_sees_the_same_references(tmp_path_factory, group, record_size):
    path = tmp_path_factory.mktemp("refs") / "refs.parquet"
    kerchunk.write(group, path, record_size=record_size, categorical_threshold=1)
    refs = kerchunk.write(group)["refs"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = fsspec.filesystem("reference", fo=str(path), remote_protocol="file").references
        asfile = fsspec.filesystem(
            "reference", fo={"version": 1, "refs": refs}, remote_protocol="file"
        )
        for name, array in group.arrays.items():
            cells = list(np.ndindex(array.manifest.shape_chunk_grid))
            keys = [f"{name}/{'.'.join(map(str, cell)) if cell else '0'}" for cell in cells]
            for key in keys:
                if key not in refs:
                    assert key not in theirs
                elif isinstance(refs[key], list):
                    assert list(theirs[key]) == refs[key]
                else:
                    again = fsspec.filesystem("reference", fo={key: theirs[key]})
                    assert again.cat(key) == asfile.cat(key)


def test_columns_are_what_readers_expect(tmp_path):
    group, _ = example(tmp_path)
    kerchunk.write(group, tmp_path / "refs", format="parquet", record_size=20)
    metadata = json.loads((tmp_path / "refs" / ".zmetadata").read_text())
    assert metadata["record_size"] == 20
    assert metadata["metadata"]["v/.zarray"]["chunks"] == [2]
    assert sorted(os.listdir(tmp_path / "refs" / "v")) == ["refs.0.parq", "refs.1.parq"]
    file = pq.ParquetFile(tmp_path / "refs" / "v" / "refs.0.parq")
    assert file.schema_arrow.names == ["path", "offset", "size", "raw"]
    chunk = file.metadata.row_group(0)
    assert {chunk.column(i).compression for i in range(4)} == {"ZSTD"}
    assert "PLAIN_DICTIONARY" in str(chunk.column(0).encodings) or "RLE_DICTIONARY" in str(
        chunk.column(0).encodings
    )
    assert chunk.column(1).statistics.null_count == 0


def test_many_paths_with_a_missing_chunk_stay_coded(tmp_path):
    cells = 30_000
    locations = tuple(Location(f"s3://bucket/{'long' * 20}/{i}.nc") for i in range(cells))
    code = np.arange(cells, dtype=np.uint32)
    code[7] = MISSING
    number = np.where(code == MISSING, 0, 9).astype(np.uint64)
    metadata = ArrayMetadata.create(shape=(cells,), dtype=np.dtype("u1"), chunk_shape=(1,))
    manifest = ChunkManifest.from_columns(locations, code, number, number)
    group = ManifestGroup({"v": ManifestArray(metadata, manifest)})
    kerchunk.write(group, tmp_path / "refs.parq")
    assert_same_tree(parsed(tmp_path / "refs.parq"), group)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = fsspec.filesystem(
            "reference", fo=str(tmp_path / "refs.parq"), remote_protocol="s3"
        ).references
        assert "v/7" not in theirs
        assert list(theirs["v/29999"]) == [locations[-1].url, 9, 9]


def huge(cells: int, present: int | None) -> ManifestGroup:
    metadata = ArrayMetadata.create(shape=(cells,), dtype=np.dtype("u1"), chunk_shape=(1,))
    if present is None:
        return ManifestGroup({"v": ManifestArray(metadata, ChunkManifest.empty((cells,)))})
    code = np.full(cells, MISSING, np.uint32)
    code[present] = 0
    number = (code == 0).astype(np.uint64)
    manifest = ChunkManifest.from_columns((Location("s3://bucket/f"),), code, number, number)
    return ManifestGroup({"v": ManifestArray(metadata, manifest)})


@pytest.mark.parametrize("present", [None, 2_999])
def test_of_very_many_files_those_without_references_are_left_out(tmp_path, present):
    group = huge(3_000, present)
    kerchunk.write(group, tmp_path / "refs.parq", record_size=2)
    names = sorted(os.listdir(tmp_path / "refs.parq" / "v")) if present else []
    assert names == (["refs.1499.parq"] if present else [])
    assert_same_tree(parsed(tmp_path / "refs.parq"), group)


def test_an_array_without_references_costs_nothing(tmp_path):
    group = huge(10**12, None)
    kerchunk.write(group, tmp_path / "refs.parq")
    found = parsed(tmp_path / "refs.parq").arrays["v"].manifest
    assert found.shape_chunk_grid == (10**12,)
    assert found.all_missing


def test_inline_bytes_that_look_like_base64_stay_what_they_are(tmp_path):
    data = b"base64:AAAA"
    metadata = ArrayMetadata.create(
        shape=(2,), dtype=np.dtype("S11"), chunk_shape=(1,), dimension_names=["x"]
    )
    manifest = ChunkManifest.from_columns(
        (),
        np.full(2, INLINE, np.uint32),
        np.array([0, 0], np.uint64),
        np.full(2, 11, np.uint32),
        data,
    )
    group = ManifestGroup({"v": ManifestArray(metadata, manifest)})
    kerchunk.write(group, tmp_path / "refs.parq")
    assert_same_tree(parsed(tmp_path / "refs.parq"), group)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        system = fsspec.filesystem("reference", fo=str(tmp_path / "refs.parq"))
        assert system.cat("v/1") == data


@pytest.mark.parametrize("fill", [5, None])
def test_missing_chunks_that_read_as_something_else_are_written_out(tmp_path, fill):
    metadata = ArrayMetadata.create(
        shape=(4,),
        dtype=np.dtype("<i2"),
        chunk_shape=(2,),
        fill_value=fill,
        attributes={"_FillValue": np.int16(7)},
        dimension_names=["x"],
    )
    group = ManifestGroup({"v": ManifestArray(metadata, ChunkManifest.empty((2,)))})
    kerchunk.write(group, tmp_path / "refs.parq")
    found = parsed(tmp_path / "refs.parq").arrays["v"]
    assert found.metadata.fill_value == metadata.fill_value
    assert found.manifest.inline == 2 * np.full(2, 0 if fill is None else fill, "<i2").tobytes()


@pytest.mark.parametrize(
    "change,reason",
    [
        ({"chunk_grid": RectilinearGrid(((1, 3),))}, "different lengths.*to_icechunk"),
        ({"codecs": ({"name": "virtualizarr.crop"},)}, "crop"),
    ],
)
def test_what_cannot_be_held_is_refused_by_name(tmp_path, change, reason):
    metadata = ArrayMetadata.create(shape=(4,), dtype=np.dtype("<i4"), chunk_shape=(2,))
    metadata = metadata.replace(**change)
    array = ManifestArray(metadata, ChunkManifest.empty(metadata.grid_shape))
    group = ManifestGroup(groups={"g": ManifestGroup({"v": array})})
    with pytest.raises(UnsupportedFeatureError, match=reason) as caught:
        kerchunk.write(group, tmp_path / "refs.parq")
    assert caught.value.node == "g/v"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("offset,length", [(2**63, 1), (0, 2**63), (0, 0)])
def test_numbers_that_cannot_be_held_leave_the_old_store(tmp_path, offset, length):
    old, _ = example(tmp_path)
    target = tmp_path / "refs.parq"
    kerchunk.write(old, target)
    metadata = ArrayMetadata.create(shape=(1,), dtype=np.dtype("u1"), chunk_shape=(1,))
    manifest = ChunkManifest.from_columns(
        (Location("s3://bucket/f"),),
        np.zeros(1, np.uint32),
        np.array([offset], np.uint64),
        np.array([length], np.uint64),
    )
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(UnsupportedFeatureError) as caught:
        kerchunk.write(ManifestGroup({"v": ManifestArray(metadata, manifest)}), target)
    assert caught.value.node == "v"
    assert sorted(os.listdir(tmp_path)) == before
    assert_same_tree(parsed(target), old)


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", ".zmetadata"])
def test_names_that_are_no_directories_are_refused(tmp_path, name):
    metadata = ArrayMetadata.create(shape=(), dtype=np.dtype("u1"), chunk_shape=())
    try:
        group = ManifestGroup({name: ManifestArray(metadata, ChunkManifest.empty(()))})
    except ValueError:
        return
    with pytest.raises(UnsupportedFeatureError, match="directory"):
        kerchunk.write(group, tmp_path / "refs.parq")
    assert os.listdir(tmp_path) == []


def test_a_store_is_replaced_whole(tmp_path):
    target = tmp_path / "refs.parq"
    first, _ = example(tmp_path, cells=40)
    second, _ = example(tmp_path, seed=1, cells=20)
    kerchunk.write(ManifestGroup({"other": first.arrays["v"]}), target, record_size=5)
    kerchunk.write(second, target, record_size=10)
    assert sorted(os.listdir(target)) == [".zmetadata", "scalar", "v"]
    assert sorted(os.listdir(target / "v")) == ["refs.0.parq", "refs.1.parq"]
    assert_same_tree(parsed(target), second)


@pytest.mark.parametrize("content", [{}, {"readme.txt": "hi"}, {".zmetadata": '{"metadata":{}}'}])
def test_only_references_are_replaced(tmp_path, content):
    target = tmp_path / "refs.parq"
    target.mkdir()
    for name, text in content.items():
        (target / name).write_text(text)
    group, _ = example(tmp_path)
    if not content:
        kerchunk.write(group, target)
        return
    with pytest.raises(SourceError, match="not replaced"):
        kerchunk.write(group, target)
    assert {name: (target / name).read_text() for name in os.listdir(target)} == content


def test_files_and_absent_directories_are_named(tmp_path):
    group, _ = example(tmp_path)
    with pytest.raises(SourceNotFoundError, match="directory"):
        kerchunk.write(group, tmp_path / "absent" / "refs.parq")
    (tmp_path / "file").write_text("hi")
    with pytest.raises(SourceError, match="a file, not a directory"):
        kerchunk.write(group, tmp_path / "file", format="parquet")


def names_in(store, prefix="refs.parq"):
    return {
        meta["path"]: bytes(store.get(meta["path"]).bytes())
        for page in store.list(prefix)
        for meta in page
    }


@pytest.mark.parametrize("kind", [MemoryStore, LocalStore])
def test_references_in_a_store_are_replaced_only_if_asked(tmp_path, kind):
    group, _ = example(tmp_path)
    (tmp_path / "store").mkdir()
    store = MemoryStore() if kind is MemoryStore else LocalStore(tmp_path / "store")
    registry, url = Registry(store), "s3://bucket/refs.parq"
    kerchunk.write(group, url, record_size=3, registry=registry)
    before = names_in(store)
    if kind is MemoryStore:
        with pytest.raises(AlreadyExistsError, match="cannot be replaced in one step"):
            kerchunk.write(group, url, record_size=30, registry=registry)
        assert names_in(store) == before
    kerchunk.write(group, url, record_size=30, registry=registry, mode="w")
    assert_same_tree(parsed(url, registry), group)
    after = names_in(store)
    assert [sum("/v/" in name for name in names) for names in (before, after)] == [14, 2]
    store.put("taken/file", b"x")
    with pytest.raises(SourceError, match="not replaced"):
        kerchunk.write(group, "s3://bucket/taken", format="parquet", registry=registry, mode="w")
    with pytest.raises(ValueError, match="mode"):
        kerchunk.write(group, url, registry=registry, mode="a")


def breaking(change, left):
    """Return `change`, a function on a store, which kills its caller after some calls."""

    def counted(*arguments):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return change(*arguments)

    return counted


def test_a_writer_killed_on_an_object_store(tmp_path, monkeypatch):
    """A first write is completed by another; readers of one that replaces are told."""
    old, _ = example(tmp_path, cells=9)
    new, _ = example(tmp_path, seed=1, cells=12)
    url = "s3://bucket/refs.parq"
    for starts_with, mode in ((None, None), (old, "w")):
        for changes in range(6):
            registry = Registry(MemoryStore())
            if starts_with is not None:
                kerchunk.write(starts_with, url, record_size=3, registry=registry)
            left = [changes]
            with monkeypatch.context() as patch:
                for name in ("put", "delete"):
                    patch.setattr(obstore, name, breaking(getattr(obstore, name), left))
                with pytest.raises(KeyboardInterrupt):
                    kerchunk.write(new, url, record_size=3, registry=registry, mode=mode)
            if starts_with is not None and not changes:
                assert_same_tree(parsed(url, registry), old)
            else:
                with pytest.raises((CorruptFileError, UnknownFormatError, SourceNotFoundError)):
                    parsed(url, registry)
            kerchunk.write(new, url, record_size=3, registry=registry, mode=mode)
            assert_same_tree(parsed(url, registry), new)


def test_an_append_to_references_in_a_store_is_refused(tmp_path):
    """It would be no append to who reads meanwhile, and a kill would leave nothing to read."""
    group, _ = example(tmp_path)
    store = MemoryStore()
    registry, url = Registry(store), "s3://bucket/refs.parq"
    kerchunk.write(group, url, registry=registry)
    before = names_in(store)
    (tmp_path / "other").mkdir()
    more, _ = example(tmp_path / "other", seed=1)
    with pytest.raises(AlreadyExistsError, match="JSON, Icechunk or Zarr"):
        extend(more, url, "x", None, registry=registry)
    assert names_in(store) == before
