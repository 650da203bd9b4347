"""Zarr stores with chunk manifests: what is written reads back the same, and survives a kill."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import obstore
import pyarrow.parquet as pq
import pytest
import zarr
from hypothesis import given, settings

from strategies import assert_same_tree, groups
from virtual_groups import FileOfArrays
from virtualizarr.errors import SourceError, SourceNotFoundError, UnsupportedFeatureError
from virtualizarr.model import (
    MISSING,
    ArrayMetadata,
    ChunkManifest,
    Location,
    ManifestArray,
    ManifestGroup,
    RectilinearGrid,
)
from virtualizarr.parsers.driver import Sources, parse_with
from virtualizarr.parsers.zarr import ZarrParser
from virtualizarr.source.open import open_source
from virtualizarr.source.stores import memory_store
from virtualizarr.source.urls import normalize_url
from virtualizarr.store import ManifestStore
from virtualizarr.writers.zarr import write

_numbers = count()


def read_back(target: str | Path, storage_options: dict[str, Any] | None = None) -> ManifestGroup:
    sources = Sources(lambda url: open_source(url, None, storage_options))
    return parse_with(ZarrParser(), normalize_url(target), sources)


def array_of(
    manifest: ChunkManifest, attributes: dict[str, Any] | None = None, fill: Any = None
) -> ManifestArray:
    metadata = ArrayMetadata.create(
        shape=tuple(2 * n for n in manifest.shape_chunk_grid),
        dtype=np.dtype("<i4"),
        chunk_shape=(2,) * manifest.ndim_chunk_grid,
        attributes=attributes,
        fill_value=fill,
    )
    return ManifestArray(metadata, manifest)


def references(count: int, files: int = 3, url: str = "s3://bucket/file") -> ChunkManifest:
    chance = np.random.default_rng(count)
    codes = chance.integers(0, files, count).astype(np.uint32)
    codes[::7] = MISSING
    known = codes != MISSING
    return ChunkManifest.from_columns(
        tuple(Location(f"{url}{i}.nc") for i in range(files)),
        codes,
        np.where(known, chance.integers(0, 2**40, count), 0).astype(np.uint64),
        np.where(known, chance.integers(1, 2**20, count), 0).astype(np.uint32),
    ).compacted()


@settings(max_examples=100, deadline=None)
@given(group=groups())
@pytest.mark.parametrize("columnar", [False, True])
def test_what_is_written_reads_back_the_same(columnar, group):
    target = f"memory://round-trip/{next(_numbers)}.zarr"
    write(group, target, columnar=columnar)
    assert_same_tree(read_back(target), group)


@settings(max_examples=25, deadline=None)
@given(group=groups())
def test_a_local_store_reads_back_the_same(tmp_path_factory, group):
    target = tmp_path_factory.mktemp("store") / "a store.zarr"
    write(group, target)
    assert_same_tree(read_back(target), group)
    write(group, target, mode="w")
    assert_same_tree(read_back(target), group)
    assert os.listdir(target.parent) == [target.name]


@pytest.mark.parametrize("columnar", [False, True])
def test_what_was_known_of_the_files_is_kept(tmp_path, columnar):
    moment = datetime(2024, 2, 29, 12, 30, 1, 250, tzinfo=UTC)
    manifest = references(40)
    facts = [(5, '"abc"', moment), (2**50, None, None, moment), (None, None, None)]
    known = [
        Location(location.url, *fact)
        for location, fact in zip(manifest.locations, facts, strict=True)
    ]
    group = ManifestGroup({"a": array_of(manifest.with_locations(tuple(known)))})
    write(group, tmp_path / "s.zarr", columnar=columnar)
    found = {f.url: f for f in read_back(tmp_path / "s.zarr")["a"].manifest.locations}
    for location in known:
        mine = found[location.url]
        for name in ("size", "etag", "last_modified", "unmodified_since"):
            assert getattr(mine, name) == getattr(location, name)


def test_the_layout_is_that_of_the_proposal(tmp_path):
    manifest = ChunkManifest(
        {
            "0.0": {"path": "s3://bucket/foo.nc", "offset": 100, "length": 100},
            "1.1": {"path": "s3://bucket/foo.nc", "offset": 0, "length": 7},
        },
        (2, 2),
    )
    tree = ManifestGroup({"v": array_of(manifest)}, {"g": ManifestGroup(attributes={"x": 1})})
    write(tree, tmp_path / "s.zarr")
    document = json.loads((tmp_path / "s.zarr/v/zarr.json").read_text())
    assert document["storage_transformers"] == [
        {"name": "chunk-manifest-json", "configuration": {"manifest": "./manifest.json"}}
    ]
    assert document["chunk_key_encoding"] == {
        "name": "default",
        "configuration": {"separator": "/"},
    }
    assert json.loads((tmp_path / "s.zarr/v/manifest.json").read_text()) == {
        "0.0": {"path": "s3://bucket/foo.nc", "offset": 100, "length": 100},
        "1.1": {"path": "s3://bucket/foo.nc", "offset": 0, "length": 7},
    }
    root = json.loads((tmp_path / "s.zarr/zarr.json").read_text())
    assert root["consolidated_metadata"]["metadata"].keys() == {"v", "g"}
    assert root["consolidated_metadata"]["metadata"]["v"] == document


def test_the_columns_are_those_documented(tmp_path):
    manifest = references(20)
    write(ManifestGroup({"v": array_of(manifest)}), tmp_path / "s.zarr", columnar=True)
    table = pq.read_table(tmp_path / "s.zarr/v/manifest.parquet").to_pydict()
    present = np.flatnonzero(manifest.location != MISSING)
    assert table["chunk"] == present.tolist()
    assert table["path"] == list(manifest.iter_nonempty_paths())
    assert table["offset"] == manifest.offset[present].tolist()
    assert table["length"] == manifest.length[present].tolist()
    assert set(table) == {
        "chunk",
        "path",
        "offset",
        "length",
        "size",
        "etag",
        "last_modified",
        "unmodified_since",
    }


def test_inline_chunks_are_ordinary_chunks_for_other_readers(tmp_path):
    values = np.arange(6, dtype="<i4")
    manifest = ChunkManifest.from_columns(
        (),
        np.full((3,), 0xFFFF_FFFE, np.uint32),
        np.array([0, 8, 16], np.uint64),
        np.full((3,), 8, np.uint32),
        values.tobytes(),
    )
    group = ManifestGroup({"time": array_of(manifest), "v": array_of(references(30))})
    write(group, tmp_path / "s.zarr")
    assert zarr.open_group(tmp_path / "s.zarr", mode="r")["time"][:].tolist() == values.tolist()
    assert_same_tree(read_back(tmp_path / "s.zarr"), group)


@pytest.mark.parametrize("columnar", [False, True])
def test_inline_and_virtual_chunks_of_one_array(tmp_path, columnar):
    file = FileOfArrays(tmp_path / "data.bin")
    virtual = file.add(np.arange(6, dtype="<i4"), ["x"], (2,)).manifest
    manifest = ChunkManifest.from_columns(
        virtual.locations,
        np.array([0, 0xFFFF_FFFE, 0xFFFF_FFFF], np.uint32),
        np.array([int(virtual.offset[0]), 0, 0], np.uint64),
        np.array([8, 8, 0], np.uint32),
        np.array([7, 8], "<i4").tobytes(),
    )
    group = ManifestGroup({"v": array_of(manifest, fill=-1)})
    write(group, tmp_path / "s.zarr", columnar=columnar)
    found = read_back(tmp_path / "s.zarr")
    assert_same_tree(found, group)
    read = zarr.open_group(ManifestStore(found), mode="r", zarr_format=3)
    assert read["v"][:].tolist() == [0, 1, 7, 8, -1, -1]


def test_chunks_of_many_lengths(tmp_path):
    manifest = references(3)
    metadata = array_of(manifest).metadata.replace(
        shape=(10,), chunk_grid=RectilinearGrid(((3, 3, 4),))
    )
    group = ManifestGroup({"v": ManifestArray(metadata, manifest)})
    write(group, tmp_path / "s.zarr")
    assert_same_tree(read_back(tmp_path / "s.zarr"), group)


def test_long_manifests_are_read_piece_by_piece(tmp_path):
    manifest = references(60_000).reshape_grid((300, 200))
    group = ManifestGroup({"v": array_of(manifest)})
    write(group, tmp_path / "s.zarr", columnar=False)
    path = tmp_path / "s.zarr/v/manifest.json"
    assert path.stat().st_size > 3 * 1024 * 1024
    assert_same_tree(read_back(tmp_path / "s.zarr"), group)
    path.write_text(json.dumps(json.loads(path.read_text()), indent=1))
    assert_same_tree(read_back(tmp_path / "s.zarr"), group)


def test_an_array_as_large_as_needs_columns_gets_them(tmp_path):
    big = ChunkManifest.single_file(
        Location("s3://b/k"), np.arange(100_001, dtype=np.uint64), np.uint64(1)
    )
    write(ManifestGroup({"v": array_of(big)}), tmp_path / "s.zarr")
    assert sorted(os.listdir(tmp_path / "s.zarr/v")) == ["manifest.parquet", "zarr.json"]
    assert read_back(tmp_path / "s.zarr")["v"].manifest == big


def test_what_is_there_is_not_touched_unasked(tmp_path):
    group = ManifestGroup({"v": array_of(references(5))})
    target = tmp_path / "s.zarr"
    target.mkdir()
    write(group, target)
    with pytest.raises(SourceError, match="already"):
        write(group, target)
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("words")
    for mode in ("w", "w-"):
        with pytest.raises(SourceError, match="precious"):
            write(group, precious, mode=mode)
        with pytest.raises(SourceError, match="thesis"):
            write(group, precious / "thesis.txt", mode=mode)
    assert (precious / "thesis.txt").read_text() == "words"
    with pytest.raises(ValueError, match="mode"):
        write(group, tmp_path / "t.zarr", mode="a")
    with pytest.raises(SourceNotFoundError, match="does not exist"):
        write(group, tmp_path / "no" / "t.zarr")


def test_a_store_is_not_replaced_by_references_into_it(tmp_path):
    array = zarr.create_array(tmp_path / "s.zarr", shape=(4,), chunks=(2,), dtype="i4", name="a")
    array[:] = 7
    group = read_back(tmp_path / "s.zarr")
    with pytest.raises(SourceError, match="lead into"):
        write(group, tmp_path / "s.zarr", mode="w")
    assert array[:].tolist() == [7, 7, 7, 7]
    write(group, tmp_path / "t.zarr")
    assert_same_tree(read_back(tmp_path / "t.zarr"), group)


@pytest.mark.parametrize("name", ["..", ".", "zarr.json", "a\0b"])
def test_names_that_zarr_forbids(tmp_path, name):
    with pytest.raises(UnsupportedFeatureError, match="name"):
        write(ManifestGroup({name: array_of(references(2))}), tmp_path / "s.zarr")
    assert os.listdir(tmp_path) == []


def test_credentials_are_never_written(tmp_path):
    manifest = references(9, url="https://host/x?X-Amz-Signature=canary&n=")
    with pytest.raises(SourceError) as raised:
        write(ManifestGroup({"v": array_of(manifest)}), tmp_path / "s.zarr")
    assert "canary" not in str(raised.value)
    assert os.listdir(tmp_path) == []


def test_a_store_of_objects_is_replaced_root_last(s3_server):
    store = s3_server.store("chunk-manifests")
    options = s3_server.options
    url = "s3://chunk-manifests/deep/s.zarr"
    one = ManifestGroup({"v": array_of(references(30)), "w": array_of(references(3))})
    two = ManifestGroup({"v": array_of(references(50))})
    write(one, url, storage_options=options)
    assert_same_tree(read_back(url, storage_options=options), one)
    old_root = bytes(obstore.get(store, "deep/s.zarr/zarr.json").bytes())
    write(two, url, mode="w", storage_options=options)
    assert_same_tree(read_back(url, storage_options=options), two)
    names = {meta["path"] for page in obstore.list(store, "deep/s.zarr") for meta in page}
    assert len(names) == 3
    assert "deep/s.zarr/v/manifest.json" not in names
    assert old_root != bytes(obstore.get(store, "deep/s.zarr/zarr.json").bytes())


def test_a_writer_killed_on_an_object_store_leaves_the_old_state():
    """Every prefix of the puts of a replacing writer reads as the old store."""
    store = memory_store("killed")
    one = ManifestGroup({"v": array_of(references(30))})
    two = ManifestGroup({"v": array_of(references(50)), "w": array_of(references(5))})
    write(one, "memory://killed/s.zarr")
    before = {
        m["path"]: bytes(obstore.get(store, m["path"]).bytes())
        for page in obstore.list(store)
        for m in page
    }
    write(two, "memory://killed/s.zarr", mode="w")
    after = {
        m["path"]: bytes(obstore.get(store, m["path"]).bytes())
        for page in obstore.list(store)
        for m in page
    }
    new = [key for key in after if key != "s.zarr/zarr.json"]
    for cut in range(len(new) + 1):
        name = f"killed-{cut}"
        copy = memory_store(name)
        for key, data in {**before, **{key: after[key] for key in new[:cut]}}.items():
            obstore.put(copy, key, data)
        assert_same_tree(read_back(f"memory://{name}/s.zarr"), one)
        write(two, f"memory://{name}/s.zarr", mode="w")
        assert_same_tree(read_back(f"memory://{name}/s.zarr"), two)


KILLED = """
import sys
import numpy as np
from virtualizarr.model import *
from virtualizarr.writers.zarr import write
def group(seed):
    chance = np.random.default_rng(seed)
    def array(n):
        md = ArrayMetadata.create(shape=(n,), dtype=np.dtype("u1"), chunk_shape=(1,))
        off = chance.integers(0, 2**40, n).astype(np.uint64)
        loc = Location(f"s3://bucket/{seed}.nc")
        return ManifestArray(md, ChunkManifest.single_file(loc, off, 10 + seed))
    return ManifestGroup({f"v{i}": array(2000) for i in range(20)})
"""
WRITER = (
    KILLED
    + """
print("ready", flush=True)
for turn in range(100000):
    write(group(2), sys.argv[1], mode="w", columnar=sys.argv[2] == "parquet")
    write(group(1), sys.argv[1], mode="w", columnar=sys.argv[2] == "parquet")
"""
)


@pytest.mark.parametrize(
    ("kind", "kills"),
    [
        ("json", 6),
        ("parquet", 4),
        pytest.param("json", 60, marks=[pytest.mark.long, pytest.mark.timeout(600)]),
        pytest.param("parquet", 60, marks=[pytest.mark.long, pytest.mark.timeout(600)]),
    ],
)
def test_a_killed_writer_leaves_a_whole_store(tmp_path, kind, kills):
    space: dict[str, Any] = {}
    exec(KILLED, space)
    states = [space["group"](1), space["group"](2)]
    target = tmp_path / "s.zarr"
    write(states[0], target)
    chance = random.Random(3)
    for _ in range(kills):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(target), kind], stdout=subprocess.PIPE
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(chance.uniform(0, 0.25))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        found = read_back(target)
        assert found in states
    write(states[1], target, mode="w")
    assert read_back(target) == states[1]
