"""Version 2 B-trees that index chunks (III.A.2): datasets with several unlimited dimensions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.hdf5.decode_checksum import check_lookup3
from virtualizarr.parsers.hdf5.index.bounds import (
    Bytes2D,
    check_budget,
    check_extent,
    check_prefix,
    node_addresses,
    whole_nodes,
)
from virtualizarr.parsers.hdf5.index.bytes_near import read_header
from virtualizarr.parsers.hdf5.index.checksums import CHECKSUM, check_sums_at
from virtualizarr.parsers.hdf5.index.columns import (
    ChunkedStorage,
    ElementFormat,
    IndexRows,
    gathered,
    slices,
)
from virtualizarr.parsers.hdf5.index.grid import UInt64s
from virtualizarr.source.ranges import Int64s
from virtualizarr.source.reading import Reading

_HEADER = "a version 2 B-tree header"
_NODE = "a version 2 B-tree node"
_PREFIX = 6  # signature, version, type
_MAX_DEPTH = 32  # an inner node has two children or more, so no file holds a deeper tree


@dataclass(frozen=True, slots=True)
class BTree2Header:
    """III.A.2, under the specification's names; `root_node_address` is absolute."""

    type: int
    node_size: int
    record_size: int
    depth: int
    root_node_address: int | None
    root_records: int
    total_records: int


@dataclass(frozen=True, slots=True)
class LevelFormat:
    """What a node of one level can hold, and how wide its child pointers' counts are.

    `child_records_width` and `child_total_width` are bytes; the total is absent (0) just above the
    leaves.
    """

    max_records: int
    total_max_records: int
    child_records_width: int
    child_total_width: int


def encoded_width(largest: int) -> int:
    """Bytes that hold any number up to `largest`."""
    return max(1, -(-largest.bit_length() // 8))


def level_formats(header: BTree2Header, offset_size: int, at: int) -> list[LevelFormat]:
    """The formats of all levels, leaves first. Raises CorruptFileError if a node holds nothing."""
    room = header.node_size - _PREFIX - CHECKSUM
    most = room // header.record_size if header.record_size else 0
    levels = [LevelFormat(most, most, 0, 0)]
    records_width = encoded_width(most)
    for depth in range(1, header.depth + 1):
        below = levels[-1].total_max_records
        total_width = encoded_width(below) if depth > 1 else 0
        pointer = offset_size + records_width + total_width
        most = (room - pointer) // (header.record_size + pointer)
        total = (most + 1) * below + most
        levels.append(LevelFormat(most, total, records_width, total_width))
    if min(level.max_records for level in levels) < 1:
        raise CorruptFileError(f"nodes of {header.node_size} bytes hold no record", at=at)
    return levels


def decode_header(buffer: memoryview, storage: ChunkedStorage) -> BTree2Header:
    """Decode a header; raises CorruptFileError if it is not one of a chunk index."""
    at, sizes = storage.address, storage.sizes
    if buffer[:6] != b"BTHD\x00" + bytes([11 if storage.filtered else 10]):
        raise CorruptFileError(f"{_HEADER} begins with {bytes(buffer[:6])!r}", at=at)
    check_lookup3(bytes(buffer), _HEADER, at)
    cut = 16 + sizes.offset
    raw = int.from_bytes(buffer[16:cut], "little")
    header = BTree2Header(
        type=buffer[5],
        node_size=int.from_bytes(buffer[6:10], "little"),
        record_size=int.from_bytes(buffer[10:12], "little"),
        depth=int.from_bytes(buffer[12:14], "little"),
        root_node_address=None if raw == (1 << 8 * sizes.offset) - 1 else raw + sizes.base,
        root_records=int.from_bytes(buffer[cut : cut + 2], "little"),
        total_records=int.from_bytes(buffer[cut + 2 : cut + 2 + sizes.length], "little"),
    )
    if header.depth > _MAX_DEPTH:
        raise CorruptFileError(f"{_HEADER} declares a depth of {header.depth}", at=at)
    return header


def read_btree2(storage: ChunkedStorage) -> Reading[IndexRows]:
    """Read header, then the tree level by level: depth + 2 rounds."""
    sizes = storage.sizes
    size = 16 + sizes.offset + 2 + sizes.length + CHECKSUM
    window = yield from read_header(storage.address, size, storage.file_size, _HEADER)
    header = decode_header(window.buffer[:size], storage)
    rank = len(storage.grid.counts)
    form = ElementFormat.of(header.record_size, storage.filtered, sizes, storage.address, rank)
    levels: list[tuple[Bytes2D, Int64s]] = []
    if header.root_node_address is not None and header.total_records > 0:
        levels = yield from _read_levels(header, header.root_node_address, storage)
    parts = (
        _rows(decode_records(nodes[some], used[some], form), form, storage)
        for nodes, used in levels
        for some in slices(len(nodes), nodes.shape[1])
    )
    return gathered(parts, sum(int(used.sum()) for _, used in levels), storage)


def _read_levels(
    header: BTree2Header, root: int, storage: ChunkedStorage
) -> Reading[list[tuple[Bytes2D, Int64s]]]:
    """The nodes of each level and how many records each holds; checked, not decoded."""
    levels = level_formats(header, storage.sizes.offset, storage.address)
    check_extent(root, _PREFIX, storage.file_size, _NODE)
    starts = np.array([root], np.int64)
    used = np.array([header.root_records], np.int64)
    found: list[tuple[Bytes2D, Int64s]] = []
    asked = 0
    for depth in range(header.depth, -1, -1):
        request = whole_nodes(starts, header.node_size, storage.file_size)
        asked += len(starts) * request.size
        check_budget(asked, storage.file_size, int(starts[0]))
        (nodes,) = yield [request]
        signature = b"BTIN" if depth else b"BTLF"
        check_prefix(nodes, signature + bytes([0, header.type]), starts, _NODE)
        ends = _ends(used, starts, levels[depth], nodes.shape[1], header, storage)
        check_sums_at(ends, nodes, starts, _NODE)
        found.append((nodes, used))
        if depth > 0:
            starts, used = decode_children(nodes, used, header, levels[depth], storage)
    total = sum(int(used.sum()) for _, used in found)
    if total != header.total_records:
        raise CorruptFileError(
            f"a version 2 B-tree holds {total} records, its header says {header.total_records}",
            at=storage.address,
        )
    return found


def _ends(
    used: Int64s,
    starts: Int64s,
    level: LevelFormat,
    present: int,
    header: BTree2Header,
    storage: ChunkedStorage,
) -> Int64s:
    """Where each node's checksum stands: after its last record, or child pointer if it has any.

    Raises CorruptFileError unless all that fits into a node and is there.
    """
    inner = level.child_records_width > 0
    pointer = (
        storage.sizes.offset + level.child_records_width + level.child_total_width if inner else 0
    )
    ends = _PREFIX + used * header.record_size + (used + 1) * pointer
    wrong = (used > level.max_records) | (used < 1) | (ends + CHECKSUM > present)
    if storage.file_size is not None:
        wrong |= starts + ends + CHECKSUM > storage.file_size
    if wrong.any():
        row = int(wrong.argmax())
        raise CorruptFileError(
            f"{_NODE} claims {used[row]} records; there is room for 1 to {level.max_records}, or "
            "as many as the file holds",
            at=int(starts[row]),
        )
    return ends


def decode_records(nodes: Bytes2D, used: Int64s, form: ElementFormat) -> npt.NDArray[np.void]:
    """The records in use of some nodes of a level; by node where all have as many, uncopied."""
    most = int(used.max())
    records = nodes[:, _PREFIX : _PREFIX + most * form.dtype.itemsize].view(form.dtype)
    if bool((used == most).all()):
        return records
    return records[np.arange(most) < used[:, None]]


def decode_children(
    nodes: Bytes2D, used: Int64s, header: BTree2Header, level: LevelFormat, storage: ChunkedStorage
) -> tuple[Int64s, Int64s]:
    """Addresses and numbers of records of all children; pointers follow each node's last record."""
    width = storage.sizes.offset
    pointer = width + level.child_records_width + level.child_total_width
    node = np.repeat(np.arange(len(used)), used + 1)
    before = np.repeat(np.cumsum(used + 1) - (used + 1), used + 1)
    child = np.arange(len(node)) - before
    at = node * nodes.shape[1] + _PREFIX + used[node] * header.record_size + child * pointer
    raw = nodes.reshape(-1)[at[:, None] + np.arange(pointer)]
    address = _unsigned(raw[:, :width])
    records = _unsigned(raw[:, width : width + level.child_records_width])
    starts = node_addresses(address, storage.sizes.base, storage.file_size, _NODE)
    return starts, records.astype(np.int64)


def _unsigned(raw: Bytes2D) -> UInt64s:
    """Little-endian integers of one width (at most 8 bytes), a row each."""
    wide = np.zeros((len(raw), 8), np.uint8)
    wide[:, : raw.shape[1]] = raw
    return wide.view("<u8")[:, 0].astype(np.uint64)


def _rows(records: npt.NDArray[np.void], form: ElementFormat, storage: ChunkedStorage) -> IndexRows:
    """Records as rows: the chunk element, then its scaled coordinates."""
    scaled = records["scaled"]
    columns = (scaled[..., d].astype(np.uint64).reshape(-1) for d in range(scaled.shape[-1]))
    cell, inside = storage.grid.cells_of_coordinates(columns)
    rows = IndexRows(
        cell.view(np.int64), form.address(records), form.size(records), form.filter_mask(records)
    )
    return rows.keep(inside)
