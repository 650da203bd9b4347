"""ManifestArray: one virtual Zarr array, behaving as a numpy array that cannot give its values."""

from __future__ import annotations

from typing import Any

import numpy as np

from virtualizarr.model.chunks import RegularGrid
from virtualizarr.model.manifest import ChunkManifest
from virtualizarr.model.metadata import ArrayMetadata


class ManifestArray:
    """What Zarr needs to know of an array (`metadata`) and where its chunks lie (`manifest`)."""

    __slots__ = ("_manifest", "_metadata")

    def __init__(self, metadata: ArrayMetadata, chunkmanifest: ChunkManifest) -> None:
        """Join them. Raises ValueError if the manifest's grid is not the metadata's."""
        if metadata.grid_shape != chunkmanifest.shape_chunk_grid:
            raise ValueError(
                f"an array of shape {metadata.shape} has a chunk grid of {metadata.grid_shape}, "
                f"the manifest has {chunkmanifest.shape_chunk_grid}"
            )
        self._metadata = metadata
        self._manifest = chunkmanifest

    @property
    def metadata(self) -> ArrayMetadata:
        return self._metadata

    @property
    def manifest(self) -> ChunkManifest:
        return self._manifest

    @property
    def shape(self) -> tuple[int, ...]:
        return self._metadata.shape

    @property
    def ndim(self) -> int:
        return len(self._metadata.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._metadata.dtype

    @property
    def chunks(self) -> tuple[int | tuple[int, ...], ...]:
        """Stored chunk length per axis; a tuple of lengths on the axes of a rectilinear grid."""
        grid = self._metadata.chunk_grid
        return grid.chunk_shape if isinstance(grid, RegularGrid) else grid.chunk_shapes
