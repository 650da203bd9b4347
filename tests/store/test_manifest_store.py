"""ManifestStore: what zarr and people find in it. Witnesses: numpy and the values themselves."""

from __future__ import annotations

import asyncio
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import zarr
from zarr.abc.store import (
    OffsetByteRequest,
    RangeByteRequest,
    SuffixByteRequest,
    SupportsSyncStore,
)
from zarr.buffer import default_buffer_prototype

from virtualizarr.errors import ChangedSourceError, CorruptFileError, SourceNotFoundError
from virtualizarr.model import (
    ArrayMetadata,
    ChunkManifest,
    Location,
    ManifestArray,
    ManifestGroup,
)
from virtualizarr.store import ManifestStore

VALUES = np.arange(6 * 8, dtype=">i4").reshape(6, 8)
CHUNKS = (2, 4)
FUSED = "zarr.core.codec_pipeline.FusedCodecPipeline"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A file holding the chunks of VALUES in C order, after 100 bytes of something else."""
    path = tmp_path / "data.bin"
    chunks = [
        VALUES[i : i + 2, j : j + 4].tobytes() for i in range(0, 6, 2) for j in range(0, 8, 4)
    ]
    path.write_bytes(bytes(100) + b"".join(chunks))
    return path


def group_over(path: Path, **evidence: object) -> ManifestGroup:
    """A tree of a virtual array that misses a chunk, an inline scalar, an empty array, a group."""
    offset = (100 + 32 * np.arange(6, dtype=np.uint64)).reshape(3, 2)
    present = np.array([[True, True], [True, True], [True, False]])
    virtual = ManifestArray(
        ArrayMetadata.create(
            shape=VALUES.shape,
            dtype=VALUES.dtype,
            chunk_shape=CHUNKS,
            fill_value=-1,
            attributes={"units": "K", "range": np.array([1, 2], "f4")},
            dimension_names=("y", "x"),
        ),
        ChunkManifest.single_file(Location(path.as_uri(), **evidence), offset, 32, present),
    )
    scalar = ManifestArray(
        ArrayMetadata.create(shape=(), dtype=np.dtype("<f8"), chunk_shape=()),
        ChunkManifest.inlined(np.float64(2.5).tobytes()),
    )
    vast = ArrayMetadata.create(shape=(10**9,), dtype=np.dtype("u1"), chunk_shape=(10,))
    empty = ManifestArray(vast, ChunkManifest.empty(vast.grid_shape))
    inner = ManifestGroup(arrays={"c": virtual}, attributes={"deep": True})
    return ManifestGroup(
        arrays={"v": virtual, "scalar": scalar, "vast": empty},
        groups={"inner": inner},
        attributes={"title": "a tree"},
    )


def expected() -> np.ndarray:
    values = VALUES.astype("i4")
    values[4:, 4:] = -1
    return values


def get(store: ManifestStore, key: str, byte_range: object = None) -> bytes | None:
    found = asyncio.run(store.get(key, default_buffer_prototype(), byte_range))
    assert store.get_sync(key, byte_range=byte_range) == found or found is not None
    return None if found is None else found.to_bytes()


async def everything(keys: object) -> list[str]:
    return [key async for key in keys]


def listed(keys: object) -> set[str]:
    found = asyncio.run(everything(keys))
    assert len(found) == len(set(found))
    return set(found)


@pytest.mark.parametrize("pipeline", ["zarr.core.codec_pipeline.BatchedCodecPipeline", FUSED])
def test_zarr_reads_the_values(data: Path, pipeline: str) -> None:
    with zarr.config.set({"codec_pipeline.path": pipeline}):
        root = zarr.open_group(ManifestStore(group_over(data)), mode="r")
        np.testing.assert_array_equal(root["v"][...], expected())
        np.testing.assert_array_equal(root["inner/c"][1:5, 3:6], expected()[1:5, 3:6])
        assert root["scalar"][()] == 2.5
        assert root["vast"][10**8 : 10**8 + 5].tolist() == [0] * 5


def test_metadata_are_what_the_group_says(data: Path) -> None:
    root = zarr.open_group(ManifestStore(group_over(data)), mode="r")
    assert dict(root.attrs) == {"title": "a tree"}
    assert root["v"].attrs.asdict() == {"units": "K", "range": [1.0, 2.0]}
    assert root["v"].metadata.dimension_names == ("y", "x")
    assert root["inner"].attrs["deep"] is True
    assert set(root.array_keys()) == {"v", "scalar", "vast"}
    assert set(root.group_keys()) == {"inner"}


def test_the_root_document_holds_the_whole_tree(data: Path) -> None:
    document = json.loads(get(ManifestStore(group_over(data)), "zarr.json"))
    assert set(document["consolidated_metadata"]["metadata"]) == {
        *("v", "scalar", "vast", "inner", "inner/c"),
    }


@pytest.mark.parametrize(
    "key",
    [
        *("nope", "nope/zarr.json", "v/nope", "v/c", "v/c/0", "v/c/0/0/0", "v/c/3/0", "v/c/2/1"),
        *("v/c/-1/0", "v/c/00/0", "v/c/+1/0", "v/c/a/b", "v/c/0/", "scalar/c/0", "vast/c/5", "c"),
        *("", "/", "zarr.jsonx", "v/.zarray", ".zgroup", "v/c/0/0/zarr.json", "v/c/٣/0"),
    ],
)
def test_absent_keys_give_none(data: Path, key: str) -> None:
    store = ManifestStore(group_over(data))
    assert get(store, key) is None
    assert not asyncio.run(store.exists(key))
    with pytest.raises(FileNotFoundError):
        asyncio.run(store.getsize(key))


@pytest.mark.parametrize(
    ("byte_range", "bounds"),
    [
        (None, (0, 32)),
        (RangeByteRequest(4, 12), (4, 12)),
        (RangeByteRequest(30, 99), (30, 32)),
        (OffsetByteRequest(20), (20, 32)),
        (SuffixByteRequest(5), (27, 32)),
        (SuffixByteRequest(500), (0, 32)),
    ],
)
def test_partial_reads(data: Path, byte_range: object, bounds: tuple[int, int]) -> None:
    store = ManifestStore(group_over(data))
    chunk = VALUES[2:4, 0:4].tobytes()
    assert get(store, "v/c/1/0", byte_range) == chunk[slice(*bounds)]
    wanted = [("v/c/1/0", byte_range), ("nope", None), ("scalar/c", RangeByteRequest(0, 4))]
    parts = asyncio.run(store.get_partial_values(default_buffer_prototype(), wanted))
    assert parts[0].to_bytes() == chunk[slice(*bounds)]
    assert parts[1] is None
    assert parts[2].to_bytes() == np.float64(2.5).tobytes()[:4]


def test_a_made_up_byte_range_is_refused(data: Path) -> None:
    with pytest.raises(TypeError, match="byte_range"):
        get(ManifestStore(group_over(data)), "v/c/0/0", (0, 2))


def test_listings(data: Path) -> None:
    store = ManifestStore(group_over(data))
    chunks = {"c/0/0", "c/0/1", "c/1/0", "c/1/1", "c/2/0"}
    documents = {
        "zarr.json",
        "v/zarr.json",
        "scalar/zarr.json",
        "vast/zarr.json",
        "inner/zarr.json",
    }
    assert listed(store.list()) == {
        *(documents | {"inner/c/zarr.json", "scalar/c"}),
        *(f"v/{chunk}" for chunk in chunks),
        *(f"inner/c/{chunk}" for chunk in chunks),
    }
    assert listed(store.list_prefix("v/c/2")) == {"v/c/2/0"}
    assert listed(store.list_prefix("sca")) == {"scalar/zarr.json", "scalar/c"}
    assert listed(store.list_dir("")) == {"zarr.json", "v", "scalar", "vast", "inner"}
    assert listed(store.list_dir("v")) == {"zarr.json", "c"}
    assert listed(store.list_dir("vast")) == {"zarr.json"}
    assert listed(store.list_dir("v/c")) == {"0", "1", "2"}
    assert listed(store.list_dir("v/c/2/")) == {"0"}
    assert listed(store.list_dir("inner/c/c")) == {"0", "1", "2"}
    assert listed(store.list_dir("nope")) == set()
    assert not asyncio.run(store.is_empty("v"))
    assert asyncio.run(store.is_empty("nope"))
    assert asyncio.run(store.getsize_prefix("scalar/c")) == 0
    assert asyncio.run(store.getsize("v/c/0/0")) == 32


def test_it_is_read_only(data: Path) -> None:
    store = ManifestStore(group_over(data))
    value = default_buffer_prototype().buffer.from_bytes(b"x")
    assert store.read_only
    assert not store.supports_writes
    assert not store.supports_deletes
    for refused in (store.set("v/c/0/0", value), store.delete("v/c/0/0")):
        with pytest.raises(ValueError, match="read-only"):
            asyncio.run(refused)
    with pytest.raises(ValueError, match="read-only"):
        store.with_read_only(False)
    assert store.with_read_only(True) == store


def test_equality_and_pickling(data: Path) -> None:
    store = ManifestStore(group_over(data))
    assert store == ManifestStore(group_over(data))
    assert store != ManifestStore(ManifestGroup())
    assert store != "store"
    again = pickle.loads(pickle.dumps(store))
    assert again == store
    np.testing.assert_array_equal(zarr.open_group(again, mode="r")["v"][...], expected())


def test_local_stores_offer_the_synchronous_path_and_remote_ones_do_not(data: Path) -> None:
    local = ManifestStore(group_over(data))
    assert isinstance(local, SupportsSyncStore)
    assert local._supports_sync_io
    remote = group_over(data).rename_paths("https://example.org/data.bin")
    assert not ManifestStore(remote)._supports_sync_io


def test_a_file_that_ends_inside_a_chunk_is_noticed(data: Path) -> None:
    data.write_bytes(data.read_bytes()[: 100 + 32 * 4 + 7])
    root = zarr.open_group(ManifestStore(group_over(data)), mode="r")
    np.testing.assert_array_equal(root["v"][:4], VALUES[:4])
    with pytest.raises(CorruptFileError, match=r"data\.bin.*32 bytes expected, 7 found"):
        root["v"][4:]


def test_a_file_that_changed_since_it_was_parsed_is_not_read(data: Path) -> None:
    size = data.stat().st_size
    root = zarr.open_group(ManifestStore(group_over(data, size=size)), mode="r")
    np.testing.assert_array_equal(root["v"][...], expected())
    root = zarr.open_group(ManifestStore(group_over(data, size=size + 1)), mode="r")
    with pytest.raises(ChangedSourceError, match=rf"size was {size + 1}, is {size}"):
        root["v"][...]


def test_a_file_that_is_gone_is_named(data: Path) -> None:
    root = zarr.open_group(ManifestStore(group_over(data)), mode="r")
    data.unlink()
    with pytest.raises(SourceNotFoundError, match=r"data\.bin"):
        root["v"][...]
