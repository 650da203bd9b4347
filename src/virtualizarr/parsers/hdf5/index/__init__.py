"""Chunk indexes: where each chunk of a dataset lies (HDF5 File Format Specification 4.0).

Every index becomes the same few columns, one row per allocated chunk, read one level per round and
decoded by whole levels: B-trees of version 1 and 2, single chunk, implicit, fixed and extensible
arrays. Every checksum is verified; B-trees of version 1 have none. The indexes of many datasets are
read together, and the small ones among them decoded together.
"""

from __future__ import annotations

from virtualizarr.parsers.hdf5.index.many import read_chunk_indexes
from virtualizarr.parsers.hdf5.index.one import ChunkedData, ChunkIndex, read_chunk_index

__all__ = ["ChunkIndex", "ChunkedData", "read_chunk_index", "read_chunk_indexes"]
