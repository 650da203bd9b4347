"""What the functions of `combine`, `select` and `subchunk` need of an array."""

from __future__ import annotations

from typing import Protocol, Self

from virtualizarr.model.manifest import ChunkManifest
from virtualizarr.model.metadata import ArrayMetadata


class Virtual(Protocol):
    """An array's description and its references; `ManifestArray` is one."""

    @property
    def metadata(self) -> ArrayMetadata: ...
    @property
    def manifest(self) -> ChunkManifest: ...

    def rebuilt(self, metadata: ArrayMetadata, manifest: ChunkManifest) -> Self:
        """Return an array of the same kind from other parts."""
        ...


def origin(array: Virtual) -> str | None:
    """Return the URL of the first file that the array refers to; None where there is none."""
    locations = array.manifest.locations
    return locations[0].url if locations else None


def axis_name(metadata: ArrayMetadata, axis: int) -> str:
    """Return how to call an axis in a message: its dimension name, or its number."""
    names = metadata.dimension_names
    name = names[axis] if names is not None else None
    return f"axis {axis}" if name is None else f"dimension {name!r}"
