"""Values of virtual arrays, decoded by zarr itself: the second witness of parsers and writers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import orjson
import zarr
from zarr.buffer import default_buffer_prototype
from zarr.storage import MemoryStore

from virtualizarr.model import INLINE, MISSING, ManifestArray, ManifestGroup

MANY = 500


def read_local(url: str, offset: int, length: int) -> bytes:
    """Read a range of the file at a `file://` URL."""
    with open(Path(unquote(urlsplit(url).path)), "rb") as file:
        file.seek(offset)
        return file.read(length)


def _plain_values(
    array: ManifestArray, read: Callable[[str, int, int], bytes]
) -> np.ndarray[Any, Any]:
    """Lay out records that are stored as they are, one chunk each, without zarr's cost a chunk."""
    manifest, metadata = array.manifest, array.metadata
    (location,) = manifest.locations
    offsets, lengths = manifest.offset.reshape(-1).tolist(), manifest.length.reshape(-1).tolist()
    end = max(map(sum, zip(offsets, lengths, strict=True)))
    content = read(location.url, 0, end)
    assert len(content) == end
    parts = zip(offsets, lengths, strict=True)
    raw = b"".join(content[offset : offset + length] for offset, length in parts)
    order = metadata.codecs[0].get("configuration", {"endian": "little"})["endian"]
    values = np.frombuffer(raw, metadata.dtype.newbyteorder(order)).reshape(metadata.shape)
    return values.astype(metadata.dtype)


def _are_records(array: ManifestArray) -> bool:
    """Say whether chunks hold numbers that follow one another in the array."""
    grid: Any = array.metadata.chunk_grid
    lengths = getattr(grid, "chunk_shape", None)
    if lengths is None:
        return False
    partial = [i for i, (n, m) in enumerate(zip(lengths, array.shape, strict=True)) if n < m]
    return all(n == 1 for n in lengths[: partial[-1]]) if partial else True


def reader_of(files: Mapping[str, bytes]) -> Callable[[str, int, int], bytes]:
    """Return a reader of ranges of files that are held in memory."""
    return lambda url, offset, length: bytes(files[url][offset : offset + length])


def values_of(
    array: ManifestArray, read: Callable[[str, int, int], bytes] = read_local
) -> np.ndarray[Any, Any]:
    """Fetch every chunk of `array` and let zarr decode them."""
    is_plain = [codec["name"] for codec in array.metadata.codecs] == ["bytes"]
    is_plain = is_plain and _are_records(array)
    if is_plain and array.manifest.location.size > MANY and not array.manifest.location.any():
        return _plain_values(array, read)
    store: dict[str, Any] = {}
    to_buffer = default_buffer_prototype().buffer.from_bytes
    store["zarr.json"] = to_buffer(orjson.dumps(array.metadata.to_json()))
    manifest = array.manifest
    for index in np.ndindex(manifest.shape_chunk_grid):
        code = manifest.location[index]
        offset, length = int(manifest.offset[index]), int(manifest.length[index])
        key = "/".join(["c", *map(str, index)])
        if code == INLINE:
            store[key] = to_buffer(manifest.inline[offset : offset + length])
        elif code != MISSING:
            data = read(manifest.locations[code].url, offset, length)
            assert len(data) == length, (key, len(data), length)
            store[key] = to_buffer(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zarr.config.set({"array.rectilinear_chunks": True}):
            return np.asarray(zarr.open_array(MemoryStore(store), mode="r", zarr_format=3)[...])


def tree_values(
    group: ManifestGroup, read: Callable[[str, int, int], bytes] = read_local, prefix: str = ""
) -> dict[str, np.ndarray[Any, Any]]:
    """Return the values of every array of a tree, by path."""
    found = {prefix + name: values_of(array, read) for name, array in group.arrays.items()}
    for name, child in group.groups.items():
        found.update(tree_values(child, read, f"{prefix}{name}/"))
    return found
