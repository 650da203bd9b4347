"""What a session holds already, as a tree of arrays whose references are read when looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import orjson
from zarr.buffer import default_buffer_prototype

from virtualizarr.errors import CombineError, CorruptFileError
from virtualizarr.model import (
    INLINE,
    MISSING,
    ArrayMetadata,
    ChunkManifest,
    Location,
    ManifestArray,
    ManifestGroup,
)
from virtualizarr.model.cf_fill import decode_cf_fill
from virtualizarr.model.columns import narrowed
from virtualizarr.source.background import REQUESTS
from virtualizarr.writers.icechunk.nodes import DOCUMENT, MAX_IN_FLIGHT, get_value

if TYPE_CHECKING:
    from icechunk import IcechunkStore

NATIVE, VIRTUAL = 1, 2
NATIVE_URL = "icechunk:"
SMALL = 64 * 1024 * 1024


class StoredArray(ManifestArray):
    """An array in a session; its manifest is read when first asked for."""

    __slots__ = ("_path", "_store")

    def __init__(self, metadata: ArrayMetadata, store: IcechunkStore, path: str) -> None:
        super().__init__(metadata, ChunkManifest.empty(metadata.grid_shape))
        self._path = path
        self._store: IcechunkStore | None = store

    @property
    def manifest(self) -> ChunkManifest:
        if self._store is not None:
            self._manifest = _manifest(self._store, self._path, self._metadata)
            self._store = None
        return self._manifest


def existing_group(store: IcechunkStore, path: str, like: ManifestGroup) -> ManifestGroup:
    """Return what is stored at `path`: its arrays, and the groups that `like` has.

    Raises CombineError where there is no group.
    """
    key = f"{path}/{DOCUMENT}" if path else DOCUMENT
    document = get_value(store, key)
    if document is None:
        raise CombineError(f"there is no group at {path!r} to append to or to write a region of")
    prefix = f"{path}/" if path else ""
    arrays: dict[str, ManifestArray] = {}
    for name in REQUESTS.run(_names(store, path)):
        found = get_value(store, f"{prefix}{name}/{DOCUMENT}")
        child: dict[str, Any] = orjson.loads(found) if found is not None else {}
        if child.get("node_type") == "array":
            metadata = ArrayMetadata.from_json(child)
            attributes = decode_cf_fill(metadata.attributes, metadata.dtype)
            arrays[name] = StoredArray(
                metadata.replace(attributes=attributes), store, prefix + name
            )
    groups = {
        name: existing_group(store, prefix + name, child) for name, child in like.groups.items()
    }
    return ManifestGroup(arrays, groups, orjson.loads(document).get("attributes"))


async def _names(store: IcechunkStore, path: str) -> list[str]:
    return sorted([name async for name in store.list_dir(path) if name != DOCUMENT])


def _manifest(store: IcechunkStore, path: str, metadata: ArrayMetadata) -> ChunkManifest:
    """Read the references of one array. Small native chunks are read too and become inline."""
    return REQUESTS.run(_read_manifest(store, path, metadata.grid_shape))


async def _read_manifest(store: IcechunkStore, path: str, grid: tuple[int, ...]) -> ChunkManifest:
    location = np.full(grid, MISSING, np.uint32)
    offset, length = np.zeros(grid, np.uint64), np.zeros(grid, np.uint64)
    codes: dict[str, int] = {}
    inline: list[bytes] = []
    at = 0
    batches = store.array_chunk_iterator(path)
    async for cells, kinds, urls, offsets, lengths, inlined in batches:
        if (cells >= np.array(grid, np.uint64)).any():
            raise CorruptFileError(f"a chunk lies outside the chunk grid of {grid}", node=path)
        where = tuple(cells.T.astype(np.int64))
        names = _names_of(kinds, urls)
        for name in dict.fromkeys(names):
            codes.setdefault(name, len(codes))
        location[where] = np.fromiter(map(codes.__getitem__, names), np.uint32, len(names))
        offset[where], length[where] = offsets, lengths
        held = dict(inlined)
        if int(lengths[kinds == NATIVE].sum()) <= SMALL:
            held.update(await _native(store, path, cells, np.flatnonzero(kinds == NATIVE)))
        for row, data in held.items():
            cell = tuple(cells[row].tolist())
            location[cell], offset[cell], length[cell] = INLINE, at, len(data)
            inline.append(data)
            at += len(data)
    locations = tuple(map(Location, codes))
    manifest = ChunkManifest.from_columns(
        locations, location, offset, narrowed(length), b"".join(inline)
    )
    return manifest.compacted()


def _names_of(kinds: npt.NDArray[np.uint8], urls: Sequence[str]) -> Sequence[str]:
    if (kinds == VIRTUAL).all():
        return urls
    native = (kinds == NATIVE).tolist()
    return [f"{NATIVE_URL}{url}" if own else url for own, url in zip(native, urls, strict=True)]


async def _native(
    store: IcechunkStore, path: str, cells: npt.NDArray[np.uint32], rows: npt.NDArray[np.int64]
) -> dict[int, bytes]:
    """Read native chunks, some at a time; return their bytes by row."""
    prototype = default_buffer_prototype()
    keys = ["/".join([path, "c", *map(str, cell)]) for cell in cells[rows].tolist()]
    found: list[bytes] = []
    for at in range(0, len(keys), MAX_IN_FLIGHT):
        part = keys[at : at + MAX_IN_FLIGHT]
        values = await asyncio.gather(*(store.get(key, prototype) for key in part))
        for key, value in zip(part, values, strict=True):
            if value is None:
                raise CorruptFileError("a chunk that is listed is not there", node=key)
            found.append(value.to_bytes())
    return dict(zip(rows.tolist(), found, strict=True))
