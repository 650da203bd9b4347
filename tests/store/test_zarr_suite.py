"""zarr's own tests of stores, as far as they are meant for a store that cannot be written to.

Its keys are those of a tree of arrays here, since a `ManifestStore` has no others. The tests that
write through the store are replaced by ones that find it read-only.
"""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.buffer import cpu, default_buffer_prototype
from zarr.testing.store import StoreTests

from virtualizarr.model import (
    INLINE,
    MISSING,
    ArrayMetadata,
    ChunkManifest,
    Location,
    ManifestArray,
    ManifestGroup,
)
from virtualizarr.store import ManifestStore

DATA = b"\x01\x02\x03\x04"
KEYS = ["foo/c/0", "foo/c/7", "bar/baz/c/1/0"]
SHAPES = {"foo": (10,), "bar/baz": (3, 2)}
RANGES = [None, RangeByteRequest(1, 4), OffsetByteRequest(1), SuffixByteRequest(1)]


class ManifestStoreSuite(StoreTests[ManifestStore, cpu.Buffer]):
    """zarr's suite; `set` puts a chunk into the tree that a store shows."""

    store_cls = ManifestStore
    buffer_cls = cpu.Buffer

    @pytest.fixture
    def store_kwargs(self, tmp_path: Path) -> dict[str, Any]:
        self.folder = tmp_path
        return {"group": ManifestGroup()}

    @pytest.fixture
    def store(self, open_kwargs: dict[str, Any]) -> ManifestStore:  # type: ignore[override]
        return asyncio.run(self.store_cls.open(**open_kwargs))

    @pytest.fixture
    def store_not_open(self, store_kwargs: dict[str, Any]) -> ManifestStore:  # type: ignore[override]
        return self.store_cls(**store_kwargs)

    def manifest_with(self, manifest: ChunkManifest, cell: tuple[int, ...], data: bytes) -> Any:
        raise NotImplementedError

    async def set(self, store: ManifestStore, key: str, value: cpu.Buffer) -> None:
        path, _, indices = key.rpartition("/c/")
        cell = tuple(map(int, indices.split("/")))
        tree = with_chunk(store.group, path, cell, value.to_bytes(), self.manifest_with)
        ManifestStore.__init__(store, tree)

    async def get(self, store: ManifestStore, key: str) -> cpu.Buffer:
        raise NotImplementedError

    def test_store_repr(self, store: ManifestStore) -> None:
        assert repr(store) == "ManifestStore(0 arrays, 1 groups)"

    def test_store_supports_writes(self, store: ManifestStore) -> None:
        assert not store.supports_writes
        assert not store.supports_deletes

    def test_store_supports_listing(self, store: ManifestStore) -> None:
        assert store.supports_listing

    def test_store_read_only(self, store: ManifestStore) -> None:
        assert store.read_only
        with pytest.raises(AttributeError):
            store.read_only = False  # type: ignore[misc]

    async def test_serializable_store(self, store: ManifestStore) -> None:
        await self.set(store, "foo/c/0", self.buffer_cls.from_bytes(DATA))
        again = pickle.loads(pickle.dumps(store))
        assert again == store
        assert again.read_only
        observed = await again.get("foo/c/0", prototype=default_buffer_prototype())
        assert observed.to_bytes() == DATA

    @pytest.mark.parametrize("read_only", [True])
    async def test_store_open_read_only(self, open_kwargs: dict[str, Any], read_only: bool) -> None:
        store = await self.store_cls.open(**open_kwargs)
        assert store._is_open
        assert store.read_only == read_only

    async def test_read_only_store_raises(self, open_kwargs: dict[str, Any]) -> None:
        store = await self.store_cls.open(**open_kwargs)
        await refuses_writes(store)

    async def test_with_read_only_store(self, open_kwargs: dict[str, Any]) -> None:
        store = await self.store_cls.open(**open_kwargs)
        with pytest.raises(ValueError, match="read-only"):
            store.with_read_only(read_only=False)
        reader = store.with_read_only(read_only=True)
        assert reader == store
        await refuses_writes(reader)

    @pytest.mark.parametrize("key", KEYS)
    @pytest.mark.parametrize(
        ("data", "byte_range"), [*((DATA, one) for one in RANGES), (b"", None)]
    )
    async def test_get(
        self, store: ManifestStore, key: str, data: bytes, byte_range: ByteRequest
    ) -> None:
        await super().test_get(store, key, data, byte_range)

    async def test_get_not_open(self, store_not_open: ManifestStore) -> None:
        assert not store_not_open._is_open
        await self.set(store_not_open, "foo/c/0", self.buffer_cls.from_bytes(DATA))
        observed = await store_not_open.get("foo/c/0", prototype=default_buffer_prototype())
        assert observed is not None
        assert observed.to_bytes() == DATA

    async def test_get_raises(self, store: ManifestStore) -> None:
        await self.set(store, "foo/c/0", self.buffer_cls.from_bytes(DATA))
        with pytest.raises((ValueError, TypeError), match=r"Unexpected byte_range, got.*"):
            await store.get("foo/c/0", prototype=default_buffer_prototype(), byte_range=(0, 2))  # type: ignore[arg-type]

    async def test_get_many(self, store: ManifestStore) -> None:
        wanted = {f"foo/c/{i}": f"{i}".encode() for i in range(10)}
        for key, value in wanted.items():
            await self.set(store, key, self.buffer_cls.from_bytes(value))
        asked = ((key, default_buffer_prototype(), None) for key in wanted)
        found = {key: buffer async for key, buffer in store._get_many(asked)}
        assert {key: buffer.to_bytes() for key, buffer in found.items() if buffer} == wanted

    @pytest.mark.parametrize("key", KEYS)
    @pytest.mark.parametrize("data", [DATA, b""])
    async def test_getsize(self, store: ManifestStore, key: str, data: bytes) -> None:
        await super().test_getsize(store, key, data)

    async def test_getsize_prefix(self, store: ManifestStore) -> None:
        for i in range(4):
            await self.set(store, f"foo/c/{i}", self.buffer_cls.from_bytes(DATA))
        await self.set(store, "bar/baz/c/0/0", self.buffer_cls.from_bytes(DATA))
        assert await store.getsize_prefix("foo/c") == 4 * len(DATA)

    async def test_exists(self, store: ManifestStore) -> None:
        assert not await store.exists("foo")
        assert not await store.exists("foo/c/0")
        await self.set(store, "foo/c/0", self.buffer_cls.from_bytes(DATA))
        for key in ("zarr.json", "foo/zarr.json", "foo/c/0"):
            assert await store.exists(key)
        for key in ("foo", "foo/c", "foo/c/1"):
            assert not await store.exists(key)

    async def test_is_empty(self, store: ManifestStore) -> None:
        assert not await store.is_empty("")
        assert await store.is_empty("foo")
        await self.set(store, "foo/c/0", self.buffer_cls.from_bytes(DATA))
        assert await store.is_empty("fo")
        assert not await store.is_empty("foo/")
        assert not await store.is_empty("foo")
        assert await store.is_empty("spam/")

    async def test_list(self, store: ManifestStore) -> None:
        assert await everything(store.list()) == ["zarr.json"]
        for key in KEYS:
            await self.set(store, key, self.buffer_cls.from_bytes(DATA))
        documents = ["zarr.json", "foo/zarr.json", "bar/zarr.json", "bar/baz/zarr.json"]
        assert await everything(store.list()) == sorted([*KEYS, *documents])

    async def test_list_prefix(self, store: ManifestStore) -> None:
        for key in KEYS:
            await self.set(store, key, self.buffer_cls.from_bytes(DATA))
        whole = await everything(store.list())
        for prefix in ("", "f", "foo", "foo/", "foo/c/7", "bar/baz/c/1", "zarr", "none"):
            expected = [key for key in whole if key.startswith(prefix)]
            assert await everything(store.list_prefix(prefix)) == expected

    async def test_list_empty_path(self, store: ManifestStore) -> None:
        await self.test_list_prefix(store)

    async def test_list_dir(self, store: ManifestStore) -> None:
        assert await everything(store.list_dir("")) == ["zarr.json"]
        for key in KEYS:
            await self.set(store, key, self.buffer_cls.from_bytes(DATA))
        whole = await everything(store.list())
        for root in ("", "foo", "foo/c", "bar", "bar/baz", "bar/baz/c", "bar/baz/c/1", "none"):
            below = [key.removeprefix(f"{root}/") for key in whole if key.startswith(f"{root}/")]
            names = {key.split("/")[0] for key in (below if root else whole)}
            assert await everything(store.list_dir(root)) == sorted(names)
            assert await everything(store.list_dir(f"{root}/")) == sorted(names)

    @pytest.mark.parametrize(
        "key_ranges",
        [
            [],
            [("foo/zarr.json", RangeByteRequest(0, 2))],
            [("foo/c/0", RangeByteRequest(0, 2)), ("zarr.json", None)],
            [("foo/c/0", SuffixByteRequest(1)), ("bar/baz/c/1/0", OffsetByteRequest(2))],
        ],
    )
    async def test_get_partial_values(
        self, store: ManifestStore, key_ranges: list[tuple[str, ByteRequest]]
    ) -> None:
        for key in KEYS:
            await self.set(store, key, self.buffer_cls.from_bytes(key.encode()))
        prototype = default_buffer_prototype()
        found = await store.get_partial_values(prototype, (each for each in key_ranges))
        wanted = [await store.get(key, prototype, byte_range) for key, byte_range in key_ranges]
        assert [each.to_bytes() for each in found] == [each.to_bytes() for each in wanted]

    def test_get_sync(self, store: ManifestStore) -> None:
        asyncio.run(self.set(store, "foo/c/0", self.buffer_cls.from_bytes(DATA)))
        found = store.get_sync("foo/c/0")
        assert found is not None
        assert found.to_bytes() == DATA

    @pytest.mark.parametrize("byte_range", [*RANGES, RangeByteRequest(10, 20)])
    async def test_get_sync_byte_range_parity(
        self, store: ManifestStore, byte_range: ByteRequest | None
    ) -> None:
        await self.set(store, "foo/c/0", self.buffer_cls.from_bytes(DATA))
        found = store.get_sync("foo/c/0", byte_range=byte_range)
        again = await store.get("foo/c/0", default_buffer_prototype(), byte_range)
        assert found is not None
        assert again is not None
        assert found.to_bytes() == again.to_bytes()

    async def test_writing_in_any_way_is_refused(self, store: ManifestStore) -> None:
        """In place of zarr's tests that write through the store."""
        await refuses_writes(store)
        value = self.buffer_cls.from_bytes(DATA)
        for attempt in (
            lambda: store.set_if_not_exists("foo/c/0", value),
            lambda: store._set_many([("foo/c/0", value)]),
            lambda: store.clear(),
            lambda: store.delete_dir("foo"),
        ):
            with pytest.raises((ValueError, NotImplementedError)):
                await attempt()
        for refused in (lambda: store.set_sync("a", value), lambda: store.delete_sync("a")):
            with pytest.raises(ValueError, match="read-only"):
                refused()
        with pytest.raises(ValueError, match="read-only"):
            zarr.create_group(store)

    test_delete = test_delete_dir = test_delete_nonexistent_key_does_not_raise = None
    test_set = test_set_not_open = test_set_many = test_clear = None
    test_set_if_not_exists = test_set_sync = test_delete_sync = test_delete_sync_missing = None
    test_sync_async_set_get_parity = test_delete_sync_visible_to_async_get = None


class TestInlineChunks(ManifestStoreSuite):
    """Chunks held in the manifest."""

    def manifest_with(self, manifest: ChunkManifest, cell: tuple[int, ...], data: bytes) -> Any:
        codes, offset, length = (
            np.array(column)
            for column in (manifest.location, manifest.offset, manifest.length.astype("u8"))
        )
        codes[cell], offset[cell], length[cell] = INLINE, len(manifest.inline), len(data)
        inline = bytes(manifest.inline) + data
        return ChunkManifest.from_columns((), codes, offset, length, inline)


class TestReferredChunks(ManifestStoreSuite):
    """Chunks in a file, after something else."""

    def manifest_with(self, manifest: ChunkManifest, cell: tuple[int, ...], data: bytes) -> Any:
        path = self.folder / "-".join(map(str, ("chunk", len(manifest.locations), *cell)))
        path.write_bytes(b"head" + data + b"tail")
        codes, offset, length = (
            np.array(column)
            for column in (manifest.location, manifest.offset, manifest.length.astype("u8"))
        )
        codes[cell], offset[cell], length[cell] = len(manifest.locations), 4, len(data)
        files = (*manifest.locations, Location(path.as_uri()))
        return ChunkManifest.from_columns(files, codes, offset, length, b"")


def with_chunk(
    tree: ManifestGroup, path: str, cell: tuple[int, ...], data: bytes, place: Callable[..., Any]
) -> ManifestGroup:
    """Return the tree with a chunk put into the array at `path`, made if it is not there."""
    first, _, rest = path.partition("/")
    if rest:
        inner = tree.groups.get(first, ManifestGroup())
        child = with_chunk(inner, rest, cell, data, place)
        return ManifestGroup(tree.arrays, {**tree.groups, first: child}, tree.attributes)
    shape = next(shape for name, shape in SHAPES.items() if name.endswith(first))
    metadata = ArrayMetadata.create(
        shape=shape, dtype=np.dtype("u1"), chunk_shape=(1,) * len(shape)
    )
    empty = ChunkManifest.from_columns(
        (), np.full(shape, MISSING), np.zeros(shape, "u8"), np.zeros(shape, "u8"), b""
    )
    manifest = tree.arrays[first].manifest if first in tree.arrays else empty
    array = ManifestArray(metadata, place(manifest, cell, data))
    return ManifestGroup({**tree.arrays, first: array}, tree.groups, tree.attributes)


async def refuses_writes(store: ManifestStore) -> None:
    assert store.read_only
    message = "store was opened in read-only mode and does not support writing"
    with pytest.raises(ValueError, match=message):
        await store.set("foo", cpu.Buffer.from_bytes(b"bar"))
    with pytest.raises(ValueError, match=message):
        await store.delete("foo")


async def everything(keys: Any) -> list[str]:
    """Return what an async iterator yields, sorted; nothing comes twice."""
    found = [key async for key in keys]
    assert len(found) == len(set(found))
    return sorted(found)
