"""What a manifest calls the places of its chunks: URLs, and objects of the store itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from virtualizarr.model import INLINE, ChunkManifest, Location
from virtualizarr.source.urls import normalize_url
from virtualizarr.store.chunk_manifest import HERE

type Codes = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """The paths of an array's chunks.

    Chunks in files are called by the file's URL, inline chunks by the object that they are
    written to, relative to the array's directory.
    """

    locations: Sequence[Location]
    grid_shape: tuple[int, ...]

    @classmethod
    def of(cls, manifest: ChunkManifest) -> Paths:
        """Raises `SourceError` for a URL that carries credentials: they are never written."""
        for location in manifest.locations:
            if "@" in location.url or "?" in location.url:
                normalize_url(location.url)
        return cls(manifest.locations, manifest.shape_chunk_grid)

    def texts(
        self, codes: Codes, cells: npt.NDArray[np.int64]
    ) -> tuple[list[str], npt.NDArray[np.int64]]:
        """Return the paths of some chunks, each once, and for each chunk the number of its own."""
        used, which = np.unique(codes, return_inverse=True)
        texts = [self.locations[code].url for code in used[used < INLINE].tolist()]
        own = np.flatnonzero(codes == INLINE)
        which[own] = len(texts) + np.arange(len(own))
        return [*texts, *(HERE + key for key in object_keys(self.grid_shape, cells[own]))], which

    def offsets(self, codes: Codes, offset: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        """Return where chunks begin in their files: an inline chunk's object holds it alone."""
        return np.where(codes == INLINE, np.uint64(0), offset)


def object_keys(grid_shape: tuple[int, ...], cells: npt.NDArray[np.int64]) -> list[str]:
    """Return the chunk keys, in Zarr v3's default encoding, of C-order grid positions."""
    if not grid_shape:
        return ["c"] * len(cells)
    index = np.stack(np.unravel_index(cells, grid_shape), axis=1)
    return ["/".join(["c", *map(str, row)]) for row in index.tolist()]
