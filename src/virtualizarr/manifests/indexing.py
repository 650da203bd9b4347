"""The error of selections within a chunk, under its import path of VirtualiZarr 2.x."""

from virtualizarr.errors import SubChunkIndexingError

__all__ = ["SubChunkIndexingError"]
