"""Reading a group's links and an object's dense attributes, whichever way they are stored."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.hdf5.decode_fields import terminated
from virtualizarr.parsers.hdf5.decode_group import (
    DenseStorage,
    decode_group_node,
    decode_link,
    decode_local_heap,
    decode_symbol_node,
    group_node_size,
    local_heap_size,
    symbol_node_size,
)
from virtualizarr.parsers.hdf5.decode_object_header import SHARED
from virtualizarr.parsers.hdf5.layout import ExternalFile, Link, Superblock
from virtualizarr.parsers.hdf5.read_btree2 import read_records
from virtualizarr.parsers.hdf5.read_heap import read_heap_map, read_heap_objects
from virtualizarr.parsers.hdf5.read_object_header import exact, inside
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Reading, together

MAX_DEPTH = 32
_LINK_ID_SIZE = 7
_ATTRIBUTE_RECORD = struct.Struct("<8sBII")  # heap ID, message flags, creation order, hash
_IN_SHARED_HEAP = b"\x03\x01"  # how a shared message, version 3, starts
_ATTRIBUTES_BY_NAME = 8  # B-tree type
_RECORD_SIZES = {5: 11, 6: 15, 8: 17, 9: 13}  # by B-tree type: links, attributes


def read_local_heap(superblock: Superblock, at: int) -> Reading[bytes]:
    """Return the data segment of the local heap at `at`: two rounds."""
    size = local_heap_size(superblock.sizes)
    (view,) = yield [ByteRange(at, at + size)]
    where, length = decode_local_heap(exact(view, size, at, "local heap"), superblock.sizes)
    inside(superblock, where, length, "local heap data segment")
    (view,) = yield [ByteRange(where, where + length)]
    return exact(view, length, where, "local heap data segment")


def read_symbol_table(superblock: Superblock, btree: int, heap: int) -> Reading[list[Link]]:
    """Return the links of a symbol table group, in the order of their names."""
    parts: list[Reading[Any]] = [
        read_local_heap(superblock, heap),
        _read_symbol_nodes(superblock, btree),
    ]
    names, nodes = yield from together(parts)
    return [link for node in nodes for link in decode_symbol_node(node, names, superblock.sizes)]


def _read_symbol_nodes(superblock: Superblock, btree: int) -> Reading[list[bytes]]:
    sizes = superblock.sizes
    size = group_node_size(sizes)
    seen = {btree}
    nodes = [btree]
    expected: int | None = None
    while True:
        for at in nodes:
            inside(superblock, at, 8, "a group's B-tree node")
        views = yield [ByteRange(at, at + size) for at in nodes]
        children: list[int] = []
        for at, view in zip(nodes, views, strict=True):
            level, below = decode_group_node(bytes(view), sizes)
            if level > MAX_DEPTH or (expected is not None and level != expected):
                raise CorruptFileError(f"a group's B-tree node of level {level}", at=at)
            expected = level
            children += below
        if len(set(children)) != len(children) or seen & set(children):
            raise CorruptFileError("a node of a group's B-tree is reached twice", at=btree)
        seen.update(children)
        nodes = children
        if not nodes or expected is None or expected == 0:
            break
        expected -= 1
    size = symbol_node_size(sizes)
    views = (yield [ByteRange(at, at + size) for at in nodes]) if nodes else []
    return [bytes(view) for view in views]


def read_dense_links(
    superblock: Superblock, storage: DenseStorage
) -> Reading[list[tuple[Link, int | None]]]:
    """Return the links of a group in dense storage with their creation order, unsorted."""
    parts = yield from _read_dense(superblock, storage)
    if parts is None:
        return []
    heap_map, (kind, records) = parts
    start = 4 if kind == 5 else 8
    ids = [record[start : start + _LINK_ID_SIZE] for record in records]
    bodies = yield from read_heap_objects(superblock, heap_map, ids)
    return [decode_link(body, superblock.sizes) for body in bodies]


def read_dense_attributes(
    superblock: Superblock, storage: DenseStorage
) -> Reading[list[tuple[int, int, bytes]]]:
    """Return dense attributes as (creation order, message flags, body), unsorted.

    The body of one that is shared is a shared message: its ID in the shared message heap.
    """
    parts = yield from _read_dense(superblock, storage)
    if parts is None:
        return []
    heap_map, (kind, records) = parts
    if kind != _ATTRIBUTES_BY_NAME:
        raise CorruptFileError(
            f"a B-tree of type {kind} where attributes are indexed by name",
            at=storage.name_index_address,
        )
    rows = [*_ATTRIBUTE_RECORD.iter_unpack(b"".join(records))]
    own = [heap_id for heap_id, flags, _, _ in rows if not flags & SHARED]
    bodies = iter((yield from read_heap_objects(superblock, heap_map, own)))
    return [
        (order, flags, _IN_SHARED_HEAP + heap_id if flags & SHARED else next(bodies))
        for heap_id, flags, order, _ in rows
    ]


def _read_dense(superblock: Superblock, storage: DenseStorage) -> Reading[Sequence[Any] | None]:
    if storage.heap_address is None:
        return None
    if storage.name_index_address is None:
        raise CorruptFileError("dense storage without an index by name", at=storage.heap_address)
    parts: list[Reading[Any]] = [
        read_heap_map(superblock, storage.heap_address),
        read_records(superblock, storage.name_index_address),
    ]
    heap_map, (kind, records) = yield from together(parts)
    if records and len(records[0]) != _RECORD_SIZES.get(kind):
        raise CorruptFileError(
            f"a B-tree of type {kind} with records of {len(records[0])} bytes",
            at=storage.name_index_address,
        )
    return heap_map, (kind, records)


def read_external_files(
    superblock: Superblock, heap: int | None, slots: list[tuple[int, int, int | None]]
) -> Reading[tuple[ExternalFile, ...]]:
    """Return the slots of an external data files message with their names."""
    if heap is None:
        raise CorruptFileError("an external data files message has no heap of names")
    names = yield from read_local_heap(superblock, heap)
    return tuple(_external_file(names, *slot) for slot in slots)


def _external_file(names: bytes, name: int, offset: int, size: int | None) -> ExternalFile:
    try:
        return ExternalFile(terminated(names, name)[0], offset, size)
    except IndexError as cause:
        raise CorruptFileError("the name of an external file is cut off") from cause
