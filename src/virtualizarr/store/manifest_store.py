"""ManifestStore: what zarr opens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable
from typing import TYPE_CHECKING, Any, NoReturn

import zarr
from zarr.abc.store import (
    ByteRequest,
    OffsetByteRequest,
    RangeByteRequest,
    Store,
    SuffixByteRequest,
)
from zarr.buffer import default_buffer_prototype

from virtualizarr.errors import VirtualizeError
from virtualizarr.model import Location, ManifestGroup, RectilinearGrid
from virtualizarr.source.access import Access
from virtualizarr.source.policy import AllowedLocations, named
from virtualizarr.store.chunks import Fetcher, FileSource, Reference, lookup
from virtualizarr.store.documents import array_document, consolidated_document, dumps
from virtualizarr.store.nodes import Tree, subtree
from virtualizarr.views import view

if TYPE_CHECKING:
    from zarr.abc.buffer import Buffer, BufferPrototype

LOCAL_SCHEME = "file://"


class ManifestStore(Store):
    """A read-only Zarr v3 store over a `ManifestGroup`.

    Metadata come from the group, chunks from the files that its manifests refer to. Absent keys
    give None. Reading a chunk raises `ChangedSourceError` if its file is not the one that was
    parsed, `CorruptFileError` if the file ends inside the chunk, `SourceError` if it cannot be
    read.

    `registry` (an `obspec_utils.registry.ObjectStoreRegistry`) says which object stores to read
    from; without it they are made from the URLs, the environment and `storage_options`.
    `allowed_locations` says where references that came out of a file may lead, as in
    `virtualizarr.open_store`; reading one that leads elsewhere raises `ForbiddenReferenceError`.

    A store of arrays with uneven chunks switches on zarr's setting `array.rectilinear_chunks`,
    which zarr asks for before it reads them.
    """

    def __init__(
        self,
        group: ManifestGroup,
        *,
        registry: Any = None,
        storage_options: dict[str, Any] | None = None,
        allowed_locations: AllowedLocations | None = None,
    ) -> None:
        super().__init__(read_only=True)
        self._group = group
        self._registry = registry
        self._storage_options = storage_options
        self._allowed = named(allowed_locations)
        self._access = Access.of(registry, storage_options, self._allowed)
        self._tree = Tree(group)
        self._documents: dict[str, bytes] = {}
        self._fetcher = Fetcher(self._open_source)
        if any(
            isinstance(array.metadata.chunk_grid, RectilinearGrid)
            for array in self._tree.arrays.values()
        ):
            zarr.config.set({"array.rectilinear_chunks": True})
        self._is_local = (-1, False)

    @property
    def group(self) -> ManifestGroup:
        """What the store shows."""
        return self._group

    @property
    def nbytes_virtual(self) -> int:
        """Bytes that the references take in memory."""
        return self._group.nbytes_virtual

    def to_virtual_dataset(
        self,
        group: str = "",
        loadable_variables: Collection[str] | None = None,
        decode_times: Any = None,
    ) -> Any:
        """Return a group as a virtual `xr.Dataset`; see `open_virtual_dataset`."""
        return self._view("dataset", group, loadable_variables, decode_times)

    def to_virtual_datatree(
        self,
        group: str = "",
        *,
        loadable_variables: Collection[str] | None = None,
        decode_times: Any = None,
    ) -> Any:
        """Return all groups as a virtual `xr.DataTree`; see `open_virtual_datatree`."""
        return self._view("datatree", group, loadable_variables, decode_times)

    def to_icechunk(self, store: Any, **options: Any) -> str | None:
        """Write the references into Icechunk without xarray; see `writers.icechunk.write`."""
        return self._group.to_icechunk(store, **options)

    def _view(
        self, name: str, group: str, loadable: Collection[str] | None, decode_times: Any
    ) -> Any:
        return view(
            name,
            self,
            registry=self._registry,
            group=group,
            loadable_variables=loadable,
            decode_times=decode_times,
            storage_options=self._storage_options,
            allowed_locations=self._allowed,
        )

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ManifestStore)
            and self._group == other._group
            and self._registry == other._registry
            and self._storage_options == other._storage_options
            and self._allowed == other._allowed
        )

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self._group, self._registry, self._storage_options, self._allowed))

    def __str__(self) -> str:
        return f"manifest://{id(self._group)}"

    def __repr__(self) -> str:
        return f"ManifestStore({len(self._tree.arrays)} arrays, {len(self._tree.groups)} groups)"

    def with_read_only(self, read_only: bool = False) -> ManifestStore:
        if not read_only:
            self._check_writable()
        return _rebuild(self._group, self._registry, self._storage_options, self._allowed)

    @property
    def supports_writes(self) -> bool:
        return False

    @property
    def supports_deletes(self) -> bool:
        return False

    @property
    def supports_listing(self) -> bool:
        return True

    @property
    def reads_blocking(self) -> bool:
        """Whether chunks are best read one by one, as those of local files are.

        Remote chunks are better fetched many at a time, which the asynchronous path does. While
        references are still to be read, those that are known decide, if there are any.
        """
        arrays = self._tree.arrays.values()
        pending = sum(array.is_pending for array in arrays)
        if self._is_local[0] != pending:
            known = [each for a in arrays if not a.is_pending for each in a.manifest.locations]
            is_local = all(location.url.startswith(LOCAL_SCHEME) for location in known)
            self._is_local = (pending, is_local and (bool(known) or not pending))
        return self._is_local[1]

    @property
    def _supports_sync_io(self) -> bool:
        """Tell zarr's fused pipeline whether to read without an event loop."""
        return self.reads_blocking

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        found = self._find(key)
        if isinstance(found, Reference):
            start, stop = _bounds(byte_range, found.length)
            return prototype.buffer.from_bytes(await self._fetcher.read_async(found, start, stop))
        return _part(found, prototype, byte_range)

    def get_sync(
        self,
        key: str,
        *,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Read a key without an event loop."""
        prototype = prototype if prototype is not None else default_buffer_prototype()
        found = self._find(key)
        if isinstance(found, Reference):
            start, stop = _bounds(byte_range, found.length)
            return prototype.buffer.from_bytes(self._fetcher.read(found, start, stop))
        return _part(found, prototype, byte_range)

    async def get_partial_values(
        self,
        prototype: BufferPrototype,
        key_ranges: Iterable[tuple[str, ByteRequest | None]],
    ) -> list[Buffer | None]:
        wanted = [self.get(key, prototype, byte_range) for key, byte_range in key_ranges]
        return list(await asyncio.gather(*wanted))

    async def exists(self, key: str) -> bool:
        return self._find(key) is not None

    async def getsize(self, key: str) -> int:
        found = self._find(key)
        if found is None:
            raise FileNotFoundError(key)
        return found.length if isinstance(found, Reference) else len(found)

    async def list(self) -> AsyncIterator[str]:
        for key in self._tree.keys():  # noqa: SIM118 -- a method of Tree, which is no dict
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        for key in self._tree.keys(prefix):
            yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        for name in self._tree.entries(prefix.rstrip("/")):
            yield name

    async def set(self, key: str, value: Buffer) -> None:
        self.set_sync(key, value)

    async def delete(self, key: str) -> None:
        self.delete_sync(key)

    def set_sync(self, key: str, value: Buffer) -> NoReturn:
        """Refuse: the store is read-only. Its presence lets zarr use `get_sync`."""
        del key, value
        self._refuse()

    def delete_sync(self, key: str) -> NoReturn:
        """Refuse: the store is read-only. Its presence lets zarr use `get_sync`."""
        del key
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise ValueError("store was opened in read-only mode and does not support writing")

    def _find(self, key: str) -> Reference | memoryview | bytes | None:
        chunk = self._tree.chunk_of(key)
        if chunk is not None:
            return lookup(self._tree.arrays[chunk.path].manifest, chunk.cell)
        path = self._tree.node_of_document(key)
        if path is None:
            return None
        document = self._documents.get(path)
        if document is None:
            document = self._documents[path] = self._document(path)
        return document

    def _document(self, path: str) -> bytes:
        if path in self._tree.arrays:
            try:
                return dumps(array_document(self._tree.arrays[path], limited=True))
            except VirtualizeError as error:
                raise error.located(node=path) from error.__cause__
        below = subtree(self._tree, path)
        return dumps(consolidated_document(self._tree.groups[path], below, limited=True))

    def _open_source(self, location: Location) -> FileSource:
        return self._access.open(location.url, location.referrer, cache=False)


def _rebuild(
    group: ManifestGroup,
    registry: Any,
    storage_options: dict[str, Any] | None,
    allowed_locations: AllowedLocations | None,
) -> ManifestStore:
    return ManifestStore(
        group,
        registry=registry,
        storage_options=storage_options,
        allowed_locations=allowed_locations,
    )


def _part(
    value: memoryview | bytes | None, prototype: BufferPrototype, byte_range: ByteRequest | None
) -> Buffer | None:
    if value is None:
        return None
    start, stop = _bounds(byte_range, len(value))
    return prototype.buffer.from_bytes(value[start:stop])


def _bounds(byte_range: ByteRequest | None, size: int) -> tuple[int, int]:
    """Return where in a value of `size` bytes a request begins and ends."""
    match byte_range:
        case None:
            return 0, size
        case RangeByteRequest(start, end):
            return min(start, size), max(min(start, size), min(end, size))
        case OffsetByteRequest(offset):
            return min(offset, size), size
        case SuffixByteRequest(suffix):
            return max(0, size - suffix), size
    raise TypeError(f"Unexpected byte_range, got {byte_range!r}")
