"""Reading objects of fractal heaps and collections of the global heap."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from virtualizarr.errors import CorruptFileError, VirtualizeError
from virtualizarr.parsers.hdf5.decode_filter import unfiltered
from virtualizarr.parsers.hdf5.decode_heap import (
    NOT_MANAGED,
    FractalHeap,
    HeapBlock,
    HugeID,
    TinyID,
    check_direct_block,
    collection_header_size,
    decode_collection,
    decode_collection_size,
    decode_fractal_heap,
    decode_huge_record,
    decode_indirect_block,
    decode_unmanaged_id,
    fractal_heap_filter_length,
    fractal_heap_size,
    root_block,
)
from virtualizarr.parsers.hdf5.decode_value import HeapObjects
from virtualizarr.parsers.hdf5.layout import Superblock
from virtualizarr.parsers.hdf5.read_btree2 import read_records
from virtualizarr.parsers.hdf5.read_object_header import exact, inside
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Reading, together

_COLLECTION_GUESS = 4096  # bytes: the least and usual size of a global heap collection
_HUGE_FILTERED = 2  # B-tree type of indirectly accessed, filtered huge objects


@dataclass(frozen=True, slots=True)
class HeapMap:
    """A fractal heap's header and direct blocks, in heap order; content where already read."""

    heap: FractalHeap
    blocks: tuple[HeapBlock, ...]
    content: dict[int, bytes]  # by block address, filters undone


def read_heap_map(superblock: Superblock, at: int) -> Reading[HeapMap]:
    """Return the map of the fractal heap at `at`: the header, then one round for each level."""
    sizes = superblock.sizes
    size = fractal_heap_size(sizes)
    (view,) = yield [ByteRange(at, at + size)]
    buffer = exact(view, size, at, "fractal heap header")
    more = fractal_heap_filter_length(buffer)
    if more:
        size += sizes.length + 4 + more
        (view,) = yield [ByteRange(at, at + size)]
        buffer = exact(view, size, at, "fractal heap header")
    heap = decode_fractal_heap(buffer, at, sizes)
    root = root_block(heap, sizes)
    if root is None:
        return HeapMap(heap, (), {})
    if not root.rows:
        content = yield from _read_blocks(superblock, heap, [root])
        return HeapMap(heap, (root,), content)
    blocks = yield from _read_indirect(superblock, heap, root)
    return HeapMap(heap, tuple(blocks), {})


def _read_indirect(
    superblock: Superblock, heap: FractalHeap, root: HeapBlock
) -> Reading[list[HeapBlock]]:
    direct: list[HeapBlock] = []
    seen: set[int] = set()
    level = [root]
    while level:
        for block in level:
            inside(superblock, block.address, block.stored_size, "fractal heap block")
            if block.address in seen:
                raise CorruptFileError("a fractal heap block is reached twice", at=block.address)
            seen.add(block.address)
        tables = yield [ByteRange(b.address, b.address + b.stored_size) for b in level]
        children = []
        for block, table in zip(level, tables, strict=True):
            buffer = exact(table, block.stored_size, block.address, "fractal heap block")
            children += decode_indirect_block(buffer, heap, block, superblock.sizes)
        direct += [child for child in children if not child.rows]
        level = [child for child in children if child.rows]
    return sorted(direct, key=lambda block: block.offset)


def _read_blocks(
    superblock: Superblock, heap: FractalHeap, blocks: Sequence[HeapBlock]
) -> Reading[dict[int, bytes]]:
    total = 0
    for block in blocks:
        inside(superblock, block.address, block.stored_size, "fractal heap block")
        total += block.stored_size
    inside(superblock, 0, total, "the blocks of a fractal heap")
    ranges = [ByteRange(b.address, b.address + b.stored_size) for b in blocks]
    views = (yield ranges) if ranges else []
    content = {}
    for block, view in zip(blocks, views, strict=True):
        raw = exact(view, block.stored_size, block.address, "fractal heap block")
        if heap.filters:
            raw = unfiltered(raw, heap.filters, block.filter_mask, block.span)
        check_direct_block(raw, heap, block, superblock.sizes)
        content[block.address] = raw
    return content


def read_heap_objects(
    superblock: Superblock, heap_map: HeapMap, ids: Sequence[bytes]
) -> Reading[list[bytes]]:
    """Return the objects of a fractal heap that `ids` name."""
    heap = heap_map.heap
    places = _places(heap_map, ids)
    others = [raw for raw, place in zip(ids, places, strict=True) if place is None]
    needed = {place[0].address: place[0] for place in places if place is not None}
    missing = [block for at, block in needed.items() if at not in heap_map.content]
    parts: list[Reading[Any]] = [
        _read_unmanaged(superblock, heap, others),
        _read_blocks(superblock, heap, missing),
    ]
    unmanaged, read = (yield from together(parts)) if others or missing else ((), {})
    content, supply = heap_map.content | read, iter(unmanaged)
    return [
        content[place[0].address][place[1] : place[2]] if place is not None else next(supply)
        for place in places
    ]


def _places(heap_map: HeapMap, ids: Sequence[bytes]) -> list[tuple[HeapBlock, int, int] | None]:
    """Return where managed objects lie: block, and first byte and end in it; None for others.

    Hot: one turn for each dense attribute of a file.
    """
    heap, blocks = heap_map.heap, heap_map.blocks
    starts = [block.offset for block in blocks]
    middle, end = 1 + heap.offset_size, 1 + heap.offset_size + heap.length_size
    places: list[tuple[HeapBlock, int, int] | None] = []
    for raw in ids:
        if not raw or raw[0] & NOT_MANAGED:
            places.append(None)
            continue
        if end > len(raw):
            raise CorruptFileError("a fractal heap ID is cut off", at=heap.address)
        offset = int.from_bytes(raw[1:middle], "little")
        length = int.from_bytes(raw[middle:end], "little")
        i = bisect_right(starts, offset) - 1
        if i < 0 or offset + length > blocks[i].offset + blocks[i].span:
            raise CorruptFileError(
                f"a fractal heap has no block for {length} bytes at its offset {offset}",
                at=heap.address,
            )
        first = offset - starts[i]
        places.append((blocks[i], first, first + length))
    return places


def _read_unmanaged(
    superblock: Superblock, heap: FractalHeap, ids: Sequence[bytes]
) -> Reading[list[bytes]]:
    """Return tiny objects, which are in their IDs, and huge ones, which are outside the heap."""
    decoded = [decode_unmanaged_id(raw, heap, superblock.sizes) for raw in ids]
    if any(isinstance(each, HugeID) and each.key is not None for each in decoded):
        index = yield from _read_huge_index(superblock, heap)
        decoded = [_looked_up(each, index) for each in decoded]
    huge = [each for each in decoded if isinstance(each, HugeID)]
    objects = (yield from _read_huge(superblock, heap, huge)) if huge else {}
    return [each.data if isinstance(each, TinyID) else objects[each] for each in decoded]


def _read_huge_index(superblock: Superblock, heap: FractalHeap) -> Reading[dict[int, HugeID]]:
    if heap.huge_index_address is None:
        raise CorruptFileError("a fractal heap lacks its index of huge objects", at=heap.address)
    kind, records = yield from read_records(superblock, heap.huge_index_address)
    found = [
        decode_huge_record(record, kind == _HUGE_FILTERED, superblock.sizes) for record in records
    ]
    return {each.key: each for each in found if each.key is not None}


def _looked_up(each: HugeID | TinyID, index: dict[int, HugeID]) -> HugeID | TinyID:
    if not isinstance(each, HugeID) or each.key is None:
        return each
    found = index.get(each.key)
    if found is None:
        raise CorruptFileError(f"a fractal heap has no huge object {each.key}")
    return found


def _read_huge(
    superblock: Superblock, heap: FractalHeap, wanted: list[HugeID]
) -> Reading[dict[HugeID, bytes]]:
    places = []
    for each in wanted:
        if each.address is None:
            raise CorruptFileError("a huge object has no address", at=heap.address)
        inside(superblock, each.address, each.length, "huge object of a fractal heap")
        places.append(each.address)
    inside(superblock, 0, sum(each.length for each in set(wanted)), "the huge objects of a heap")
    views = yield [ByteRange(at, at + each.length) for at, each in zip(places, wanted, strict=True)]
    objects = {}
    for at, each, view in zip(places, wanted, views, strict=True):
        raw = exact(view, each.length, at, "huge object of a fractal heap")
        if each.object_size is not None:
            raw = unfiltered(raw, heap.filters, each.filter_mask, each.object_size)
        objects[each] = raw
    return objects


def read_wanted_collections(superblock: Superblock, heaps: HeapObjects) -> Reading[None]:
    """Read the collections that `heaps` wants, in one round or two, and add them to it.

    A collection that cannot be read is added as its error, raised when one of its objects is used.
    """
    wanted = sorted(heaps.wanted)
    heaps.wanted.clear()
    heads = yield [ByteRange(at, at + _COLLECTION_GUESS) for at in wanted]
    longer: list[tuple[int, int]] = []
    for at, head in zip(wanted, heads, strict=True):
        try:
            size = _collection_size(superblock, at, head)
            if size > len(head):
                longer.append((at, size))
            else:
                heaps.collections[at] = decode_collection(bytes(head[:size]), superblock.sizes)
        except VirtualizeError as error:
            heaps.collections[at] = error.located(at=at)
    views = (yield [ByteRange(at, at + size) for at, size in longer]) if longer else []
    for (at, size), view in zip(longer, views, strict=True):
        try:
            buffer = exact(view, size, at, "global heap collection")
            heaps.collections[at] = decode_collection(buffer, superblock.sizes)
        except VirtualizeError as error:
            heaps.collections[at] = error.located(at=at)


def _collection_size(superblock: Superblock, at: int, head: memoryview) -> int:
    least = collection_header_size(superblock.sizes)
    size = decode_collection_size(bytes(head[:least]), superblock.sizes)
    inside(superblock, at, size, "global heap collection")
    return size
