"""Keys of a Zarr v3 store: which node and chunk a key means, and which keys exist. Pure.

Chunk keys are in the default encoding of the Zarr v3 specification, `c/1/2`; a scalar's is `c`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from virtualizarr.model import MISSING, ManifestArray, ManifestGroup

DOCUMENT = "zarr.json"


class ChunkKey(NamedTuple):
    """A chunk of the array at `path`, by its position in the chunk grid."""

    path: str
    cell: tuple[int, ...]


class Tree:
    """A group's nodes by path. The root is "", others have no leading or trailing slash."""

    __slots__ = ("arrays", "groups")

    def __init__(self, root: ManifestGroup) -> None:
        self.arrays: dict[str, ManifestArray] = {}
        self.groups: dict[str, ManifestGroup] = {}
        todo = [("", root)]
        while todo:
            path, group = todo.pop()
            self.groups[path] = group
            prefix = f"{path}/" if path else ""
            self.arrays.update({prefix + name: array for name, array in group.arrays.items()})
            todo += [(prefix + name, child) for name, child in group.groups.items()]

    def node_of_document(self, key: str) -> str | None:
        """Return the path of the node whose `zarr.json` is `key`; None if there is none."""
        if key == DOCUMENT:
            return ""
        path = key.removesuffix(f"/{DOCUMENT}")
        return path if path != key and (path in self.arrays or path in self.groups) else None

    def chunk_of(self, key: str) -> ChunkKey | None:
        """Return which chunk `key` is; None if it is no chunk key of an array here.

        The cell lies inside the array's grid, but its chunk may be missing.
        """
        path, separator, indices = key.rpartition("/c/")
        if not separator:
            path = key.removesuffix("/c")
            is_scalar = path != key and path in self.arrays and not self.arrays[path].ndim
            return ChunkKey(path, ()) if is_scalar else None
        if path not in self.arrays:
            return None
        cell = _cell(indices)
        grid = self.arrays[path].metadata.grid_shape
        if cell is None or len(cell) != len(grid) or any(map(int.__ge__, cell, grid)):
            return None
        return ChunkKey(path, cell)

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys of all documents and all chunks that are not missing, under `prefix`."""
        for path in (*self.groups, *self.arrays):
            start = f"{path}/" if path else ""
            if (start + DOCUMENT).startswith(prefix):
                yield start + DOCUMENT
            if path in self.arrays and (start.startswith(prefix) or prefix.startswith(start)):
                for key in _chunk_keys(self.arrays[path], f"{path}/c"):
                    if key.startswith(prefix):
                        yield key

    def entries(self, path: str) -> Iterator[str]:
        """Yield the names directly under the directory `path`."""
        if path in self.groups:
            group = self.groups[path]
            yield DOCUMENT
            yield from group.arrays
            yield from group.groups
        elif path in self.arrays:
            yield DOCUMENT
            if _present(self.arrays[path]).any():
                yield "c"
        else:
            yield from self._chunk_entries(path)

    def _chunk_entries(self, path: str) -> Iterator[str]:
        """Yield the chunk indices under a directory such as `temperature/c/0`."""
        array_path = path.removesuffix("/c")
        head: tuple[int, ...] | None = ()
        if array_path == path or array_path not in self.arrays:
            array_path, _, indices = path.rpartition("/c/")
            head = _cell(indices)
        if array_path not in self.arrays:
            return
        present = _present(self.arrays[array_path])
        if head is None or len(head) >= present.ndim:
            return
        if any(map(int.__ge__, head, present.shape)):
            return
        below = present[head]
        found = below.reshape(below.shape[0], -1).any(axis=1)
        yield from map(str, np.flatnonzero(found).tolist())


def subtree(tree: Tree, path: str) -> Mapping[str, ManifestArray | ManifestGroup]:
    """Return all nodes below the group at `path`, by their path relative to it."""
    prefix = f"{path}/" if path else ""
    nodes: dict[str, ManifestArray | ManifestGroup] = {}
    for kind in (tree.groups, tree.arrays):
        for name, node in kind.items():
            if name != path and name.startswith(prefix):
                nodes[name.removeprefix(prefix)] = node
    return nodes


def _cell(indices: str) -> tuple[int, ...] | None:
    """Parse "1/2"; None unless every index is written as Zarr writes it, without signs or zeros."""
    parts = indices.split("/")
    if not all(part.isascii() and part.isdigit() for part in parts):
        return None
    cell = tuple(map(int, parts))
    return cell if "/".join(map(str, cell)) == indices else None


def _present(array: ManifestArray) -> npt.NDArray[np.bool_]:
    location = array.manifest.location
    if location.size and not any(location.strides):  # one repeated cell
        return np.broadcast_to(location.flat[0] != MISSING, location.shape)
    present: npt.NDArray[np.bool_] = np.not_equal(location, MISSING)
    return present


def _chunk_keys(array: ManifestArray, prefix: str) -> Iterator[str]:
    present = _present(array)
    if present.ndim == 0:
        if present:
            yield prefix
        return
    for cell in np.argwhere(present).tolist():
        yield f"{prefix}/{'/'.join(map(str, cell))}"
