"""The model under the import paths of VirtualiZarr 2.x."""

from virtualizarr.manifests.manifest import ChunkEntry
from virtualizarr.model import ChunkManifest, ManifestArray, ManifestGroup
from virtualizarr.store import ManifestStore

__all__ = ["ChunkEntry", "ChunkManifest", "ManifestArray", "ManifestGroup", "ManifestStore"]
