"""Version 1 B-trees of a single leaf, those of many datasets decoded as one table.

A file of a thousand small variables holds a thousand such trees, and a dozen array operations for
each would cost more than reading them. Only what is as a library writes it is decoded here: a tree
that is larger, damaged or holds chunks outside the current shape is left to `read_btree1`, which
says what is wrong with it. So is one that the end of the file cuts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.parsers.hdf5.index.bounds import Bytes2D
from virtualizarr.parsers.hdf5.index.btree1 import NodeFormat, decode_entries, node_format
from virtualizarr.parsers.hdf5.index.columns import ChunkedStorage, UInt32s
from virtualizarr.parsers.hdf5.index.grid import Bools, UInt64s
from virtualizarr.source.ranges import ByteBlocks, Int64s
from virtualizarr.source.reading import Reading

_LEAF = int.from_bytes(b"TREE\x01\x00", "little")
_UNDER_USED = np.uint64((1 << 48) - 1)  # signature, node type and node level; above: Entries Used


@dataclass(frozen=True, slots=True, eq=False)
class Leaves:
    """The chunks of many trees: those of tree `i` are rows `ends[i - 1]` up to `ends[i]`.

    The rows of a tree have ascending cells. Trees that are not `decoded` have no rows. The columns
    are read-only; their units are those of `ChunkIndex`.
    """

    roots: Bytes2D  # the root node of each tree
    decoded: list[bool]
    ends: list[int]
    cell: Int64s
    address: UInt64s
    size: UInt32s
    filter_mask: UInt32s


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """What is known of the datasets, one row each; chunk shape, counts, strides by dimension."""

    chunk_shape: UInt64s
    counts: UInt64s
    strides: UInt64s
    chunk_bytes: UInt64s
    filtered: Bools


def by_node_size(storages: Mapping[int, ChunkedStorage], file_size: int) -> list[list[int]]:
    """Group the datasets of one file, by their keys, whose trees `read_leaves` can read together.

    Left out are those that must be read alone: cut by the end of the file, or in nodes that must
    overlap.
    """
    ranks: dict[int, list[int]] = {}
    for key, each in storages.items():
        ranks.setdefault(len(each.grid.counts), []).append(key)
    groups: list[list[int]] = []
    for alike in ranks.values():
        size = node_format(storages[alike[0]]).size
        whole = [key for key in alike if storages[key].address + size <= file_size]
        if whole and len(whole) * size <= file_size:
            groups.append(whole)
    return groups


def read_leaves(storages: Sequence[ChunkedStorage], file_size: int) -> Reading[Leaves]:
    """Read the trees of a group that `by_node_size` made; one round."""
    form, base = node_format(storages[0]), storages[0].sizes.base
    (roots,) = yield [ByteBlocks(np.array([each.address for each in storages]), form.size)]
    used, plausible = _entries_used(roots, form)
    entries = decode_entries(roots, used, form).reshape(-1)
    owner = np.repeat(np.arange(len(storages)), used)
    table = _table(storages)
    cell, sound = _cells(entries["offset"][:, :-1], owner, table)
    address, size = entries["child"].astype(np.uint64), entries["size"]
    end = np.uint64(max(0, file_size - base))
    sound &= (address <= end) & (address + size <= end)
    filtered = table.filtered[owner]
    sound &= filtered | (size == table.chunk_bytes[owner])
    plausible[owner[~sound]] = False
    kept = plausible[owner]
    mask = np.where(filtered, entries["filter_mask"], np.uint32(0))
    return Leaves(
        roots,
        plausible.tolist(),
        np.cumsum(np.where(plausible, used, 0)).tolist(),
        _frozen(cell[kept]),
        _frozen(address[kept] + np.uint64(base)),
        _frozen(size[kept]),
        _frozen(mask[kept]),
    )


def _entries_used(roots: Bytes2D, form: NodeFormat) -> tuple[Int64s, Bools]:
    """Return the entries of each root and whether it is a leaf; others count as empty."""
    head = roots[:, :8].copy().view("<u8")[:, 0]
    used = (head >> np.uint64(48)).astype(np.int64)
    leaf = (head & _UNDER_USED) == np.uint64(_LEAF)
    leaf &= used <= form.max_entries
    used[~leaf] = 0
    return used, leaf


def _table(storages: Sequence[ChunkedStorage]) -> _Table:
    grids = [each.grid for each in storages]
    return _Table(
        np.array([grid.chunk_shape for grid in grids], np.uint64),
        np.array([grid.counts for grid in grids], np.uint64),
        np.array([grid.strides for grid in grids], np.uint64),
        np.array([each.chunk_bytes for each in storages], np.uint64),
        np.array([each.filtered for each in storages], np.bool_),
    )


def _cells(offset: npt.NDArray[np.uint64], owner: Int64s, table: _Table) -> tuple[Int64s, Bools]:
    """Return each row's cell, and whether it lies on the grid, after the row before of its tree."""
    scaled, rest = np.divmod(offset, table.chunk_shape[owner])
    sound = ((rest == 0) & (scaled < table.counts[owner])).all(axis=1)
    cell = (scaled * table.strides[owner]).sum(axis=1, dtype=np.uint64).view(np.int64)
    sound[1:] &= (cell[1:] > cell[:-1]) | (owner[1:] != owner[:-1])
    return cell, sound


def _frozen[A: npt.NDArray[Any]](column: A) -> A:
    column.flags.writeable = False
    return column
