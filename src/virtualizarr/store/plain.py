"""A store for readers that are not ours: its documents name the usual codecs."""

from __future__ import annotations

from virtualizarr.store.chunks import Reference
from virtualizarr.store.documents import array_document, consolidated_document, dumps
from virtualizarr.store.manifest_store import ManifestStore
from virtualizarr.store.nodes import subtree


class PlainStore(ManifestStore):
    """A `ManifestStore` whose documents are those that would be written.

    The decompressors that a `ManifestStore` names bound what they give; only this package has them.
    """

    def size_of(self, key: str) -> int | None:
        """Return how many bytes a key has; None if there is no such key."""
        found = self._find(key)
        if found is None:
            return None
        return found.length if isinstance(found, Reference) else len(found)

    def read(self, key: str, start: int, stop: int) -> bytes:
        """Return bytes `start` to `stop` of a key that is there; errors as `ManifestStore`."""
        found = self._find(key)
        if found is None:
            raise KeyError(key)
        if isinstance(found, Reference):
            return bytes(self._fetcher.read(found, start, stop))
        return bytes(found[start:stop])

    def _document(self, path: str) -> bytes:
        if path in self._tree.arrays:
            return dumps(array_document(self._tree.arrays[path]))
        return dumps(consolidated_document(self._tree.groups[path], subtree(self._tree, path)))
