"""Version 2 B-trees whose records are few and small: links, attributes, huge objects (III.A.2)."""

from __future__ import annotations

from dataclasses import dataclass

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.hdf5.decode_checksum import check_lookup3
from virtualizarr.parsers.hdf5.decode_fields import (
    address,
    bounded,
    encoded_size,
    signature,
    take,
    u16,
    u32,
    unsigned,
)
from virtualizarr.parsers.hdf5.layout import Sizes

MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class BTree2:
    """A version 2 B-tree's header; `child_count_sizes` are the widths its internal nodes use."""

    type: int
    node_size: int
    record_size: int
    depth: int
    root_address: int | None
    root_records: int
    total_records: int
    max_records_size: int  # bytes of Number of Records for Child Node
    total_sizes: tuple[int, ...]  # by depth: bytes of Total Number of Records in Child Node


def btree2_size(sizes: Sizes) -> int:
    """Return the bytes of a version 2 B-tree's header."""
    return 22 + sizes.offset + sizes.length


@bounded
def decode_btree2(buffer: bytes, sizes: Sizes) -> BTree2:
    """Decode a version 2 B-tree's header."""
    signature(buffer, b"BTHD")
    check_lookup3(buffer, "B-tree header", None)
    node_size, record_size, depth = u32(buffer, 6)[0], u16(buffer, 10)[0], u16(buffer, 12)[0]
    if depth > MAX_DEPTH or record_size == 0 or node_size < 10 + record_size:
        raise CorruptFileError(
            f"a B-tree of depth {depth}, nodes of {node_size} and records of {record_size} bytes"
        )
    most = (node_size - 10) // record_size
    width = encoded_size(most)
    totals = [0]
    cumulative = most
    for _ in range(depth):
        pointer = sizes.offset + width + totals[-1]
        records = (node_size - 10 - pointer) // (record_size + pointer)
        if records < 1:
            raise CorruptFileError("a B-tree's nodes are too small for its records")
        cumulative = (records + 1) * cumulative + records
        totals.append(encoded_size(cumulative))
    return BTree2(
        type=buffer[5],
        node_size=node_size,
        record_size=record_size,
        depth=depth,
        root_address=address(buffer, 16, sizes),
        root_records=u16(buffer, 16 + sizes.offset)[0],
        total_records=unsigned(buffer, 18 + sizes.offset, sizes.length),
        max_records_size=width,
        total_sizes=tuple(totals),
    )


@bounded
def decode_node(
    buffer: bytes, tree: BTree2, depth: int, count: int, sizes: Sizes
) -> tuple[list[bytes], list[tuple[int, int]]]:
    """Return a node's records, and its children as (address, number of records)."""
    signature(buffer, b"BTIN" if depth else b"BTLF")
    size = tree.record_size
    at = 6 + count * size
    if at > len(buffer):
        raise IndexError
    records = [buffer[start : start + size] for start in range(6, at, size)]
    if depth == 0:
        check_lookup3(take(buffer, 0, at + 4), "B-tree leaf node", None)
        return records, []
    step = sizes.offset + tree.max_records_size + tree.total_sizes[depth - 1]
    children = []
    for _ in range(count + 1):
        where = address(buffer, at, sizes)
        if where is None:
            raise CorruptFileError("a B-tree node points nowhere")
        children.append((where, unsigned(buffer, at + sizes.offset, tree.max_records_size)))
        at += step
    check_lookup3(take(buffer, 0, at + 4), "B-tree internal node", None)
    return records, children
