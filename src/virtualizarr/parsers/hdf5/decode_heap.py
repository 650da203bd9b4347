"""Global heap collections and fractal heaps (III.E, III.G)."""

from __future__ import annotations

from dataclasses import dataclass

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.hdf5.decode_checksum import check_lookup3
from virtualizarr.parsers.hdf5.decode_dataset import decode_filter_pipeline
from virtualizarr.parsers.hdf5.decode_fields import (
    address,
    bounded,
    encoded_size,
    padded,
    signature,
    take,
    u16,
    u32,
    unsigned,
)
from virtualizarr.parsers.hdf5.layout import Filter, Sizes


def collection_header_size(sizes: Sizes) -> int:
    """Return the bytes of a global heap collection's header."""
    return padded(8 + sizes.length)


@bounded
def decode_collection_size(buffer: bytes, sizes: Sizes) -> int:
    """Return the whole size of the global heap collection that starts with `buffer`."""
    signature(buffer, b"GCOL")
    if buffer[4] != 1:
        raise CorruptFileError(f"global heap collection version {buffer[4]}")
    return unsigned(buffer, 8, sizes.length)


@bounded
def decode_collection(buffer: bytes, sizes: Sizes) -> dict[int, bytes]:
    """Return the objects of a whole global heap collection by their index."""
    objects: dict[int, bytes] = {}
    head = padded(8 + sizes.length)
    at, end = head, len(buffer)
    while at + head <= end:
        index = u16(buffer, at)[0]
        size = unsigned(buffer, at + 8, sizes.length)
        if index == 0:
            if size < head:
                break
            at += size
            continue
        objects[index] = take(buffer, at + head, size)
        at += head + padded(size)
    return objects


@dataclass(frozen=True, slots=True)
class FractalHeap:
    """A fractal heap's header, with what follows from it (III.G)."""

    address: int
    id_length: int
    filters: tuple[Filter, ...]
    direct_blocks_checksummed: bool
    max_managed_size: int
    huge_index_address: int | None
    table_width: int
    starting_block_size: int
    max_direct_block_size: int
    max_heap_bits: int
    root_address: int | None
    root_rows: int  # 0: the root is a direct block
    root_filtered_size: int | None
    root_filter_mask: int
    offset_size: int  # bytes of a block offset, and of the offset in a managed object's ID
    length_size: int  # bytes of the length in a managed object's ID

    @property
    def max_direct_rows(self) -> int:
        first, most = self.starting_block_size, self.max_direct_block_size
        return most.bit_length() - first.bit_length() + 2

    def row_block_size(self, row: int) -> int:
        return self.starting_block_size << max(0, row - 1)

    def child_rows(self, block_size: int) -> int:
        """Return the rows of an indirect block that spans `block_size` bytes of the heap."""
        first = (self.starting_block_size * self.table_width).bit_length()
        return block_size.bit_length() - first + 1


def fractal_heap_size(sizes: Sizes) -> int:
    """Return the bytes of a fractal heap header without filters."""
    return 26 + 12 * sizes.length + 3 * sizes.offset


@bounded
def fractal_heap_filter_length(buffer: bytes) -> int:
    """Return the I/O Filters' Encoded Length: how much longer than usual the header is, or 0."""
    signature(buffer, b"FRHP")
    return u16(buffer, 7)[0]


@bounded
def decode_fractal_heap(buffer: bytes, at: int, sizes: Sizes) -> FractalHeap:
    """Decode a fractal heap header of its exact length at file offset `at`."""
    signature(buffer, b"FRHP")
    check_lookup3(buffer, "fractal heap header", at)
    length, offset = sizes.length, sizes.offset
    filter_length = u16(buffer, 7)[0]
    huge = 14 + length
    table = huge + 2 * offset + 9 * length
    root = table + 6 + 2 * length
    root_size, mask = None, 0
    filters: tuple[Filter, ...] = ()
    if filter_length:
        extra = root + offset + 2
        root_size = unsigned(buffer, extra, length)
        mask = u32(buffer, extra + length)[0]
        filters = decode_filter_pipeline(take(buffer, extra + length + 4, filter_length))
    max_managed_size = u32(buffer, 10)[0]
    max_direct_block_size = unsigned(buffer, table + 2 + length, length)
    max_heap_bits = u16(buffer, table + 2 + 2 * length)[0]
    direct_bits = max(0, max_direct_block_size.bit_length() - 1)
    heap = FractalHeap(
        address=at,
        id_length=u16(buffer, 5)[0],
        filters=filters,
        direct_blocks_checksummed=bool(buffer[9] & 2),
        max_managed_size=max_managed_size,
        huge_index_address=address(buffer, huge, sizes),
        table_width=u16(buffer, table)[0],
        starting_block_size=unsigned(buffer, table + 2, length),
        max_direct_block_size=max_direct_block_size,
        max_heap_bits=max_heap_bits,
        root_address=address(buffer, root, sizes),
        root_rows=u16(buffer, root + offset)[0],
        root_filtered_size=root_size,
        root_filter_mask=mask,
        offset_size=(max_heap_bits + 7) // 8,
        length_size=min((direct_bits + 7) // 8, encoded_size(max_managed_size)),
    )
    _check(heap)
    return heap


def _check(heap: FractalHeap) -> None:
    for name, value in (
        ("table width", heap.table_width),
        ("starting block size", heap.starting_block_size),
        ("maximum direct block size", heap.max_direct_block_size),
    ):
        if value == 0 or value & (value - 1):
            raise CorruptFileError(f"fractal heap {name} {value} is no power of 2", at=heap.address)
    if heap.starting_block_size > heap.max_direct_block_size or heap.max_heap_bits > 64:
        raise CorruptFileError("fractal heap block sizes contradict each other", at=heap.address)


@dataclass(frozen=True, slots=True)
class HeapBlock:
    """A direct or indirect block: heap offset, bytes of the heap it spans, place in the file."""

    offset: int
    span: int
    address: int
    stored_size: int  # bytes in the file; of an indirect block, of its table
    filter_mask: int = 0
    rows: int = 0  # of an indirect block; 0: direct


def indirect_block_size(heap: FractalHeap, rows: int, sizes: Sizes) -> int:
    """Return the bytes of an indirect block of `rows` rows."""
    direct = min(rows, heap.max_direct_rows) * heap.table_width
    extra = sizes.length + 4 if heap.filters else 0
    entries = rows * heap.table_width * sizes.offset + direct * extra
    return 9 + sizes.offset + heap.offset_size + entries


def root_block(heap: FractalHeap, sizes: Sizes) -> HeapBlock | None:
    """Return the heap's root block; None if the heap has no managed object."""
    if heap.root_address is None:
        return None
    if heap.root_rows:
        if heap.root_rows > heap.max_heap_bits + 2:
            raise CorruptFileError(f"fractal heap of {heap.root_rows} rows", at=heap.address)
        size = indirect_block_size(heap, heap.root_rows, sizes)
        return HeapBlock(0, 0, heap.root_address, size, rows=heap.root_rows)
    span = heap.starting_block_size
    stored = span if heap.root_filtered_size is None else heap.root_filtered_size
    return HeapBlock(0, span, heap.root_address, stored, heap.root_filter_mask)


@bounded
def decode_indirect_block(
    buffer: bytes, heap: FractalHeap, block: HeapBlock, sizes: Sizes
) -> list[HeapBlock]:
    """Return the allocated children of an indirect block, in the order of the heap."""
    signature(buffer, b"FHIB", block.address)
    check_lookup3(buffer, "fractal heap indirect block", block.address)
    at = 5 + sizes.offset + heap.offset_size
    where = block.offset
    nowhere = bytes([255]) * sizes.offset
    direct_rows = heap.max_direct_rows
    children = []
    for row in range(block.rows):
        span = heap.row_block_size(row)
        direct = row < direct_rows
        rows = 0 if direct else heap.child_rows(span)
        if not direct and rows < 1:
            raise CorruptFileError("fractal heap with an indirect block of no row")
        stored = span if direct else indirect_block_size(heap, rows, sizes)
        mask = 0
        for _ in range(heap.table_width):
            here = at
            at += sizes.offset
            if direct and heap.filters:
                stored, mask = unsigned(buffer, at, sizes.length), u32(buffer, at + sizes.length)[0]
                at += sizes.length + 4
            if buffer[here : here + sizes.offset] != nowhere:
                child = unsigned(buffer, here, sizes.offset) + sizes.base
                children.append(HeapBlock(where, span, child, stored, mask, rows))
            where += span
    return children


def check_direct_block(content: bytes, heap: FractalHeap, block: HeapBlock, sizes: Sizes) -> None:
    """Raise CorruptFileError unless `content` is a direct block, its filters undone."""
    signature(content, b"FHDB", block.address)
    at = 5 + sizes.offset + heap.offset_size
    if heap.direct_blocks_checksummed and len(content) >= at + 4:
        rest = content[:at] + bytes(4) + content[at + 4 :] + content[at : at + 4]
        check_lookup3(rest, "fractal heap direct block", block.address)


@dataclass(frozen=True, slots=True)
class HugeID:
    """Of an object stored outside the heap's blocks; `key` if it must be looked up."""

    address: int | None
    length: int
    filter_mask: int
    object_size: int | None  # bytes once unfiltered; None: not filtered
    key: int | None


@dataclass(frozen=True, slots=True)
class TinyID:
    """Of an object stored in its ID."""

    data: bytes


NOT_MANAGED = 0xF0
"""Bits of an ID's first byte that are all 0 for an object in a direct block (III.G)."""


@bounded
def decode_unmanaged_id(raw: bytes, heap: FractalHeap, sizes: Sizes) -> HugeID | TinyID:
    """Decode the ID of an object that is in no direct block (III.G, Fractal Heap ID)."""
    kind = raw[0] >> 4
    if kind == 2:
        if heap.id_length - 1 > 17:
            return TinyID(take(raw, 2, ((raw[0] & 15) << 8 | raw[1]) + 1))
        return TinyID(take(raw, 1, (raw[0] & 15) + 1))
    if kind != 1:
        raise CorruptFileError(f"fractal heap ID version {kind >> 2}, type {kind & 3}")
    offset, length = sizes.offset, sizes.length
    direct = offset + length + (length + 4 if heap.filters else 0)
    if heap.id_length - 1 < direct:
        return HugeID(None, 0, 0, None, unsigned(raw, 1, min(length, heap.id_length - 1)))
    return _huge(raw, 1, bool(heap.filters), sizes, None)


def _huge(raw: bytes, at: int, filtered: bool, sizes: Sizes, key: int | None) -> HugeID:
    where = address(raw, at, sizes)
    size = unsigned(raw, at + sizes.offset, sizes.length)
    if not filtered:
        return HugeID(where, size, 0, None, key)
    at += sizes.offset + sizes.length
    return HugeID(where, size, u32(raw, at)[0], unsigned(raw, at + 4, sizes.length), key)


@bounded
def decode_huge_record(record: bytes, filtered: bool, sizes: Sizes) -> HugeID:
    """Decode a version 2 B-tree record of type 1 or 2: an indirectly accessed huge object."""
    size = sizes.offset + sizes.length + (4 + sizes.length if filtered else 0)
    return _huge(record, 0, filtered, sizes, unsigned(record, size, sizes.length))
