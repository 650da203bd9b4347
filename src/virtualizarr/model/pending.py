"""Arrays whose references are read when they are first asked for.

A store of references may hold a hundred variables of which its reader wants one. The description of
every array is known at once; its references come from where they lie when `manifest` is looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from virtualizarr.model.array import ManifestArray
from virtualizarr.model.manifest import ChunkManifest
from virtualizarr.model.metadata import ArrayMetadata


class PendingArray(ManifestArray):
    """An array that gets its manifest from `fill`, once, when that is first asked for.

    What `fill` raises, the first and every later look at `manifest` raises. Pickling fills it.
    """

    __slots__ = ("_fill", "_lock")

    def __init__(self, metadata: ArrayMetadata, fill: Callable[[], ChunkManifest]) -> None:
        super().__init__(metadata, ChunkManifest.empty(metadata.grid_shape))
        self._fill: Callable[[], ChunkManifest] | None = fill
        self._lock = Lock()

    @property
    def is_pending(self) -> bool:
        return self._fill is not None

    @property
    def manifest(self) -> ChunkManifest:
        with self._lock:
            if self._fill is not None:
                self._manifest = ManifestArray(self._metadata, self._fill()).manifest
                self._fill = None
            return self._manifest

    def described(self, metadata: ArrayMetadata) -> ManifestArray:
        if not self.is_pending:
            return ManifestArray(metadata, self._manifest)
        return PendingArray(metadata, lambda: self.manifest)

    def then(self, change: Callable[[ManifestArray], ManifestArray]) -> ManifestArray:
        """Return the array with `change` applied, once the references are there."""
        metadata = self._metadata
        if not self.is_pending:
            return change(self)
        return PendingArray(
            metadata, lambda: change(ManifestArray(metadata, self.manifest)).manifest
        )
