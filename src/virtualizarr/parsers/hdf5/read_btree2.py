"""Reading a version 2 B-tree's records, one round for each level."""

from __future__ import annotations

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.hdf5.decode_btree2 import btree2_size, decode_btree2, decode_node
from virtualizarr.parsers.hdf5.layout import Superblock
from virtualizarr.parsers.hdf5.read_object_header import exact, inside
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Reading


def read_records(superblock: Superblock, at: int) -> Reading[tuple[int, list[bytes]]]:
    """Return the type and all records of the B-tree at `at`, level by level (not in key order)."""
    sizes = superblock.sizes
    size = btree2_size(sizes)
    (view,) = yield [ByteRange(at, at + size)]
    tree = decode_btree2(exact(view, size, at, "B-tree header"), sizes)
    if tree.root_address is None:
        return tree.type, []
    records: list[bytes] = []
    seen: set[int] = set()
    level = [(tree.root_address, tree.root_records)]
    for depth in range(tree.depth, -1, -1):
        for start, _ in level:
            inside(superblock, start, tree.node_size, "B-tree node")
            if start in seen:
                raise CorruptFileError("a B-tree node is reached twice", at=start)
            seen.add(start)
        nodes = yield [ByteRange(start, start + tree.node_size) for start, _ in level]
        below: list[tuple[int, int]] = []
        for (start, count), node in zip(level, nodes, strict=True):
            block = exact(node, tree.node_size, start, "B-tree node")
            found, children = decode_node(block, tree, depth, count, sizes)
            records += found
            below += children
        level = below
    if len(records) != tree.total_records:
        raise CorruptFileError(
            f"a B-tree holds {len(records)} records, its header says {tree.total_records}", at=at
        )
    return tree.type, records
