"""The virtual Zarr data model: arrays that know where their chunks lie, and trees of them.

Plain data and numpy; no I/O, no xarray. A parser makes a `ManifestGroup`; everything else moves it
around.
"""

from virtualizarr.model.array import ManifestArray
from virtualizarr.model.chunks import ChunkGrid, RectilinearGrid, RegularGrid
from virtualizarr.model.columns import AffineRun
from virtualizarr.model.group import ManifestGroup
from virtualizarr.model.manifest import INLINE, MISSING, ChunkManifest, Location
from virtualizarr.model.metadata import ArrayMetadata

__all__ = [
    "INLINE",
    "MISSING",
    "AffineRun",
    "ArrayMetadata",
    "ChunkGrid",
    "ChunkManifest",
    "Location",
    "ManifestArray",
    "ManifestGroup",
    "RectilinearGrid",
    "RegularGrid",
]
