"""Version 1 B-trees that index chunks (III.A.1, node type 1): layout messages 1, 2 and 3."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.hdf5.index.bounds import (
    Bytes2D,
    check_budget,
    check_prefix,
    node_addresses,
    whole_nodes,
)
from virtualizarr.parsers.hdf5.index.columns import (
    ChunkedStorage,
    IndexRows,
    gathered,
    slices,
)
from virtualizarr.source.ranges import Int64s
from virtualizarr.source.reading import Reading

_NODE = "a chunk B-tree node"


@dataclass(frozen=True, slots=True)
class NodeFormat:
    """Where a node keeps its entries: a key and a child pointer each, `2 K` at most."""

    header_size: int
    entry: np.dtype[np.void]
    max_entries: int

    @property
    def size(self) -> int:
        """Bytes of a whole node: header, entries, and the key after the last."""
        key_size = self.entry.fields["child"][1] if self.entry.fields is not None else 0
        return self.header_size + self.max_entries * self.entry.itemsize + key_size


def node_format(storage: ChunkedStorage) -> NodeFormat:
    offset = storage.sizes.offset
    entry = np.dtype(
        [
            ("size", "<u4"),
            ("filter_mask", "<u4"),
            ("offset", "<u8", (len(storage.grid.counts) + 1,)),
            ("child", f"<u{offset}"),
        ]
    )
    return NodeFormat(8 + 2 * offset, entry, 2 * storage.sizes.chunk_internal_k)


def read_btree1(storage: ChunkedStorage, root: Bytes2D | None = None) -> Reading[IndexRows]:
    """Read the tree level by level: as many rounds as it has levels, one less if `root` is given.

    `root` is the whole root node, one row.
    """
    form = node_format(storage)
    starts = np.array([storage.address], np.int64)
    level: int | None = None
    asked = 0
    while True:
        request = whole_nodes(starts, form.size, storage.file_size)
        asked += len(starts) * request.size
        check_budget(asked, storage.file_size, int(starts[0]))
        nodes = (yield [request])[0] if level is not None or root is None else root
        if level is None:
            level = int(nodes[0, 5]) if nodes.shape[1] > 5 else 0
        check_prefix(nodes, b"TREE\x01" + bytes([level]), starts, _NODE)
        used = entries_used(nodes, form, starts, storage.file_size)
        if level == 0:
            parts = (
                _rows(decode_entries(nodes[some], used[some], form), storage)
                for some in slices(len(nodes), form.size)
            )
            return gathered(parts, int(used.sum()), storage)
        level -= 1
        raw = decode_entries(nodes, used, form)["child"].reshape(-1)
        starts = node_addresses(raw, storage.sizes.base, storage.file_size, _NODE)
        if len(starts) == 0:
            raise CorruptFileError("an inner node of a chunk B-tree has no children")


def entries_used(nodes: Bytes2D, form: NodeFormat, starts: Int64s, file_size: int | None) -> Int64s:
    """How many entries each node has in use.

    The end of the file may cut a node after its last entry in use. Raises CorruptFileError if it
    cuts earlier, or a node claims more entries than fit.
    """
    if nodes.shape[1] < form.header_size:
        raise CorruptFileError(f"the file ends inside {_NODE}", at=int(starts[0]))
    used = nodes[:, 6:8].view("<u2")[:, 0].astype(np.int64)
    ends = starts + form.header_size + used * form.entry.itemsize
    wrong = used > form.max_entries
    if file_size is not None:
        wrong |= ends > file_size
    if wrong.any():
        row = int(wrong.argmax())
        raise CorruptFileError(
            f"{_NODE} claims {used[row]} entries; there is room for {form.max_entries}, or as many "
            "as the file holds",
            at=int(starts[row]),
        )
    if form.header_size + int(used.max()) * form.entry.itemsize > nodes.shape[1]:
        raise CorruptFileError(f"the file ends inside {_NODE}", at=int(starts[0]))
    return used


def decode_entries(nodes: Bytes2D, used: Int64s, form: NodeFormat) -> npt.NDArray[np.void]:
    """The entries in use of all nodes, in key order; by node where all have as many, uncopied."""
    most = int(used.max())
    stop = form.header_size + most * form.entry.itemsize
    entries = nodes[:, form.header_size : stop].view(form.entry)
    if bool((used == most).all()):
        return entries
    return entries[np.arange(most) < used[:, None]]


def _rows(entries: npt.NDArray[np.void], storage: ChunkedStorage) -> IndexRows:
    """Leaf entries as rows; their offsets are in elements."""
    grid = storage.grid
    offset = entries["offset"]
    scaled = []
    for d, length in enumerate(grid.chunk_shape):
        elements = offset[..., d].astype(np.uint64).reshape(-1)
        chunk = elements // np.uint64(length)
        if not np.array_equal(chunk * np.uint64(length), elements):
            raise CorruptFileError("a chunk of the B-tree does not lie on the chunk grid")
        scaled.append(chunk)
    cell, inside = grid.cells_of_coordinates(scaled)
    size = entries["size"].astype(np.uint64).reshape(-1)
    if not storage.filtered and not bool((size == np.uint64(storage.chunk_bytes)).all()):
        raise CorruptFileError(
            f"an unfiltered chunk is not stored in {storage.chunk_bytes} bytes",
            at=storage.address,
        )
    return IndexRows(
        cell.view(np.int64),
        entries["child"].astype(np.uint64).reshape(-1),
        size if storage.filtered else None,
        entries["filter_mask"].astype(np.uint32).reshape(-1) if storage.filtered else None,
    ).keep(inside)
