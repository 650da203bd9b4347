"""Putting arrays and groups into an Icechunk session: documents, references, inline chunks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from zarr.buffer import default_buffer_prototype

from virtualizarr.errors import AlreadyExistsError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.model import INLINE, MISSING, ChunkManifest, ManifestArray, ManifestGroup
from virtualizarr.model.append import Placement
from virtualizarr.model.columns import thin
from virtualizarr.source.background import REQUESTS
from virtualizarr.store.documents import array_document, dumps, group_document
from virtualizarr.writers.icechunk.checksums import checksum_of
from virtualizarr.writers.icechunk.importing import import_icechunk
from virtualizarr.writers.icechunk.references import REFS_PER_CALL, Box, References, references

if TYPE_CHECKING:
    from icechunk import IcechunkStore

DOCUMENT = "zarr.json"
MAX_IN_FLIGHT = 64


@dataclass(frozen=True, slots=True)
class Work:
    """One array's chunks to be put, from chunk index `start` on; `path` has no leading slash.

    With `clear`, chunks that are missing here are removed there.
    """

    path: str
    manifest: ChunkManifest
    start: tuple[int, ...]
    clear: bool = False


class Putter:
    """Puts chunks into the store of a session.

    `advance` is called after every `limit` references or so, and returns the store to go on with;
    without it everything goes into one session.
    """

    def __init__(
        self,
        store: IcechunkStore,
        *,
        validate_containers: bool = True,
        last_updated_at: datetime | None = None,
        advance: Callable[[], IcechunkStore] | None = None,
        limit: int = REFS_PER_CALL,
    ) -> None:
        self.store = store
        self._validate = validate_containers
        self._last_updated_at = last_updated_at
        self._advance = advance
        self._limit = limit
        self._put = 0

    def chunks(self, work: Work) -> None:
        """Put all chunks of one piece of work; missing ones are left out.

        Raises UnsupportedFeatureError, naming the file, where no container covers a location.
        """
        manifest = work.manifest
        checksums = [checksum_of(file, self._last_updated_at) for file in manifest.locations]
        try:
            if work.clear:
                self._remove_missing(work)
            if manifest.locations:
                for part in references(manifest, work.start, checksums):
                    self._count(len(part.urls))
                    self._put_references(work.path, part)
            if (thin(manifest.location) == INLINE).any():
                self._put_inline(work)
        except VirtualizeError as error:
            raise error.located(node=work.path) from error.__cause__

    def _count(self, references: int) -> None:
        if self._advance is not None and self._put and self._put + references > self._limit:
            self.store = self._advance()
            self._put = 0
        self._put += references

    def _put_references(self, path: str, part: References) -> None:
        if isinstance(part, Box):
            failed = self.store.set_virtual_refs_arr(
                path,
                part.shape,
                part.urls,
                np.require(part.offset, requirements=("C", "A")),  # unpickled ones lie anywhere
                np.require(part.length, requirements=("C", "A")),
                validate_containers=self._validate,
                arr_offset=part.start,
                checksum=part.checksum,
            )
        else:
            etags = [each if isinstance(each, str) else None for each in part.checksum]
            times = [each if isinstance(each, datetime) else None for each in part.checksum]
            spec = import_icechunk().VirtualChunkSpec
            specs = list(map(spec, part.index, part.urls, part.offset, part.length, etags, times))
            failed = self.store.set_virtual_refs(path, specs, validate_containers=self._validate)
        if failed:
            raise _without_container(part, tuple(failed[0]))

    def _remove_missing(self, work: Work) -> None:
        missing = np.argwhere(work.manifest.location == MISSING) + np.array(work.start, np.int64)
        keys = ["/".join([work.path, "c", *map(str, cell)]) for cell in missing.tolist()]

        async def delete_all() -> None:
            for at in range(0, len(keys), MAX_IN_FLIGHT):
                part = keys[at : at + MAX_IN_FLIGHT]
                await asyncio.gather(*map(self.store.delete, part))

        REQUESTS.run(delete_all())

    def _put_inline(self, work: Work) -> None:
        manifest = work.manifest
        held = manifest.location == INLINE
        if (held & (manifest.length == 0)).any():
            raise UnsupportedFeatureError("a chunk of no bytes is not kept by Icechunk")
        cells = np.argwhere(held) + np.array(work.start, np.int64)
        ranges = zip(manifest.offset[held].tolist(), manifest.length[held].tolist(), strict=True)
        data = memoryview(manifest.inline)
        set_values(
            self.store,
            [
                ("/".join([work.path, "c", *map(str, cell)]), data[at : at + size])
                for cell, (at, size) in zip(cells.tolist(), ranges, strict=True)
            ],
        )


def _without_container(part: References, index: tuple[int, ...]) -> UnsupportedFeatureError:
    if isinstance(part, Box):
        local = tuple(i - at for i, at in zip(index, part.start, strict=True))
        url = part.urls[int(np.ravel_multi_index(local, part.shape)) if part.shape else 0]
    else:
        url = part.urls[part.index.index(list(index))]
    return UnsupportedFeatureError(
        "no virtual chunk container of the repository covers this file; add one to its "
        "configuration (icechunk.VirtualChunkContainer), or write to the repository by its path or "
        "URL, which adds it",
        url=url,
    )


def set_values(store: IcechunkStore, rows: Sequence[tuple[str, bytes | memoryview]]) -> None:
    """Put values under their keys, some at a time."""
    to_buffer = default_buffer_prototype().buffer.from_bytes

    async def put_all() -> None:
        for at in range(0, len(rows), MAX_IN_FLIGHT):
            part = rows[at : at + MAX_IN_FLIGHT]
            await asyncio.gather(*(store.set(key, to_buffer(bytes(data))) for key, data in part))

    REQUESTS.run(put_all())


def get_value(store: IcechunkStore, key: str) -> bytes | None:
    """Return the value under a key; None where there is none."""
    found = REQUESTS.run(store.get(key, default_buffer_prototype()))
    return None if found is None else found.to_bytes()


def put_documents(store: IcechunkStore, group: ManifestGroup, path: str, mode: str) -> list[Work]:
    """Put the `zarr.json` of all nodes of a tree at `path`; return the chunks that are to follow.

    `mode` "w" removes what is there, "w-" refuses with AlreadyExistsError if there is anything, "a"
    replaces arrays of the same names and keeps the others.
    """
    key = f"{path}/{DOCUMENT}" if path else DOCUMENT
    there = get_value(store, key)
    if mode == "w-" and there is not None and not _is_bare(store, path, there):
        raise AlreadyExistsError(
            f"there is already a group at {path!r}; use mode='w' to replace it or mode='a' to add "
            "to it"
        )
    if mode == "w":
        _delete(store, path)
    rows = list(_parents(store, path))
    work: list[Work] = []
    todo = [(path, group)]
    while todo:
        at, node = todo.pop()
        prefix = f"{at}/" if at else ""
        rows.append((prefix + DOCUMENT, dumps(group_document(node))))
        for name, array in node.arrays.items():
            if mode == "a":
                _delete(store, prefix + name)
            rows.append((f"{prefix}{name}/{DOCUMENT}", document_of(array, prefix + name)))
            work.append(Work(prefix + name, array.manifest, (0,) * array.ndim))
        todo += [(prefix + name, child) for name, child in node.groups.items()]
    set_values(store, rows)
    return work


def put_placements(
    store: IcechunkStore, placements: Sequence[Placement], path: str, *, clear: bool
) -> list[Work]:
    """Put the changed `zarr.json` of arrays below `path`; return the chunks that are to follow."""
    prefix = f"{path}/" if path else ""
    rows: list[tuple[str, bytes]] = []
    work: list[Work] = []
    for placement in placements:
        at, metadata = prefix + placement.path, placement.metadata
        blank = ManifestArray(metadata, ChunkManifest.empty(metadata.grid_shape))
        rows.append((f"{at}/{DOCUMENT}", document_of(blank, at)))
        work.append(Work(at, placement.manifest, placement.start, clear))
    set_values(store, rows)
    return work


def document_of(array: ManifestArray, path: str) -> bytes:
    """Return an array's `zarr.json`. Raises UnsupportedFeatureError for attributes without JSON."""
    try:
        return dumps(array_document(array))
    except TypeError as error:
        raise UnsupportedFeatureError(f"cannot be written as JSON: {error}", node=path) from error


def _is_bare(store: IcechunkStore, path: str, document: bytes) -> bool:
    """Say whether a group holds nothing: no attributes and no nodes, as made with its children."""
    loaded: dict[str, Any] = orjson.loads(document)
    if loaded.get("node_type") != "group" or loaded.get("attributes"):
        return False

    async def names() -> list[str]:
        return [name async for name in store.list_dir(path)]

    return set(REQUESTS.run(names())) <= {DOCUMENT}


def _delete(store: IcechunkStore, path: str) -> None:
    REQUESTS.run(store.delete_dir(path) if path else store.clear())


def _parents(store: IcechunkStore, path: str) -> Iterator[tuple[str, bytes]]:
    """Yield documents of the groups above `path` that are not there yet."""
    parts = path.split("/") if path else []
    for depth in range(len(parts)):
        key = "/".join([*parts[:depth], DOCUMENT])
        if get_value(store, key) is None:
            yield key, dumps(group_document(ManifestGroup()))
