"""HDF5's own structures, under the specification's names (HDF5 File Format Specification 4.0).

Addresses are absolute file offsets: the base address (the size of a user block) is already added
when a structure is decoded. An undefined address (all bits set) is None.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


@dataclass(frozen=True, slots=True)
class Sizes:
    """The superblock's sizes, which nearly every other structure depends on (II.A)."""

    offset: int = 8  # Size of Offsets, bytes
    length: int = 8  # Size of Lengths, bytes
    base: int = 0  # Base Address: added to every address in the file
    group_leaf_k: int = 4
    group_internal_k: int = 16
    chunk_internal_k: int = 32  # Indexed Storage Internal Node K
    end_of_file: int | None = None  # End of File Address, absolute; None if undefined


class ChunkIndexType(IntEnum):
    """Chunk Indexing Type of layout messages 4 and 5 (IV.A.2.i); 0 stands for the B-tree v1 of 1-3."""

    BTREE_V1 = 0
    SINGLE_CHUNK = 1
    IMPLICIT = 2
    FIXED_ARRAY = 3
    EXTENSIBLE_ARRAY = 4
    BTREE_V2 = 5


@dataclass(frozen=True, slots=True)
class ChunkedLayout:
    """A chunked data layout message, any version (IV.A.2.i)."""

    version: int
    chunk_shape: tuple[int, ...]  # elements, without the trailing element-size dimension
    element_size: int  # bytes
    index_type: ChunkIndexType
    index_address: int | None
    single_chunk_size: int | None = None  # bytes, of a filtered single chunk
    single_chunk_filter_mask: int = 0
    partial_edge_chunks_unfiltered: bool = False  # DONT_FILTER_PARTIAL_BOUND_CHUNKS
