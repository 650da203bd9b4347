"""HDF5's own structures, under the specification's names (HDF5 File Format Specification 4.0).

Addresses are absolute file offsets: the base address (the size of a user block) is already added
when a structure is decoded. An undefined address (all bits set) is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple

from virtualizarr.errors import VirtualizeError
from virtualizarr.parsers.hdf5.layout_datatype import Datatype


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


@dataclass(frozen=True, slots=True)
class SharedMessageIndex:
    """One index of the Shared Object Header Message Table: which types, in which heap (III.D)."""

    message_type_flags: int  # bit n set: messages of type n
    heap_address: int | None


@dataclass(frozen=True, slots=True)
class Superblock:
    """The superblock, any version, with what its extension says (II.A, II.B)."""

    version: int
    sizes: Sizes
    root_address: int  # of the root group's object header
    extension_address: int | None = None
    file_size: int | None = None  # bytes there are, if known
    end: int | None = None  # where every structure ends: the lesser of file size and end_of_file
    shared_message_indexes: tuple[SharedMessageIndex, ...] = ()
    # Metadata cache image: (address, bytes) of each entry, newer than the file's own bytes.
    cache_image: tuple[tuple[int, bytes], ...] = field(default=(), repr=False)


class DataspaceType(IntEnum):
    """Dataspace message, Type (IV.A.2.b)."""

    SCALAR = 0
    SIMPLE = 1
    NULL = 2


@dataclass(frozen=True, slots=True)
class Dataspace:
    """Current and maximum extent; None in `max_shape` is an unlimited dimension."""

    type: DataspaceType
    shape: tuple[int, ...] = ()
    max_shape: tuple[int | None, ...] = ()


class FillState(IntEnum):
    """What a fill value message says: none, the type's default (zeros), or a value (IV.A.2.e-f)."""

    UNDEFINED = 0
    DEFAULT = 1
    USER_DEFINED = 2


@dataclass(frozen=True, slots=True)
class FillValue:
    """A fill value message, old or new; `value` is the stored element, bytes, if USER_DEFINED.

    `write_time` is the Fill Value Write Time: 0 on allocation, 1 never, 2 if set by the user.
    `allocation_time` is the Space Allocation Time: 1 early, 2 late, 3 incremental; 0 not given.
    """

    state: FillState = FillState.DEFAULT
    value: bytes | None = None
    allocation_time: int = 0
    write_time: int = 2


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter of a filter pipeline message, in the order of writing (IV.A.2.l)."""

    id: int  # Filter Identification Value
    name: str
    optional: bool  # the filter may be skipped when it fails (bit 0 of Flags)
    client_data: tuple[int, ...]  # unsigned 32-bit values


class ChunkIndexType(IntEnum):
    """Chunk Indexing Type of layout messages 4, 5 (IV.A.2.i); 0 stands for the B-tree v1 of 1-3."""

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


@dataclass(frozen=True, slots=True)
class CompactLayout:
    """Raw data kept in the object header itself."""

    data: bytes = field(repr=False)
    address: int | None = None  # of the data in the file, if it lies there in one piece


@dataclass(frozen=True, slots=True)
class ContiguousLayout:
    """Raw data in one block; no address: not allocated. `size` is None in versions 1 and 2."""

    address: int | None
    size: int | None


@dataclass(frozen=True, slots=True)
class AllSelection:
    """The whole extent."""


@dataclass(frozen=True, slots=True)
class NoneSelection:
    """No element."""


@dataclass(frozen=True, slots=True)
class PointSelection:
    """Single elements: one coordinate tuple each."""

    points: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class RegularHyperslab:
    """start, stride, count, block along each dimension; None in count or block is unlimited."""

    start: tuple[int, ...]
    stride: tuple[int, ...]
    count: tuple[int | None, ...]
    block: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class IrregularHyperslab:
    """A union of boxes: first and last (inclusive) coordinates of each."""

    blocks: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]


type Selection = (
    AllSelection | NoneSelection | PointSelection | RegularHyperslab | IrregularHyperslab
)


@dataclass(frozen=True, slots=True)
class VirtualMapping:
    """One entry of a virtual dataset's mapping list (Global Heap Block for Virtual Datasets).

    `source_file` "." is the file itself. Names may hold `%b`, the printf-style block number.
    """

    source_file: str
    source_dataset: str
    source_selection: Selection
    virtual_selection: Selection


@dataclass(frozen=True, slots=True)
class VirtualLayout:
    """A virtual data layout message with its mappings."""

    mappings: tuple[VirtualMapping, ...]


type Layout = CompactLayout | ContiguousLayout | ChunkedLayout | VirtualLayout


@dataclass(frozen=True, slots=True)
class ExternalFile:
    """One slot of the external data files message (IV.A.2.h); `size` None is unlimited."""

    name: str
    offset: int
    size: int | None


@dataclass(frozen=True, slots=True)
class HardLink:
    name: str
    address: int  # of the target's object header


@dataclass(frozen=True, slots=True)
class SoftLink:
    name: str
    target: str  # path: absolute, or relative to the group that holds the link


@dataclass(frozen=True, slots=True)
class ExternalLink:
    name: str
    file: str
    target: str  # path in that file


@dataclass(frozen=True, slots=True)
class UserDefinedLink:
    name: str
    link_class: int  # 65-255
    data: bytes


type Link = HardLink | SoftLink | ExternalLink | UserDefinedLink


@dataclass(frozen=True, slots=True)
class Undecoded:
    """Stands for a value that is in the file but has no decoded form; `reason` says why."""

    reason: str


class Attribute(NamedTuple):
    """An attribute message, any version, with its value.

    `value` by `datatype`; for a scalar dataspace one element, for a simple one an array:

    - integers, floats, complex, enumerated (the stored integers), bitfields, opaque (void),
      compound (structured): numpy scalar or array in the stored byte order;
    - strings, fixed or variable: `str` or an object array of `str`, padding removed; bytes that are
      not UTF-8 are kept by surrogate escapes;
    - object references: uint64 addresses of object headers, absolute, 0 for null;
    - variable-length sequences: the 1-D array, or an object array of such;
    - a null dataspace: None;
    - anything else: `Undecoded`.

    Compound members follow the same rules: those that are not plain numbers are object fields.
    """

    name: str
    datatype: Datatype
    dataspace: Dataspace
    value: Any


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """A group; `links` in creation order where tracked, else in the order of their names."""

    path: str  # of the first way found to it, breadth first
    address: int
    attributes: Mapping[str, Attribute]
    links: Mapping[str, Link]


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A dataset as its object header describes it."""

    path: str
    address: int
    attributes: Mapping[str, Attribute]
    dataspace: Dataspace
    datatype: Datatype
    fill_value: FillValue
    layout: Layout
    filters: tuple[Filter, ...] = ()
    external_files: tuple[ExternalFile, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class CommittedDatatype:
    """A named datatype."""

    path: str
    address: int
    attributes: Mapping[str, Attribute]
    datatype: Datatype


@dataclass(frozen=True, slots=True, eq=False)
class BrokenObject:
    """An object that could not be decoded: raise `error` unless told to leave the object out."""

    path: str
    address: int
    error: VirtualizeError


type H5Object = Group | Dataset | CommittedDatatype | BrokenObject


@dataclass(frozen=True, slots=True, eq=False)
class Hierarchy:
    """What a walk found. Every object is there once, however many paths lead to it.

    `objects` maps the address of an object header to the object, breadth first from `root`.
    `paths` maps every path found by hard links to the address it leads to; a group reached a second
    time (which may be its own ancestor) is in `paths` under both, but its members only under the
    first. `ancestors` are the groups passed on the way to `root` when a sub-group was asked for;
    `paths` holds their members' names too, although those are not read.
    """

    root: H5Object
    objects: Mapping[int, H5Object]
    paths: Mapping[str, int]
    ancestors: tuple[Group, ...] = ()
